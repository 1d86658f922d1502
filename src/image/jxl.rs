//! JPEG XL, through the `jxl-oxide` crate. A JPEG that was packed into one is unpacked again and read
//! as such, so that its pixels are those of the JPEG. The decoder turns the picture as the file says,
//! and EXIF does not count, as in libjxl.

use ::image::{ColorType, RgbImage};
use jxl_oxide::frame::Encoding;
use jxl_oxide::image::BitDepth;
use jxl_oxide::{
    AllocTracker, ExtraChannelType, FrameHeader, InitializeResult, JpegReconstructionStatus,
    JxlImage, PixelFormat, Render,
};

use super::formats::Format;
use super::library::without_panic;
use super::limits::MAX_DECODED_BYTES;
use super::memory::{self, zeroed};
use super::rgb::{self, Grey16};
use super::{jpeg, metadata};
use crate::{Error, Result};

/// What unpacking a JPEG takes, its coefficients above all.
const JPEG_BYTES_PER_PIXEL: u32 = 8;

pub(super) fn decode(file: &[u8], grey16: Grey16) -> Result<RgbImage> {
    let image = open(file)?;
    refuse_what_is_not_read(&image)?;
    memory::check(image.width(), image.height(), JPEG_BYTES_PER_PIXEL)?;
    if let Some(jpeg) = jpeg_within(file, &image) {
        return jpeg::decode(&jpeg, metadata::orientation_of_jpeg(&jpeg));
    }
    memory::check(image.width(), image.height(), bytes_per_pixel(&image))?;
    let render = image.render_frame(0).map_err(damaged)?;
    let size = (render.stream().width(), render.stream().height());
    let colour = colour_type(&image);
    let pixels = pixels(&render, colour)?;
    drop(render);
    rgb::into_rgb(size, colour, None, grey16, pixels)
}

/// Whether the picture is grey of more than 8 bits, which [`Grey16`] is about.
pub(super) fn is_grey16(file: &[u8]) -> bool {
    open(file).is_ok_and(|image| colour_type(&image) == ColorType::L16)
}

fn damaged(reason: impl std::fmt::Display) -> Error {
    Error::BadImage(format!(
        "the JPEG XL picture is truncated or damaged: {reason}"
    ))
}

/// Reads the headers, which allocates nothing for pixels.
fn open(file: &[u8]) -> Result<JxlImage> {
    let tracker = AllocTracker::with_limit(MAX_DECODED_BYTES as usize);
    let mut start = JxlImage::builder().alloc_tracker(tracker).build_uninit();
    start.feed_bytes(file).map_err(damaged)?;
    let mut image = match start.try_init().map_err(damaged)? {
        InitializeResult::Initialized(image) => image,
        InitializeResult::NeedMoreData(_) => return Err(damaged("it ends within its header")),
    };
    image.finalize().map_err(damaged)?;
    Ok(image)
}

fn refuse_what_is_not_read(image: &JxlImage) -> Result<()> {
    let metadata = &image.image_header().metadata;
    let multiplied = ExtraChannelType::Alpha {
        alpha_associated: true,
    };
    // The decoder is up to 21 levels off there.
    let lossy_rgb = |frame: &FrameHeader| {
        frame.encoding == Encoding::VarDct && !metadata.xyb_encoded && !frame.do_ycbcr
    };
    let cases = [
        (image.pixel_format().has_black(), "is CMYK"),
        (
            matches!(metadata.bit_depth, BitDepth::FloatSample { .. }),
            "has floating-point numbers for colours",
        ),
        (
            image.frame_header(0).is_some_and(lossy_rgb),
            "is lossy in colours of its own",
        ),
        (
            metadata
                .ec_info
                .iter()
                .any(|channel| channel.ty == multiplied),
            "has colours that are multiplied by alpha",
        ),
    ];
    match cases.into_iter().find(|(holds, _)| *holds) {
        None => Ok(()),
        Some((_, what)) => Err(Error::BadImage(format!(
            "the JPEG XL picture {what}, which is not supported: save it as PNG"
        ))),
    }
}

/// The most bytes for each pixel that the decoder holds at a time: two planes of floats for every
/// channel, three channels at least, and the result; of lossless pictures of 8 bits, half as much.
fn bytes_per_pixel(image: &JxlImage) -> u32 {
    let metadata = &image.image_header().metadata;
    let exact = |frame: &FrameHeader| frame.encoding == Encoding::Modular && !metadata.xyb_encoded;
    let narrow =
        image.frame_header(0).is_some_and(exact) && metadata.bit_depth.bits_per_sample() <= 8;
    let channels = 3 + metadata.ec_info.len() as u32;
    channels * if narrow { 4 } else { 8 } + 4
}

/// The JPEG that the picture was made from without loss, where the file holds what it takes.
fn jpeg_within(file: &[u8], image: &JxlImage) -> Option<Vec<u8>> {
    let available = image.jpeg_reconstruction_status() == JpegReconstructionStatus::Available;
    if !available
        || image
            .frame_header(0)
            .is_none_or(|frame| breaks_unpacking(file, frame))
    {
        return None;
    }
    let unpacked = without_panic(Format::JpegXl, || {
        let mut jpeg = Vec::new();
        image.reconstruct_jpeg(&mut jpeg).map_err(damaged)?;
        Ok(jpeg)
    });
    unpacked.ok()
}

/// The decoder panics at progressive JPEGs with less chroma than luma. Their pixels can be read all the
/// same, if not to the very levels of the JPEG.
fn breaks_unpacking(file: &[u8], frame: &FrameHeader) -> bool {
    const PROGRESSIVE: u8 = 0xc2;
    const END: u8 = 0xd9;
    const BOX: &[u8] = b"jbrd";
    let Some(start) = file.windows(BOX.len()).position(|name| name == BOX) else {
        return false;
    };
    let bytes = file[start + BOX.len()..].iter();
    let bits = bytes.flat_map(|byte| (0..8).map(move |place| byte >> place & 1));
    let mut bits = bits.skip(1); // whether it is grey; then the JPEG's markers, in six bits each
    let marker = || (0..6).try_fold(0xc0, |marker, place| Some(marker + (bits.next()? << place)));
    let mut markers = std::iter::from_fn(marker).take_while(|marker| *marker != END);
    frame.jpeg_upsampling != [0; 3] && markers.any(|marker| marker == PROGRESSIVE)
}

/// What the pixels are read as. Only grey keeps more than 8 bits, for the caller to choose.
fn colour_type(image: &JxlImage) -> ColorType {
    let bits = image.image_header().metadata.bit_depth.bits_per_sample();
    match image.pixel_format() {
        PixelFormat::Gray if bits > 8 => ColorType::L16,
        PixelFormat::Gray => ColorType::L8,
        PixelFormat::Graya => ColorType::La8,
        PixelFormat::Rgba => ColorType::Rgba8,
        _ => ColorType::Rgb8,
    }
}

fn pixels(render: &Render, colour: ColorType) -> Result<Vec<u8>> {
    let mut stream = render.stream();
    let samples = stream.width() as usize * stream.height() as usize * stream.channels() as usize;
    if stream.channels() != u32::from(colour.channel_count()) {
        return Err(damaged("it has another number of channels than it says"));
    }
    if colour != ColorType::L16 {
        let mut pixels = zeroed(samples)?;
        stream.write_to_buffer(&mut pixels);
        return Ok(pixels);
    }
    let mut pixels = zeroed(samples * 2)?;
    for pixel in pixels.chunks_exact_mut(2) {
        let mut level = [0_u16];
        stream.write_to_buffer(&mut level);
        pixel.copy_from_slice(&level[0].to_ne_bytes());
    }
    Ok(pixels)
}
