//! What a tokenizer_config.json adds to a tokenizer.json: transformers rebuilds some tokenizers by their
//! class, so that steps of the file do not count, and fills texts up on the side that the class says.
//! Version 5.24 is followed; versions before it differ (docs/configurations.md).

use super::weight_file::named;
use crate::tokenizer::sentencepiece;
use crate::{Error, Result};
use serde_json::{Value, json};

/// Says which class of transformers takes a tokenizer, and what that class does.
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The text of a SigLIP's config.json, given that of its tokenizer.json, which becomes what the
/// reference's class makes of it, and perhaps of its tokenizer_config.json. What a text is filled up
/// with is written into the configuration, as far as it is not there.
pub(super) fn of_siglip(
    config: String,
    tokenizer: &mut String,
    names: Option<&str>,
) -> Result<String> {
    let mut root: Value = serde_json::from_str(&config).unwrap_or_default();
    let Some(section) = text_section(&mut root) else {
        return Ok(config);
    };
    let classed = TokenizerConfig::parse(names)?;
    let words = classed.applied(parsed(tokenizer)?)?;
    *tokenizer = words.to_string();
    if let Some(token) = classed.special(&words, "pad_token", ["<pad>", "</s>"]) {
        section["fill_token_id"] = json!(token);
    }
    section["fill_side"] = json!(classed.side());
    Ok(root.to_string())
}

/// Whether the text of a config.json is that of a SigLIP with texts, and says nothing of their filling.
pub(super) fn is_unfilled_siglip(config: &str) -> bool {
    let mut root: Value = serde_json::from_str(config).unwrap_or_default();
    text_section(&mut root).is_some()
}

/// The section about texts, which may be the whole, and may be missing for its defaults.
fn text_section(root: &mut Value) -> Option<&mut Value> {
    let section = match root["model_type"].as_str()? {
        "siglip" => {
            if !root["text_config"].is_object() {
                root["text_config"] = json!({});
            }
            &mut root["text_config"]
        }
        "siglip_text_model" => root,
        _ => return None,
    };
    section["fill_token_id"].is_null().then_some(section)
}

/// The text of a tokenizer.json, which may be tens of megabytes: it is taken apart once.
pub(super) fn parsed(tokenizer: &str) -> Result<Value> {
    serde_json::from_str(tokenizer)
        .map_err(|error| Error::BadWeights(format!("tokenizer.json is not valid JSON: {error}")))
}

/// The id of a token in a tokenizer.json.
fn id_of(words: &Value, name: &str) -> Option<u32> {
    let added = words["added_tokens"].as_array().into_iter().flatten();
    let mut added = added.filter(|token| token["content"] == name);
    let id = match (added.next(), &words["model"]["vocab"]) {
        (Some(token), _) => token["id"].as_u64(),
        (None, Value::Array(pieces)) => {
            let place = pieces.iter().position(|piece| piece[0] == name);
            place.map(|place| place as u64)
        }
        (None, vocabulary) => vocabulary[name].as_u64(),
    };
    id.and_then(|id| u32::try_from(id).ok())
}

/// A tokenizer_config.json; empty where there is none.
pub(super) struct TokenizerConfig(Value);

impl TokenizerConfig {
    /// Reads its text.
    pub fn parse(text: Option<&str>) -> Result<Self> {
        let parsed = text.map(serde_json::from_str).transpose();
        let value: Option<Value> = parsed.map_err(|error| {
            let what = Error::BadWeights(format!("is not valid JSON: {error}"));
            named("tokenizer_config.json", what)
        })?;
        Ok(Self(value.unwrap_or_default()))
    }

    /// The class that the reference takes, without the mark of the fast ones.
    fn class(&self) -> &str {
        let class = self.0["tokenizer_class"].as_str().unwrap_or_default();
        class.strip_suffix("Fast").unwrap_or(class)
    }

    /// Whether it is one of the two classes that rebuild Gemma's tokenizer.
    fn is_gemma(&self) -> bool {
        ["GemmaTokenizer", "Siglip2Tokenizer"].contains(&self.class())
    }

    /// A special token as the file names it.
    fn token(&self, key: &str) -> Option<&str> {
        let name = &self.0[key];
        name.as_str().or_else(|| name["content"].as_str())
    }

    /// The id of a special token in a tokenizer.json: by its name here, or by one of the usual names.
    pub fn special(&self, words: &Value, key: &str, usual: [&str; 2]) -> Option<u32> {
        match self.token(key) {
            Some(name) => id_of(words, name),
            None => usual.into_iter().find_map(|name| id_of(words, name)),
        }
    }

    /// On which side of a text it is filled up.
    pub fn side(&self) -> &str {
        match self.0["padding_side"].as_str() {
            Some(side) => side,
            None if self.is_gemma() => "left",
            None => "right",
        }
    }

    /// The tokenizer.json of what the class makes of one.
    pub fn applied(&self, words: Value) -> Result<Value> {
        match self.class() {
            "GemmaTokenizer" | "Siglip2Tokenizer" => Ok(self.gemma(words)),
            "SiglipTokenizer" => self.siglip(words),
            "" if words["model"]["type"] == "Unigram" => self.siglip(words),
            _ => Ok(words),
        }
    }

    /// Both classes make steps of their own before the vocabulary: SigLIP 2's makes letters small, Gemma's
    /// leaves them, whatever the file says. What stands around a text is the file's, unless the
    /// configuration says it.
    fn gemma(&self, mut words: Value) -> Value {
        let lower = json!({ "type": "Lowercase" });
        let steps = words["normalizer"].take();
        let mut steps = match steps["normalizers"].as_array() {
            Some(steps) => steps.clone(),
            None if steps.is_null() => Vec::new(),
            None => vec![steps],
        };
        steps.retain(|step| *step != lower);
        if self.class() == "Siglip2Tokenizer" {
            steps.insert(0, lower);
        }
        words["normalizer"] = json!({ "type": "Sequence", "normalizers": steps });
        let flags = ["add_bos_token", "add_eos_token"].map(|flag| self.0[flag].as_bool());
        if flags.iter().any(Option::is_some) {
            let [starts, ends] = flags.map(|flag| flag == Some(true));
            let id = |key: &str, usual: &str, wanted: bool| {
                let name = self.token(key).unwrap_or(usual).to_string();
                let id = words["model"]["vocab"][&name].as_u64();
                id.filter(|_| wanted).map(|id| (name, id))
            };
            let start = id("bos_token", "<bos>", starts);
            let end = id("eos_token", "<eos>", ends);
            words["post_processor"] = sentencepiece::around(start, end);
        }
        words
    }

    /// SigLIP's class cleans texts before SentencePiece sees them.
    fn siglip(&self, words: Value) -> Result<Value> {
        let is_lower = self.0["do_lower_case"].as_bool().unwrap_or(true);
        let end = self.token("eos_token").unwrap_or("</s>");
        sentencepiece::of_siglip(words, is_lower, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Tokenizer;

    /// A vocabulary of letters with the steps of Gemma's.
    fn letters(steps: Value) -> String {
        let names = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", "a", "c", "t", "A"];
        let pairs = names.iter().enumerate();
        let vocabulary: serde_json::Map<_, _> = pairs
            .map(|(id, name)| (name.to_string(), json!(id)))
            .collect();
        json!({
            "version": "1.0", "added_tokens": [], "normalizer": steps,
            "pre_tokenizer": null, "post_processor": null, "decoder": null,
            "model": {
                "type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>",
                "fuse_unk": true,
            },
        })
        .to_string()
    }

    fn ids(config: Value, text: &str) -> Vec<u32> {
        let space = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
        let lower = json!({ "type": "Lowercase" });
        let steps = json!({ "type": "Sequence", "normalizers": [lower, space] });
        let config = TokenizerConfig::parse(Some(&config.to_string())).expect("JSON");
        let words = parsed(&letters(steps)).expect("a tokenizer");
        let words = config.applied(words).expect("a tokenizer");
        let words = Tokenizer::from_json(&words.to_string()).expect("a tokenizer");
        words.encode(text, 64).expect("ids")
    }

    #[test]
    fn the_class_decides_whether_letters_become_small() {
        let of = |class: &str| ids(json!({ "tokenizer_class": class }), "A cat");
        assert_eq!(of("Siglip2Tokenizer"), [5, 4, 6, 5, 7]);
        assert_eq!(of("GemmaTokenizerFast"), [8, 4, 6, 5, 7]);
        assert_eq!(of("PreTrainedTokenizerFast"), [5, 4, 6, 5, 7]);
    }

    #[test]
    fn the_configuration_decides_what_stands_around_a_text() {
        let of = |starts: bool, ends: bool| {
            let config = json!({
                "tokenizer_class": "GemmaTokenizer", "add_bos_token": starts, "add_eos_token": ends,
            });
            ids(config, "cat")
        };
        assert_eq!(of(false, true), [6, 5, 7, 1]);
        assert_eq!(of(true, false), [2, 6, 5, 7]);
        assert_eq!(of(false, false), [6, 5, 7]);
    }

    #[test]
    fn the_side_is_the_files_or_the_classs() {
        let side = |config: Value| {
            let config = TokenizerConfig::parse(Some(&config.to_string())).expect("JSON");
            config.side().to_string()
        };
        assert_eq!(side(json!({ "tokenizer_class": "GemmaTokenizer" })), "left");
        let right = json!({ "tokenizer_class": "GemmaTokenizer", "padding_side": "right" });
        assert_eq!(side(right), "right");
        assert_eq!(
            side(json!({ "tokenizer_class": "SiglipTokenizer" })),
            "right"
        );
    }
}
