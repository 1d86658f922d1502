//! SentencePiece's vocabularies (`spiece.model`) as the tokenizer.json of the same tokenizer, and the
//! steps that SigLIP's class takes before one.
//!
//! The file is a protocol buffer, `ModelProto` of sentencepiece_model.proto: pieces with scores, how they
//! were trained, and the table by which texts are normalised. Only Unigram models are read, the kind that
//! SigLIP has.

use super::precompiled;
use crate::{Error, Result};
use serde_json::{Value, json};

/// Python's `string.punctuation`, which SigLIP's class takes out of texts.
const PUNCTUATION: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"##;

/// The tokenizer.json of a `spiece.model`.
pub(crate) fn to_json(model: &[u8]) -> Result<String> {
    let model = Model::parse(model)?;
    let unknown = model.unknown;
    let special = ["</s>", "<pad>", "<unk>"].into_iter().filter_map(|name| {
        let id = model.pieces.iter().position(|(piece, _)| piece == name)?;
        Some(json!({
            "id": id, "content": name, "single_word": false, "lstrip": true, "rstrip": true,
            "normalized": false, "special": true,
        }))
    });
    let table = match model.table {
        [] => Value::Null,
        table => {
            let text = precompiled::encode(table);
            json!({ "type": "Precompiled", "precompiled_charsmap": text })
        }
    };
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": special.collect::<Vec<_>>(),
        "normalizer": table,
        "pre_tokenizer": metaspace(),
        "post_processor": null,
        "decoder": metaspace(),
        "model": {
            "type": "Unigram",
            "unk_id": unknown,
            "byte_fallback": model.falls_back_to_bytes,
            "vocab": model.pieces,
        },
    });
    Ok(tokenizer.to_string())
}

fn metaspace() -> Value {
    json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true })
}

/// What puts a token (its name and id) before a text and another behind it.
pub(crate) fn around(start: Option<(String, u64)>, end: Option<(String, u64)>) -> Value {
    let special =
        |token: &(String, u64)| json!({ "SpecialToken": { "id": token.0, "type_id": 0 } });
    let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let parts = start.iter().map(special);
    let parts: Vec<Value> = parts.chain([text]).chain(end.iter().map(special)).collect();
    let tokens = start.iter().chain(&end).map(|(name, id)| {
        let token = json!({ "id": name, "ids": [id], "tokens": [name] });
        (name.clone(), token)
    });
    json!({
        "type": "TemplateProcessing", "single": parts, "pair": parts,
        "special_tokens": tokens.collect::<serde_json::Map<_, _>>(),
    })
}

/// The tokenizer.json of SigLIP's class over one with a Unigram vocabulary, whose own steps before the
/// vocabulary do not count but for the table of SentencePiece. `end` stands behind each text.
pub(crate) fn of_siglip(mut words: Value, is_lower: bool, end: &str) -> Result<Value> {
    let replace = |pattern: Value, content: &str| json!({ "type": "Replace", "pattern": pattern, "content": content });
    let strip = json!({ "type": "Strip", "strip_left": false, "strip_right": true });
    let mut steps = vec![replace(json!({ "String": "▁" }), " ")];
    if is_lower {
        steps.push(json!({ "type": "Lowercase" }));
    }
    steps.push(replace(json!({ "Regex": PUNCTUATION }), ""));
    steps.push(replace(json!({ "Regex": r"\s+" }), " "));
    steps.push(strip.clone());
    if let Some(table) = table_in(&words["normalizer"]) {
        // The table may make spaces of other characters.
        steps.extend([table, replace(json!({ "Regex": " {2,}" }), " "), strip]);
    }
    steps.push(replace(json!({ "String": " " }), "▁"));
    steps.push(json!({ "type": "Prepend", "prepend": "▁" })); // to all but nothing
    let id = words["model"]["vocab"]
        .as_array()
        .and_then(|pieces| pieces.iter().position(|piece| piece[0] == end));
    let Some(id) = id else {
        return Err(Error::BadWeights(format!(
            "tokenizer.json has no Unigram vocabulary with the token {end:?}, which ends SigLIP's texts"
        )));
    };
    words["normalizer"] = json!({ "type": "Sequence", "normalizers": steps });
    words["pre_tokenizer"] = Value::Null;
    words["post_processor"] = around(None, Some((end.to_string(), id as u64)));
    Ok(words)
}

/// SentencePiece's table among the steps of a normalizer.
fn table_in(normalizer: &Value) -> Option<Value> {
    if normalizer["type"] == "Precompiled" {
        return Some(normalizer.clone());
    }
    let mut steps = normalizer["normalizers"].as_array()?.iter();
    steps.find_map(table_in)
}

/// What is taken of a ModelProto.
struct Model<'m> {
    pieces: Vec<(String, f64)>,
    unknown: usize,
    falls_back_to_bytes: bool,
    /// The table by which texts are normalised.
    table: &'m [u8],
}

/// Kinds of pieces and of models.
const UNKNOWN: u64 = 2;
const BYTE: u64 = 6;
const UNIGRAM: u64 = 1;

impl<'m> Model<'m> {
    fn parse(bytes: &'m [u8]) -> Result<Self> {
        let mut model = Self {
            pieces: Vec::new(),
            unknown: 0,
            falls_back_to_bytes: false,
            table: &[],
        };
        let mut kind = UNIGRAM;
        for field in Fields(bytes) {
            match field? {
                (1, Field::Bytes(piece)) => model.add(piece)?,
                (2, Field::Bytes(trainer)) => {
                    for field in Fields(trainer) {
                        if let (3, Field::Number(found)) = field? {
                            kind = found;
                        }
                    }
                }
                (3, Field::Bytes(normalizer)) => {
                    for field in Fields(normalizer) {
                        if let (2, Field::Bytes(table)) = field? {
                            model.table = table;
                        }
                    }
                }
                _ => {}
            }
        }
        if kind != UNIGRAM || model.pieces.is_empty() {
            return Err(wrong("holds no Unigram vocabulary, which SigLIP's is"));
        }
        Ok(model)
    }

    /// Adds a piece: its text, score and kind.
    fn add(&mut self, piece: &[u8]) -> Result<()> {
        let (mut text, mut score, mut kind) = (String::new(), 0.0, 1);
        for field in Fields(piece) {
            match field? {
                (1, Field::Bytes(bytes)) => {
                    let found = std::str::from_utf8(bytes);
                    text = found
                        .map_err(|_| wrong("has a piece that is not UTF-8"))?
                        .to_string();
                }
                (2, Field::Float(found)) => score = f64::from(found),
                (3, Field::Number(found)) => kind = found,
                _ => {}
            }
        }
        if !score.is_finite() {
            return Err(wrong(&format!("gives the piece {text:?} no finite score")));
        }
        match kind {
            UNKNOWN => self.unknown = self.pieces.len(),
            BYTE => self.falls_back_to_bytes = true,
            _ => {}
        }
        self.pieces.push((text, score));
        Ok(())
    }
}

/// A value in a protocol buffer.
enum Field<'m> {
    Number(u64),
    Float(f32),
    Bytes(&'m [u8]),
    Skipped,
}

/// The fields of a message with their numbers.
struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for place in 0..10 {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, count: u64) -> Option<&'m [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    fn field(&mut self) -> Option<(u64, Field<'m>)> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => Field::Number(self.number()?),
            1 => self.bytes(8).map(|_| Field::Skipped)?,
            2 => {
                let length = self.number()?;
                Field::Bytes(self.bytes(length)?)
            }
            5 => Field::Float(f32::from_le_bytes(self.bytes(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = Result<(u64, Field<'m>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[]; // nothing behind damage is understood
        }
        Some(field.ok_or_else(|| wrong("is damaged")))
    }
}

fn wrong(what: &str) -> Error {
    Error::BadWeights(format!("spiece.model {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_refused() {
        let piece = [10, 8, 10, 1, b'a', 21, 0, 0, 128, 191];
        let text = to_json(&piece).expect("a vocabulary");
        assert!(text.contains(r#"["a",-1.0]"#), "{text}");
        for end in 1..piece.len() {
            let error = to_json(&piece[..end]).expect_err("damaged").to_string();
            assert!(error.contains("spiece.model"), "{error}");
        }
        let nan = [10, 8, 10, 1, b'a', 21, 0, 0, 192, 127];
        assert!(to_json(&nan).is_err());
        let bpe = [&piece[..], &[18, 2, 24, 2]].concat();
        assert!(to_json(&bpe).is_err());
        assert!(to_json(&[]).is_err());
        assert!(to_json(&[0xff; 64]).is_err());
    }
}
