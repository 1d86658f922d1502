//! Configuration, tokenizer and preprocessor that are absurd, contradict the weights, or are no JSON.

use super::{
    CONFIG_KEY, Metadata, NAME, PREPROCESSOR_KEY, Parts, TOKENIZER_KEY, gguf, load, load_with,
    refused,
};
use obscura::nn::Dtype;
use serde_json::json;

#[test]
fn absurd_numbers_in_the_configuration_are_refused_with_their_field() {
    let huge = json!(1u64 << 40);
    let cases = [
        ("hidden_size", json!(0), "from 1"),
        ("hidden_size", huge.clone(), "1099511627776"),
        ("hidden_size", json!(-48), "-48"),
        ("hidden_size", json!("48"), "\"48\""),
        ("hidden_size", json!(48.5), "48.5"),
        ("num_attention_heads", json!(0), "from 1"),
        ("num_attention_heads", json!(5), "divide"),
        ("num_hidden_layers", json!(1_000_000_000), "1000000000"),
        ("num_hidden_layers", json!(100_000), "1024"),
        ("intermediate_size", huge, "1099511627776"),
        ("hidden_act", json!("relu"), "relu"),
        ("layer_norm_eps", json!(-1.0), "-1"),
    ];
    for name in ["clip-quick", "blip-all"] {
        for side in ["vision_config", "text_config"] {
            for (field, value, found) in &cases {
                let result =
                    load_with(name, CONFIG_KEY, &format!("/{side}/{field}"), value.clone());
                refused(result, &[NAME, &format!("{side}.{field}"), found]);
            }
        }
        for (field, value) in [
            ("image_size", 47),
            ("image_size", 0),
            ("image_size", 1 << 16),
            ("patch_size", 0),
            ("patch_size", 7),
        ] {
            let result = load_with(
                name,
                CONFIG_KEY,
                &format!("/vision_config/{field}"),
                json!(value),
            );
            refused(result, &[NAME, field, &value.to_string()]);
        }
        for field in ["vocab_size", "max_position_embeddings"] {
            let result = load_with(name, CONFIG_KEY, &format!("/text_config/{field}"), json!(0));
            refused(result, &[NAME, field, "from 1"]);
        }
    }
}

#[test]
fn a_configuration_that_asks_for_other_sizes_names_a_tensor() {
    for name in ["clip-quick", "blip-all"] {
        for path in [
            "/vision_config/hidden_size",
            "/vision_config/intermediate_size",
            "/vision_config/patch_size",
            "/text_config/hidden_size",
            "/text_config/intermediate_size",
            "/text_config/vocab_size",
            "/text_config/max_position_embeddings",
        ] {
            for large in [1 << 20, 1 << 10] {
                let value = if path.ends_with("patch_size") {
                    4
                } else {
                    large
                };
                // Two widths that have to be equal are found unequal before any tensor is looked at.
                let words = match path.ends_with("hidden_size") && name == "blip-all" {
                    true => [NAME, "hidden_size", ""],
                    false => [NAME, "tensor '", "shape"],
                };
                refused(load_with(name, CONFIG_KEY, path, json!(value)), &words);
            }
        }
        for side in ["vision_config", "text_config"] {
            let path = format!("/{side}/num_hidden_layers");
            refused(
                load_with(name, CONFIG_KEY, &path, json!(1000)),
                &[NAME, "tensor '", "missing"],
            );
        }
        let result = load_with(name, CONFIG_KEY, "/vision_config/image_size", json!(4000));
        refused(result, &[NAME, "tensor '"]);
    }
}

#[test]
fn texts_that_are_not_what_they_should_be_are_refused_by_name() {
    let file = gguf("blip-all", Dtype::F16);
    for (key, name) in [
        (CONFIG_KEY, "config.json"),
        (TOKENIZER_KEY, "tokenizer"),
        (PREPROCESSOR_KEY, "preprocessor_config.json"),
    ] {
        let mut parts = Parts::of(&file);
        parts.metadata.remove(key);
        refused(load(&parts.file()), &[NAME, key]);
        parts.metadata.insert(key.to_string(), Metadata::U32(7));
        refused(load(&parts.file()), &[NAME, key]);
        let nested = "[".repeat(100_000);
        for text in ["", "null", "[]", "7", "{\"a\":", &nested] {
            parts
                .metadata
                .insert(key.to_string(), Metadata::String(text.to_string()));
            refused(load(&parts.file()), &[NAME, name]);
        }
    }
    refused(
        load_with("blip-all", CONFIG_KEY, "/model_type", json!("vit")),
        &[NAME, "model_type", "vit", "clip", "blip"],
    );
    refused(
        load_with(
            "blip-all",
            CONFIG_KEY,
            "/architectures",
            json!(["BlipModelOfAnotherKind"]),
        ),
        &[NAME, "architectures"],
    );
}

#[test]
fn the_other_familys_configuration_is_refused() {
    let mut parts = Parts::of(&gguf("clip-quick", Dtype::F16));
    let other = Parts::of(&gguf("blip-all", Dtype::F16));
    parts
        .metadata
        .insert(CONFIG_KEY.to_string(), other.metadata[CONFIG_KEY].clone());
    refused(load(&parts.file()), &[NAME, "tensor '", "missing"]);
}

#[test]
fn a_tokenizer_with_more_tokens_than_the_model_is_refused_with_both_numbers() {
    let result = load_with(
        "clip-quick",
        TOKENIZER_KEY,
        "/model/vocab/extra",
        json!(1000),
    );
    refused(result, &[NAME, "1001", "1000"]);
    let result = load_with(
        "blip-all",
        TOKENIZER_KEY,
        "/model/vocab/far",
        json!(4_000_000_000u32),
    );
    refused(result, &[NAME, "token"]);
}

#[test]
fn absurd_picture_sizes_are_refused() {
    let sizes = [
        json!(0),
        json!(-1),
        json!(1u64 << 40),
        json!(100_000),
        json!("large"),
        json!(47),
    ];
    for size in sizes {
        let side = json!({ "height": size, "width": size });
        refused(
            load_with("blip-all", PREPROCESSOR_KEY, "/size", side),
            &[NAME, "preprocessor_config.json"],
        );
        refused(
            load_with("clip-gelu", PREPROCESSOR_KEY, "/crop_size", size),
            &[NAME, "preprocessor_config.json"],
        );
    }
    for (field, value) in [
        ("image_std", json!([0, 1, 1])),
        ("image_std", json!([1])),
        ("image_mean", json!("grey")),
        ("rescale_factor", json!("a lot")),
    ] {
        let result = load_with("blip-all", PREPROCESSOR_KEY, &format!("/{field}"), value);
        refused(result, &[NAME, "preprocessor_config.json", field]);
    }
}
