//! The segments between the marker at the beginning of a file and the one at its end: tables,
//! headers, and what cameras and programs add.

use std::rc::Rc;

use super::definitions::{Conditioning, Definition, Definitions};
use super::frame::Frame;
use super::markers::next_marker;
use super::refusals::{damaged, truncated, unsupported};
use super::scan::Scan;
use super::tables::{USUAL_AC, USUAL_DC};
use crate::Result;

/// The factor of each coefficient, in the order they are sent.
pub(super) type Quantisation = [u16; 64];

pub(super) struct Segments<'a> {
    data: &'a [u8],
    pub at: usize,
    pub frame: Option<Rc<Frame>>,
    pub definitions: Definitions,
    pub quantisation: [Option<Quantisation>; 4],
    pub restart_interval: usize,
    pub hints: ColourHints,
}

/// What programs add that tells which colours the components are.
#[derive(Default)]
pub(super) struct ColourHints {
    pub is_jfif: bool,
    /// How Adobe's programs say that the colours were transformed.
    pub adobe_transform: Option<u8>,
}

/// What the segments lead to.
pub(super) enum Next {
    Scan(Scan),
    End,
    /// The file ends without the marker that says so.
    Cut,
}

impl<'a> Segments<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Segments {
            data,
            at: 2, // after the start-of-image marker
            frame: None,
            definitions: Definitions::default(),
            quantisation: [None; 4],
            restart_interval: 0,
            hints: ColourHints::default(),
        }
    }

    /// Reads on to the next scan or the end of the picture.
    pub(super) fn next(&mut self) -> Result<Next> {
        loop {
            let Some(marker) = next_marker(self.data, &mut self.at) else {
                return Ok(Next::Cut);
            };
            match marker {
                0xd9 => return Ok(Next::End),
                0xd0..=0xd7 => continue, // a restart marker after the last part of a scan
                0xd8 => return Err(damaged("a picture begins inside of it")),
                0x01..=0xbf => return Err(damaged("it has an unknown marker")),
                _ => {}
            }
            let segment = self.segment()?;
            match marker {
                0xda => return self.scan(segment).map(Next::Scan),
                0xc4 => self.huffman_codes(segment)?,
                0xcc => self.conditioning(segment)?,
                0xdb => self.quantisation(segment)?,
                0xdd => match segment {
                    &[high, low] => {
                        self.restart_interval = usize::from(u16::from_be_bytes([high, low]))
                    }
                    _ => return Err(damaged("its restart interval has a wrong length")),
                },
                0xc0..=0xcf if self.frame.is_some() => {
                    return Err(damaged("it has two frame headers"));
                }
                0xc8 | 0xf0..=0xfd => return Err(unsupported("extensions of the format")),
                0xc0..=0xcf => self.frame = Some(Rc::new(Frame::read(marker, segment)?)),
                0xde | 0xdf => return Err(unsupported("hierarchical frames")),
                0xe0 if segment.starts_with(b"JFIF\0") && segment.len() >= 14 => {
                    self.hints.is_jfif = true;
                }
                0xee if segment.starts_with(b"Adobe") && segment.len() >= 12 => {
                    self.hints.adobe_transform = Some(segment[11]);
                }
                _ => {} // comments, previews and the like
            }
        }
    }

    /// The content of the segment whose length is next.
    fn segment(&mut self) -> Result<&'a [u8]> {
        let rest = &self.data[self.at..];
        let (&length, _) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
        let length = usize::from(u16::from_be_bytes(length));
        if length < 2 {
            return Err(damaged("a segment has an impossible length"));
        }
        self.at += length;
        rest.get(2..length).ok_or_else(truncated)
    }

    fn scan(&self, segment: &[u8]) -> Result<Scan> {
        let frame = self.frame.as_ref();
        let frame = frame.ok_or_else(|| damaged("its pixels come before its frame header"))?;
        Scan::read(segment, frame)
    }

    fn huffman_codes(&mut self, mut segment: &[u8]) -> Result<()> {
        let wrong = || damaged("a Huffman table has a wrong length");
        while let Some((&number, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
            let count: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(..count).filter(|_| count <= 256);
            let definition = Definition::new(*counts, symbols.ok_or_else(wrong)?);
            let definitions = &mut self.definitions;
            let codes = match number >> 4 {
                0 => &mut definitions.dc_codes,
                1 => &mut definitions.ac_codes,
                _ => return Err(damaged("a Huffman table has an impossible number")),
            };
            *codes
                .get_mut(usize::from(number & 15))
                .ok_or_else(|| damaged("a Huffman table has an impossible number"))? =
                Some(definition);
            segment = &rest[count..];
        }
        Ok(())
    }

    fn conditioning(&mut self, segment: &[u8]) -> Result<()> {
        let wrong = || damaged("its arithmetic conditioning is invalid");
        let (pairs, []) = segment.as_chunks::<2>() else {
            return Err(wrong());
        };
        let Conditioning { dc, ac } = &mut self.definitions.conditioning;
        for &[number, value] in pairs {
            let table = usize::from(number & 15);
            match number >> 4 {
                0 if value & 15 <= value >> 4 => dc[table] = (value & 15, value >> 4),
                1 => ac[table] = value,
                _ => return Err(wrong()),
            }
        }
        Ok(())
    }

    fn quantisation(&mut self, mut segment: &[u8]) -> Result<()> {
        let wrong = || damaged("a quantisation table has a wrong length");
        while let Some((&head, rest)) = segment.split_first() {
            let wide = head >> 4 != 0;
            let (values, rest) = rest
                .split_at_checked(if wide { 128 } else { 64 })
                .ok_or_else(wrong)?;
            let table = std::array::from_fn(|k| match wide {
                true => u16::from_be_bytes([values[2 * k], values[2 * k + 1]]),
                false => u16::from(values[k]),
            });
            let slot = self.quantisation.get_mut(usize::from(head & 15));
            *slot.ok_or_else(|| damaged("a quantisation table has an impossible number"))? =
                Some(table);
            segment = rest;
        }
        Ok(())
    }
}

impl Definitions {
    /// Frames of Motion JPEG leave the usual codes out.
    pub(super) fn fill_in_usual_codes(&mut self) {
        let slots = self.dc_codes.iter_mut().zip(&USUAL_DC);
        let slots = slots.chain(self.ac_codes.iter_mut().zip(&USUAL_AC));
        for (slot, (counts, symbols)) in slots {
            slot.get_or_insert_with(|| Definition::new(*counts, symbols));
        }
    }
}
