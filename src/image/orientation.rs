//! How a picture is to be turned to stand upright, as Pillow's `exif_transpose` reads it: the EXIF
//! tag in whatever number format it comes, or, where EXIF has no such tag, the XMP property.
//! Metadata that does not parse leaves the picture as it is stored.
//!
//! `metadata` finds the EXIF block and the XMP packet in a file.

use ::image::metadata::Orientation;

const ORIENTATION: u16 = 0x0112;
#[cfg(feature = "formats")]
const XMP: u16 = 700;
const PREFIX: &[u8] = b"Exif\0\0";

/// The orientation that an EXIF block and an XMP packet of one picture say together. The block may
/// begin with `Exif\0\0`, once or twice, as it does in most files.
pub(super) fn orientation(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    let number = match exif.map_or(Tag::Absent, tag_of_block) {
        Tag::Says(number) => Some(number),
        Tag::Absent => xmp.and_then(number_in_xmp),
    };
    number
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms)
}

/// The same of a TIFF file, which is one such block itself and has its XMP packet in a tag.
#[cfg(feature = "formats")]
pub(super) fn orientation_of_tiff(file: &[u8]) -> Orientation {
    let xmp = Directory::first(file).and_then(|directory| directory.find(XMP));
    orientation(Some(file), xmp.map(|(_, packet)| packet))
}

/// What EXIF says. A tag of no use, such as 0, 9 or text, still keeps XMP from being asked.
#[derive(Debug, PartialEq)]
enum Tag {
    Absent,
    Says(u8),
}

const NO_USE: Tag = Tag::Says(0);

fn tag_of_block(block: &[u8]) -> Tag {
    let once = block.strip_prefix(PREFIX).unwrap_or(block);
    let block = once.strip_prefix(PREFIX).unwrap_or(once);
    if block.is_empty() {
        return Tag::Absent;
    }
    let Some(directory) = Directory::first(block) else {
        return NO_USE; // Pillow gives up here, and asks XMP no more
    };
    match directory.find(ORIENTATION) {
        Some((kind, data)) => Tag::Says(directory.first_number(kind, data).unwrap_or(0)),
        None => Tag::Absent,
    }
}

/// The first directory of a TIFF block.
pub(super) struct Directory<'a> {
    block: &'a [u8],
    at: usize,
    pub big_endian: bool,
    /// BigTIFF: counts and offsets of eight bytes.
    big: bool,
}

impl<'a> Directory<'a> {
    /// None where the block does not begin as TIFF does. Pillow also takes the two mixtures of one
    /// byte order's letters with the other's number.
    pub(super) fn first(block: &'a [u8]) -> Option<Self> {
        let (big_endian, big) = match block.get(..4)? {
            b"II*\0" | b"II\0*" => (false, false),
            b"MM\0*" | b"MM*\0" | b"MM\0+" => (true, false),
            b"II+\0" => (false, true),
            _ => return None,
        };
        let mut directory = Self {
            block,
            at: 0,
            big_endian,
            big,
        };
        let place = if big { 8 } else { 4 };
        directory.at = usize::try_from(directory.offset(block.get(place..)?)?).ok()?;
        Some(directory)
    }

    /// Type and bytes of the first readable entry of a tag. As in Pillow, an entry that points beyond
    /// the block's end is the last that is looked at.
    pub(super) fn find(&self, wanted: u16) -> Option<(u16, &'a [u8])> {
        let readable = self.entries().map_while(|entry| entry);
        let mut found = readable.filter(|(tag, _, data)| *tag == wanted && !data.is_empty());
        found.next().map(|(_, kind, data)| (kind, data))
    }

    /// Whether the first number of a tag is one of these, whatever lies before the tag.
    #[cfg(feature = "formats")]
    pub(super) fn says(&self, wanted: u16, numbers: &[u8]) -> bool {
        let first = self.entries().find_map(|entry| {
            let (tag, kind, data) = entry?;
            (tag == wanted).then(|| self.first_number(kind, data))
        });
        first
            .flatten()
            .is_some_and(|number| numbers.contains(&number))
    }

    /// Tag, type and bytes of each entry; None for one that points beyond the block's end. As in
    /// Pillow, one of an unknown type, or of more bytes than the block has, is passed over.
    fn entries(&self) -> impl Iterator<Item = Option<(u16, u16, &'a [u8])>> {
        let (head, entry_size, inline) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let start = self.block.get(self.at..).unwrap_or_default();
        let count = match self.big {
            true => self.u64(start),
            false => self.u16(start).map(u64::from),
        };
        let count = usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX);
        let entries = start.get(head..).unwrap_or_default();
        let mut outside = 0_u64;
        let read = move |entry: &'a [u8]| {
            let (tag, kind) = (self.u16(entry)?, self.u16(&entry[2..])?);
            let size = self
                .offset(&entry[4..])?
                .saturating_mul(size_of_type(kind)?);
            let value = &entry[entry_size - inline..];
            if size <= inline as u64 {
                return Some(Some((tag, kind, &value[..size as usize])));
            }
            outside = outside.saturating_add(size);
            if outside > self.block.len() as u64 {
                return None;
            }
            let place = self.offset(value).and_then(|at| usize::try_from(at).ok());
            let data = place.and_then(|at| self.block.get(at..at.checked_add(size as usize)?));
            Some(data.map(|data| (tag, kind, data)))
        };
        entries
            .chunks_exact(entry_size)
            .take(count)
            .filter_map(read)
    }

    /// The first of an entry's numbers, where it is one of a byte's whole numbers in any format
    /// but BYTE, ASCII and UNDEFINED, which Pillow keeps as text.
    fn first_number(&self, kind: u16, data: &[u8]) -> Option<u8> {
        let signed = matches!(kind, 6 | 8 | 9 | 10);
        let number = match kind {
            6 => f64::from(*data.first()? as i8),
            3 => f64::from(self.u16(data)?),
            8 => f64::from(self.u16(data)? as i16),
            4 | 13 => f64::from(self.u32(data)?),
            9 => f64::from(self.u32(data)? as i32),
            5 | 10 => self.quotient(data, signed)?,
            11 => f64::from(f32::from_bits(self.u32(data)?)),
            12 => f64::from_bits(self.u64(data)?),
            16 => self.u64(data)? as f64,
            _ => return None,
        };
        (number.fract() == 0.0 && (0.0..=255.0).contains(&number)).then_some(number as u8)
    }

    fn quotient(&self, data: &[u8], signed: bool) -> Option<f64> {
        let (above, below) = (self.u32(data)?, self.u32(data.get(4..)?)?);
        let number = |bits: u32| {
            if signed {
                f64::from(bits as i32)
            } else {
                f64::from(bits)
            }
        };
        Some(number(above) / number(below))
    }

    fn offset(&self, bytes: &[u8]) -> Option<u64> {
        if self.big {
            return self.u64(bytes);
        }
        self.u32(bytes).map(u64::from)
    }

    fn u16(&self, bytes: &[u8]) -> Option<u16> {
        let bytes = *bytes.first_chunk()?;
        Some(if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn u32(&self, bytes: &[u8]) -> Option<u32> {
        let bytes = *bytes.first_chunk()?;
        Some(if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    fn u64(&self, bytes: &[u8]) -> Option<u64> {
        let bytes = *bytes.first_chunk()?;
        Some(if self.big_endian {
            u64::from_be_bytes(bytes)
        } else {
            u64::from_le_bytes(bytes)
        })
    }
}

/// Bytes of one number of a TIFF type that Pillow knows.
fn size_of_type(kind: u16) -> Option<u64> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 => 8,
        _ => return None,
    })
}

/// The digit of the first `tiff:Orientation="6"` or `<tiff:Orientation>6`.
fn number_in_xmp(packet: &[u8]) -> Option<u8> {
    const PROPERTY: &[u8] = b"tiff:Orientation";
    let mut rest = packet;
    loop {
        let at = rest
            .windows(PROPERTY.len())
            .position(|name| name == PROPERTY)?;
        rest = &rest[at + PROPERTY.len()..];
        let value = rest
            .strip_prefix(b"=\"")
            .or_else(|| rest.strip_prefix(b">"));
        if let Some(digit) = value
            .and_then(<[u8]>::first)
            .filter(|digit| digit.is_ascii_digit())
        {
            return Some(digit - b'0');
        }
    }
}
