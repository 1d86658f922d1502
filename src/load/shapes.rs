//! A CLIP that nothing is known of but its tensors: OpenAI's TorchScript files, checkpoints of
//! open_clip's training, text encoders in a single file as ComfyUI takes them. Shapes tell everything
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
    let config = json!({
        "model_cfg": {
            "embed_dim": embed,
            "quick_gelu": origin == Origin::OpenAi,
            "vision_cfg": shapes.vision_transformer().or_else(|| shapes.resnet())?,
            "text_cfg": text["cfg"],
        },
        "preprocess_cfg": {},
    });
    Some(config.to_string())
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
