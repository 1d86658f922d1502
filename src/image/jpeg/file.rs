//! The scans of a file, one after the other: streamed into the picture where one brings everything, else
//! gathered first.

use std::rc::Rc;

use super::arithmetic::Arithmetic;
use super::frame::{Frame, Process};
use super::huffman::Sequential;
use super::picture::Picture;
use super::progressive::Progressive;
use super::refusals::{damaged, truncated, unsupported};
use super::scan::{self, Block, Blocks, Coder, Reached, Restarts, Scan, check_end};
use super::segments::{Next, Quantisation, Segments};
use super::smooth::{self, KnownBits};
use super::{idct, lossless};
use crate::Result;

/// More scans than any encoder makes, each of which costs a walk over the whole picture.
const MOST_SCANS: usize = 256;

/// How far libjpeg-turbo reads ahead: where no marker ends the file, as many bytes have to follow.
const READ_AHEAD: usize = 8;

/// A file whose first scan has been reached.
pub(super) struct File<'a> {
    bytes: &'a [u8],
    frame: Rc<Frame>,
    segments: Segments<'a>,
    /// The quantisation table of each colour: the one that was there when its first scan began.
    latched: Vec<Option<Quantisation>>,
}

impl<'a> File<'a> {
    pub(super) fn new(bytes: &'a [u8], frame: Rc<Frame>, segments: Segments<'a>) -> Self {
        File {
            bytes,
            latched: vec![None; frame.components.len()],
            frame,
            segments,
        }
    }

    /// Decodes everything into the picture, from the `first` scan on.
    pub(super) fn decode(&mut self, first: Scan, picture: &mut Picture) -> Result<()> {
        let is_whole = is_whole(&first, &self.frame);
        match self.frame.process {
            Process::Lossless => self.decode_lossless(first, is_whole, picture),
            Process::Sequential if is_whole => self.stream(&first, picture),
            _ => self.decode_scans(first, picture),
        }
    }

    fn latch_quantisation(&mut self, scan: &Scan) -> Result<()> {
        for part in &scan.parts {
            let slot = usize::from(self.frame.components[part.component].quantisation);
            let given = self.segments.quantisation.get(slot).copied().flatten();
            let latched = &mut self.latched[part.component];
            *latched = latched.or(given);
            if latched.is_none() {
                return Err(damaged("a quantisation table that it uses is missing"));
            }
        }
        Ok(())
    }

    /// Decodes a file that has everything in one scan.
    fn stream(&mut self, scan: &Scan, picture: &mut Picture) -> Result<()> {
        self.latch_quantisation(scan)?;
        let at = self.segments.at;
        let definitions = &mut self.segments.definitions;
        let reached = if self.frame.arithmetic {
            let coder = Arithmetic::new(self.bytes, at, scan, definitions, false);
            self.stream_from(coder, scan, picture)?
        } else {
            definitions.fill_in_usual_codes();
            let coder = Sequential::new(self.bytes, at, scan, definitions)?;
            self.stream_from(coder, scan, picture)?
        };
        self.segments.at = reached.at;
        self.finish_file(reached.bytes_left)
    }

    fn stream_from(
        &self,
        mut coder: impl Coder,
        scan: &Scan,
        picture: &mut Picture,
    ) -> Result<Reached> {
        let mut restarts = Restarts::new(self.bytes, self.segments.restart_interval);
        let tables: Vec<Quantisation> = self.latched.iter().flatten().copied().collect();
        for _ in 0..self.frame.parts_down() {
            for part_x in 0..self.frame.parts_across() {
                restarts.step(&mut coder)?;
                for (number, component) in self.frame.components.iter().enumerate() {
                    let (strip, stride) = picture.strip(number);
                    for y in 0..component.down {
                        for x in 0..component.across {
                            let (mut coefficients, mut nonzero) = ([0; 64], 0);
                            let block = Block {
                                coefficients: &mut coefficients,
                                nonzero: &mut nonzero,
                            };
                            scan::decode(&mut coder, number, block)?;
                            let place = y * 8 * stride + (part_x * component.across + x) * 8;
                            let out = &mut strip[place..];
                            idct::write_samples(
                                &coefficients,
                                nonzero,
                                &tables[number],
                                out,
                                stride,
                            );
                        }
                    }
                }
            }
            check_end(&coder)?;
            picture.finish_strip();
        }
        debug_assert_eq!(scan.parts.len(), self.frame.components.len());
        Ok(coder.reached())
    }

    /// Reads what follows the only scan. Its end marker may be missing where something else follows.
    fn finish_file(&mut self, bytes_left: usize) -> Result<()> {
        match self.segments.next()? {
            Next::End => Ok(()),
            Next::Cut if bytes_left >= READ_AHEAD => Ok(()),
            Next::Cut => Err(truncated()),
            Next::Scan(_) => Err(damaged("a scan follows the whole picture")),
        }
    }

    /// Decodes a file whose coefficients come in several scans.
    fn decode_scans(&mut self, first: Scan, picture: &mut Picture) -> Result<()> {
        let components = self.frame.components.iter();
        let blocks = components.map(|component| Blocks::new(&self.frame, component));
        let mut blocks: Vec<Blocks> = blocks.collect::<Result<_>>()?;
        let mut known: Vec<KnownBits> = vec![[-1; 10]; self.frame.components.len()];
        let mut scan = first;
        for _ in 0..MOST_SCANS {
            self.latch_quantisation(&scan)?;
            note_known_bits(&scan, &mut known);
            self.decode_scan(&scan, &mut blocks)?;
            match self.segments.next()? {
                Next::Scan(next) => scan = next,
                Next::Cut => return Err(truncated()),
                Next::End => {
                    self.draw(&blocks, &known, picture);
                    return Ok(());
                }
            }
        }
        Err(unsupported(format_args!("more than {MOST_SCANS} scans")))
    }

    fn decode_scan(&mut self, scan: &Scan, blocks: &mut [Blocks]) -> Result<()> {
        let at = self.segments.at;
        let progressive = self.frame.process == Process::Progressive;
        let definitions = &mut self.segments.definitions;
        self.segments.at = if self.frame.arithmetic {
            let coder = Arithmetic::new(self.bytes, at, scan, definitions, progressive);
            self.decode_scan_from(coder, scan, blocks)?
        } else if progressive {
            let coder = Progressive::new(self.bytes, at, scan, definitions)?;
            self.decode_scan_from(coder, scan, blocks)?
        } else {
            definitions.fill_in_usual_codes();
            let coder = Sequential::new(self.bytes, at, scan, definitions)?;
            self.decode_scan_from(coder, scan, blocks)?
        };
        Ok(())
    }

    fn decode_scan_from(
        &self,
        mut coder: impl Coder,
        scan: &Scan,
        blocks: &mut [Blocks],
    ) -> Result<usize> {
        let mut restarts = Restarts::new(self.bytes, self.segments.restart_interval);
        let walk = match scan.parts.len() {
            1 => scan::separate,
            _ => scan::interleaved,
        };
        walk(&self.frame, scan, &mut restarts, &mut coder, blocks)?;
        Ok(coder.reached().at)
    }

    /// Makes the picture of its coefficients.
    fn draw(&self, blocks: &[Blocks], known: &[KnownBits], picture: &mut Picture) {
        let tables = self.latched.iter().map(Option::as_ref);
        let smooths = self.frame.process == Process::Progressive
            && smooth::is_useful(known.iter().zip(tables));
        for part_y in 0..self.frame.parts_down() {
            for (number, component) in self.frame.components.iter().enumerate() {
                let (across, down) = self.frame.units(component);
                let blocks = &blocks[number];
                // A colour that no scan brought is grey, as with coefficients of 0.
                let table = self.latched[number].unwrap_or([0; 64]);
                let (strip, stride) = picture.strip(number);
                for y in 0..component.down.min(down - part_y * component.down) {
                    let row = (part_y * component.down + y) * blocks.across;
                    let around = smooth::rows_around(&self.frame, component, part_y, y);
                    for x in 0..across {
                        let out = &mut strip[y * 8 * stride + x * 8..];
                        if smooths {
                            let (coefficients, nonzero) = smooth::smoothed(
                                blocks,
                                around,
                                (x, across),
                                &known[number],
                                &table,
                            );
                            idct::write_samples(&coefficients, nonzero, &table, out, stride);
                        } else {
                            let coefficients = &blocks.coefficients[row + x];
                            let nonzero = blocks.nonzero[row + x];
                            idct::write_samples(coefficients, nonzero, &table, out, stride);
                        }
                    }
                }
            }
            picture.finish_strip();
        }
    }

    fn decode_lossless(
        &mut self,
        first: Scan,
        is_whole: bool,
        picture: &mut Picture,
    ) -> Result<()> {
        let mut planes = lossless::planes(&self.frame)?;
        let mut scan = first;
        for _ in 0..MOST_SCANS {
            let reached = lossless::decode(
                self.bytes,
                self.segments.at,
                (&self.frame, &scan),
                &self.segments.definitions,
                self.segments.restart_interval,
                &mut planes,
            )?;
            self.segments.at = reached.at;
            if is_whole {
                self.finish_file(reached.bytes_left)?;
                break;
            }
            match self.segments.next()? {
                Next::Scan(next) => scan = next,
                Next::Cut => return Err(truncated()),
                Next::End => break,
            }
        }
        lossless::draw(&self.frame, &planes, picture);
        Ok(())
    }
}

/// Notes which bit of each coefficient is the lowest known.
fn note_known_bits(scan: &Scan, known: &mut [KnownBits]) {
    for part in &scan.parts {
        for k in scan.first..=scan.last.min(9) {
            known[part.component][usize::from(k)] = scan.low as i8;
        }
    }
}

/// Whether a scan brings all colours.
pub(super) fn is_whole(scan: &Scan, frame: &Frame) -> bool {
    scan.parts.len() == frame.components.len()
}
