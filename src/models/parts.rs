//! An encoder that was saved alone: `CLIPTextModel`, `CLIPVisionModel`, and the same with the
//! projection into the shared space; `SiglipTextModel`, `SiglipVisionModel`, which always have it. Their
//! config.json is a section of a whole model's.

use super::clip::{ClipVisionConfig, Encoders, TextProjection};
use super::{ClipConfig, Family};
use serde_json::{Value, json};

/// An encoder that was saved alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    family: Family,
    /// Whether it is the text encoder, else the image encoder.
    is_text: bool,
    /// Whether it has the projection into the space that texts share with pictures.
    is_projected: bool,
}

impl Part {
    /// The encoder that a config.json is of, if it is of one alone.
    pub fn of(config: &Value) -> Option<Self> {
        let (family, is_text) = match config["model_type"].as_str()? {
            "clip_text_model" => (Family::Clip, true),
            "clip_vision_model" => (Family::Clip, false),
            "siglip_text_model" => (Family::Siglip, true),
            "siglip_vision_model" => (Family::Siglip, false),
            _ => return None,
        };
        let mut classes = config["architectures"].as_array().into_iter().flatten();
        let is_projected = classes.any(|class| {
            let name = class.as_str().unwrap_or_default();
            name.ends_with("WithProjection")
        });
        Some(Self {
            family,
            is_text,
            is_projected: is_projected || family == Family::Siglip,
        })
    }

    /// The config.json of a whole model that has this encoder.
    pub fn whole(self, config: Value) -> Value {
        let section = match self.is_text {
            true => "text_config",
            false => "vision_config",
        };
        let mut whole = json!({ "model_type": self.family.name() });
        if self.family == Family::Clip {
            whole["projection_dim"] = config.get("projection_dim").cloned().unwrap_or(json!(512));
        }
        whole[section] = config;
        whole
    }

    /// Leaves of a whole model's configuration this encoder alone.
    pub fn restrict(self, config: &mut ClipConfig) {
        config.encoders = Encoders {
            image: !self.is_text,
            text: self.is_text,
        };
        config.is_projected = self.is_projected;
        if self.is_projected {
            if self.is_text {
                config.projection = config.text.vectors;
            }
            return;
        }
        config.text.projection = TextProjection::None;
        config.text.vectors = config.text.block.width;
        config.projection = match (self.is_text, &config.vision) {
            (true, _) => config.text.vectors,
            (false, ClipVisionConfig::Transformer(vision, _)) => vision.block.width,
            (false, ClipVisionConfig::ResNet(_)) => config.projection,
        };
    }
}

/// The text of a part's config.json with the class that it may leave out: whether it has a projection
/// shows by its tensors.
pub fn with_class(text: String, has: impl Fn(&str) -> bool) -> String {
    let Ok(mut config) = serde_json::from_str::<Value>(&text) else {
        return text;
    };
    let is_named = config["architectures"].is_array();
    let Some(part) = Part::of(&config).filter(|part| !is_named && part.family == Family::Clip)
    else {
        return text;
    };
    let (class, projection) = match part.is_text {
        true => ("CLIPTextModel", "text_projection.weight"),
        false => ("CLIPVisionModel", "visual_projection.weight"),
    };
    let end = if has(projection) {
        "WithProjection"
    } else {
        ""
    };
    config["architectures"] = json!([format!("{class}{end}")]);
    config.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelConfig;

    fn clip(config: Value) -> ClipConfig {
        match ModelConfig::from_json(&config.to_string()) {
            Ok(ModelConfig::Clip(clip)) => clip,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_encoders_configuration_is_a_whole_models_section() {
        let text = json!({"model_type": "clip_text_model", "architectures": ["CLIPTextModel"], "hidden_size": 64});
        let config = clip(text);
        assert!(config.encoders.text && !config.encoders.image && !config.is_projected);
        assert_eq!((config.text.block.width, config.projection), (64, 64));
        let vision = json!({
            "model_type": "clip_vision_model", "architectures": ["CLIPVisionModelWithProjection"],
            "projection_dim": 24, "image_size": 64,
        });
        let config = clip(vision);
        assert!(config.encoders.image && !config.encoders.text && config.is_projected);
        assert_eq!((config.vision.image_size(), config.projection), (64, 24));
    }

    #[test]
    fn the_class_that_a_configuration_leaves_out_shows_by_the_tensors() {
        let text = json!({"model_type": "clip_text_model"}).to_string();
        let with = with_class(text.clone(), |name| name == "text_projection.weight");
        assert!(with.contains("CLIPTextModelWithProjection"), "{with}");
        assert!(with_class(text, |_| false).contains("\"CLIPTextModel\""));
        let whole = json!({"model_type": "clip"}).to_string();
        assert_eq!(with_class(whole.clone(), |_| true), whole);
    }
}
