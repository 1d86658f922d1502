//! The tokenizers against a small vocabulary of each kind. The real vocabularies, against the
//! reference, are in tests/image_and_tokenizer.rs.

use super::*;

const WORDS: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ncat\n##s\n,\n.\ncafe\n'\nn\n##'t\n";

fn bert() -> Tokenizer {
    Tokenizer::from_wordpiece_vocabulary(WORDS, true).unwrap()
}

/// A vocabulary with every byte, alone and as the end of a word, and the words `a` and `cat`.
fn clip_files() -> (String, String) {
    let bytes: Vec<String> = (0x21u32..0x7f)
        .chain(0xa1..0xad)
        .chain(0xae..0x100)
        .chain(0x100..0x144) // what stands for the bytes that do not print
        .filter_map(char::from_u32)
        .map(String::from)
        .collect();
    let ends = bytes.iter().map(|byte| format!("{byte}</w>"));
    let more = ["at</w>", "cat</w>", "<|startoftext|>", "<|endoftext|>"].map(String::from);
    let tokens = bytes.iter().cloned().chain(ends).chain(more);
    let vocabulary: serde_json::Map<_, _> = tokens
        .enumerate()
        .map(|(id, token)| (token, id.into()))
        .collect();
    let merges = "#version: 0.2\na t</w>\nc at</w>\n".to_owned();
    (serde_json::to_string(&vocabulary).unwrap(), merges)
}

fn clip() -> Tokenizer {
    let (vocabulary, merges) = clip_files();
    Tokenizer::from_bpe_files(&vocabulary, &merges).unwrap()
}

fn message(result: Result<impl std::fmt::Debug>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.code(), "bad_weights", "{error}");
    error.to_string()
}

#[test]
fn a_text_gets_its_special_tokens_and_comes_back_clean() {
    let bert = bert();
    let ids = bert.encode("A Café, CATS.", 32).unwrap();
    assert_eq!(ids, [2, 5, 10, 8, 6, 7, 9, 3]);
    assert_eq!(bert.decode(&ids).unwrap(), "a cafe, cats.");
    let clip = clip();
    let ids = clip.encode("A  CAT!", 32).unwrap();
    assert_eq!(ids.first(), clip.token_to_id("<|startoftext|>").as_ref());
    assert_eq!(ids[2], clip.token_to_id("cat</w>").unwrap());
    assert_eq!(ids.last(), clip.token_to_id("<|endoftext|>").as_ref());
    assert_eq!(clip.decode(&ids).unwrap(), "a cat !");
}

#[test]
fn truncation_cuts_the_text_and_keeps_the_special_tokens() {
    let bert = bert();
    assert_eq!(bert.encode("a cat a cat", 4).unwrap(), [2, 5, 6, 3]);
    assert_eq!(bert.encode("a cat", 4).unwrap(), [2, 5, 6, 3]);
    assert_eq!(bert.encode("a cat", 2).unwrap(), [2, 3]);
    let error = bert.encode("a cat", 1).unwrap_err();
    assert_eq!(error.code(), "bad_input");
    assert!(error.to_string().contains("max_length 1"), "{error}");
}

#[test]
fn padding_and_truncation_in_the_file_are_ignored() {
    let mut json: serde_json::Value = serde_json::from_str(&bert().to_json().unwrap()).unwrap();
    json["padding"] = serde_json::json!({"strategy": {"Fixed": 64}, "direction": "Right",
        "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"});
    json["truncation"] = serde_json::json!({"direction": "Right", "max_length": 3,
        "strategy": "LongestFirst", "stride": 0});
    let tokenizer = Tokenizer::from_json(&json.to_string()).unwrap();
    assert_eq!(tokenizer.encode("a cat", 32).unwrap(), [2, 5, 6, 3]);
}

#[test]
fn the_json_form_keeps_the_tokenizer() {
    for tokenizer in [bert(), clip()] {
        let again = Tokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap();
        assert_eq!(again.to_json().unwrap(), tokenizer.to_json().unwrap());
        assert_eq!(again.vocabulary_size(), tokenizer.vocabulary_size());
        let ids = tokenizer.encode("a cat's café 😀", 77).unwrap();
        assert_eq!(again.encode("a cat's café 😀", 77).unwrap(), ids);
        assert_eq!(again.decode(&ids).unwrap(), tokenizer.decode(&ids).unwrap());
    }
}

#[test]
fn ids_that_the_vocabulary_lacks_are_left_out() {
    assert_eq!(
        bert()
            .decode(&[30522, 2, 5, 4_000_000_000, 6, 30523, 3])
            .unwrap(),
        "a cat"
    );
    assert_eq!(bert().decode(&[]).unwrap(), "");
}

#[test]
fn the_pieces_of_a_stream_make_up_the_text() {
    let texts = [
        "a cat, a cats' cat.",
        "",
        "A 😀 é",
        "<</w> </ w > < /w>",
        "日本 , !",
        "a </",
    ];
    for tokenizer in [bert(), clip()] {
        for text in texts {
            let mut ids = tokenizer.encode(text, 100).unwrap();
            check_stream(&tokenizer, &ids);
            ids.truncate(ids.len().saturating_sub(3)); // may end in the middle of a character
            check_stream(&tokenizer, &ids);
            ids.reverse();
            check_stream(&tokenizer, &ids);
        }
    }
}

#[test]
fn the_pieces_of_a_stream_make_up_the_text_of_any_ids() {
    for tokenizer in [bert(), clip()] {
        let mut state = 1u32;
        for length in 0..200 {
            let ids: Vec<u32> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) % (tokenizer.vocabulary_size() as u32 + 3)
            })
            .take(length % 17)
            .collect();
            check_stream(&tokenizer, &ids);
        }
    }
}

fn check_stream(tokenizer: &Tokenizer, ids: &[u32]) {
    let mut stream = StreamDecoder::new();
    let mut text = String::new();
    for &id in ids {
        text += &stream.push(tokenizer, id).unwrap();
        let certain = tokenizer.decode(ids).unwrap();
        assert!(
            certain.starts_with(&text),
            "{text:?} is no start of {certain:?}"
        );
    }
    text += &stream.finish(tokenizer).unwrap();
    assert_eq!(text, tokenizer.decode(ids).unwrap(), "{ids:?}");
}

#[test]
fn a_stream_hands_out_words_as_they_come() {
    let bert = bert();
    let mut stream = StreamDecoder::new();
    let mut push = |id| stream.push(&bert, id).unwrap();
    assert_eq!(
        [push(30522), push(5), push(6), push(7), push(9)],
        ["", "a", " cat", "s", "."]
    );
}

#[test]
fn a_vocabulary_without_a_token_it_needs_is_an_error() {
    for token in ["[UNK]", "[CLS]", "[SEP]"] {
        let words = WORDS.replace(token, "x");
        let message = message(Tokenizer::from_wordpiece_vocabulary(&words, true));
        assert!(
            message.contains("vocab.txt") && message.contains(token),
            "{message}"
        );
    }
    let found = message(Tokenizer::from_bpe_files("{}", ""));
    assert!(
        found.contains("vocab.json") && found.contains("<|startoftext|>"),
        "{found}"
    );
}

#[test]
fn a_bad_vocabulary_file_is_an_error_that_names_file_and_place() {
    let (vocabulary, _) = clip_files();
    let check = |vocabulary: &str, merges: &str, expected: [&str; 2]| {
        let message = message(Tokenizer::from_bpe_files(vocabulary, merges));
        assert!(
            expected.iter().all(|part| message.contains(part)),
            "{message}"
        );
    };
    check("[", "", ["vocab.json", "line 1"]);
    check("[1]", "", ["vocab.json", "object"]);
    check(r#"{"a": -1}"#, "", ["vocab.json", "-1"]);
    check(r#"{"a": 5000000000}"#, "", ["vocab.json", "5000000000"]);
    check(&vocabulary, "a t</w>\na t x\n", ["merges.txt", "line 2"]);
    check(
        &vocabulary,
        "#version: 0.2\n\na dog\n",
        ["merges.txt line 3", "\"dog\""],
    );
    check(&vocabulary, "a b\n", ["merges.txt line 1", "\"ab\""]);
}

#[test]
fn a_bad_tokenizer_json_is_an_error() {
    for text in ["", "{}", "null", "[1, 2", r#"{"version": "9"}"#] {
        let message = message(Tokenizer::from_json(text));
        assert!(message.contains("tokenizer.json"), "{message}");
    }
}

#[test]
fn a_tokenizer_of_another_family_is_an_error_that_names_the_part() {
    let json: serde_json::Value = serde_json::from_str(&clip().to_json().unwrap()).unwrap();
    let check = |pointer: &str, value: serde_json::Value, expected: &str| {
        let mut json = json.clone();
        *json.pointer_mut(pointer).unwrap() = value;
        let message = message(Tokenizer::from_json(&json.to_string()));
        assert!(
            message.contains("tokenizer.json") && message.contains(expected),
            "{message}"
        );
    };
    check(
        "/normalizer/normalizers/1/type",
        "Nmt".into(),
        "`normalizer` of type",
    );
    check(
        "/normalizer/normalizers/1",
        serde_json::json!({"type": "Precompiled"}),
        "precompiled_charsmap",
    );
    check(
        "/pre_tokenizer",
        serde_json::json!({"length": 0}),
        "`pre_tokenizer` without",
    );
    check(
        "/decoder",
        serde_json::json!({"type": 7}),
        "`decoder` of type 7",
    );
    check(
        "/model/type",
        "WordLevel".into(),
        "`model` of type \"WordLevel\"",
    );
    check(
        "/model",
        serde_json::json!({"type": "Unigram", "unk_id": 0, "vocab": [["a".repeat(9999), 0.0]]}),
        "9999",
    );
    check(
        "/model/continuing_subword_prefix",
        "##".into(),
        "continuing_subword_prefix",
    );
    check(
        "/model/vocab",
        serde_json::json!({"a": 0}),
        "out of vocabulary",
    );
}

#[test]
fn a_truncated_or_altered_tokenizer_json_never_panics() {
    for tokenizer in [bert(), clip()] {
        let json = tokenizer.to_json().unwrap();
        for end in (0..json.len())
            .step_by(97)
            .filter(|end| json.is_char_boundary(*end))
        {
            assert!(Tokenizer::from_json(&json[..end]).is_err());
        }
        for (from, to) in [
            ("[CLS]", "[XXX]"),
            ("vocab", "bocav"),
            ("\"ids\":[2]", "\"ids\":[]"),
        ] {
            if let Ok(tokenizer) = Tokenizer::from_json(&json.replace(from, to)) {
                let _ = tokenizer.encode("a cat", 8);
            }
        }
    }
}
