//! Tensors that a model does not take. Some are known to be left over from training or to be copies;
//! any other says that the file is not the model that its configuration describes, and that results
//! would be wrong without a word: it is refused by name.

use crate::models::ModelConfig;
use crate::weights::TensorInfo;
use crate::{Error, Result};

/// Last parts of names: indices and masks that the models compute themselves, counters.
const COMPUTED: [&str; 8] = [
    "attn_mask",
    "position_ids",
    "num_batches_tracked",
    "queue_ptr",
    "ptr_queue",
    // What OpenAI's TorchScript files say of themselves.
    "input_resolution",
    "context_length",
    "vocab_size",
];

/// What Salesforce's BLIP keeps for training: momentum twins, queues of vectors.
const BLIP_TRAINING: [&str; 8] = [
    "visual_encoder_m.",
    "vision_proj_m.",
    "text_encoder_m.",
    "text_proj_m.",
    "text_decoder_m.",
    "image_queue",
    "text_queue",
    "idx_queue",
];

/// What an encoder of CLIP that is alone may have beside it: the scale compares it with the other, and
/// without a projection it gives its states.
const BESIDE_PARTS: [&str; 4] = [
    "logit_scale",
    "logit_bias",
    "text_projection.weight",
    "visual_projection.weight",
];

/// Copies of what is taken under another name, and what only other tasks use: of a language-model head
/// the bias has two names; `temp` belongs to BLIP's retrieval head; poolers of BERT are never asked.
const UNASKED: [&str; 7] = [
    "text_decoder.cls.predictions.bias",
    "text_decoder.cls.predictions.decoder.bias",
    "temp",
    "text_encoder.pooler.dense.weight",
    "text_encoder.pooler.dense.bias",
    "text_model.pooler.dense.weight",
    "text_model.pooler.dense.bias",
];

/// Whether a tensor may be there without being taken.
fn is_known(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    COMPUTED.contains(&last)
        || UNASKED.contains(&name)
        || BLIP_TRAINING.iter().any(|start| name.starts_with(start))
}

/// Refuses the first of `tensors` that is neither `taken` nor known to be superfluous.
pub(super) fn check<'t>(
    mut tensors: impl Iterator<Item = &'t TensorInfo>,
    config: &ModelConfig,
    taken: impl Fn(&str) -> bool,
) -> Result<()> {
    let is_part = match config {
        ModelConfig::Clip(clip) => !(clip.encoders.image && clip.encoders.text),
        ModelConfig::Blip(_) | ModelConfig::Coca(_) => false,
    };
    let unknown = tensors.find(|tensor| {
        let name = tensor.name.as_str();
        let is_beside = is_part && BESIDE_PARTS.contains(&name);
        !is_beside && !is_known(name) && !taken(name)
    });
    match unknown {
        None => Ok(()),
        Some(tensor) => Err(Error::BadWeights(format!(
            "tensor '{}' of shape {:?} is no part of the {} that config.json describes: the file holds another model, or a field of config.json (such as num_hidden_layers) is wrong",
            tensor.name,
            tensor.shape,
            config.family().name().to_uppercase()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_tensors_may_be_left_over() {
        for known in [
            "text_model.embeddings.position_ids",
            "vision_model.layer1.0.bn1.num_batches_tracked",
            "transformer.resblocks.0.attn_mask",
            "queue_ptr",
            "idx_queue",
            "image_queue",
            "visual_encoder_m.cls_token",
            "text_decoder_m.bert.embeddings.word_embeddings.weight",
            "temp",
            "text_decoder.cls.predictions.bias",
        ] {
            assert!(is_known(known), "{known}");
        }
        for unknown in [
            "text_model.embeddings.more_ids",
            "text_model.encoder.layers.0.mlp.fc1.qweight",
            "visual_encoder_n.cls_token",
            "logit_bias",
            "text_decoder.cls.predictions.decoder.weight",
            "base_model.model.lora_A.weight",
            "text_encoder.encoder.layer.0.crossattention.self0.key.weight",
        ] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }
}
