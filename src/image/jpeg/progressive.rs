//! The coefficients of a progressive scan in Huffman codes: a band of them, or one more bit of each.

use super::bits::Bits;
use super::definitions::Definitions;
use super::huffman::{Table, coefficient_table, difference_table};
use super::refusals::damaged;
use super::scan::{Block, Coder, Reached, Scan, Source};
use crate::Result;

pub(super) struct Progressive<'a> {
    bits: Bits<'a>,
    pass: Pass,
    last_dc: [i32; 4],
    /// How many blocks follow in which nothing new begins.
    blocks_without: u32,
}

/// What a scan adds. `low` is the place of its lowest bit.
enum Pass {
    Dc { tables: Vec<Table>, low: u8 },
    DcBit { low: u8 },
    Ac { table: Table, band: Band, low: u8 },
    AcBit { table: Table, band: Band, low: u8 },
}

#[derive(Clone, Copy)]
struct Band {
    first: usize,
    last: usize,
}

impl<'a> Progressive<'a> {
    pub(super) fn new(
        data: &'a [u8],
        at: usize,
        scan: &Scan,
        definitions: &Definitions,
    ) -> Result<Self> {
        Ok(Progressive {
            bits: Bits::new(data, at),
            pass: Pass::new(scan, definitions)?,
            last_dc: [0; 4],
            blocks_without: 0,
        })
    }
}

impl Pass {
    fn new(scan: &Scan, definitions: &Definitions) -> Result<Self> {
        let low = scan.low;
        let band = Band {
            first: usize::from(scan.first),
            last: usize::from(scan.last),
        };
        if band.first == 0 && scan.high == 0 {
            let table =
                |part: &super::scan::Part| difference_table(&definitions.dc_codes, part.dc, 15);
            let tables = scan.parts.iter().map(table).collect::<Result<_>>()?;
            return Ok(Pass::Dc { tables, low });
        }
        if band.first == 0 {
            return Ok(Pass::DcBit { low });
        }
        let [part] = scan.parts[..] else {
            return Err(damaged("a scan mixes the bands of several colours"));
        };
        let table = coefficient_table(&definitions.ac_codes, part.ac)?;
        Ok(if scan.high == 0 {
            Pass::Ac { table, band, low }
        } else {
            Pass::AcBit { table, band, low }
        })
    }
}

impl Coder for Progressive<'_> {
    #[inline(always)]
    fn decode(&mut self, part: usize, mut block: Block) -> Option<()> {
        let bits = &mut self.bits;
        match &self.pass {
            Pass::Dc { tables, low } => {
                let difference = tables[part].decode_difference(bits)?;
                self.last_dc[part] = self.last_dc[part].wrapping_add(difference);
                block.set(0, self.last_dc[part].wrapping_shl(u32::from(*low)))?;
            }
            Pass::DcBit { low } => {
                bits.refill();
                block.coefficients[0] |= (bits.take(1) << low) as i16;
            }
            Pass::Ac { table, band, low } => {
                if self.blocks_without > 0 {
                    self.blocks_without -= 1;
                } else {
                    self.blocks_without = first_bits(bits, table, *band, *low, &mut block)?;
                }
            }
            Pass::AcBit { table, band, low } => {
                let refinement = Refinement {
                    bits,
                    block,
                    last: band.last,
                    bit: 1 << low,
                };
                refinement.run(table, band.first, &mut self.blocks_without)?;
            }
        }
        Some(())
    }
}

impl Source for Progressive<'_> {
    fn restart(&mut self, at: usize) {
        self.bits = self.bits.from(at);
        self.last_dc = [0; 4];
        self.blocks_without = 0;
    }

    fn reached(&self) -> Reached {
        self.bits.reached()
    }
}

/// The first bits of a band. Returns how many blocks follow without any.
#[inline(always)]
fn first_bits(
    bits: &mut Bits,
    table: &Table,
    band: Band,
    low: u8,
    block: &mut Block,
) -> Option<u32> {
    let mut k = band.first;
    while k <= band.last {
        bits.refill();
        if let Some((run, number)) = table.whole_coefficient(bits) {
            k += run;
            block.set(k, number << low)?;
            k += 1;
            continue;
        }
        let symbol = table.decode(bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size > 0 {
            k += run as usize;
            block.set(k, bits.take_signed(size) << low)?;
            k += 1;
        } else if run == 15 {
            k += 16;
        } else {
            return Some((1 << run) + bits.take(run) - 1);
        }
    }
    Some(0)
}

/// One more bit of a band of a block.
struct Refinement<'a, 'b> {
    bits: &'a mut Bits<'b>,
    block: Block<'a>,
    last: usize,
    bit: i16,
}

impl Refinement<'_, '_> {
    fn run(mut self, table: &Table, first: usize, blocks_without: &mut u32) -> Option<()> {
        let mut k = first;
        while k <= self.last && *blocks_without == 0 {
            self.bits.refill();
            let symbol = table.decode(self.bits)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            let new = match size {
                0 if run < 15 => {
                    *blocks_without = (1 << run) + self.bits.take(run);
                    break;
                }
                0 => 0,
                1 if self.bits.take(1) == 1 => i32::from(self.bit),
                1 => -i32::from(self.bit),
                _ => return None,
            };
            let place = self.after_zeros(k, run);
            self.add_bits(k, place);
            if new != 0 {
                if place > self.last {
                    return None;
                }
                self.block.set(place, new)?;
            }
            k = place + 1;
        }
        if *blocks_without > 0 {
            self.add_bits(k, self.last + 1);
            *blocks_without -= 1;
        }
        Some(())
    }

    /// The place of the coefficient from `k` on that is still zero, after so many others that are.
    #[inline(always)]
    fn after_zeros(&self, k: usize, zeros: u32) -> usize {
        let mut zero = !*self.block.nonzero & (u64::MAX << k);
        for _ in 0..zeros {
            zero &= zero.wrapping_sub(1);
        }
        (zero.trailing_zeros() as usize).min(self.last + 1)
    }

    /// Adds a bit to each coefficient of `first..end` that is not zero.
    #[inline(always)]
    fn add_bits(&mut self, first: usize, end: usize) {
        let below = |k: usize| !u64::MAX.checked_shl(k as u32).unwrap_or(0);
        let mut places = *self.block.nonzero & below(end) & !below(first);
        while places != 0 {
            let coefficient = &mut self.block.coefficients[places.trailing_zeros() as usize];
            places &= places - 1;
            self.bits.refill();
            if self.bits.take(1) == 1 && *coefficient & self.bit == 0 {
                let step = if *coefficient >= 0 {
                    self.bit
                } else {
                    -self.bit
                };
                *coefficient = coefficient.wrapping_add(step);
            }
        }
    }
}
