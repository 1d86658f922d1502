//! preprocessor_config.json in the forms it has taken over the years: sizes as a number, a list or an
//! object, defaults left to the class that it names. Values that make no sense are refused here, so
//! that `prepare` cannot fail; fields that nobody here reads are, too.
//!
//! Three things that open_clip's transforms do have no name there. `load` writes them where it makes a
//! preprocessor_config.json of an open_clip_config.json:
//!
//! | Field | Meaning |
//! |---|---|
//! | `crop_rounding` | `half_to_even`: where the crop lies as torchvision rounds it; transformers rounds down |
//! | `fill_color` | what surrounds a picture smaller than the crop: one level, or one for each colour |
//! | `size.longest_edge` (with `fill_color`) | the longer side is resized to this, the rest is filled |

use serde_json::{Map, Value};

use super::prepare::{Fit, Normalisation, Preprocessor, Rounding};
use super::resize::Filter;
use crate::{Error, Result};

/// The largest side that a model can ask for; the largest in use are below 1024.
const MAX_SIZE: u64 = 4096;

/// What an image processor class does where its file is silent.
struct Class {
    name: &'static str,
    size: usize,
    /// Whether a bare number as `size` is the shorter side, and the centre is cropped.
    crops: bool,
    resample: u64,
    mean: [f32; 3],
    deviation: [f32; 3],
}

// Digit by digit as OpenAI published them.
const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
#[expect(clippy::excessive_precision)]
const CLIP_DEVIATION: [f32; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];
const CLIP: Class = Class {
    name: "CLIP",
    size: 224,
    crops: true,
    resample: 3,
    mean: CLIP_MEAN,
    deviation: CLIP_DEVIATION,
};
const BLIP: Class = Class {
    name: "Blip",
    size: 384,
    crops: false,
    ..CLIP
};
const CHINESE_CLIP: Class = Class {
    name: "ChineseCLIP",
    ..CLIP
};
const VIT: Class = Class {
    name: "ViT",
    size: 224,
    crops: false,
    resample: 2,
    mean: [0.5; 3],
    deviation: [0.5; 3],
};
const SIGLIP: Class = Class {
    name: "Siglip",
    resample: 3,
    ..VIT
};

impl Preprocessor {
    /// Reads the text of a preprocessor_config.json, or of a processor_config.json with an image
    /// processor in it. What it leaves out is the default of the class it names.
    ///
    /// # Errors
    /// [`crate::Error::BadWeights`] naming the field and what was expected there.
    pub fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| wrong(format!("it is not valid JSON: {error}")))?;
        let Value::Object(mut fields) = value else {
            return Err(wrong("an object was expected".into()));
        };
        let mut fields = match fields.remove("image_processor") {
            Some(Value::Object(nested)) => nested,
            _ => fields,
        };
        // The reference takes null for "not given", everywhere.
        fields.retain(|_, value| !value.is_null());
        check_names(&fields)?;
        let class = class(&fields)?;
        let filter = filter(&fields, class)?;
        let (fit, output) = geometry(&fields, class)?;
        Ok(Preprocessor {
            fit,
            filter,
            output,
            rounding: rounding(&fields)?,
            filling: filling(&fields)?,
            normalisation: normalisation(&fields, class)?,
        })
    }
}

/// Fields that are read below.
const READ: [&str; 19] = [
    "image_processor_type",
    "feature_extractor_type",
    "processor_class",
    "resample",
    "do_resize",
    "size",
    "do_center_crop",
    "crop_size",
    "do_rescale",
    "rescale_factor",
    "do_normalize",
    "image_mean",
    "image_std",
    "crop_rounding",
    "fill_color",
    "do_pad",
    "use_square_size",
    "do_flip_channel_order",
    "do_thumbnail",
];

/// Fields that change no pixel of a picture that is RGB, as all are here.
const HARMLESS: [&str; 15] = [
    "auto_map",
    "data_format",
    "default_to_square",
    "device",
    "disable_grouping",
    "do_convert_rgb",
    "do_sample_frames",
    "image_seq_length",
    "input_data_format",
    "model_input_names",
    "num_channels",
    "num_image_tokens",
    "pad_size", // without `do_pad`
    "return_tensors",
    "size_divisor",
];

/// Refuses fields of unknown meaning, and switches of other processors that are on. Names that begin
/// with `_` are notes of the library that wrote the file.
fn check_names(fields: &Map<String, Value>) -> Result<()> {
    for name in [
        "do_pad",
        "use_square_size",
        "do_flip_channel_order",
        "do_thumbnail",
    ] {
        if switch(fields, name, false)? {
            return Err(bad_field(name, "false", &fields[name]));
        }
    }
    let is_known = |name: &str| READ.contains(&name) || HARMLESS.contains(&name);
    let mut names = fields.iter();
    let unknown = names.find(|(name, _)| !name.starts_with('_') && !is_known(name));
    match unknown {
        None => Ok(()),
        Some((name, value)) => {
            let expected = "absent: obscura does not know what it does to a picture (remove it if it does nothing)";
            Err(bad_field(name, expected, value))
        }
    }
}

fn rounding(fields: &Map<String, Value>) -> Result<Rounding> {
    match fields.get("crop_rounding") {
        None => Ok(Rounding::Down),
        Some(value) if value == "half_to_even" => Ok(Rounding::HalfToEven),
        Some(value) => Err(bad_field("crop_rounding", "\"half_to_even\"", value)),
    }
}

/// One level for each colour, or one for all; black by default.
fn filling(fields: &Map<String, Value>) -> Result<[u8; 3]> {
    let Some(value) = fields.get("fill_color") else {
        return Ok([0; 3]);
    };
    let level = |value: &Value| value.as_u64().and_then(|level| u8::try_from(level).ok());
    let levels = match value {
        Value::Array(list) => list.iter().map(level).collect::<Option<Vec<u8>>>(),
        value => level(value).map(|level| vec![level; 3]),
    };
    let levels = levels.and_then(|list| <[u8; 3]>::try_from(list).ok());
    levels.ok_or_else(|| bad_field("fill_color", "a level from 0 to 255, or 3 of them", value))
}

fn wrong(what: String) -> Error {
    Error::BadWeights(format!("preprocessor_config.json: {what}"))
}

fn bad_field(name: &str, expected: &str, found: &Value) -> Error {
    let mut found = found.to_string();
    if found.len() > 80 {
        found = format!("{}...", found.chars().take(80).collect::<String>());
    }
    wrong(format!("`{name}` must be {expected}, not {found}"))
}

/// The class by the names that the file may give it; a file without any is judged by its fields.
fn class(fields: &Map<String, Value>) -> Result<&'static Class> {
    const NAMES: [&str; 3] = [
        "image_processor_type",
        "feature_extractor_type",
        "processor_class",
    ];
    let Some((field, value)) = NAMES.iter().find_map(|name| fields.get_key_value(*name)) else {
        let shortest = fields
            .get("size")
            .is_some_and(|size| size.get("shortest_edge").is_some());
        let crops = fields.contains_key("crop_size") || fields.contains_key("do_center_crop");
        return Ok(if crops || shortest { &CLIP } else { &BLIP });
    };
    const SUFFIXES: [&str; 5] = [
        "Fast",
        "Pil",
        "ImageProcessor",
        "FeatureExtractor",
        "Processor",
    ];
    let name = value.as_str().unwrap_or_default();
    let family = SUFFIXES
        .iter()
        .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
    let classes = [&CLIP, &CHINESE_CLIP, &BLIP, &VIT, &SIGLIP];
    let class = classes
        .into_iter()
        .find(|class| class.name.eq_ignore_ascii_case(family));
    class.ok_or_else(|| {
        let expected = "the image processor of CLIP, ChineseCLIP, Blip, ViT or Siglip";
        bad_field(field, expected, value)
    })
}

fn filter(fields: &Map<String, Value>, class: &Class) -> Result<Filter> {
    let Some(value) = fields.get("resample") else {
        return Ok(Filter::from_pillow(class.resample).unwrap_or(Filter::Bicubic));
    };
    value.as_u64().and_then(Filter::from_pillow).ok_or_else(|| {
        let expected =
            "0 (nearest), 1 (lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (hamming)";
        bad_field("resample", expected, value)
    })
}

/// How pictures are fitted, and height and width of the result, which must not depend on the picture.
fn geometry(fields: &Map<String, Value>, class: &Class) -> Result<(Fit, (usize, usize))> {
    let fit = match switch(fields, "do_resize", true)? {
        true => resized(fields.get("size"), fields.contains_key("fill_color"), class)?,
        false => Fit::Crop,
    };
    if switch(fields, "do_center_crop", class.crops)? {
        let crop = match fields.get("crop_size") {
            Some(value) => height_and_width("crop_size", value)?,
            None => (CLIP.size, CLIP.size),
        };
        return Ok((fit, crop));
    }
    match fit {
        Fit::Squash(height, width) => Ok((fit, (height, width))),
        _ => Err(wrong(
            "without `do_center_crop`, `do_resize` and a `size` with `height` and `width` are needed, \
             or pictures of different shapes would reach the model"
                .into(),
        )),
    }
}

fn resized(size: Option<&Value>, fills: bool, class: &Class) -> Result<Fit> {
    let squash = |(height, width)| Fit::Squash(height, width);
    match size {
        None if class.crops => Ok(Fit::ShortestEdge(class.size)),
        None => Ok(Fit::Squash(class.size, class.size)),
        Some(value @ Value::Number(_)) if class.crops => {
            Ok(Fit::ShortestEdge(length("size", value)?))
        }
        Some(Value::Object(sides)) if sides.contains_key("shortest_edge") => {
            if let Some(longest) = sides.get("longest_edge").filter(|value| !value.is_null()) {
                return Err(bad_field("size.longest_edge", "absent", longest));
            }
            Ok(Fit::ShortestEdge(length(
                "size.shortest_edge",
                &sides["shortest_edge"],
            )?))
        }
        Some(Value::Object(sides)) if fills && sides.contains_key("longest_edge") => Ok(
            Fit::LongestEdge(length("size.longest_edge", &sides["longest_edge"])?),
        ),
        Some(value) => height_and_width("size", value).map(squash),
    }
}

/// A size given as one number, as `[height, width]`, or as an object.
fn height_and_width(name: &str, value: &Value) -> Result<(usize, usize)> {
    match value {
        Value::Number(_) => length(name, value).map(|side| (side, side)),
        Value::Array(sides) if sides.len() == 2 => {
            Ok((length(name, &sides[0])?, length(name, &sides[1])?))
        }
        Value::Object(sides) => match (sides.get("height"), sides.get("width")) {
            (Some(height), Some(width)) => {
                let width = length(&format!("{name}.width"), width)?;
                Ok((length(&format!("{name}.height"), height)?, width))
            }
            _ => Err(bad_field(
                name,
                "an object with `height` and `width`",
                value,
            )),
        },
        _ => Err(bad_field(
            name,
            "a number, or an object with `height` and `width`",
            value,
        )),
    }
}

fn length(name: &str, value: &Value) -> Result<usize> {
    match value.as_u64() {
        Some(length @ 1..=MAX_SIZE) => Ok(length as usize),
        _ => Err(bad_field(
            name,
            &format!("a whole number from 1 to {MAX_SIZE}"),
            value,
        )),
    }
}

fn switch(fields: &Map<String, Value>, name: &str, default: bool) -> Result<bool> {
    match fields.get(name) {
        None => Ok(default),
        Some(Value::Bool(value)) => Ok(*value),
        Some(value) => Err(bad_field(name, "true or false", value)),
    }
}

fn normalisation(fields: &Map<String, Value>, class: &Class) -> Result<Normalisation> {
    let rescale = match fields.get("rescale_factor") {
        None => 1.0 / 255.0,
        Some(value) => match value.as_f64() {
            Some(factor) if factor.is_finite() && factor != 0.0 => factor,
            _ => return Err(bad_field("rescale_factor", "a number other than 0", value)),
        },
    };
    let rescale = switch(fields, "do_rescale", true)?.then_some(rescale);
    let mean = colours(fields, "image_mean", class.mean)?;
    let deviation = colours(fields, "image_std", class.deviation)?;
    if deviation.contains(&0.0) {
        return Err(bad_field(
            "image_std",
            "other than 0 for each colour",
            &fields["image_std"],
        ));
    }
    let normalise = switch(fields, "do_normalize", true)?;
    Ok(Normalisation {
        rescale,
        mean_and_deviation: normalise.then_some((mean, deviation)),
    })
}

/// One number for each colour, or one for all.
fn colours(fields: &Map<String, Value>, name: &str, default: [f32; 3]) -> Result<[f32; 3]> {
    let Some(value) = fields.get(name) else {
        return Ok(default);
    };
    let number = |value: &Value| value.as_f64().map(|x| x as f32).filter(|x| x.is_finite());
    let colours = match value {
        Value::Array(list) => list.iter().map(number).collect::<Option<Vec<f32>>>(),
        value => number(value).map(|x| vec![x; 3]),
    };
    let colours = colours.and_then(|list| <[f32; 3]>::try_from(list).ok());
    colours.ok_or_else(|| bad_field(name, "a list of 3 numbers", value))
}
