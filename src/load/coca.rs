//! What open_clip's configurations say of a CoCa beside its two encoders: how pictures are pooled, and the
//! decoder.

use crate::Result;
use crate::models::section::Section;
use crate::tokenizer::Tokenizer;
use serde_json::{Value, json};

/// Options of the decoder that open_clip accepts and never looks at: all of a text encoder's that are not
/// read below. Even its vocabulary is the text encoder's, and `mlp_ratio` is always 4.
const IDLE: [&str; 30] = [
    "vocab_size",
    "mlp_ratio",
    "dim_head",
    "n_queries",
    "attn_pooler_heads",
    "embed_cls",
    "pad_id",
    "eos_id",
    "no_causal_mask",
    "final_ln_after_pool",
    "pool_type",
    "proj_bias",
    "proj_type",
    "output_tokens",
    "act_kwargs",
    "norm_kwargs",
    "block_type",
    "qk_norm",
    "scaled_cosine_attn",
    "scale_heads",
    "scale_attn_inner",
    "scale_attn",
    "scale_fc",
    "hf_tokenizer_name",
    "tokenizer_mode",
    "tokenizer_kwargs",
    "hf_model_name",
    "hf_model_pretrained",
    "hf_proj_type",
    "hf_pooler_type",
];

/// Whether a `model_cfg` is of a CoCa.
pub(super) fn is_coca(model: &Section) -> bool {
    model.get("multimodal_cfg").is_some()
}

/// Refuses encoders that the decoder has nothing of, or that it was not made for.
pub(super) fn check(model: &Section, vision: &Section, text: &Section) -> Result<()> {
    for (section, field) in [(vision, "timm_model_name"), (text, "hf_model_name")] {
        if let Some(found) = section.get(field) {
            let why = "this is a CoCa, of which only open_clip's own encoders are supported";
            return Err(section.refused(field, why, found));
        }
    }
    let needed = [
        (vision, "output_tokens"),
        (text, "output_tokens"),
        (text, "embed_cls"),
    ];
    for (section, field) in needed {
        if !section.switch(field)? {
            let found = section.get(field).cloned().unwrap_or_default();
            return Err(section.wrong(field, "true, in a CoCa", &found));
        }
    }
    model.only("pad_id", json!(0))?;
    text.only("pad_id", json!(0))?;
    // `generate` begins with tokens of CLIP's own tokenizer, whatever others there are.
    text.only("hf_tokenizer_name", json!(""))
}

/// The fields of a `vision_config` beside a CLIP's.
pub(super) fn pooling(vision: &Section) -> Result<Value> {
    let pool = vision.get("attentional_pool").cloned();
    let pool = pool.unwrap_or(json!(false));
    if !pool.is_boolean() {
        let why = "true or false: no released model pools in two ways";
        return Err(vision.wrong("attentional_pool", why, &pool));
    }
    Ok(json!({
        "attentional_pool": pool,
        "attn_pooler_queries": vision.size("attn_pooler_queries", 256)?,
        "attn_pooler_heads": vision.size("attn_pooler_heads", 8)?,
    }))
}

/// The `multimodal_config`, of the decoder.
pub(super) fn decoder(model: &Section, gelu: &str) -> Result<Value> {
    let decoder = model.section("multimodal_cfg")?;
    let width = decoder.size("width", 512)?;
    let config = json!({
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": decoder.size("layers", 12)?,
        "num_attention_heads": decoder.size("heads", 8)?,
        "max_position_embeddings": decoder.size("context_length", 77)?,
        "hidden_act": gelu,
        "layer_norm_eps": 1e-5,
        "layer_scale": decoder.number("ls_init_value")?.is_some(),
    });
    decoder.finish(&[&IDLE])?;
    Ok(config)
}

/// The tokens that a caption begins and ends with, which in `generate` are two numbers: those that CLIP's
/// tokenizer has.
pub(super) fn start_and_end(tokenizer: &str) -> Result<[Option<u32>; 2]> {
    let words = Tokenizer::from_json(tokenizer)?;
    let first_of = |names: [&str; 2]| names.iter().find_map(|name| words.token_to_id(name));
    Ok([
        first_of(["<|startoftext|>", "<start_of_text>"]),
        first_of(["<|endoftext|>", "<end_of_text>"]),
    ])
}
