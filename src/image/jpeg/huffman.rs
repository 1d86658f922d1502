//! Huffman codes, and the coefficients of a sequential scan that is coded by them.

use super::bits::{Bits, extend};
use super::definitions::{Definition, Definitions};
use super::refusals::damaged;
use super::scan::{Block, Coder, Reached, Scan, Source};
use crate::Result;

/// How many bits are looked up at once. Longer codes are rare and found by their length.
const LOOKUP_BITS: u32 = 9;

/// A code made ready for decoding.
pub(super) struct Table {
    /// For each beginning: the length of its code above the symbol, or 0 where the code is longer.
    lookup: Box<[u16; 1 << LOOKUP_BITS]>,
    /// For each beginning that holds a whole coefficient, code and number: the number above the run
    /// of zeros before it above the length. Else 0.
    coefficients: Box<[i32; 1 << LOOKUP_BITS]>,
    /// The end of the codes of each length, as 16 bits with the code highest.
    ends: [u32; 17],
    /// What added to a code of each length is the place of its symbol.
    offsets: [i32; 17],
    symbols: [u8; 256],
}

impl Table {
    /// The codes are numbers that count up, each length going on from the one before it. None may
    /// consist of ones alone.
    pub(super) fn new(definition: &Definition) -> Result<Self> {
        let mut table = Table {
            lookup: Box::new([0; 1 << LOOKUP_BITS]),
            coefficients: Box::new([0; 1 << LOOKUP_BITS]),
            ends: [0; 17],
            offsets: [0; 17],
            symbols: definition.symbols,
        };
        let (mut code, mut place) = (0u32, 0usize);
        for (length, &count) in (1..).zip(&definition.counts) {
            let count = usize::from(count);
            let symbols = definition.symbols.get(place..place + count);
            let symbols = symbols.ok_or_else(|| damaged("a Huffman code has over 256 symbols"))?;
            table.offsets[length as usize] = place as i32 - code as i32;
            if count > 0 && code + count as u32 >= 1 << length {
                return Err(damaged("a Huffman code does not fit in its length"));
            }
            for &symbol in symbols {
                table.enter(code, length, symbol);
                code += 1;
            }
            place += count;
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok(table)
    }

    fn enter(&mut self, code: u32, length: u32, symbol: u8) {
        let Some(free) = LOOKUP_BITS.checked_sub(length) else {
            return;
        };
        let first = (code << free) as usize;
        let size = u32::from(symbol & 15);
        for rest in 0..1usize << free {
            self.lookup[first + rest] = (length as u16) << 8 | u16::from(symbol);
            if size > 0 && size <= free {
                let number = extend((rest >> (free - size)) as i32, size);
                let run = i32::from(symbol >> 4);
                self.coefficients[first + rest] = number << 16 | run << 8 | (length + size) as i32;
            }
        }
    }

    /// The run of zeros and the coefficient that come next, where both are looked up at once.
    #[inline(always)]
    pub(super) fn whole_coefficient(&self, bits: &mut Bits) -> Option<(usize, i32)> {
        let whole = self.coefficients[(bits.peek() >> (16 - LOOKUP_BITS)) as usize];
        if whole == 0 {
            return None;
        }
        bits.skip(whole as u32 & 255);
        Some(((whole >> 8 & 15) as usize, whole >> 16))
    }

    /// The symbol of the next code, or nothing where no code begins like this.
    #[inline(always)]
    pub(super) fn decode(&self, bits: &mut Bits) -> Option<u8> {
        let entry = self.lookup[(bits.peek() >> (16 - LOOKUP_BITS)) as usize];
        if entry != 0 {
            bits.skip(u32::from(entry >> 8));
            return Some(entry as u8);
        }
        self.decode_long(bits)
    }

    #[cold]
    fn decode_long(&self, bits: &mut Bits) -> Option<u8> {
        let next = bits.peek();
        let length = (LOOKUP_BITS + 1..=16).find(|&length| next < self.ends[length as usize])?;
        bits.skip(length);
        let place = (next >> (16 - length)) as i32 + self.offsets[length as usize];
        self.symbols.get(place as usize).copied()
    }

    /// The difference of a DC coefficient from the one before it.
    #[inline(always)]
    pub(super) fn decode_difference(&self, bits: &mut Bits) -> Option<i32> {
        bits.refill();
        let size = self.decode(bits)?;
        Some(bits.take_signed(u32::from(size)))
    }

    /// Whether every symbol is a size that a difference can have.
    fn codes_differences(definition: &Definition, largest: u8) -> bool {
        let count = definition.counts.iter().map(|&c| usize::from(c)).sum();
        let symbols = definition.symbols.get(..count).unwrap_or_default();
        symbols.iter().all(|&symbol| symbol <= largest)
    }
}

fn defined(definitions: &[Option<Definition>; 4], number: u8) -> Result<&Definition> {
    let found = definitions
        .get(usize::from(number))
        .and_then(Option::as_ref);
    found.ok_or_else(|| damaged("a Huffman table that it uses is missing"))
}

/// The table for the differences of DC coefficients, or of samples, of at most `largest` bits.
pub(super) fn difference_table(
    definitions: &[Option<Definition>; 4],
    number: u8,
    largest: u8,
) -> Result<Table> {
    let definition = defined(definitions, number)?;
    if !Table::codes_differences(definition, largest) {
        return Err(damaged("a Huffman code has impossible sizes"));
    }
    Table::new(definition)
}

pub(super) fn coefficient_table(
    definitions: &[Option<Definition>; 4],
    number: u8,
) -> Result<Table> {
    Table::new(defined(definitions, number)?)
}

/// A sequential scan: each block whole, one after the other.
pub(super) struct Sequential<'a> {
    bits: Bits<'a>,
    components: Vec<Component>,
}

struct Component {
    dc: Table,
    ac: Table,
    last_dc: i32,
}

impl<'a> Sequential<'a> {
    pub(super) fn new(
        data: &'a [u8],
        at: usize,
        scan: &Scan,
        definitions: &Definitions,
    ) -> Result<Self> {
        let component = |part: &super::scan::Part| {
            Ok(Component {
                dc: difference_table(&definitions.dc_codes, part.dc, 15)?,
                ac: coefficient_table(&definitions.ac_codes, part.ac)?,
                last_dc: 0,
            })
        };
        Ok(Sequential {
            bits: Bits::new(data, at),
            components: scan.parts.iter().map(component).collect::<Result<_>>()?,
        })
    }
}

impl Coder for Sequential<'_> {
    #[inline(always)]
    fn decode(&mut self, part: usize, mut block: Block) -> Option<()> {
        let component = &mut self.components[part];
        let bits = &mut self.bits;
        let difference = component.dc.decode_difference(bits)?;
        component.last_dc = component.last_dc.wrapping_add(difference);
        block.set(0, component.last_dc)?;
        let table = &component.ac;
        let mut k = 1;
        while k < 64 {
            bits.refill();
            if let Some((run, number)) = table.whole_coefficient(bits) {
                k += run;
                block.set(k, number)?;
                k += 1;
                continue;
            }
            let symbol = table.decode(bits)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size > 0 {
                k += run;
                block.set(k, bits.take_signed(size))?;
                k += 1;
            } else if run == 15 {
                k += 16;
            } else {
                break;
            }
        }
        Some(())
    }
}

impl Source for Sequential<'_> {
    fn restart(&mut self, at: usize) {
        self.bits = self.bits.from(at);
        self.components.iter_mut().for_each(|c| c.last_dc = 0);
    }

    fn reached(&self) -> Reached {
        self.bits.reached()
    }
}
