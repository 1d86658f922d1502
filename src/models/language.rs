//! Encoders of texts that CLIPs take over from language models: BERT, DistilBERT (Sanh et al., arXiv
//! 1910.01108), RoBERTa (Liu et al., arXiv 1907.11692) and XLM-RoBERTa (Conneau et al., arXiv 1911.02116).
//! All are the stack of [`super::bert`]; this file reads what their config.json says of it.

use super::bert::BertConfig;
use super::harmless;
use super::section::Section;
use crate::Result;
use crate::kernels::Activation;
use serde_json::json;

/// `model_type`s of such encoders.
const TYPES: [&str; 4] = ["bert", "distilbert", "roberta", "xlm-roberta"];

/// Whether a `model_type` is that of one of them.
pub fn is_encoder(model_type: &str) -> bool {
    TYPES.contains(&model_type)
}

/// What the fields are called.
struct Names {
    width: &'static str,
    depth: &'static str,
    heads: &'static str,
    hidden: &'static str,
    activation: &'static str,
}

const BERT: Names = Names {
    width: "hidden_size",
    depth: "num_hidden_layers",
    heads: "num_attention_heads",
    hidden: "intermediate_size",
    activation: "hidden_act",
};

/// It has neither kinds of texts nor an epsilon of its own.
const DISTILBERT: Names = Names {
    width: "dim",
    depth: "n_layers",
    heads: "n_heads",
    hidden: "hidden_dim",
    activation: "activation",
};

/// Reads the config.json of an encoder, with the defaults of its class.
pub fn parse(config: &Section) -> Result<BertConfig> {
    let parsed = match TYPES[config.choice("model_type", &TYPES)?] {
        "distilbert" => sizes(config, &DISTILBERT, 6)?,
        "bert" => bert(config, 30_522)?,
        "roberta" => roberta(config, 50_265)?,
        _ => roberta(config, 30_522)?,
    };
    for (field, supported) in [
        ("position_embedding_type", json!("absolute")),
        ("is_decoder", json!(false)),
        ("is_encoder_decoder", json!(false)),
        ("add_cross_attention", json!(false)),
        ("pruned_heads", json!({})),
    ] {
        config.only(field, supported)?;
    }
    config.finish(&[
        harmless::ANYWHERE,
        harmless::OF_CLIP,
        harmless::OF_LANGUAGE_MODELS,
    ])?;
    Ok(parsed)
}

/// BERT's sizes; Chinese-CLIP has them in a section of its own.
pub fn bert(config: &Section, vocabulary: usize) -> Result<BertConfig> {
    Ok(BertConfig {
        vocabulary: config.size("vocab_size", vocabulary)?,
        kinds: Some(config.size("type_vocab_size", 2)?),
        epsilon: config.epsilon("layer_norm_eps", 1e-12)?,
        ..sizes(config, &BERT, 12)?
    })
}

/// RoBERTa's: its positions are counted from behind the padding token's number.
fn roberta(config: &Section, vocabulary: usize) -> Result<BertConfig> {
    let padding = config.id("pad_token_id", 1)?;
    let parsed = BertConfig {
        first_position: padding as usize + 1,
        ..bert(config, vocabulary)?
    };
    match parsed.longest() {
        0 => {
            let expected = format!("less than {}", parsed.positions.saturating_sub(1));
            Err(config.wrong("pad_token_id", &expected, &json!(padding)))
        }
        _ => Ok(parsed),
    }
}

/// What all have, by the names of their fields.
fn sizes(config: &Section, names: &Names, depth: usize) -> Result<BertConfig> {
    let width = config.size(names.width, 768)?;
    Ok(BertConfig {
        vocabulary: config.size("vocab_size", 30_522)?,
        positions: config.size("max_position_embeddings", 512)?,
        first_position: 0,
        width,
        context_width: None,
        kinds: None,
        hidden: config.size(names.hidden, 3_072)?,
        depth: config.depth_called(names.depth, depth)?,
        heads: config.heads_called(names.heads, 12, (names.width, width))?,
        activation: config.activation(names.activation, Activation::Gelu)?,
        epsilon: 1e-12,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn parsed(config: Value) -> Result<BertConfig> {
        parse(&Section::of("config.json", config).expect("an object"))
    }

    #[test]
    fn each_class_has_defaults_of_its_own() {
        let of = |name: &str| parsed(json!({ "model_type": name })).expect(name);
        let (bert, distilbert) = (of("bert"), of("distilbert"));
        assert_eq!(
            (bert.depth, bert.kinds, bert.first_position),
            (12, Some(2), 0)
        );
        assert_eq!((distilbert.depth, distilbert.kinds), (6, None));
        let (roberta, xlm) = (of("roberta"), of("xlm-roberta"));
        assert_eq!((roberta.vocabulary, xlm.vocabulary), (50_265, 30_522));
        assert_eq!((roberta.first_position, roberta.longest()), (2, 510));
    }

    #[test]
    fn the_fields_of_distilbert_have_names_of_their_own() {
        // As in sentence-transformers/clip-ViT-B-32-multilingual-v1.
        let config = json!({
            "_name_or_path": "old", "activation": "gelu", "architectures": ["DistilBertModel"],
            "attention_dropout": 0.1, "dim": 768, "dropout": 0.1, "hidden_dim": 3072,
            "initializer_range": 0.02, "max_position_embeddings": 512, "model_type": "distilbert",
            "n_heads": 12, "n_layers": 6, "output_past": true, "pad_token_id": 0, "qa_dropout": 0.1,
            "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": false, "tie_weights_": true,
            "transformers_version": "4.7.0", "vocab_size": 119547,
        });
        let parsed = parsed(config).expect("a DistilBERT");
        assert_eq!(
            (parsed.width, parsed.hidden, parsed.vocabulary),
            (768, 3072, 119_547)
        );
    }

    #[test]
    fn what_makes_another_network_is_refused_by_name() {
        for (field, value) in [
            ("is_decoder", json!(true)),
            ("position_embedding_type", json!("relative_key")),
            ("pad_token_id", json!(600)),
            ("hidden_act", json!("relu")),
            ("n_heads", json!(4)),
        ] {
            let error = parsed(json!({ "model_type": "roberta", field: value }));
            let error = error.expect_err("refused").to_string();
            assert!(error.contains(field), "{error}");
        }
        let error = parsed(json!({ "model_type": "distilbert", "n_heads": 7 }));
        let error = error.expect_err("refused").to_string();
        assert!(
            error.contains("n_heads is 7, which does not divide dim 768"),
            "{error}"
        );
    }
}
