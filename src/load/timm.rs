//! timm's image encoders in models of open_clip, whose configurations have their names alone: those of
//! SigLIP, by timm 1.0.

use crate::Result;
use crate::models::section::Section;
use serde_json::{Value, json};

/// What a name stands for.
struct Tower {
    name: &'static str,
    image_size: usize,
    patch_size: usize,
    size: &'static Size,
    /// The activation, by Hugging Face's name: it is the encoder's own, whatever `quick_gelu` says.
    activation: &'static str,
}

/// Width, blocks, heads and width inside the perceptron.
struct Size(usize, usize, usize, usize);

const BASE: Size = Size(768, 12, 12, 3072);
const LARGE: Size = Size(1024, 24, 16, 4096);
const SO400M: Size = Size(1152, 27, 16, 4304);
const GIANT: Size = Size(1536, 40, 16, 6144);

const EXACT: &str = "gelu";
const TANH: &str = "gelu_pytorch_tanh";

#[rustfmt::skip] // a table
const TOWERS: [Tower; 16] = [
    tower("vit_base_patch32_siglip_256", 256, 32, &BASE, TANH),
    tower("vit_base_patch16_siglip_224", 224, 16, &BASE, EXACT),
    tower("vit_base_patch16_siglip_256", 256, 16, &BASE, EXACT),
    tower("vit_base_patch16_siglip_384", 384, 16, &BASE, EXACT),
    tower("vit_base_patch16_siglip_512", 512, 16, &BASE, EXACT),
    tower("vit_large_patch16_siglip_256", 256, 16, &LARGE, EXACT),
    tower("vit_large_patch16_siglip_384", 384, 16, &LARGE, EXACT),
    tower("vit_large_patch16_siglip_512", 512, 16, &LARGE, TANH),
    tower("vit_so400m_patch14_siglip_224", 224, 14, &SO400M, EXACT),
    tower("vit_so400m_patch14_siglip_378", 378, 14, &SO400M, EXACT),
    tower("vit_so400m_patch14_siglip_384", 384, 14, &SO400M, EXACT),
    tower("vit_so400m_patch16_siglip_256", 256, 16, &SO400M, TANH),
    tower("vit_so400m_patch16_siglip_384", 384, 16, &SO400M, TANH),
    tower("vit_so400m_patch16_siglip_512", 512, 16, &SO400M, TANH),
    tower("vit_giantopt_patch16_siglip_256", 256, 16, &GIANT, TANH),
    tower("vit_giantopt_patch16_siglip_384", 384, 16, &GIANT, TANH),
];

const fn tower(
    name: &'static str,
    image_size: usize,
    patch_size: usize,
    size: &'static Size,
    activation: &'static str,
) -> Tower {
    Tower {
        name,
        image_size,
        patch_size,
        size,
        activation,
    }
}

fn named(vision: &Section) -> Option<&'static Tower> {
    let name = vision.get("timm_model_name")?.as_str()?;
    TOWERS.iter().find(|tower| tower.name == name)
}

/// Whether a `vision_cfg` names an image encoder of SigLIP.
pub(super) fn is_siglip(vision: &Section) -> bool {
    named(vision).is_some()
}

/// The `vision_config` of a SigLIP, if `vision_cfg` names one of its image encoders.
pub(super) fn siglip(vision: &Section, image_size: usize) -> Result<Option<Value>> {
    let Some(tower) = named(vision) else {
        return Ok(None);
    };
    for (field, supported) in [("timm_pool", "map"), ("timm_proj", "none")] {
        let found = vision.get(field).cloned().unwrap_or_default();
        if found != supported {
            return Err(vision.wrong(field, &format!("{supported:?}"), &found));
        }
    }
    if image_size != tower.image_size {
        let expected = format!("{}, the size of {}", tower.image_size, tower.name);
        return Err(vision.wrong("image_size", &expected, &json!(image_size)));
    }
    // Options of open_clip's own encoders, which these do not look at, are refused: no file has any.
    const IDLE: [&str; 7] = [
        "timm_model_pretrained",
        "timm_proj_bias", // without a projection
        "timm_drop",
        "timm_drop_path",
        "patch_dropout",
        "image_size",
        "output_tokens",
    ];
    vision.finish(&[&IDLE])?;
    let &Size(width, depth, heads, hidden) = tower.size;
    Ok(Some(json!({
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "intermediate_size": hidden,
        "hidden_act": tower.activation,
        "image_size": image_size,
        "patch_size": tower.patch_size,
    })))
}

/// The `text_config` of a SigLIP, from that of a CLIP with the options that make it one.
pub(super) fn siglip_text(text: &Section, mut config: Value, projection: usize) -> Result<Value> {
    let is_projected = config["proj_type"] != "none";
    let needed = [
        ("no_causal_mask", "no_causal_mask", json!(true)),
        ("pool_type", "pool_type", json!("last")),
        ("proj_bias", "proj_bias", json!(is_projected)),
        ("ls_init_value", "layer_scale", json!(false)),
    ];
    for (theirs, ours, needed) in needed {
        let found = config[ours].take();
        if found != needed {
            let expected = format!("{needed} beside an image encoder of SigLIP");
            return Err(text.wrong(theirs, &expected, &found));
        }
    }
    if let Some(fields) = config.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    config["projection_size"] = json!(projection);
    Ok(config)
}
