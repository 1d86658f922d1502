//! The older vocabulary files, turned into the text of the tokenizer.json that transformers 5 saves
//! for the same tokenizer. So there is one way to build a tokenizer, and one form to carry it in.

use serde_json::{Map, Value, json};

use crate::{Error, Result};

/// The tokenizer.json of the reference's `BertTokenizer` over a vocab.txt.
pub(super) fn wordpiece(vocab_txt: &str, lowercase: bool) -> Result<String> {
    let lines = vocab_txt.lines().enumerate();
    // Trailing white space is no part of a token; the last of two equal lines counts.
    let vocabulary: Map<String, Value> = lines
        .map(|(id, line)| (line.trim_end().to_owned(), json!(id)))
        .collect();
    let id = |token: &str| required_id(&vocabulary, "vocab.txt", token);
    id("[UNK]")?;
    let (cls, sep) = (id("[CLS]")?, id("[SEP]")?);
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let special_token =
        |token: &str, segment: u8| json!({"SpecialToken": {"id": token, "type_id": segment}});
    let sequence = |name: &str, segment: u8| json!({"Sequence": {"id": name, "type_id": segment}});
    let text = [
        special_token("[CLS]", 0),
        sequence("A", 0),
        special_token("[SEP]", 0),
    ];
    let second_text = [sequence("B", 1), special_token("[SEP]", 1)];
    let two_texts = [text.as_slice(), &second_text].concat();
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(&vocabulary, &special),
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": true,
            "strip_accents": null, // as `lowercase`
            "lowercase": lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": text,
            "pair": two_texts,
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [cls], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [sep], "tokens": ["[SEP]"]},
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    });
    Ok(tokenizer.to_string())
}

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// CLIP's words: the special tokens, English contractions, letters, single digits, the rest.
const CLIP_WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// The tokenizer.json of the reference's `CLIPTokenizer` over a vocab.json and a merges.txt.
pub(super) fn bpe(vocab_json: &str, merges_txt: &str) -> Result<String> {
    let vocabulary: Map<String, Value> = serde_json::from_str(vocab_json)
        .map_err(|error| wrong("vocab.json", &format!("is not a JSON object: {error}")))?;
    for (token, id) in &vocabulary {
        if id.as_u64().and_then(|id| u32::try_from(id).ok()).is_none() {
            return Err(wrong(
                "vocab.json",
                &format!("gives the token {token:?} the id {id}"),
            ));
        }
    }
    let (start, end) = (
        required_id(&vocabulary, "vocab.json", START)?,
        required_id(&vocabulary, "vocab.json", END)?,
    );
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(&vocabulary, &[START, END]),
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": CLIP_WORDS}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": [END, end],
            "cls": [START, start],
            "trim_offsets": false,
            "add_prefix_space": false,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": END,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "merges": merges(merges_txt, &vocabulary)?,
            "vocab": vocabulary,
        },
    });
    Ok(tokenizer.to_string())
}

/// The pairs of a merges.txt, best first. Each pair and what it makes must be in the vocabulary.
fn merges<'a>(text: &'a str, vocabulary: &Map<String, Value>) -> Result<Vec<[&'a str; 2]>> {
    let mut pairs = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() || line.starts_with("#version") {
            continue;
        }
        let parts: Vec<&str> = line.split(' ').collect();
        let Ok([left, right]) = <[&str; 2]>::try_from(parts) else {
            let what =
                format!("line {number} must be two tokens with a space between, not {line:?}");
            return Err(wrong("merges.txt", &what));
        };
        let joined = format!("{left}{right}");
        if let Some(missing) = [left, right, &joined]
            .iter()
            .find(|t| !vocabulary.contains_key(**t))
        {
            let what = format!("line {number} needs the token {missing:?}, which vocab.json lacks");
            return Err(wrong("merges.txt", &what));
        }
        pairs.push([left, right]);
    }
    Ok(pairs)
}

/// The entries of those special tokens that the vocabulary has.
fn added_tokens(vocabulary: &Map<String, Value>, special: &[&str]) -> Vec<Value> {
    let mut tokens: Vec<(&str, &Value)> = special
        .iter()
        .filter_map(|token| Some((*token, vocabulary.get(*token)?)))
        .collect();
    tokens.sort_by_key(|(_, id)| id.as_u64());
    let entry = |(token, id): (&str, &Value)| {
        json!({
            "id": id,
            "content": token,
            "single_word": false,
            "lstrip": false,
            "rstrip": false,
            "normalized": false,
            "special": true,
        })
    };
    tokens.into_iter().map(entry).collect()
}

fn required_id(vocabulary: &Map<String, Value>, file: &str, token: &str) -> Result<Value> {
    let missing = || wrong(file, &format!("lacks the token {token}"));
    vocabulary.get(token).cloned().ok_or_else(missing)
}

fn wrong(file: &str, what: &str) -> Error {
    Error::BadWeights(format!("{file} {what}"))
}
