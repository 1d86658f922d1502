//! The recorded pictures of tests/golden/pictures, natively and in the browser, and where we differ
//! from Pillow on purpose.

use obscura::image;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Pillow shows another picture than the file holds: 8-bit and 4-bit BMPs of black and white are read
/// as if they had one bit, and a GIF frame's own grey palette loses against the file's. EXIF does not
/// turn a JPEG XL picture. The last two are up to 3 levels off: docs/pictures.md.
const SHOWN_OTHERWISE: [&str; 6] = [
    "two-greys-4-bits",
    "two-greys-8-bits",
    "both-palettes-local-grey",
    "jxl-exif-6",
    "jxl-of-jpeg-420-progressive",
    "jp2-YCbCr",
];

/// Pillow refuses these for metadata of no use, or for a checksum or an end that no pixel depends on.
/// Run-length data may say that it ends before the picture is full.
const SHOWN_THOUGH_REFUSED: [&str; 26] = [
    "no-tiff-beside-xmp-with-dpi",
    "no-tiff-with-dpi",
    "png-exif-no-tiff",
    "png-exif-prefix-twice",
    "png-raw-exif-no-hex",
    "png-ztxt-exif",
    "webp-exif-no-tiff",
    "grey-4-bits",
    "palette-of-300",
    "rle4-empty",
    "rle4-empty-lines",
    "rle4-empty-lines-at-end",
    "rle4-ends-early",
    "rle4-odd-offset",
    "rle4-runs-over-lines",
    "rle4-runs-without-lines",
    "rle8-empty",
    "rle8-empty-lines",
    "rle8-empty-lines-at-end",
    "rle8-ends-early",
    "rle8-odd-offset",
    "rle8-runs-over-lines",
    "rle8-runs-without-lines",
    "text-checksum-wrong",
    "text-cut-after-pixels",
    "unknown-chunk-cut-after-pixels",
];

/// What we do not read, or would not read exactly: the refusal says so.
const REFUSED_THOUGH_SHOWN: [&str; 32] = [
    "animated-other-size",
    "last-row-missing",
    "rle4-1-bit",
    "jp2-CMYK",
    "jp2-signed",
    "jxl-own-colours",
    "pfm",
    "tga-1",
    "tga-1-bottom",
    "tga-16-bits",
    "tga-16-bits-alpha",
    "tiff-1-group3",
    "tiff-F-raw",
    "tiff-F-tiff_lzw",
    "tiff-I-raw",
    "tiff-I-tiff_lzw",
    "tiff-L-jpeg",
    "tiff-LA-raw",
    "tiff-LA-tiff_lzw",
    "tiff-LAB-raw",
    "tiff-LAB-tiff_lzw",
    "tiff-P-packbits",
    "tiff-P-raw",
    "tiff-P-tiff_adobe_deflate",
    "tiff-P-tiff_lzw",
    "tiff-RGB-jpeg",
    "tiff-RGB-lzma",
    "tiff-RGB-zstd",
    "tiff-YCbCr-packbits",
    "tiff-YCbCr-raw",
    "tiff-YCbCr-tiff_adobe_deflate",
    "tiff-YCbCr-tiff_lzw",
];

pub struct Case {
    pub name: String,
    pub file: Vec<u8>,
    /// None where Pillow refuses the file.
    pub expected: Option<Expected>,
}

pub struct Expected {
    size: (u64, u64),
    pixels: Pixels,
}

enum Pixels {
    Hash(String),
    /// Of a lossy format that leaves decoders some freedom, which may be a level off.
    About(Vec<u8>),
}

impl Expected {
    fn read(case: &Value) -> Option<Self> {
        let text = |key: &str| case[key].as_str().map(str::to_string);
        let pixels = text("sha256").map(Pixels::Hash);
        let pixels = pixels.or_else(|| Some(Pixels::About(bytes_of(&text("pixels")?))))?;
        let number = |key: &str| case[key].as_u64().unwrap();
        let size = (number("width"), number("height"));
        Some(Self { size, pixels })
    }

    fn equals(&self, image: &image::RgbImage) -> bool {
        let size = (u64::from(image.width()), u64::from(image.height()));
        let close = |(ours, theirs): (&u8, &u8)| ours.abs_diff(*theirs) <= 1;
        size == self.size
            && match &self.pixels {
                Pixels::Hash(hash) => hash_of(image.as_raw()) == *hash,
                Pixels::About(pixels) => image.as_raw().iter().zip(pixels).all(close),
            }
    }
}

/// The cases of one file of tests/golden/pictures.
pub fn cases(json: &str) -> Vec<Case> {
    let json: Value = serde_json::from_str(json).unwrap();
    let case = |(name, case): (&String, &Value)| Case {
        name: name.clone(),
        file: bytes_of(case["file"].as_str().unwrap()),
        expected: Expected::read(case),
    };
    json.as_object().unwrap().iter().map(case).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    assert!(rest.is_empty());
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.iter().map(byte).collect()
}

/// Decodes every case, and holds the results to Pillow's but for the differences above.
pub fn check(json: &str) {
    let cases = cases(json);
    assert!(cases.len() > 12);
    let wrong: Vec<String> = cases.iter().filter_map(complaint).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn complaint(case: &Case) -> Option<String> {
    let name = case.name.as_str();
    let shown_though_refused = SHOWN_THOUGH_REFUSED.contains(&name);
    let refused_though_shown = !cfg!(feature = "formats") && name.starts_with("tiff-")
        || REFUSED_THOUGH_SHOWN.contains(&name);
    let ours = image::decode(&case.file);
    match (&ours, &case.expected) {
        (Ok(_), _) if refused_though_shown => {
            Some(format!("{name} is shown: take it off the list"))
        }
        (Ok(_), None) if shown_though_refused => None,
        (Ok(_), None) => Some(format!("{name} is shown, Pillow refuses it")),
        (Err(_), None) if !shown_though_refused => None,
        (Err(_), Some(_)) if refused_though_shown => None,
        (Err(error), _) => Some(format!("{name} is refused: {error}")),
        (Ok(image), Some(expected)) => {
            let same = expected.equals(image);
            let expected = !SHOWN_OTHERWISE.contains(&name);
            (same != expected).then(|| format!("{name} equals Pillow's picture: {same}"))
        }
    }
}

fn hash_of(pixels: &[u8]) -> String {
    let hash = Sha256::digest(pixels);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
