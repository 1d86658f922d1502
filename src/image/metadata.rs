//! Where files keep what orients them: the EXIF block and the XMP packet of a JPEG, a PNG and a WebP,
//! found as Pillow finds them, and the orientation that follows.

use std::borrow::Cow;

use ::image::metadata::Orientation;

use super::orientation::orientation;

/// What a PNG's compressed text may grow to; an EXIF block fits a JPEG segment of 64 KiB.
const MOST_TEXT: usize = 16 << 20;

/// EXIF from all of its APP1 segments, joined, and XMP from the last of its own.
pub(super) fn orientation_of_jpeg(file: &[u8]) -> Orientation {
    const EXIF: &[u8] = b"Exif\0\0";
    const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
    let (mut exif, mut xmp) = (None::<Vec<u8>>, None);
    for (marker, data) in jpeg_segments(file) {
        if marker != 0xe1 {
            continue;
        }
        if let Some(packet) = data.strip_prefix(XMP) {
            xmp = Some(packet);
        } else if let Some(more) = data.strip_prefix(EXIF) {
            match &mut exif {
                Some(block) => block.extend_from_slice(more),
                None => exif = Some(data.to_vec()),
            }
        }
    }
    orientation(exif.as_deref(), xmp)
}

/// Marker and content of each segment before the first scan. Bytes between segments are passed over.
fn jpeg_segments(file: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = file.get(2..).unwrap_or_default(); // after the start-of-image marker
    std::iter::from_fn(move || {
        loop {
            let at = rest.iter().position(|byte| *byte == 0xff)?;
            let after = rest.get(at + 1..)?;
            match *after.first()? {
                0xff => rest = after,                            // padding
                0x00 | 0x01 | 0xd0..=0xd9 => rest = &after[1..], // no segment
                0xda => return None,
                marker => {
                    let length = u16::from_be_bytes(*after[1..].first_chunk()?);
                    let data = after[1..].get(2..usize::from(length))?;
                    rest = &after[1 + usize::from(length)..];
                    return Some((marker, data));
                }
            }
        }
    })
}

/// The chunks EXIF and `XMP ` of a WebP whose header announces them.
pub(super) fn orientation_of_webp(file: &[u8]) -> Orientation {
    let chunks = || webp_chunks(file);
    let flags = match chunks().next() {
        Some((b"VP8X", [flags, ..])) => *flags,
        _ => 0,
    };
    let announced = |flag: u8, name: &[u8; 4]| {
        let found = chunks().find(|(kind, _)| *kind == name);
        found.filter(|_| flags & flag != 0).map(|(_, data)| data)
    };
    orientation(announced(0x08, b"EXIF"), announced(0x04, b"XMP "))
}

/// The file, its header corrected where it announces a chunk that is not there: the decoder refuses
/// such files, the reference does not.
pub(super) fn webp_as_announced(file: &[u8]) -> Cow<'_, [u8]> {
    const FLAGS: usize = 20;
    const OPTIONAL: [(u8, &[u8; 4]); 3] = [(0x20, b"ICCP"), (0x08, b"EXIF"), (0x04, b"XMP ")];
    let Some((b"VP8X", [flags, ..])) = webp_chunks(file).next() else {
        return Cow::Borrowed(file);
    };
    let missing = |name: &[u8; 4]| webp_chunks(file).all(|(kind, _)| kind != name);
    let wrong = OPTIONAL
        .iter()
        .filter(|(flag, name)| flags & flag != 0 && missing(name));
    let wrong: u8 = wrong.map(|(flag, _)| flag).sum();
    if wrong == 0 {
        return Cow::Borrowed(file);
    }
    let mut file = file.to_vec();
    file[FLAGS] &= !wrong;
    Cow::Owned(file)
}

pub(super) fn webp_chunks(file: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    webp_chunks_of(file.get(12..).unwrap_or_default())
}

/// Name and content of each whole chunk that follows.
pub(super) fn webp_chunks_of(mut rest: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let data = after.get(..length)?;
        rest = after.get(length + length % 2..).unwrap_or_default();
        Some((kind, data))
    })
}

/// A PNG's `eXIf` chunk or the text that ImageMagick writes instead, and its XMP texts. They may lie
/// behind the pixels; of several, the last counts.
pub(super) fn orientation_of_png(file: &[u8]) -> Orientation {
    let mut found = PngMetadata::default();
    let (mut pixels, mut animated) = (false, false);
    for (kind, data) in png_chunks(file) {
        match kind {
            b"IDAT" => pixels = true,
            b"acTL" => animated = true,
            b"fcTL" if pixels && animated => break, // the next frame: Pillow reads no further
            b"eXIf" => found.exif = Some([b"Exif\0\0", data].concat()),
            b"tEXt" | b"zTXt" | b"iTXt" => found.take_text(kind, data),
            _ => (),
        }
    }
    let profile = || found.profile.as_deref().and_then(bytes_of_profile);
    let exif = found.exif.clone().or_else(profile);
    let xmp = found.xmp_text.filter(|packet| !packet.is_empty());
    orientation(exif.as_deref(), xmp.or(found.xmp).as_deref())
}

#[derive(Default)]
struct PngMetadata<'a> {
    exif: Option<Vec<u8>>,
    /// `Raw profile type exif`: hexadecimal digits below three lines.
    profile: Option<Cow<'a, [u8]>>,
    xmp: Option<Cow<'a, [u8]>>,
    xmp_text: Option<Cow<'a, [u8]>>,
}

impl<'a> PngMetadata<'a> {
    fn take_text(&mut self, kind: &[u8; 4], data: &'a [u8]) {
        let Some((keyword, text)) = split_at_zero(data) else {
            return;
        };
        let text = match kind {
            b"tEXt" => Some(Cow::Borrowed(text)),
            b"zTXt" => Some(
                text.split_first()
                    .map_or(Cow::Borrowed(text), |(_, packed)| {
                        unpack(packed).unwrap_or_default()
                    }),
            ),
            _ => international_text(text),
        };
        let Some(text) = text else { return };
        match keyword {
            b"Raw profile type exif" => self.profile = Some(text),
            b"exif" if kind == b"tEXt" => self.exif = Some(text.into_owned()),
            b"XML:com.adobe.xmp" if kind == b"iTXt" => {
                self.xmp_text = std::str::from_utf8(&text)
                    .is_ok()
                    .then(|| text.clone())
                    .or_else(|| self.xmp_text.take());
                self.xmp = Some(text);
            }
            b"XML:com.adobe.xmp" => self.xmp_text = Some(text),
            _ => (),
        }
    }
}

/// The text of an iTXt chunk: behind a flag, a method, a language and a translated keyword.
fn international_text(data: &[u8]) -> Option<Cow<'_, [u8]>> {
    let ([compressed, method], rest) = data.split_first_chunk::<2>()?;
    let (_, rest) = split_at_zero(rest)?;
    let (_, text) = split_at_zero(rest)?;
    match (compressed, method) {
        (0, _) => Some(Cow::Borrowed(text)),
        (_, 0) => unpack(text),
        _ => None,
    }
}

fn unpack(packed: &[u8]) -> Option<Cow<'static, [u8]>> {
    let text = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, MOST_TEXT);
    text.ok().map(Cow::Owned)
}

fn split_at_zero(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|byte| *byte == 0)?;
    Some((&data[..at], &data[at + 1..]))
}

/// The bytes of an ImageMagick profile: an empty line, its name, its length, then digits.
fn bytes_of_profile(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text.split(|byte| *byte == b'\n').skip(3).flatten();
    let digits: Vec<u8> = lines
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs
        .iter()
        .map(byte)
        .collect::<Option<_>>()
        .filter(|_| rest.is_empty())
}

/// Name and content of each whole chunk of a PNG.
pub(super) fn png_chunks(file: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = file.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let data = after.get(..length)?;
        rest = after.get(length.checked_add(4)?..).unwrap_or_default(); // the checksum follows
        Some((kind, data))
    })
}
