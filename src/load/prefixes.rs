//! What wraps a model puts a prefix before all its names: `module.` of training on several devices,
//! `_orig_mod.` of torch.compile, `model.` of Lightning, `base_model.model.` of peft, or whatever a
//! training class calls it. One of the names that every model has tells the prefix; encoders that
//! were saved alone lack one instead.

use super::table::Located;
use crate::{Error, Result};

/// Names of which each kind of checkpoint has one, the most telling first: what of them is the end of a
/// tensor's name shows the prefix.
const ANCHORS: [&str; 16] = [
    "visual_encoder.cls_token",
    "visual.class_embedding",
    "visual.attnpool.positional_embedding",
    "visual.trunk.pos_embed",
    "vision_model.embeddings.class_embedding",
    "vision_model.attnpool.position_embedding",
    "vision_model.head.probe",
    "text_model.embeddings.token_embedding.weight",
    "text_decoder.bert.embeddings.word_embeddings.weight",
    "text_encoder.embeddings.word_embeddings.weight",
    "text_model.embeddings.word_embeddings.weight",
    "embeddings.class_embedding",
    "head.probe",
    "embeddings.token_embedding.weight",
    "token_embedding.weight",
    "embeddings.word_embeddings.weight",
];

/// What the encoders' names begin with in a whole model, and their own name that tells them where they
/// were saved alone: since transformers 5.6 without it.
const ALONE: [(&str, &str); 4] = [
    ("head.probe", "vision_model."),
    ("embeddings.class_embedding", "vision_model."),
    ("embeddings.token_embedding.weight", "text_model."),
    ("embeddings.word_embeddings.weight", "text_model."),
];

/// Projections, which an encoder that was saved alone has beside itself; the last as sentence-transformers
/// names it.
const BESIDE: [&str; 3] = ["visual_projection.", "text_projection.", "linear."];

/// The tensors without what wraps them, and with the prefixes that they lack.
pub(super) fn unwrapped(mut tensors: Vec<Located>) -> Result<Vec<Located>> {
    let prefix = prefix(&tensors)?;
    for Located { info, .. } in &mut tensors {
        if let Some(rest) = info.name.strip_prefix(&prefix) {
            info.name = rest.to_string();
        }
    }
    let alone = ALONE.iter().find(|(anchor, _)| {
        let mut names = tensors.iter().map(|tensor| tensor.info.name.as_str());
        names.any(|name| name == *anchor)
    });
    if let Some((_, missing)) = alone {
        for Located { info, .. } in &mut tensors {
            if !BESIDE.iter().any(|name| info.name.starts_with(name)) {
                info.name.insert_str(0, missing);
            }
        }
    }
    Ok(tensors)
}

/// What stands before all names of the model, with its dot.
fn prefix(tensors: &[Located]) -> Result<String> {
    for anchor in ANCHORS {
        let names = tensors.iter().map(|tensor| tensor.info.name.as_str());
        let mut prefixes: Vec<&str> = names
            .filter_map(|name| name.strip_suffix(anchor))
            .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            .collect();
        prefixes.sort_by_key(|prefix| prefix.len());
        match prefixes[..] {
            [] => continue,
            ["", ..] => return Ok(String::new()),
            [one] => return Ok(one.to_string()),
            [one, other, ..] => {
                return Err(Error::BadWeights(format!(
                    "there are two models in it, one under '{one}' and one under '{other}': save one of them alone"
                )));
            }
        }
    }
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{Format, TensorInfo};

    fn tensors(names: &[&str]) -> Vec<Located> {
        let info = |name: &&str| TensorInfo {
            name: name.to_string(),
            shape: vec![1],
            format: Format::F32,
            offset: 0,
            bytes: 4,
            strides: None,
        };
        let located = |info| Located { file: 0, info };
        names.iter().map(info).map(located).collect()
    }

    fn names(given: &[&str]) -> Vec<String> {
        let unwrapped = unwrapped(tensors(given)).expect("one model");
        unwrapped
            .into_iter()
            .map(|tensor| tensor.info.name)
            .collect()
    }

    #[test]
    fn prefixes_of_every_depth_are_taken_off() {
        let whole = [
            "logit_scale",
            "text_model.embeddings.token_embedding.weight",
        ];
        for prefix in [
            "",
            "module.",
            "model.",
            "model.module._orig_mod.",
            "base_model.model.",
            "clip.",
            "my_net.",
        ] {
            let given = whole.map(|name| format!("{prefix}{name}"));
            assert_eq!(
                names(&given.each_ref().map(String::as_str)),
                whole,
                "{prefix}"
            );
        }
    }

    #[test]
    fn what_is_not_the_models_keeps_its_name() {
        let given = [
            "model.visual.class_embedding",
            "model.logit_scale",
            "loss.weight",
        ];
        assert_eq!(
            names(&given),
            ["visual.class_embedding", "logit_scale", "loss.weight"]
        );
    }

    #[test]
    fn encoders_that_were_saved_alone_get_the_prefix_that_they_lack() {
        let text = [
            "embeddings.token_embedding.weight",
            "final_layer_norm.bias",
            "text_projection.weight",
        ];
        let expected = [
            "text_model.embeddings.token_embedding.weight",
            "text_model.final_layer_norm.bias",
            "text_projection.weight",
        ];
        assert_eq!(names(&text), expected);
        let given = text.map(|name| format!("module.{name}"));
        assert_eq!(names(&given.each_ref().map(String::as_str)), expected);
        let vision = ["embeddings.class_embedding", "post_layernorm.bias"];
        assert_eq!(
            names(&vision),
            [
                "vision_model.embeddings.class_embedding",
                "vision_model.post_layernorm.bias"
            ]
        );
    }

    #[test]
    fn two_models_in_one_file_are_refused() {
        let given = [
            "student.visual.class_embedding",
            "teacher.visual.class_embedding",
        ];
        let error = unwrapped(tensors(&given))
            .expect_err("two models")
            .to_string();
        assert!(
            error.contains("student.") && error.contains("teacher."),
            "{error}"
        );
    }
}
