//! What a file says about the whole picture: its size, its colours and how each is sampled.

use super::refusals::{damaged, unsupported};
use crate::Result;
use crate::image::limits::check_size;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    Sequential,
    Progressive,
    Lossless,
}

pub(super) struct Frame {
    pub width: usize,
    pub height: usize,
    pub process: Process,
    pub arithmetic: bool,
    pub components: Vec<Component>,
    /// The most samples that a component has in the smallest repeated part, across and down.
    pub most_across: usize,
    pub most_down: usize,
}

/// A colour of the picture.
pub(super) struct Component {
    pub id: u8,
    /// Samples in the smallest repeated part, across and down.
    pub across: usize,
    pub down: usize,
    /// Size in samples.
    pub width: usize,
    pub height: usize,
    /// Which quantisation table it uses.
    pub quantisation: u8,
}

impl Frame {
    /// Reads the segment of a start-of-frame marker.
    pub(super) fn read(marker: u8, segment: &[u8]) -> Result<Self> {
        let (process, arithmetic) = match marker {
            0xc0 | 0xc1 => (Process::Sequential, false),
            0xc2 => (Process::Progressive, false),
            0xc3 => (Process::Lossless, false),
            0xc9 => (Process::Sequential, true),
            0xca => (Process::Progressive, true),
            0xcb => return Err(unsupported("lossless arithmetic coding")),
            _ => return Err(unsupported("hierarchical frames")),
        };
        let &[bits, y1, y0, x1, x0, count, ref rest @ ..] = segment else {
            return Err(damaged("its frame header is too short"));
        };
        let (width, height) = (u16::from_be_bytes([x1, x0]), u16::from_be_bytes([y1, y0]));
        if bits != 8 {
            return Err(unsupported(format_args!("{bits} bits a sample")));
        }
        if height == 0 && width > 0 {
            return Err(unsupported("a height that follows the pixels (DNL)"));
        }
        check_size(width.into(), height.into(), 3)?;
        let mut frame = Frame {
            width: width.into(),
            height: height.into(),
            process,
            arithmetic,
            components: components(count, rest)?,
            most_across: 1,
            most_down: 1,
        };
        frame.measure()?;
        Ok(frame)
    }

    fn measure(&mut self) -> Result<()> {
        let parts = self.components.iter();
        self.most_across = parts.clone().map(|c| c.across).max().unwrap_or(1);
        self.most_down = parts.map(|c| c.down).max().unwrap_or(1);
        for component in &mut self.components {
            if !self.most_across.is_multiple_of(component.across)
                || !self.most_down.is_multiple_of(component.down)
            {
                return Err(unsupported("colours sampled at a fraction of each other"));
            }
            component.width = (self.width * component.across).div_ceil(self.most_across);
            component.height = (self.height * component.down).div_ceil(self.most_down);
        }
        Ok(())
    }

    /// How many samples a unit of coding has across and down: blocks of 8, or single samples.
    pub(super) fn unit(&self) -> usize {
        match self.process {
            Process::Lossless => 1,
            _ => 8,
        }
    }

    /// How many of the smallest repeated parts the picture has, across and down.
    pub(super) fn parts_across(&self) -> usize {
        self.width.div_ceil(self.most_across * self.unit())
    }

    pub(super) fn parts_down(&self) -> usize {
        self.height.div_ceil(self.most_down * self.unit())
    }

    /// How many units of a component hold samples of the picture, across and down.
    pub(super) fn units(&self, component: &Component) -> (usize, usize) {
        let unit = self.unit();
        (
            component.width.div_ceil(unit),
            component.height.div_ceil(unit),
        )
    }

    /// The same with those that fill up the last repeated part.
    pub(super) fn padded_units(&self, component: &Component) -> (usize, usize) {
        (
            self.parts_across() * component.across,
            self.parts_down() * component.down,
        )
    }
}

fn components(count: u8, rest: &[u8]) -> Result<Vec<Component>> {
    if ![1, 3, 4].contains(&count) {
        return Err(unsupported(format_args!("{count} colours")));
    }
    let (described, []) = rest.as_chunks::<3>() else {
        return Err(damaged("its frame header has a wrong length"));
    };
    if described.len() != usize::from(count) {
        return Err(damaged("its frame header has a wrong length"));
    }
    let component = |&[id, sampling, quantisation]: &[u8; 3]| {
        let (mut across, mut down) = (usize::from(sampling >> 4), usize::from(sampling & 15));
        if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
            return Err(damaged("a colour has an impossible sampling"));
        }
        if count == 1 {
            // Alone it is coded block by block, whatever it says.
            (across, down) = (1, 1);
        }
        Ok(Component {
            id,
            across,
            down,
            width: 0,
            height: 0,
            quantisation,
        })
    };
    described.iter().map(component).collect()
}
