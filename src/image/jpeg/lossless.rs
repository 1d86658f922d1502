//! Lossless JPEG (T.81, annex H) in 8 bits: each sample by its difference from what its neighbours
//! foretell. It has no blocks and shares with the rest only the Huffman codes.

use super::bits::Bits;
use super::definitions::Definitions;
use super::frame::Frame;
use super::huffman::{Table, difference_table};
use super::picture::Picture;
use super::refusals::{damaged, unsupported};
use super::scan::{Reached, Restarts, Scan, Source, check_end};
use crate::Result;
use crate::image::memory::zeroed;

/// The samples of each colour, row by row, as many as it has.
pub(super) type Planes = Vec<Vec<u8>>;

pub(super) fn planes(frame: &Frame) -> Result<Planes> {
    let planes = frame.components.iter();
    planes.map(|c| zeroed(c.width * c.height)).collect()
}

/// The differences of a scan.
struct Differences<'a> {
    bits: Bits<'a>,
    tables: Vec<Table>,
}

impl Source for Differences<'_> {
    fn restart(&mut self, at: usize) {
        self.bits = self.bits.from(at);
    }

    fn reached(&self) -> Reached {
        self.bits.reached()
    }
}

impl Differences<'_> {
    fn next(&mut self, part: usize) -> Result<u16> {
        self.bits.refill();
        let size = self.tables[part].decode(&mut self.bits);
        match size.ok_or_else(|| damaged("its data holds no valid code"))? {
            16 => Ok(0x8000),
            size => Ok(self.bits.take_signed(u32::from(size)) as u16),
        }
    }
}

/// Decodes a scan from `at` on into the planes. Returns where it ends.
pub(super) fn decode(
    data: &[u8],
    at: usize,
    (frame, scan): (&Frame, &Scan),
    definitions: &Definitions,
    interval: usize,
    planes: &mut Planes,
) -> Result<Reached> {
    let tables = scan.parts.iter();
    let tables = tables.map(|part| difference_table(&definitions.dc_codes, part.dc, 16));
    let mut source = Differences {
        bits: Bits::new(data, at),
        tables: tables.collect::<Result<_>>()?,
    };
    let alone = scan.parts.len() == 1;
    let first = &frame.components[scan.parts[0].component];
    let (across, down) = match alone {
        true => (first.width, first.height),
        false => (frame.parts_across(), frame.parts_down()),
    };
    if !interval.is_multiple_of(across) || (alone && interval > 0 && first.down > 1) {
        return Err(unsupported("restart markers inside of a row"));
    }
    let mut restarts = Restarts::new(data, interval);
    let mut rows = Rows::new(frame, scan, alone)?;
    for part_y in 0..down {
        let begins = part_y == 0 || (interval > 0 && part_y % (interval / across) == 0);
        for part_x in 0..across {
            restarts.step(&mut source)?;
            rows.take(&mut source, part_x)?;
        }
        check_end(&source)?;
        rows.write(scan, part_y, begins, planes);
    }
    Ok(source.reached())
}

/// The rows of a line of repeated parts.
struct Rows {
    parts: Vec<PartRows>,
}

struct PartRows {
    component: usize,
    across: usize,
    down: usize,
    width: usize,
    height: usize,
    stride: usize,
    differences: Vec<u16>,
    before: Vec<u16>,
    row: Vec<u16>,
}

impl Rows {
    fn new(frame: &Frame, scan: &Scan, alone: bool) -> Result<Self> {
        let part = |part: &super::scan::Part| {
            let component = &frame.components[part.component];
            let (across, down) = match alone {
                true => (1, 1),
                false => (component.across, component.down),
            };
            let stride = frame.padded_units(component).0;
            PartRows {
                component: part.component,
                across,
                down,
                width: component.width,
                height: component.height,
                stride,
                differences: vec![0; stride * down],
                before: vec![0; stride],
                row: vec![0; stride],
            }
        };
        Ok(Rows {
            parts: scan.parts.iter().map(part).collect(),
        })
    }

    fn take(&mut self, source: &mut Differences, part_x: usize) -> Result<()> {
        for (number, part) in self.parts.iter_mut().enumerate() {
            for y in 0..part.down {
                for x in 0..part.across {
                    part.differences[y * part.stride + part_x * part.across + x] =
                        source.next(number)?;
                }
            }
        }
        Ok(())
    }

    /// Turns differences into samples. Where the prediction `begins`, the first row has none above.
    fn write(&mut self, scan: &Scan, part_y: usize, begins: bool, planes: &mut Planes) {
        for part in &mut self.parts {
            for y in 0..part.down.min(part.height - part_y * part.down) {
                let differences = &part.differences[y * part.stride..][..part.width];
                let start = begins && y == 0;
                add_predictions(scan, start, differences, &part.before, &mut part.row);
                let place = (part_y * part.down + y) * part.width;
                let out = &mut planes[part.component][place..][..part.width];
                for (out, &sample) in out.iter_mut().zip(&part.row) {
                    *out = (sample << scan.low) as u8;
                }
                std::mem::swap(&mut part.before, &mut part.row);
            }
        }
    }
}

fn add_predictions(scan: &Scan, start: bool, differences: &[u16], before: &[u16], row: &mut [u16]) {
    let (predictor, mut left) = match start {
        true => (1, 1 << (7 - scan.low)),
        false => (scan.first, before[0]),
    };
    for (x, (sample, &difference)) in row.iter_mut().zip(differences).enumerate() {
        let prediction = match x {
            0 => left,
            _ => {
                let [a, b, c] = [left, before[x], before[x - 1]].map(i32::from);
                predict(predictor, a, b, c) as u16
            }
        };
        left = prediction.wrapping_add(difference);
        *sample = left;
    }
}

/// What the samples to the left, above, and above to the left foretell.
fn predict(predictor: u8, left: i32, above: i32, corner: i32) -> i32 {
    match predictor {
        1 => left,
        2 => above,
        3 => corner,
        4 => left + above - corner,
        5 => left + ((above - corner) >> 1),
        6 => above + ((left - corner) >> 1),
        _ => (left + above) >> 1,
    }
}

/// Makes the picture of its samples.
pub(super) fn draw(frame: &Frame, planes: &Planes, picture: &mut Picture) {
    for first_part in (0..frame.parts_down()).step_by(8) {
        for (number, component) in frame.components.iter().enumerate() {
            let first = first_part * component.down;
            let rows = planes[number].chunks_exact(component.width).skip(first);
            let (strip, stride) = picture.strip(number);
            for (out, row) in strip.chunks_exact_mut(stride).zip(rows) {
                out[..row.len()].copy_from_slice(row);
            }
        }
        picture.finish_strip();
    }
}
