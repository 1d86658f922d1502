//! Models of sentence-transformers: the modules that a modules.json names, one after the other. A
//! `CLIPModel` is one by itself. A text encoder with `Pooling` and `Dense` makes vectors of texts in the
//! space of a CLIP, as it was taught by that CLIP's own text encoder (Reimers and Gurevych, arXiv 2004.09813).

use super::text_file::read;
use super::weight_file::Promises;
use super::{Files, tokens};
use crate::models::language;
use crate::models::section::Section;
use crate::{Error, Result};
use serde_json::{Value, json};

const MODULES: &str = "modules.json";

/// What changes no direction of a vector.
const HARMLESS: &str = "Normalize";

/// The modules of a model, by their folders, which end with a slash; the root is empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Modules {
    /// A CLIP.
    Clip(String),
    /// A text encoder, how its tokens become a vector, and what brings that into a CLIP's space.
    Texts {
        encoder: String,
        pooling: String,
        dense: String,
    },
}

impl Modules {
    /// The modules that a folder names, if it does.
    pub async fn of(files: &impl Files, promises: &Promises) -> Result<Option<Self>> {
        let text = read(files, MODULES, promises).await?;
        text.map(|text| Self::parse(&text)).transpose()
    }

    /// Reads the text of a modules.json.
    fn parse(text: &str) -> Result<Self> {
        let bad = |what: String| Error::BadWeights(format!("{MODULES}: {what}"));
        let modules: Value = serde_json::from_str(text)
            .map_err(|error| bad(format!("is not valid JSON: {error}")))?;
        let class = |module: &Value| module["type"].as_str().unwrap_or_default().to_string();
        let kind = |class: &str| class.rsplit('.').next().unwrap_or_default().to_string();
        let modules = modules.as_array().into_iter().flatten();
        let modules: Vec<&Value> = modules
            .filter(|module| kind(&class(module)) != HARMLESS)
            .collect();
        let classes: Vec<String> = modules.iter().map(|module| class(module)).collect();
        let kinds: Vec<String> = classes.iter().map(|class| kind(class)).collect();
        let folder = |place: usize| folder_of(modules[place]["path"].as_str().unwrap_or_default());
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        match kinds[..] {
            ["CLIPModel" | "Transformer"] => Ok(Self::Clip(folder(0)?)),
            ["Transformer", "Pooling", "Dense"] => Ok(Self::Texts {
                encoder: folder(0)?,
                pooling: folder(1)?,
                dense: folder(2)?,
            }),
            _ => Err(bad(format!(
                "the modules {classes:?} are not supported, expected a CLIPModel alone, or a Transformer, a Pooling and a Dense, with or without Normalize"
            ))),
        }
    }
}

/// A module's folder.
fn folder_of(path: &str) -> Result<String> {
    match path {
        "" | "." => Ok(String::new()),
        path if is_folder(path) => Ok(format!("{}/", path.trim_end_matches('/'))),
        path => Err(Error::BadWeights(format!(
            "{MODULES}: {path:?} is not a folder's name"
        ))),
    }
}

/// Whether a name from outside stays within the repository.
fn is_folder(path: &str) -> bool {
    let mut parts = path.trim_end_matches('/').split('/');
    parts.all(|part| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    })
}

/// The config.json of a text encoder with its pooling and projection, in the form of
/// [`crate::models::clip`], from the configurations of its three modules.
pub(super) async fn configuration(
    files: &impl Files,
    [encoder, pooling, dense]: [&str; 3],
    promises: &Promises,
) -> Result<String> {
    let section = async |name: String| -> Result<Section> {
        let text = read(files, &name, promises).await?;
        let text = text.ok_or_else(|| Error::BadWeights(format!("{name} is missing")))?;
        Section::root(&name, &text)
    };
    check_prompts(files, promises).await?;
    let pooling = section(format!("{pooling}config.json")).await?;
    let (pool_type, pooled) = parse_pooling(&pooling)?;
    let dense = section(format!("{dense}config.json")).await?;
    let (vectors, has_bias) = parse_dense(&dense, pooled)?;
    let name = format!("{encoder}config.json");
    let config = section(name.clone()).await?;
    let kind = config.text("model_type")?.unwrap_or_default();
    if !language::is_encoder(kind) {
        let expected = "one of \"bert\", \"distilbert\", \"roberta\" and \"xlm-roberta\"";
        return Err(config.wrong("model_type", expected, &json!(kind)));
    }
    let mut made = json!({
        "model_type": "clip_text_model", "architectures": ["CLIPTextModelWithProjection"],
        "projection_dim": vectors, "proj_bias": has_bias, "pool_type": pool_type,
        "encoder": config.value(),
    });
    let longest = longest(files, encoder, promises).await?;
    made["max_position_embeddings"] = json!(longest.unwrap_or(WITHOUT_LIMIT));
    Ok(made.to_string())
}

/// More tokens than any encoder has positions for.
const WITHOUT_LIMIT: usize = 1 << 20;

/// Refuses a text that is put in front of every other.
async fn check_prompts(files: &impl Files, promises: &Promises) -> Result<()> {
    const FILE: &str = "config_sentence_transformers.json";
    match read(files, FILE, promises).await? {
        None => Ok(()),
        Some(text) => Section::root(FILE, &text)?.only("default_prompt_name", Value::Null),
    }
}

/// How a `Pooling` makes a vector, and how wide it is. Before version 6 each way was a switch.
fn parse_pooling(config: &Section) -> Result<(&'static str, usize)> {
    const SWITCHES: [(&str, &str); 6] = [
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"),
        ("pooling_mode_lasttoken", "lasttoken"),
    ];
    let mut chosen = Vec::new();
    for (name, mode) in SWITCHES {
        if config.switch(name)? {
            chosen.push(mode);
        }
    }
    let mode = match (config.get("pooling_mode"), &chosen[..]) {
        (Some(mode), _) => mode.clone(),
        (None, []) => json!("mean"),
        (None, [one]) => json!(one),
        (None, several) => json!(several),
    };
    let pool_type = match mode.as_str() {
        Some("mean") => "mean",
        Some("cls") => "first",
        _ => return Err(config.wrong("pooling_mode", "\"mean\" or \"cls\"", &mode)),
    };
    let width = config.size("embedding_dimension", 0)?;
    let width = config.size("word_embedding_dimension", width)?;
    config.finish(&[&["include_prompt"]])?; // there is none
    Ok((pool_type, width))
}

/// The width of a `Dense` module's vectors, and whether it has a bias.
fn parse_dense(config: &Section, pooled: usize) -> Result<(usize, bool)> {
    let identity = "torch.nn.modules.linear.Identity";
    let activation = config.text("activation_function")?;
    if activation != Some(identity) {
        let found = json!(activation.unwrap_or("missing, which means a hyperbolic tangent"));
        return Err(config.wrong("activation_function", &format!("{identity:?}"), &found));
    }
    for name in ["module_input_name", "module_output_name"] {
        config.only(name, json!("sentence_embedding"))?;
    }
    config.only("use_residual", json!(false))?;
    let width = config.size("in_features", pooled)?;
    if width != pooled {
        let expected = format!("{pooled}, the embedding_dimension of the pooling");
        return Err(config.wrong("in_features", &expected, &json!(width)));
    }
    let vectors = config.size("out_features", 0)?;
    let has_bias = config.get("bias").is_none() || config.switch("bias")?;
    config.finish(&[])?;
    Ok((vectors, has_bias))
}

/// Where texts are cut: by the module's own file, or by the tokenizer's.
async fn longest(files: &impl Files, folder: &str, promises: &Promises) -> Result<Option<usize>> {
    let name = format!("{folder}sentence_bert_config.json");
    if let Some(text) = read(files, &name, promises).await? {
        let config = Section::root(&name, &text)?;
        config.only("do_lower_case", json!(false))?;
        config.only("transformer_task", json!("feature-extraction"))?;
        config.only("module_output_name", json!("token_embeddings"))?;
        let text = json!({ "method": "forward", "method_output_name": "last_hidden_state" });
        config.only("modality_config", json!({ "text": text }))?;
        let longest = config.size("max_seq_length", 0)?;
        config.finish(&[])?;
        if longest > 0 {
            return Ok(Some(longest));
        }
    }
    let name = format!("{folder}{}", tokens::TOKENIZER_CONFIG);
    let text = read(files, &name, promises).await?;
    let config: Value = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
    // Tokenizers without a limit have an absurd one.
    let longest = config["model_max_length"].as_u64();
    let longest = longest.filter(|longest| (1..WITHOUT_LIMIT as u64).contains(longest));
    Ok(longest.map(|longest| longest as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_json_names_the_folders() {
        let old = r#"[{"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}]"#;
        assert_eq!(
            Modules::parse(old),
            Ok(Modules::Clip("0_CLIPModel/".to_string()))
        );
        let at_root = r#"[{"idx": 0, "path": "", "type": "sentence_transformers.models.CLIPModel"}, {"idx": 1, "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"}]"#;
        assert_eq!(Modules::parse(at_root), Ok(Modules::Clip(String::new())));
        let texts = r#"[{"path": "", "type": "a.Transformer"}, {"path": "1_Pooling", "type": "a.Pooling"}, {"path": "2_Dense", "type": "a.Dense"}]"#;
        let expected = Modules::Texts {
            encoder: String::new(),
            pooling: "1_Pooling/".to_string(),
            dense: "2_Dense/".to_string(),
        };
        assert_eq!(Modules::parse(texts), Ok(expected));
    }

    #[test]
    fn other_modules_and_folders_outside_are_refused() {
        for (list, word) in [
            (r#"[{"path": "../x", "type": "a.CLIPModel"}]"#, "../x"),
            (
                r#"[{"path": "0", "type": "a.CLIPModel"}, {"path": "1", "type": "a.Dense"}]"#,
                "a.Dense",
            ),
            (
                r#"[{"path": "0", "type": "a.Transformer"}, {"path": "1", "type": "a.Pooling"}]"#,
                "a.Pooling",
            ),
            ("[]", "CLIPModel"),
            ("{", "JSON"),
        ] {
            let error = Modules::parse(list).expect_err("refused").to_string();
            assert!(
                error.contains("modules.json") && error.contains(word),
                "{error}"
            );
        }
    }

    #[test]
    fn pooling_is_read_in_its_old_and_its_new_form() {
        let pooling = |config: Value| parse_pooling(&Section::of("config.json", config).unwrap());
        let old = json!({
            "word_embedding_dimension": 32, "pooling_mode_cls_token": false,
            "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false,
            "pooling_mode_mean_sqrt_len_tokens": false,
        });
        assert_eq!(pooling(old), Ok(("mean", 32)));
        let new =
            json!({ "embedding_dimension": 32, "pooling_mode": "cls", "include_prompt": true });
        assert_eq!(pooling(new), Ok(("first", 32)));
        for config in [
            json!({ "embedding_dimension": 32, "pooling_mode": ["cls", "mean"] }),
            json!({ "embedding_dimension": 32, "pooling_mode_max_tokens": true }),
            json!({ "embedding_dimension": 32, "pooling_modes": "cls" }),
        ] {
            let error = pooling(config).expect_err("refused").to_string();
            assert!(error.contains("pooling_mode"), "{error}");
        }
    }
}
