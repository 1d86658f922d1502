//! A CLIP that nothing is known of but its tensors: OpenAI's TorchScript files, checkpoints of
//! open_clip's training, two of LAION's CoCas, text encoders in a single file as ComfyUI takes them. Shapes tell everything
//! but the activation and, of a few models, the width of a head.

use super::table::Located;
use serde_json::{Value, json};

/// Where the tensors come from, which tells what their shapes don't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A module of TorchScript, which is how OpenAI published CLIP: `quick_gelu`.
    OpenAi,
    /// Under open_clip's names: `gelu`, its default.
    OpenClip,
}

/// What is to be said of a model whose activation was guessed.
pub(super) const GUESSED: &str = "no configuration lies beside the weights: the model is known by its shapes, and its activation is taken to be GELU, open_clip's default. If it was trained with quick_gelu, put an open_clip_config.json with \"quick_gelu\": true beside it";

/// The model of tensors that have Hugging Face's names by now, in the form of an open_clip_config.json.
pub(super) fn clip(tensors: &[Located], origin: Origin) -> Option<String> {
    let shapes = Shapes(tensors);
    let text = shapes.text()?;
    let embed = text["embed_dim"].clone();
    let mut model = json!({
        "embed_dim": embed,
        "quick_gelu": origin == Origin::OpenAi,
        "vision_cfg": shapes.vision_transformer().or_else(|| shapes.resnet())?,
        "text_cfg": text["cfg"],
    });
    shapes.add_decoder(&mut model);
    Some(json!({ "model_cfg": model, "preprocess_cfg": {} }).to_string())
}

/// A text encoder alone, in the form of a config.json. Which of the three that generators of pictures
/// use it is shows by its depth, as in ComfyUI: OpenAI's L/14 (`quick_gelu`), LAION's H/14 and bigG.
pub(super) fn text_encoder(tensors: &[Located]) -> Option<String> {
    const LAION: u64 = 22;
    let shapes = Shapes(tensors);
    if shapes
        .of("vision_model.embeddings.class_embedding")
        .is_some()
    {
        return None;
    }
    let text = shapes.text()?;
    let cfg = &text["cfg"];
    let hidden = shapes.rows("text_model.encoder.layers.0.mlp.fc1.weight")?;
    let is_projected = shapes.of("text_projection.weight").is_some();
    let class = match is_projected {
        true => "CLIPTextModelWithProjection",
        false => "CLIPTextModel",
    };
    let activation = match cfg["layers"].as_u64() {
        Some(..=LAION) => "quick_gelu",
        _ => "gelu",
    };
    let config = json!({
        "model_type": "clip_text_model",
        "architectures": [class],
        "hidden_size": cfg["width"],
        "intermediate_size": hidden,
        "num_hidden_layers": cfg["layers"],
        "num_attention_heads": cfg["heads"],
        "max_position_embeddings": cfg["context_length"],
        "vocab_size": cfg["vocab_size"],
        "eos_token_id": cfg["vocab_size"].as_u64()?.checked_sub(1)?,
        "hidden_act": activation,
        "layer_norm_eps": 1e-5,
        "projection_dim": text["embed_dim"],
    });
    Some(config.to_string())
}

struct Shapes<'t>(&'t [Located]);

impl Shapes<'_> {
    /// Heads are as wide in all text encoders, and in most image encoders.
    const HEAD: usize = 64;

    fn of(&self, name: &str) -> Option<&[usize]> {
        let mut all = self.0.iter();
        let found = all.find(|tensor| tensor.info.name == name)?;
        Some(&found.info.shape)
    }

    fn rows(&self, name: &str) -> Option<usize> {
        self.of(name)?.first().copied()
    }

    /// How many layers have a tensor of this name, `#` being their number.
    fn depth(&self, name: &str) -> usize {
        (0..1024)
            .take_while(|layer| self.of(&name.replace('#', &layer.to_string())).is_some())
            .count()
    }

    fn text(&self) -> Option<Value> {
        let &[vocabulary, width] = self.of("text_model.embeddings.token_embedding.weight")? else {
            return None;
        };
        let projected = self.rows("text_projection.weight").unwrap_or(width);
        Some(json!({
            "embed_dim": projected,
            "cfg": {
                "context_length": self.rows("text_model.embeddings.position_embedding.weight")?,
                "vocab_size": vocabulary,
                "width": width,
                "heads": heads(width, Self::HEAD)?,
                "layers": self.depth("text_model.encoder.layers.#.layer_norm1.weight"),
            },
        }))
    }

    fn vision_transformer(&self) -> Option<Value> {
        let width = *self.of("vision_model.embeddings.class_embedding")?.last()?;
        let patch = *self
            .of("vision_model.embeddings.patch_embedding.weight")?
            .last()?;
        let positions = self.rows("vision_model.embeddings.position_embedding.weight")?;
        let hidden = self.rows("vision_model.encoder.layers.0.mlp.fc1.weight")?;
        let layers = self.depth("vision_model.encoder.layers.#.layer_norm1.weight");
        // LAION's H/14, g/14 and bigG/14 have 16 heads, however wide.
        let head = match (width, layers) {
            (1280, 32) | (1408, 40) | (1664, 48) => width / 16,
            _ => Self::HEAD,
        };
        heads(width, head)?;
        Some(json!({
            "image_size": positions.checked_sub(1)?.isqrt() * patch,
            "layers": layers,
            "width": width,
            "head_width": head,
            "patch_size": patch,
            "mlp_ratio": hidden as f64 / width as f64,
        }))
    }

    /// What makes a CLIP a CoCa, if there is a decoder. The pooler has open_clip's usual number of heads.
    fn add_decoder(&self, model: &mut Value) -> Option<()> {
        let width = self.rows("multimodal_model.layers.0.layer_norm1.weight")?;
        let text = model["text_cfg"].as_object_mut()?;
        // The class token's position is the last one.
        let length = text["context_length"].as_u64()?.checked_sub(1)?;
        text.extend([
            ("context_length".to_string(), json!(length)),
            ("embed_cls".to_string(), json!(true)),
            ("output_tokens".to_string(), json!(true)),
        ]);
        model["vision_cfg"]["output_tokens"] = json!(true);
        if let Some(queries) = self.rows("vision_model.attn_pool.probe") {
            model["vision_cfg"]["attentional_pool"] = json!(true);
            model["vision_cfg"]["attn_pooler_queries"] = json!(queries);
        }
        model["multimodal_cfg"] = json!({
            "context_length": length,
            "width": width,
            "heads": heads(width, Self::HEAD)?,
            "layers": self.depth("multimodal_model.layers.#.layer_norm1.weight"),
        });
        Some(())
    }

    fn resnet(&self) -> Option<Value> {
        let places = self.rows("vision_model.attnpool.position_embedding")?;
        let blocks =
            |stage: usize| self.depth(&format!("vision_model.layer{stage}.#.conv1.weight"));
        Some(json!({
            "image_size": places.checked_sub(1)?.isqrt() * 32,
            "layers": [blocks(1), blocks(2), blocks(3), blocks(4)],
            "width": self.rows("vision_model.layer1.0.conv1.weight")?,
            "head_width": Self::HEAD,
        }))
    }
}

/// How many heads of a width there are, if they are whole ones.
fn heads(width: usize, head: usize) -> Option<usize> {
    (width > 0 && width.is_multiple_of(head)).then_some(width / head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{Format, TensorInfo};

    fn located(name: &str, shape: &[usize]) -> Located {
        let info = TensorInfo {
            name: name.to_string(),
            shape: shape.to_vec(),
            format: Format::F32,
            offset: 0,
            bytes: 0,
            strides: None,
        };
        Located { file: 0, info }
    }

    /// The shapes of `laion/CoCa-ViT-B-32-laion2B-s13B-b90k`, which has no configuration, less all layers but two.
    #[test]
    fn a_decoder_makes_a_coca_of_a_clip() {
        let mut tensors = vec![
            located("vision_model.embeddings.class_embedding", &[768]),
            located(
                "vision_model.embeddings.patch_embedding.weight",
                &[768, 3, 32, 32],
            ),
            located(
                "vision_model.embeddings.position_embedding.weight",
                &[50, 768],
            ),
            located("vision_model.encoder.layers.0.mlp.fc1.weight", &[3072, 768]),
            located("vision_model.attn_pool.probe", &[256, 512]),
            located(
                "text_model.embeddings.token_embedding.weight",
                &[49_408, 512],
            ),
            located(
                "text_model.embeddings.position_embedding.weight",
                &[77, 512],
            ),
            located("text_projection.weight", &[512, 512]),
        ];
        for (part, width) in [
            ("vision_model.encoder", 768),
            ("text_model.encoder", 512),
            ("multimodal_model", 512),
        ] {
            let norms = (0..2).map(|layer| format!("{part}.layers.{layer}.layer_norm1.weight"));
            tensors.extend(norms.map(|name| located(&name, &[width])));
        }
        let text = clip(&tensors, Origin::OpenClip).expect("a model");
        let config: Value = serde_json::from_str(&text).expect("JSON");
        let expected = json!({
            "embed_dim": 512,
            "quick_gelu": false,
            "vision_cfg": {
                "image_size": 224, "layers": 2, "width": 768, "head_width": 64, "patch_size": 32, "mlp_ratio": 4.0,
                "attentional_pool": true, "attn_pooler_queries": 256, "output_tokens": true,
            },
            "text_cfg": {
                "context_length": 76, "vocab_size": 49_408, "width": 512, "heads": 8, "layers": 2, "embed_cls": true,
                "output_tokens": true,
            },
            "multimodal_cfg": { "context_length": 76, "width": 512, "heads": 8, "layers": 2 },
        });
        assert_eq!(config["model_cfg"], expected);
    }
}
