//! Fields of config.json that change no number of a network: the library's notes, training, and the
//! defaults of `generate`, which are the caller's to choose here. All that `PretrainedConfig` of
//! transformers 4.21 to 5.24 writes is here or read; any other field is refused
//! ([`super::section::Section::finish`]).

/// Fields that may stand in every section.
pub const ANYWHERE: &[&str] = &[
    // Notes.
    "architectures",
    "attn_implementation",
    "auto_map",
    "commit_hash",
    "custom_pipelines",
    "device_map",
    "dtype",
    "finetuning_task",
    "id2label",
    "label2id",
    "language",
    "library_name",
    "license",
    "model_type",
    "name_or_path",
    "num_labels",
    "pipeline_tag",
    "prefix",
    "problem_type",
    "processor_class",
    "revision",
    "tags",
    "task_specific_params",
    "tokenizer_class",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    // How the library runs a network, not what it computes.
    "chunk_size_feed_forward",
    "experts_implementation",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "return_dict",
    "return_dict_in_generate",
    "tf_legacy_loss",
    "torchscript",
    "use_bfloat16",
    "use_cache",
    "use_return_dict",
    "xla_device",
    // Training.
    "attention_dropout",
    "attention_probs_dropout_prob",
    "dropout",
    "gradient_checkpointing",
    "hidden_dropout_prob",
    "initializer_factor",
    "initializer_range",
    "label_smoothing",
    "logit_scale_init_value",
    // Of other kinds of models; these classes never look at them.
    "add_cross_attention",
    "cross_attention_hidden_size",
    "is_decoder", // of BLIP's texts it is read
    "is_encoder_decoder",
    "tie_encoder_decoder",
    // Tokens that neither network compares with.
    "bos_token_id",
    "decoder_start_token_id",
    "eos_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "pad_token_id",
    "sep_token_id",
    // Defaults of `generate`.
    "bad_words_ids",
    "begin_suppress_tokens",
    "diversity_penalty",
    "do_sample",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty",
    "length_penalty",
    "max_length",
    "max_new_tokens",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "remove_invalid_values",
    "repetition_penalty",
    "suppress_tokens",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
];

/// Widths that the classes of the reference which are read here do not use: each has its own at the
/// top of config.json.
pub const UNUSED_WIDTHS: &[&str] = &["projection_dim", "encoder_hidden_size"];

/// CLIP has no language-model head to tie.
pub const OF_CLIP: &[&str] = &["tie_word_embeddings"];

/// Of the encoders that were taken over from language models: training, heads of other classes, and how
/// the stored positions were first made.
pub const OF_LANGUAGE_MODELS: &[&str] = &[
    "classifier_dropout",
    "directionality",
    "output_past",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    "qa_dropout",
    "seq_classif_dropout",
    "sinusoidal_pos_embds",
    "tie_weights_",
];

/// `tie_word_embeddings` is read where the tensors are known, `enc_token_id` is a note of obscura's
/// own training.
pub const OF_BLIP: &[&str] = &["enc_token_id", "tie_word_embeddings"];

#[cfg(test)]
mod tests {
    use crate::models::ModelConfig;
    use serde_json::{Value, json};

    /// What `PretrainedConfig.to_dict` of transformers 4.21 to 4.57 writes into every section, and more
    /// of 5.
    fn written_everywhere() -> Value {
        let text = r#"{
            "_name_or_path": "a", "_commit_hash": "b", "_attn_implementation_autoset": true,
            "add_cross_attention": false, "architectures": null, "bad_words_ids": null,
            "begin_suppress_tokens": null, "bos_token_id": 1, "chunk_size_feed_forward": 0,
            "cross_attention_hidden_size": null, "decoder_start_token_id": null,
            "diversity_penalty": 0.0, "do_sample": false, "dtype": "float32",
            "early_stopping": false, "encoder_no_repeat_ngram_size": 0, "eos_token_id": 2,
            "exponential_decay_length_penalty": null, "finetuning_task": null,
            "forced_bos_token_id": null, "forced_eos_token_id": null,
            "id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "initializer_factor": 1.0,
            "initializer_range": 0.02, "is_encoder_decoder": false,
            "label2id": {"LABEL_0": 0, "LABEL_1": 1}, "length_penalty": 1.0, "max_length": 20,
            "min_length": 0, "no_repeat_ngram_size": 0, "num_beam_groups": 1, "num_beams": 1,
            "num_return_sequences": 1, "output_attentions": false, "output_hidden_states": false,
            "output_scores": false, "pad_token_id": 0, "prefix": null, "problem_type": null,
            "projection_dim": 512, "pruned_heads": {}, "remove_invalid_values": false,
            "repetition_penalty": 1.0, "return_dict": true, "return_dict_in_generate": false,
            "sep_token_id": 102, "suppress_tokens": null, "task_specific_params": null,
            "temperature": 1.0, "tf_legacy_loss": false, "tie_encoder_decoder": false,
            "tie_word_embeddings": true, "tokenizer_class": null, "top_k": 50, "top_p": 1.0,
            "torch_dtype": "float32", "torchscript": false, "transformers_version": "4.57.6",
            "typical_p": 1.0, "use_bfloat16": false, "use_cache": true
        }"#;
        serde_json::from_str(text).expect("JSON")
    }

    fn with(more: Value) -> Value {
        let mut section = written_everywhere();
        if let (Some(fields), Value::Object(more)) = (section.as_object_mut(), more) {
            fields.extend(more);
        }
        section
    }

    #[test]
    fn what_transformers_writes_is_never_refused() {
        let not_decoding = || with(json!({ "is_decoder": false }));
        let clip = with(json!({
            "model_type": "clip", "is_decoder": false, "logit_scale_init_value": 2.6592,
            "text_config": with(json!({ "is_decoder": false, "dropout": 0.0, "attention_dropout": 0.0 })),
            "vision_config": with(json!({ "is_decoder": false, "num_channels": 3 })),
            "text_config_dict": null, "vision_config_dict": null,
        }));
        ModelConfig::from_json(&clip.to_string()).expect("a CLIP");
        let blip = with(json!({
            "model_type": "blip", "architectures": ["BlipForConditionalGeneration"],
            "is_decoder": false, "image_text_hidden_size": 256, "label_smoothing": 0.0,
            "text_config": with(json!({
                "is_decoder": true, "encoder_hidden_size": 768, "label_smoothing": 0.0,
                "attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0,
                "num_attention_heads": 12,
            })),
            "vision_config": not_decoding(),
        }));
        ModelConfig::from_json(&blip.to_string()).expect("a BLIP");
    }
}
