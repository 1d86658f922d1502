//! Which format a file is of, by its first bytes, and what is said of one that is not read here: its
//! name and a way out.

use ::image::ImageFormat;

use crate::{Error, Result};

pub(super) const SUPPORTED: &str = if cfg!(feature = "formats") {
    "PNG, JPEG, WebP, GIF, BMP, JPEG XL, JPEG 2000, TIFF, ICO, QOI, PNM and TGA are supported"
} else {
    "PNG, JPEG, WebP, GIF and BMP are supported"
};

/// A format that is read here.
#[derive(Clone, Copy)]
pub(super) enum Format {
    /// One that the `image` crate has a name for.
    OfLibrary(ImageFormat),
    #[cfg(feature = "formats")]
    JpegXl,
    #[cfg(feature = "formats")]
    Jpeg2000,
}

impl Format {
    pub(super) fn of_library(self) -> Option<ImageFormat> {
        match self {
            Self::OfLibrary(format) => Some(format),
            #[cfg(feature = "formats")]
            Self::JpegXl | Self::Jpeg2000 => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OfLibrary(ImageFormat::Png) => "PNG",
            Self::OfLibrary(ImageFormat::Jpeg) => "JPEG",
            Self::OfLibrary(ImageFormat::WebP) => "WebP",
            Self::OfLibrary(ImageFormat::Gif) => "GIF",
            Self::OfLibrary(ImageFormat::Bmp) => "BMP",
            Self::OfLibrary(ImageFormat::Tiff) => "TIFF",
            Self::OfLibrary(ImageFormat::Ico) => "ICO",
            Self::OfLibrary(ImageFormat::Qoi) => "QOI",
            Self::OfLibrary(ImageFormat::Pnm) => "PNM",
            Self::OfLibrary(ImageFormat::Tga) => "TGA",
            Self::OfLibrary(_) => "encoded",
            #[cfg(feature = "formats")]
            Self::JpegXl => "JPEG XL",
            #[cfg(feature = "formats")]
            Self::Jpeg2000 => "JPEG 2000",
        }
    }
}

/// The format of a picture that can be decoded.
///
/// # Errors
/// [`Error::BadImage`] that names what else the bytes are, and says what to do.
pub(super) fn recognise(bytes: &[u8]) -> Result<Format> {
    if bytes.is_empty() {
        return Err(Error::BadImage(format!(
            "the picture is empty (0 bytes); {SUPPORTED}"
        )));
    }
    if let Some(format) = supported(bytes) {
        return Ok(format);
    }
    Err(Error::BadImage(match other(bytes) {
        Some((name, way_out)) => {
            format!(
                "the picture looks like {name}, which is not supported: {way_out} ({SUPPORTED})"
            )
        }
        None => format!("the format of the picture is not recognised; {SUPPORTED}"),
    }))
}

fn supported(bytes: &[u8]) -> Option<Format> {
    Some(Format::OfLibrary(match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => ImageFormat::Png,
        [0xff, 0xd8, 0xff, ..] => ImageFormat::Jpeg,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => ImageFormat::Gif,
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => ImageFormat::WebP,
        [b'B', b'M', ..] => ImageFormat::Bmp,
        _ => return more(bytes),
    }))
}

#[cfg(not(feature = "formats"))]
fn more(_: &[u8]) -> Option<Format> {
    None
}

/// What the feature `formats` adds.
#[cfg(feature = "formats")]
fn more(bytes: &[u8]) -> Option<Format> {
    const JPEG_XL: [&[u8]; 2] = [b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"];
    const JPEG_2000: [&[u8]; 2] = [b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n"];
    let starts = |first: [&[u8]; 2]| first.iter().any(|first| bytes.starts_with(first));
    if starts(JPEG_XL) {
        return Some(Format::JpegXl);
    }
    if starts(JPEG_2000) {
        return Some(Format::Jpeg2000);
    }
    Some(Format::OfLibrary(match bytes {
        [0, 0, 1, 0, ..] => ImageFormat::Ico,
        [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => ImageFormat::Tiff,
        [b'q', b'o', b'i', b'f', ..] => ImageFormat::Qoi,
        [b'P', b'1'..=b'6', b' ' | b'\n' | b'\r' | b'\t' | b'#', ..] => ImageFormat::Pnm,
        _ if is_tga(bytes) => ImageFormat::Tga,
        _ => return None,
    }))
}

/// TGA has no first bytes of its own: its header must make sense in every field.
#[cfg(feature = "formats")]
fn is_tga(bytes: &[u8]) -> bool {
    let Some(
        [
            _,
            has_map @ 0..=1,
            kind,
            _,
            _,
            _,
            _,
            map_depth,
            _,
            _,
            _,
            _,
            w0,
            w1,
            h0,
            h1,
            depth,
            flags,
        ],
    ) = bytes.first_chunk::<18>()
    else {
        return false;
    };
    let size = (*w0 | *w1) != 0 && (*h0 | *h1) != 0;
    let kind = match kind {
        1 | 9 => *has_map == 1 && *depth == 8 && matches!(map_depth, 15 | 16 | 24 | 32),
        2 | 10 => matches!(depth, 24 | 32), // 16 bits are rounded otherwise by the decoder
        3 | 11 => matches!(depth, 8 | 16),
        _ => false,
    };
    size && kind && flags & 0xc0 == 0
}

const AS_PICTURE: &str = "save it as PNG or JPEG";
const FROM_PHONE: &str = "save it as JPEG; an iPhone takes JPEG by Settings, Camera, Formats, Most Compatible, \
                          and `heif-convert` of libheif converts what is there";
const AVIF: &str =
    "save it as PNG, e.g. by `avifdec` of libavif; browsers show it, and the page in them reads it";
const JXL: &str = "save it as PNG by `djxl` of libjxl, or as the JPEG that it was made from";
const FRAMES: &str = "take frames out of it, e.g. by `ffmpeg -i FILE frame-%03d.png`";

/// Name and way out of what is not read, by its first bytes.
fn other(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(by_brands(bytes));
    }
    const FIRST_BYTES: [(&[u8], &str, &str); 29] = [
        (b"II*\0", "TIFF", AS_PICTURE),
        (b"MM\0*", "TIFF", AS_PICTURE),
        (b"II+\0", "TIFF", AS_PICTURE),
        (b"MM\0+", "TIFF", AS_PICTURE),
        (
            b"IIRO",
            "a camera's raw picture (ORF)",
            "develop it to JPEG or PNG",
        ),
        (
            b"IIU\0",
            "a camera's raw picture (RW2)",
            "develop it to JPEG or PNG",
        ),
        (
            b"FUJIFILMCCD-RAW",
            "a camera's raw picture (RAF)",
            "develop it to JPEG or PNG",
        ),
        (
            b"%PDF",
            "PDF",
            "save its pages as PNG, e.g. by `pdftoppm -png`",
        ),
        (
            b"%!PS",
            "PostScript",
            "save its pages as PNG, e.g. by `gs -sDEVICE=png16m`",
        ),
        (b"8BPS", "a Photoshop document", "export it as PNG"),
        (b"gimp xcf", "a GIMP document", "export it as PNG"),
        (b"\xff\x0a", "JPEG XL", JXL),
        (b"\0\0\0\x0cJXL ", "JPEG XL", JXL),
        (
            b"\0\0\0\x0cjP  ",
            "JPEG 2000",
            "save it as PNG, e.g. by `opj_decompress` of OpenJPEG",
        ),
        (
            b"\xff\x4f\xff\x51",
            "JPEG 2000",
            "save it as PNG, e.g. by `opj_decompress` of OpenJPEG",
        ),
        (b"\0\0\x01\0", "an icon (ICO)", AS_PICTURE),
        (b"icns", "an Apple icon (ICNS)", AS_PICTURE),
        (b"v/1\x01", "OpenEXR", AS_PICTURE),
        (b"#?RADIANCE", "Radiance HDR", AS_PICTURE),
        (b"qoif", "QOI", AS_PICTURE),
        (b"DDS ", "DDS", AS_PICTURE),
        (b"\x8aMNG", "an animation (MNG)", FRAMES),
        (b"\x1a\x45\xdf\xa3", "a video (WebM or Matroska)", FRAMES),
        (b"OggS", "a video or sound (Ogg)", FRAMES),
        (b"FLV\x01", "a video (FLV)", FRAMES),
        (b"PK\x03\x04", "a ZIP archive", "unpack it"),
        (b"\x1f\x8b", "gzip-compressed data", "unpack it"),
        (b"AT&TFORM", "DjVu", AS_PICTURE),
        (b"\x89HDF", "HDF5 data", AS_PICTURE),
    ];
    let known = FIRST_BYTES
        .iter()
        .find(|(first, ..)| bytes.starts_with(first));
    known
        .map(|(_, name, way_out)| (*name, *way_out))
        .or_else(|| by_container(bytes))
        .or_else(|| by_text(bytes))
}

/// ISO media files say by brands what they hold: the major one first, then those that also hold.
fn by_brands(bytes: &[u8]) -> (&'static str, &'static str) {
    let length = bytes
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize);
    let brands = bytes
        .get(8..length.clamp(12, bytes.len().max(12)))
        .unwrap_or_default();
    let has = |wanted: &[&[u8; 4]]| {
        let mut given = brands
            .chunks_exact(4)
            .enumerate()
            .filter(|(place, _)| *place != 1); // a version
        given.any(|(_, brand)| wanted.iter().any(|wanted| *wanted == brand))
    };
    if has(&[b"avif", b"avis", b"avio"]) {
        ("AVIF", AVIF)
    } else if has(&[b"crx "]) {
        ("a camera's raw picture (CR3)", "develop it to JPEG or PNG")
    } else if has(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs",
    ]) {
        ("HEIC", FROM_PHONE)
    } else if has(&[
        b"mif1", b"mif2", b"mif3", b"msf1", b"miaf", b"MiHB", b"MiHE", b"MiPr", b"jpeg", b"jpgs",
        b"j2ki", b"j2is", b"avci", b"avcs", b"vvic", b"vvis", b"evbi", b"evmi", b"unif", b"1pic",
    ]) {
        ("HEIF", FROM_PHONE)
    } else if has(&[b"M4A ", b"M4B ", b"M4P "]) {
        ("sound (MPEG-4 audio)", "give a picture")
    } else if has(&[b"qt  "]) {
        ("a video (QuickTime)", FRAMES)
    } else {
        ("a video (MP4)", FRAMES)
    }
}

fn by_container(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    match (bytes.get(..4)?, bytes.get(8..12)) {
        (b"RIFF", Some(b"AVI ")) => Some(("a video (AVI)", FRAMES)),
        (b"RIFF", Some(b"WAVE")) => Some(("sound (WAVE)", "give a picture")),
        ([0, 0, 2, 0], _) if bytes.get(4..6)? != [0, 0] => Some(("a cursor (CUR)", AS_PICTURE)),
        ([b'B', b'A', ..], _) if bytes.get(14..16)? == b"BM" => {
            Some(("an OS/2 bitmap array", AS_PICTURE))
        }
        (b"FORM", _) => Some(("an IFF picture", AS_PICTURE)),
        ([b'B', b'A', ..], _) if bytes.get(14..16) == Some(b"BM") => {
            Some(("an OS/2 bitmap array", AS_PICTURE))
        }
        _ => match bytes.get(4..8) {
            Some(b"moov" | b"mdat" | b"wide" | b"skip" | b"free") => {
                Some(("a video (QuickTime)", FRAMES))
            }
            _ => None,
        },
    }
}

fn by_text(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with("<svg") || (start.starts_with("<?xml") && start.contains("<svg")) {
        return Some(("SVG", "export it as PNG"));
    }
    let page = start.starts_with("<!doctype html") || start.starts_with("<html");
    page.then_some((
        "a web page (HTML)",
        "give the address of the picture itself",
    ))
}
