//! open_clip_config.json to the texts of a model in Hugging Face's form. Every option of open_clip's
//! `CLIPVisionCfg`, `CLIPTextCfg` and `PreprocessCfg` (version 3.3) is translated, or known to change
//! nothing, or refused by its name; so is every field that open_clip does not know.
//!
//! The fields that Hugging Face has no name for are listed in `models::clip::config` (networks) and
//! `image::config` (pictures).

use super::original::Texts;
use super::tokens::{self, TokenizerConfig};
use super::{coca, timm, towers};
use crate::Result;
use crate::models::section::Section;
use serde_json::{Value, json};

const FILE: &str = "open_clip_config.json";

/// Python's `string.punctuation`, without the `_` that has become a space.
const PUNCTUATION: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^`{|}~]"##;

/// Options of blocks that no released model has.
const UNUSED_BLOCKS: [&str; 6] = [
    "qk_norm",
    "scaled_cosine_attn",
    "scale_heads",
    "scale_attn_inner",
    "scale_attn",
    "scale_fc",
];

/// Options of the image encoder that change nothing at inference, or only with another one that is
/// refused.
const IDLE_VISION: [&str; 9] = [
    "patch_dropout",
    "attn_pooler_queries",
    "attn_pooler_heads",
    "timm_model_pretrained",
    "timm_pool",
    "timm_proj",
    "timm_proj_bias",
    "timm_drop",
    "timm_drop_path",
];

/// What only a vision transformer looks at: open_clip's ResNets have none of it.
const IDLE_RESNET: [&str; 13] = [
    "mlp_ratio",
    "patch_size",
    "ls_init_value",
    "no_ln_pre",
    "pos_embed_type",
    "final_ln_after_pool",
    "pool_type",
    "act_kwargs",
    "norm_kwargs",
    "block_type",
    "qk_norm",
    "attentional_pool",
    "output_tokens",
];

/// The same of the text encoder; its `final_ln_after_pool` is never read, `pad_id` only with
/// `embed_cls`.
const IDLE_TEXT: [&str; 5] = [
    "pad_id", // of a CoCa it is checked
    "final_ln_after_pool",
    "hf_model_pretrained",
    "hf_proj_type", // beside a language model: `towers`
    "hf_pooler_type",
];

/// Options of the whole that change nothing.
const IDLE_MODEL: [&str; 5] = [
    "custom_text",
    "init_logit_scale",
    "nonscalar_logit_scale",
    "cast_dtype",
    "output_dict",
];

/// An understood open_clip_config.json.
pub(super) struct OpenClip {
    config: Value,
    preprocessor: Value,
    /// How texts are tokenized, where it is not by open_clip's own tokenizer.
    hugging_face: Option<HuggingFace>,
    /// Whether the text encoder sees what fills texts up.
    sees_filling: bool,
}

/// How texts are cleaned before they are tokenized. All make white space one space, and leave none at
/// the ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clean {
    Whitespace,
    /// In lower case besides.
    Lower,
    /// And without punctuation, `_` becoming a space.
    Canonicalize,
}

/// What open_clip adds to a tokenizer of Hugging Face's library.
struct HuggingFace {
    clean: Clean,
    /// Whether separators are replaced by token 0.
    strips_separator: bool,
}

impl OpenClip {
    /// Reads the text of an open_clip_config.json; `encoder` is that of a config.json beside it, if that is
    /// a language model's.
    pub fn parse(text: &str, encoder: Option<&str>) -> Result<Self> {
        let (model, pixels) = sections(Section::root(FILE, text)?)?;
        let (vision, text) = (model.section("vision_cfg")?, model.section("text_cfg")?);
        let is_coca = coca::is_coca(&model);
        let language = match is_coca {
            true => coca::check(&model, &vision, &text).map(|()| None),
            false => towers::encoder(&text, encoder),
        }?;
        refuse_other_models(&model, &vision, &text, language.is_some())?;
        let gelu = match model.switch("quick_gelu")? {
            true => "quick_gelu",
            false => "gelu",
        };
        let image_size = vision.side("image_size", 224)?;
        let hugging_face = HuggingFace::parse(&text)?;
        let text_config = match language {
            Some(encoder) => towers::text_config(&text, encoder)?,
            None => text_config(&text, gelu, is_coca)?,
        };
        if let Some(tower) = timm::siglip(&vision, image_size)? {
            let projection = model.size("embed_dim", 512)?;
            model.finish(&[&IDLE_MODEL])?;
            return Ok(Self {
                config: json!({
                    "model_type": "siglip",
                    "vision_config": tower,
                    "text_config": timm::siglip_text(&text, text_config, projection)?,
                }),
                preprocessor: preprocessor(&pixels, image_size)?,
                hugging_face,
                sees_filling: true,
            });
        }
        let sees_filling = !is_coca
            && (text_config["no_causal_mask"] == true || text_config["pool_type"] == "last");
        let mut config = json!({
            "model_type": if is_coca { "coca" } else { "clip" },
            "projection_dim": model.size("embed_dim", 512)?,
            "vision_config": vision_config(&vision, image_size, gelu, is_coca)?,
            "text_config": text_config,
        });
        if is_coca {
            config["multimodal_config"] = coca::decoder(&model, gelu)?;
            if let Some(text) = config["text_config"].as_object_mut() {
                // What its vector is of is the class token.
                text.retain(|name, _| !["pool_type", "eos_token_id"].contains(&name.as_str()));
            }
        }
        model.finish(&[&IDLE_MODEL])?;
        Ok(Self {
            config,
            preprocessor: preprocessor(&pixels, image_size)?,
            hugging_face,
            sees_filling,
        })
    }

    /// Whether [`Self::texts`] looks at a tokenizer_config.json.
    pub fn names_tokens(&self) -> bool {
        self.hugging_face.is_some()
    }

    /// The texts of the model, given that of its tokenizer.json, which becomes what open_clip makes of
    /// it, and perhaps of its tokenizer_config.json.
    pub fn texts(mut self, tokenizer: &mut String, names: Option<&str>) -> Result<Texts> {
        let mut filling = 0;
        if let Some(hugging_face) = &self.hugging_face {
            let classed = TokenizerConfig::parse(names)?;
            let mut words = tokens::parsed(tokenizer)?;
            if self.config["model_type"] == "siglip" {
                words = classed.applied(words)?;
                self.config["text_config"]["fill_side"] = json!(classed.side());
            }
            let special = |key: &str, usual: [&str; 2]| classed.special(&words, key, usual);
            filling = special("pad_token", ["[PAD]", "<pad>"]).unwrap_or(0);
            towers::check_padding(&self.config["text_config"], filling)?;
            if hugging_face.strips_separator {
                let separator = special("sep_token", ["[SEP]", "</s>"]);
                self.config["text_config"]["zeroed_token_id"] = json!(separator);
            }
            *tokenizer = hugging_face.cleaning(words);
        }
        if self.config["model_type"] == "coca" {
            let [start, end] = coca::start_and_end(tokenizer)?;
            self.config["bos_token_id"] = json!(start);
            self.config["eos_token_id"] = json!(end);
        }
        if self.sees_filling {
            self.config["text_config"]["fill_token_id"] = json!(filling);
        }
        Ok(Texts {
            config: self.config.to_string(),
            preprocessor: self.preprocessor.to_string(),
        })
    }
}

/// `model_cfg` and `preprocess_cfg`. LAION's CoCas have the first alone, without its name, as open_clip's own list of
/// models has it; their pictures are prepared by open_clip's defaults.
fn sections(root: Section) -> Result<(Section, Section)> {
    if root.get("model_cfg").is_some() {
        return Ok((root.section("model_cfg")?, root.section("preprocess_cfg")?));
    }
    if root.get("vision_cfg").is_none() {
        return Err(root.wrong("model_cfg", "an object", &Value::Null));
    }
    Ok((root, Section::of(FILE, json!({}))?))
}

/// Refuses models that are made of other parts, naming these.
fn refuse_other_models(
    model: &Section,
    vision: &Section,
    text: &Section,
    is_known_language: bool,
) -> Result<()> {
    let is_siglip = timm::is_siglip(vision);
    for (section, field, what) in [
        (
            vision,
            "timm_model_name",
            "this image encoder is one of timm's, of which only SigLIP's are supported; open_clip's own vision transformers and ResNets are",
        ),
        (
            text,
            "hf_model_name",
            "this text encoder is one of transformers', of which RoBERTa and XLM-RoBERTa alone are supported, by their names or by a config.json beside; open_clip's own is",
        ),
        (
            model,
            "init_logit_bias",
            "this CLIP was trained with SigLIP's loss, which is supported with SigLIP's image encoders alone",
        ),
    ] {
        let belongs = (is_siglip && ["timm_model_name", "init_logit_bias"].contains(&field))
            || (is_known_language && field == "hf_model_name");
        if let Some(found) = section.get(field)
            && !belongs
        {
            return Err(section.refused(field, what, found));
        }
    }
    Ok(())
}

fn vision_config(vision: &Section, image_size: usize, gelu: &str, is_coca: bool) -> Result<Value> {
    let head_width = vision.size("head_width", 64)?;
    let width = vision.size("width", 768)?;
    match vision.get("layers") {
        Some(Value::Number(_)) | None => {}
        // A ResNet, which Hugging Face has no form for: it keeps open_clip's.
        Some(layers @ Value::Array(_)) => {
            vision.finish(&[&IDLE_VISION, &IDLE_RESNET, &UNUSED_BLOCKS])?;
            return Ok(json!({
                "layers": layers, "width": width, "head_width": head_width,
                "image_size": image_size,
            }));
        }
        Some(found) => {
            let expected = "a number (a vision transformer's) or a list (a ResNet's): other image encoders are not supported";
            return Err(vision.wrong("layers", expected, found));
        }
    }
    if head_width > width {
        let expected = format!("at most width, {width}");
        return Err(vision.wrong("head_width", &expected, &json!(head_width)));
    }
    let pooling = match is_coca {
        true => coca::pooling(vision)?,
        false => {
            vision.only("attentional_pool", json!(false))?;
            json!({})
        }
    };
    vision.choice("pos_embed_type", &["learnable", "sin_cos_2d"])?; // stored in either case
    let pool_type = ["tok", "avg"];
    let pool_type = pool_type[vision.choice("pool_type", &pool_type)?];
    let config = with(
        with(tower(vision, width, gelu, is_coca)?, pooling),
        json!({
            "num_attention_heads": width / head_width,
            "image_size": image_size,
            "patch_size": vision.side("patch_size", 16)?,
            "no_ln_pre": vision.switch("no_ln_pre")?,
            "pool_type": pool_type,
            "final_ln_after_pool": vision.switch("final_ln_after_pool")?,
        }),
    );
    vision.finish(&[&IDLE_VISION])?;
    Ok(config)
}

fn text_config(text: &Section, gelu: &str, is_coca: bool) -> Result<Value> {
    // CoCa appends a class token.
    text.only("embed_cls", json!(is_coca))?;
    let pool_types = ["argmax", "eos", "first", "last"];
    let proj_types = ["linear", "none"];
    let config = with(
        tower(text, text.size("width", 512)?, gelu, is_coca)?,
        json!({
            "num_attention_heads": text.size("heads", 8)?,
            "max_position_embeddings": text.size("context_length", 77)?,
            "vocab_size": text.size("vocab_size", 49_408)?,
            "pool_type": pool_types[text.choice("pool_type", &pool_types)?],
            "eos_token_id": text.id("eos_id", 2)?,
            "no_causal_mask": text.switch("no_causal_mask")?,
            "proj_type": proj_types[text.choice("proj_type", &proj_types)?],
            "proj_bias": text.switch("proj_bias")?,
        }),
    );
    // Read by `HuggingFace::parse`.
    let tokenizer = ["hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs"];
    text.finish(&[&IDLE_TEXT, &tokenizer])?;
    Ok(config)
}

/// What both encoders have.
fn tower(section: &Section, width: usize, gelu: &str, gives_tokens: bool) -> Result<Value> {
    section.only("output_tokens", json!(gives_tokens))?;
    section.choice("block_type", &["default", "custom"])?; // the same where no option below is on
    for option in UNUSED_BLOCKS {
        section.only(option, json!(false))?;
    }
    let none = json!({});
    let options = section.get("act_kwargs").unwrap_or(&none);
    let activation = match (options["approximate"].as_str(), gelu) {
        _ if *options == none => gelu,
        (Some("none"), "gelu") => gelu,
        (Some("tanh"), "gelu") => "gelu_pytorch_tanh",
        _ => return Err(section.wrong("act_kwargs", "GELU's \"approximate\"", options)),
    };
    let norm = section.section("norm_kwargs")?;
    let epsilon = norm.epsilon("eps", 1e-5)?;
    norm.finish(&[])?;
    let ratio = section.number("mlp_ratio")?.unwrap_or(4.0);
    Ok(json!({
        "hidden_size": width,
        "intermediate_size": (width as f64 * ratio) as u64,
        "num_hidden_layers": section.size("layers", 12)?,
        "hidden_act": activation,
        "layer_norm_eps": epsilon,
        "layer_scale": section.number("ls_init_value")?.is_some(),
    }))
}

/// `fields` and `more` in one object.
fn with(mut fields: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
        fields.extend(more);
    }
    fields
}

/// What `image_transform_v2` does at inference. open_clip gives pictures the size that the encoder has,
/// whatever `size` says, drops fields that it does not know, and crops as torchvision does.
fn preprocessor(pixels: &Section, image_size: usize) -> Result<Value> {
    pixels.only("mode", json!("RGB"))?;
    let square = json!({ "height": image_size, "width": image_size });
    let mut made = json!({
        "image_processor_type": "CLIPImageProcessor",
        // `random` is for training: inference then takes bicubic.
        "resample": match pixels.choice("interpolation", &["bicubic", "bilinear", "random"])? {
            1 => 2,
            _ => 3,
        },
    });
    match pixels.choice("resize_mode", &["shortest", "longest", "squash"])? {
        2 => {
            made["size"] = square;
            made["do_center_crop"] = json!(false);
        }
        mode => {
            let edge = ["shortest_edge", "longest_edge"][mode];
            made["size"] = json!({ edge: image_size });
            made["crop_size"] = square;
            made["crop_rounding"] = json!("half_to_even");
            if mode == 1 {
                made["fill_color"] = pixels.get("fill_color").cloned().unwrap_or(json!(0));
            }
        }
    }
    for (theirs, ours) in [("mean", "image_mean"), ("std", "image_std")] {
        match pixels.get(theirs) {
            Some(one @ Value::Number(_)) => made[ours] = json!([one, one, one]),
            Some(found) => made[ours] = found.clone(),
            None => {}
        }
    }
    Ok(made)
}

impl HuggingFace {
    fn parse(text: &Section) -> Result<Option<Self>> {
        text.only("tokenizer_mode", json!(""))?;
        let options = text.section("tokenizer_kwargs")?;
        let name = text.text("hf_tokenizer_name")?.unwrap_or_default();
        if name.is_empty() {
            options.only("clean", json!("lower"))?;
            options.finish(&[])?;
            return Ok(None);
        }
        let kinds = [Clean::Whitespace, Clean::Lower, Clean::Canonicalize];
        let names = ["whitespace", "lower", "canonicalize"];
        let parsed = Self {
            clean: kinds[options.choice("clean", &names)?],
            strips_separator: options.switch("strip_sep_token")?,
        };
        options.finish(&[])?;
        Ok(Some(parsed))
    }

    /// The tokenizer.json that cleans texts first.
    fn cleaning(&self, mut words: Value) -> String {
        let replace = |pattern: Value, content: &str| json!({ "type": "Replace", "pattern": pattern, "content": content });
        let mut steps = Vec::new();
        if self.clean == Clean::Canonicalize {
            steps.push(replace(json!({ "String": "_" }), " "));
            steps.push(replace(json!({ "Regex": PUNCTUATION }), ""));
        }
        if self.clean != Clean::Whitespace {
            steps.push(json!({ "type": "Lowercase" }));
        }
        steps.push(replace(json!({ "Regex": "\\s+" }), " "));
        steps.push(json!({ "type": "Strip", "strip_left": true, "strip_right": true }));
        let own = words["normalizer"].take();
        steps.extend((!own.is_null()).then_some(own));
        words["normalizer"] = json!({ "type": "Sequence", "normalizers": steps });
        words.to_string()
    }
}
