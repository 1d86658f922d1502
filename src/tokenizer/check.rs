//! What a tokenizer.json must look like before the `tokenizers` crate may read it: that crate panics
//! on some files that are not well-formed, and has parts with panics of their own that no model here
//! needs.

use serde_json::Value;

use super::precompiled;
use crate::{Error, Result};

/// The parts of a tokenizer that the families use, in all versions of their files.
const KNOWN_PARTS: [&str; 24] = [
    "Sequence",
    // normalizers
    "BertNormalizer",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "Precompiled",
    "Prepend",
    "Replace",
    "Strip",
    "StripAccents",
    // pre-tokenizers
    "BertPreTokenizer",
    "ByteLevel",
    "Metaspace",
    "Split",
    "Whitespace",
    "WhitespaceSplit",
    // post-processors and decoders
    "BertProcessing",
    "ByteFallback",
    "Fuse",
    "RobertaProcessing",
    "TemplateProcessing",
    "WordPiece",
];

/// A Unigram's pieces are a tree as deep as the longest is long, which the crate walks by recursion.
const LONGEST_PIECE: usize = 1024;

pub(super) fn check(text: &str) -> Result<()> {
    let json: Value =
        serde_json::from_str(text).map_err(|error| wrong(format!("is not valid JSON: {error}")))?;
    for slot in ["normalizer", "pre_tokenizer", "post_processor", "decoder"] {
        check_part(slot, &json[slot])?;
    }
    check_model(&json["model"])
}

fn check_part(slot: &str, part: &Value) -> Result<()> {
    if let Some(kind) = part.get("type") {
        if !kind
            .as_str()
            .is_some_and(|kind| KNOWN_PARTS.contains(&kind))
        {
            return Err(wrong(format!(
                "has a `{slot}` of type {kind}, which the tokenizers of these models don't have"
            )));
        }
    } else if !part.is_null() {
        return Err(wrong(format!("has a `{slot}` without a `type`")));
    }
    if part["type"] == "Precompiled" {
        precompiled::check(part["precompiled_charsmap"].as_str().unwrap_or_default())?;
    }
    for list in ["normalizers", "pretokenizers", "processors", "decoders"] {
        let parts = part.get(list).and_then(Value::as_array);
        parts
            .into_iter()
            .flatten()
            .try_for_each(|part| check_part(slot, part))?;
    }
    Ok(())
}

fn check_model(model: &Value) -> Result<()> {
    let kind = model.get("type").and_then(Value::as_str);
    let bpe = kind == Some("BPE") || (kind.is_none() && model.get("merges").is_some());
    if kind.is_some_and(|kind| !["BPE", "WordPiece", "Unigram"].contains(&kind)) {
        let what =
            "expected BPE (CLIP, SigLIP 2), Unigram (SigLIP, MetaCLIP 2) or WordPiece (BLIP)";
        return Err(wrong(format!(
            "has a `model` of type {}, {what}",
            model["type"]
        )));
    }
    let pieces = model["vocab"].as_array().into_iter().flatten();
    let mut names = pieces.filter_map(|piece| piece[0].as_str());
    if let Some(name) = names.find(|name| name.len() > LONGEST_PIECE) {
        let length = name.len();
        return Err(wrong(format!(
            "has a piece of {length} bytes in its `vocab`, at most {LONGEST_PIECE} are expected"
        )));
    }
    let prefix = model
        .get("continuing_subword_prefix")
        .and_then(Value::as_str);
    if bpe && prefix.is_some_and(|prefix| !prefix.is_empty()) {
        return Err(wrong(
            "has a BPE `model` with a `continuing_subword_prefix`".into(),
        ));
    }
    Ok(())
}

fn wrong(what: String) -> Error {
    Error::BadWeights(format!("tokenizer.json {what}"))
}
