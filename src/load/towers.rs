//! Text encoders of transformers in models of open_clip, whose configurations have their names alone
//! (`hf_model_name`): RoBERTa and XLM-RoBERTa, by their config.json on the hub. Of another one the
//! config.json has to lie beside open_clip_config.json.

use crate::models::section::Section;
use crate::{Error, Result};
use serde_json::{Value, json};

/// Kinds of encoders that open_clip knows and that are computed here.
const KINDS: [&str; 3] = ["roberta", "xlm-roberta", "bert"];

/// Options of open_clip's own text encoder, at which these do not look.
const IDLE: [&str; 24] = [
    "vocab_size",
    "width",
    "heads",
    "layers",
    "mlp_ratio",
    "ls_init_value",
    "embed_cls",
    "pad_id",
    "eos_id",
    "no_causal_mask",
    "final_ln_after_pool",
    "pool_type",
    "proj_type",
    "proj_bias",
    "act_kwargs",
    "norm_kwargs",
    "block_type",
    "qk_norm",
    "scaled_cosine_attn",
    "scale_heads",
    "scale_attn_inner",
    "scale_attn",
    "scale_fc",
    "hf_model_pretrained",
];

/// The config.json of the encoder of transformers that a `text_cfg` names, if it does and the encoder is
/// known; `beside` is the text of the one in the same folder.
pub(super) fn encoder(text: &Section, beside: Option<&str>) -> Result<Option<Value>> {
    let name = text.text("hf_model_name")?;
    Ok(name.and_then(|name| by_name(name).or_else(|| of_folder(beside))))
}

/// The `text_config` of a model with such an encoder.
pub(super) fn text_config(text: &Section, encoder: Value) -> Result<Value> {
    if text
        .text("hf_tokenizer_name")?
        .unwrap_or_default()
        .is_empty()
    {
        let expected = "the name of the encoder's tokenizer";
        return Err(text.wrong("hf_tokenizer_name", expected, &json!("")));
    }
    let options = text.section("tokenizer_kwargs")?;
    options.only("strip_sep_token", json!(false))?;
    text.only("output_tokens", json!(false))?;
    let config = json!({
        "pool_type": pooling(text, &encoder)?,
        "proj_type": projection(text)?,
        "max_position_embeddings": text.size("context_length", 77)?,
        "encoder": encoder,
    });
    // Read by `HuggingFace::parse`.
    let tokenizer = ["hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs"];
    text.finish(&[&IDLE, &tokenizer])?;
    Ok(config)
}

/// How tokens become a vector.
fn pooling(text: &Section, encoder: &Value) -> Result<&'static str> {
    const THEIRS: [&str; 3] = ["mean_pooler", "cls_pooler", "cls_last_hidden_state_pooler"];
    const OURS: [&str; 3] = ["mean", "pooler", "first"];
    // null is what open_clip has chosen for a kind of encoder.
    let is_null = text.has_null("hf_pooler_type");
    if is_null && encoder["model_type"] == "bert" {
        return Ok("pooler");
    }
    Ok(OURS[text.choice("hf_pooler_type", &THEIRS)?])
}

/// What brings the vector into the shared space; null is nothing, where the widths are equal.
fn projection(text: &Section) -> Result<&'static str> {
    const PROJECTIONS: [&str; 2] = ["mlp", "linear"];
    let chosen = PROJECTIONS[text.choice("hf_proj_type", &PROJECTIONS)?];
    Ok(match text.has_null("hf_proj_type") {
        true => "none",
        false => chosen,
    })
}

/// The config.json of an encoder that is known by its name on the hub.
fn by_name(name: &str) -> Option<Value> {
    let name = name.strip_prefix("FacebookAI/").unwrap_or(name);
    let kind = name.rsplit_once('-')?.0;
    let vocabulary = match kind {
        "roberta" => 50_265,
        "xlm-roberta" => 250_002,
        _ => return None,
    };
    let (width, depth, heads) = match name.rsplit_once('-')?.1 {
        "base" => (768, 12, 12),
        "large" => (1024, 24, 16),
        _ => return None,
    };
    Some(json!({
        "model_type": kind, "vocab_size": vocabulary, "hidden_size": width,
        "num_hidden_layers": depth, "num_attention_heads": heads, "intermediate_size": 4 * width,
        "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
        "hidden_act": "gelu", "pad_token_id": 1,
    }))
}

/// The config.json that lies in the model's own folder.
fn of_folder(text: Option<&str>) -> Option<Value> {
    let config: Value = serde_json::from_str(text?).ok()?;
    let kind = config["model_type"].as_str()?;
    KINDS.contains(&kind).then_some(config)
}

/// Refuses a tokenizer that fills texts up with another token than the one that the encoder does not
/// look at.
pub(super) fn check_padding(text_config: &Value, filling: u32) -> Result<()> {
    let padding = &text_config["encoder"]["pad_token_id"];
    match padding.is_null() || *padding == filling {
        true => Ok(()),
        false => Err(Error::BadWeights(format!(
            "the tokenizer fills texts up with the token {filling}, but the text encoder's pad_token_id is {padding}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(fields: Value) -> Result<Option<Value>> {
        let text = Section::of("text_cfg", fields).expect("an object");
        let encoder = encoder(&text, None)?;
        encoder
            .map(|encoder| text_config(&text, encoder))
            .transpose()
    }

    fn roberta(mut more: Value) -> Value {
        let named = json!({ "hf_model_name": "roberta-base", "hf_tokenizer_name": "roberta-base" });
        let fields = more.as_object_mut().expect("an object");
        fields.extend(named.as_object().cloned().unwrap_or_default());
        more
    }

    #[test]
    fn encoders_of_the_zoo_are_known_by_name() {
        for (name, width, vocabulary) in [
            ("roberta-base", 768, 50_265),
            ("xlm-roberta-base", 768, 250_002),
            ("FacebookAI/xlm-roberta-large", 1024, 250_002),
        ] {
            let fields = json!({ "hf_model_name": name, "hf_tokenizer_name": name });
            let config = translated(fields).expect(name).expect(name);
            let encoder = &config["encoder"];
            assert_eq!(
                (&encoder["hidden_size"], &encoder["vocab_size"]),
                (&json!(width), &json!(vocabulary))
            );
            assert_eq!(
                (&config["pool_type"], &config["proj_type"]),
                (&json!("mean"), &json!("mlp"))
            );
            assert_eq!(config["max_position_embeddings"], 77);
        }
        for name in [
            "google/mt5-base",
            "facebook/nllb-200-distilled-600M",
            "roberta-huge",
        ] {
            assert_eq!(translated(json!({ "hf_model_name": name })), Ok(None));
        }
    }

    #[test]
    fn null_is_not_what_is_left_out() {
        let of = |more: Value| {
            translated(roberta(more))
                .expect("a tower")
                .expect("a tower")
        };
        assert_eq!(of(json!({}))["proj_type"], "mlp");
        assert_eq!(of(json!({ "hf_proj_type": null }))["proj_type"], "none");
        assert_eq!(of(json!({ "hf_pooler_type": null }))["pool_type"], "mean");
        assert_eq!(
            of(json!({ "hf_pooler_type": "cls_pooler" }))["pool_type"],
            "pooler"
        );
    }

    #[test]
    fn other_options_are_refused_by_name() {
        for (field, value) in [
            ("hf_pooler_type", json!("max_pooler")),
            ("hf_proj_type", json!("none")),
            ("output_tokens", json!(true)),
            ("hf_tokenizer_name", json!("")),
            ("unheard_of", json!(1)),
        ] {
            let mut fields = roberta(json!({}));
            fields[field] = value;
            let error = translated(fields).expect_err("refused").to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
