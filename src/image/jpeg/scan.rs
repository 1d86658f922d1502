//! The scans of a file: which coefficients each brings, and the order of the blocks.

use super::frame::{Component, Frame, Process};
use super::markers::next_marker;
use super::refusals::{damaged, truncated, unsupported};
use crate::Result;
use crate::image::memory::zeroed;

/// The coefficients of 8x8 samples in the order they are sent: from low to high frequency.
pub(super) type Coefficients = [i16; 64];

/// A block that is being decoded.
pub(super) struct Block<'a> {
    pub coefficients: &'a mut Coefficients,
    /// A bit for each coefficient that is not zero. Most are, so that this saves looking.
    pub nonzero: &'a mut u64,
}

impl Block<'_> {
    /// Sets a coefficient, or says that there is none of this number.
    #[inline(always)]
    pub(super) fn set(&mut self, k: usize, value: i32) -> Option<()> {
        let value = value as i16; // too large a number wraps around, as for libjpeg
        *self.coefficients.get_mut(k)? = value;
        *self.nonzero |= u64::from(value != 0) << k;
        Some(())
    }
}

/// All blocks of a component, row by row.
pub(super) struct Blocks {
    pub coefficients: Vec<Coefficients>,
    pub nonzero: Vec<u64>,
    /// How many blocks a row has, with those that fill up the last repeated part.
    pub across: usize,
}

impl Blocks {
    /// What a block takes in memory.
    pub(super) const BYTES: usize = size_of::<Coefficients>() + size_of::<u64>();

    pub(super) fn new(frame: &Frame, component: &Component) -> Result<Self> {
        let (across, down) = frame.padded_units(component);
        Ok(Blocks {
            coefficients: zeroed(across * down)?,
            nonzero: zeroed(across * down)?,
            across,
        })
    }

    #[inline(always)]
    fn at(&mut self, x: usize, y: usize) -> Block<'_> {
        let place = y * self.across + x;
        Block {
            coefficients: &mut self.coefficients[place],
            nonzero: &mut self.nonzero[place],
        }
    }
}

/// The most blocks in the smallest repeated part.
const MOST_BLOCKS: usize = 10;

pub(super) struct Scan {
    pub parts: Vec<Part>,
    /// The first and last coefficient in the order they are sent; the predictor of a lossless scan.
    pub first: u8,
    pub last: u8,
    /// The lowest bit that earlier scans brought, or 0 where there were none, and that of this one.
    pub high: u8,
    pub low: u8,
}

/// A component of a scan, with the numbers of its tables.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub component: usize,
    pub dc: u8,
    pub ac: u8,
}

impl Scan {
    /// Reads the segment of a start-of-scan marker.
    pub(super) fn read(segment: &[u8], frame: &Frame) -> Result<Self> {
        let wrong = || damaged("a scan header has a wrong length");
        let (&count, rest) = segment.split_first().ok_or_else(wrong)?;
        let listed = rest.split_at_checked(2 * usize::from(count));
        let Some((listed, &[first, last, bits])) = listed else {
            return Err(wrong());
        };
        if !(1..=4).contains(&count) {
            return Err(wrong());
        }
        let mut parts: Vec<Part> = Vec::new();
        for &[id, tables] in listed.as_chunks::<2>().0 {
            // In the order of the frame, as the standard demands.
            let from = parts.last().map_or(0, |part| part.component + 1);
            let found = frame.components.iter().skip(from).position(|c| c.id == id);
            let component = found.ok_or_else(|| damaged("a scan names an unknown colour"))? + from;
            parts.push(Part {
                component,
                dc: tables >> 4,
                ac: tables & 15,
            });
        }
        let (high, low) = (bits >> 4, bits & 15);
        let scan = Scan {
            parts,
            first,
            last,
            high,
            low,
        };
        scan.check(frame)?;
        Ok(scan)
    }

    fn check(&self, frame: &Frame) -> Result<()> {
        let blocks = self.parts.iter().map(|part| {
            let component = &frame.components[part.component];
            component.across * component.down
        });
        if self.parts.len() > 1 && blocks.sum::<usize>() > MOST_BLOCKS {
            return Err(unsupported("more than ten blocks in a unit"));
        }
        let (first, last) = (self.first, self.last);
        let sound = match frame.process {
            Process::Sequential => true,
            Process::Progressive => {
                let band = match first {
                    0 => last == 0,
                    _ => first <= last && last < 64 && self.parts.len() == 1,
                };
                band && self.low <= 13 && (self.high == 0 || self.high == self.low + 1)
            }
            Process::Lossless => {
                (1..=7).contains(&first) && last == 0 && self.high == 0 && self.low < 8
            }
        };
        if !sound {
            return Err(damaged("a scan has impossible parameters"));
        }
        Ok(())
    }
}

/// An entropy decoder of the blocks of one scan.
pub(super) trait Coder: Source {
    /// Adds to the block what the scan has for it. Returns nothing where the data is no valid code.
    fn decode(&mut self, part: usize, block: Block) -> Option<()>;
}

/// Where the data of a scan comes from.
pub(super) trait Source {
    /// Begins anew at a place of the file, after a restart marker.
    fn restart(&mut self, at: usize);

    fn reached(&self) -> Reached;
}

/// How far a source was read.
pub(super) struct Reached {
    /// Whether more was decoded than there is.
    pub overran: bool,
    /// Where the markers after the data are to be looked for.
    pub at: usize,
    /// How many bytes there are that nothing was decoded from.
    pub bytes_left: usize,
}

/// Counts to the next restart marker.
pub(super) struct Restarts<'a> {
    data: &'a [u8],
    interval: usize,
    left: usize,
    number: u8,
}

impl<'a> Restarts<'a> {
    pub(super) fn new(data: &'a [u8], interval: usize) -> Self {
        Restarts {
            data,
            interval,
            left: interval,
            number: 0,
        }
    }

    /// To be called before each unit of the scan.
    #[inline(always)]
    pub(super) fn step(&mut self, coder: &mut impl Source) -> Result<()> {
        if self.interval > 0 {
            if self.left == 0 {
                self.restart(coder)?;
            }
            self.left -= 1;
        }
        Ok(())
    }

    #[cold]
    fn restart(&mut self, coder: &mut impl Source) -> Result<()> {
        check_end(coder)?;
        let mut at = coder.reached().at;
        match next_marker(self.data, &mut at) {
            Some(marker) if marker == 0xd0 + self.number => {}
            Some(_) => return Err(damaged("a restart marker is missing")),
            None => return Err(truncated()),
        }
        coder.restart(at);
        self.number = (self.number + 1) % 8;
        self.left = self.interval;
        Ok(())
    }
}

/// An error where a part of a scan ends early.
pub(super) fn check_end(coder: &impl Source) -> Result<()> {
    match coder.reached().overran {
        true => Err(damaged("its data ends early")),
        false => Ok(()),
    }
}

/// Decodes a scan with several colours into their blocks: one repeated part after the other.
pub(super) fn interleaved(
    frame: &Frame,
    scan: &Scan,
    restarts: &mut Restarts,
    coder: &mut impl Coder,
    blocks: &mut [Blocks],
) -> Result<()> {
    for part_y in 0..frame.parts_down() {
        for part_x in 0..frame.parts_across() {
            restarts.step(coder)?;
            for (number, part) in scan.parts.iter().enumerate() {
                let component = &frame.components[part.component];
                let (left, top) = (part_x * component.across, part_y * component.down);
                for y in top..top + component.down {
                    for x in left..left + component.across {
                        decode(coder, number, blocks[part.component].at(x, y))?;
                    }
                }
            }
        }
        check_end(coder)?;
    }
    Ok(())
}

/// Decodes a scan of one colour: row by row, without the blocks that only fill up.
pub(super) fn separate(
    frame: &Frame,
    scan: &Scan,
    restarts: &mut Restarts,
    coder: &mut impl Coder,
    blocks: &mut [Blocks],
) -> Result<()> {
    let component = &frame.components[scan.parts[0].component];
    let (across, down) = frame.units(component);
    let blocks = &mut blocks[scan.parts[0].component];
    for y in 0..down {
        for x in 0..across {
            restarts.step(coder)?;
            decode(coder, 0, blocks.at(x, y))?;
        }
        check_end(coder)?;
    }
    Ok(())
}

#[inline(always)]
pub(super) fn decode(coder: &mut impl Coder, part: usize, block: Block) -> Result<()> {
    let decoded = coder.decode(part, block);
    decoded.ok_or_else(|| damaged("its data holds no valid code"))
}
