//! The bits of a Huffman-coded scan. A zero byte after 0xff is no data, and any other byte after it
//! is a marker: the end of this part of the scan, from which on there are only zeros.

use super::scan::Reached;

pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The next byte to take, or the 0xff of the marker that ended the data.
    at: usize,
    /// The next bits, the first of them highest.
    buffer: u64,
    /// How many bits of the buffer are taken from the data or stand for what is not there.
    count: u32,
    /// How many bits were made up after the end.
    made_up: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8], at: usize) -> Self {
        Bits {
            data,
            at,
            buffer: 0,
            count: 0,
            made_up: 0,
        }
    }

    /// A reader of the same data from another place.
    pub(super) fn from(&self, at: usize) -> Self {
        Bits::new(self.data, at)
    }

    /// Makes sure that 32 bits are there: a code and the number after it.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(bytes) = self.data.get(self.at..self.at + 4) {
            let word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let zero_byte_of_complement = (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080;
            if zero_byte_of_complement == 0 {
                self.buffer |= u64::from(word) << (32 - self.count);
                self.count += 32;
                self.at += 4;
                return;
            }
        }
        self.refill_slowly();
    }

    #[cold]
    #[inline(never)]
    fn refill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match self.next_byte() {
                Some(byte) => byte,
                None => {
                    self.made_up = self.made_up.saturating_add(8);
                    0
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn next_byte(&mut self) -> Option<u8> {
        if self.made_up > 0 {
            return None; // a long run of 0xff is not to be searched through again and again
        }
        let byte = *self.data.get(self.at)?;
        if byte != 0xff {
            self.at += 1;
            return Some(byte);
        }
        let fill = self.data[self.at..].iter().take_while(|&&b| b == 0xff);
        let after = self.at + fill.count();
        (self.data.get(after) == Some(&0)).then(|| {
            self.at = after + 1;
            0xff
        })
    }

    /// The next 16 bits, without taking them.
    #[inline(always)]
    pub(super) fn peek(&self) -> u32 {
        (self.buffer >> 48) as u32
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// The next `bits` bits, at most 16, as a number.
    #[inline(always)]
    pub(super) fn take(&mut self, bits: u32) -> u32 {
        let value = ((self.buffer >> 32) >> (32 - bits)) as u32;
        self.skip(bits);
        value
    }

    /// A number of `size` bits as the standard's EXTEND reads it: those that begin with a zero bit
    /// are negative.
    #[inline(always)]
    pub(super) fn take_signed(&mut self, size: u32) -> i32 {
        let value = self.take(size) as i32;
        extend(value, size)
    }

    pub(super) fn reached(&self) -> Reached {
        let ahead = self.count.saturating_sub(self.made_up) as usize / 8;
        Reached {
            overran: self.count < self.made_up,
            at: self.at, // a marker as a rule
            bytes_left: self.data.len() - self.at + ahead,
        }
    }
}

#[inline(always)]
pub(super) fn extend(value: i32, size: u32) -> i32 {
    let negative = ((value << 1) >> size) == 0;
    if negative {
        value - (1 << size) + 1
    } else {
        value
    }
}
