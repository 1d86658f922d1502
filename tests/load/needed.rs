//! Fewer bytes: what a task does not take, and what is there twice, is not read. More where they
//! are promised: then all of them, to be hashed.

use super::memory::{Memory, load_files};
use super::sources::{folder, options, safetensors_of, sha256, tensors_of};
use super::{NAME, gguf, opinions, refused, under_tests};
use obscura::Error;
use obscura::load::Options;
use obscura::nn::Dtype;
use obscura::tasks::Model;
use obscura::weights::Format;
use pollster::block_on;
use std::collections::BTreeMap;

#[test]
fn a_tied_head_is_not_read_and_an_untied_one_is() {
    let head = "text_decoder.cls.predictions.decoder.weight";
    let table = "text_decoder.bert.embeddings.word_embeddings.weight";
    let whole = folder("blip-all");
    let mut tensors = tensors_of(&whole.files["model.safetensors"]);
    tensors.retain(|(info, _)| info.name != head);
    let (mut copy, bytes) = tensors
        .iter()
        .find(|(info, _)| info.name == table)
        .unwrap()
        .clone();
    copy.name = head.to_string();
    tensors.push((copy, vec![0; bytes.len()])); // the reference overlooks it where it is tied
    let load = |tied: Option<bool>| {
        let mut files = whole.files.clone();
        let mut config: serde_json::Value = serde_json::from_slice(&files["config.json"]).unwrap();
        config
            .as_object_mut()
            .unwrap()
            .remove("tie_word_embeddings");
        if let Some(tied) = tied {
            config["tie_word_embeddings"] = tied.into();
        }
        config["text_config"]
            .as_object_mut()
            .unwrap()
            .remove("tie_word_embeddings");
        files.insert("config.json".into(), config.to_string().into_bytes());
        files.insert("model.safetensors".into(), safetensors_of(&tensors));
        let files = Memory::of(files);
        let model = load_files(&files, None, &options(Dtype::F32)).expect("a model");
        let reads = files.take_reads();
        (
            opinions(&model),
            reads.iter().map(|(.., length)| length).sum::<u64>(),
        )
    };
    let (tied, bytes_tied) = load(None);
    assert_eq!(tied, load(Some(true)).0);
    assert_eq!(
        tied,
        opinions(&load_files(&whole, None, &options(Dtype::F32)).unwrap())
    );
    let (untied, bytes_untied) = load(Some(false));
    assert_ne!(tied, untied);
    assert!(
        bytes_untied > bytes_tied || bytes_untied < 1 << 17,
        "the head is read"
    );
}

#[test]
fn only_what_the_tasks_take_is_read() {
    let files = folder("blip-all");
    let model = |tasks: &[&str]| {
        let options = Options {
            tasks: tasks.iter().map(|task| task.to_string()).collect(),
            ..options(Dtype::Q8)
        };
        load_files(&files, None, &options)
    };
    let all = model(&[]).expect("a model");
    let caption = model(&["caption"]).expect("a model");
    assert_eq!(caption.info().tasks, ["caption"]);
    assert!(caption.info().parameters < all.info().parameters);
    let search = model(&["embed", "match"]).expect("a model");
    assert_eq!(search.info().tasks, ["embed", "classify", "match"]);
    match model(&["segment"]) {
        Err(Error::UnsupportedTask(message)) => assert!(message.contains("segment"), "{message}"),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn half_a_clip_is_enough_for_vectors_of_one_kind() {
    let whole = folder("clip-quick");
    let load = |tasks: &[&str]| {
        let options = Options {
            tasks: tasks.iter().map(|task| task.to_string()).collect(),
            ..options(Dtype::Q8)
        };
        load_files(&whole, None, &options).expect("a model")
    };
    let [all, both, image, text] = [
        load(&[]),
        load(&["embed-text", "embed-image"]),
        load(&["embed-image"]),
        load(&["embed-text"]),
    ];
    assert_eq!(all.info(), both.info());
    let scale = 1; // counted in both halves
    assert_eq!(
        image.info().parameters + text.info().parameters,
        all.info().parameters + scale
    );
    assert_eq!(image.info().tasks, ["embed-image"]);
    assert_eq!(text.info().tasks, ["embed-text"]);
    let picture = std::fs::read(under_tests("pictures/landscape.png")).expect("a picture");
    let picture = obscura::image::decode(&picture).expect("a picture");
    let of_image = |model: &Model| block_on(model.embed_image(&picture, true));
    let of_text = |model: &Model| block_on(model.embed_text("a cat", true));
    assert_eq!(of_image(&image), of_image(&all));
    assert_eq!(of_text(&text), of_text(&all));
    let labels = ["a".to_string(), "b".to_string()];
    for refused in [
        of_image(&text).map(drop),
        of_text(&image).map(drop),
        block_on(image.classify(&picture, &labels, &[])).map(drop),
        block_on(text.match_texts(&picture, &labels)).map(drop),
    ] {
        assert!(
            matches!(refused, Err(Error::UnsupportedTask(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn what_is_missing_or_of_a_wrong_shape_is_found_before_a_tensor_is_read() {
    let whole = folder("clip-quick");
    let missing = "text_model.encoder.layers.1.mlp.fc2.weight";
    let mut tensors = tensors_of(&whole.files["model.safetensors"]);
    tensors.retain(|(info, _)| info.name != missing);
    // Larger than what is read for a header.
    let float = tensors
        .iter()
        .position(|(info, _)| info.format == Format::F32);
    tensors.insert(0, tensors[float.unwrap()].clone());
    tensors[0].0.name = "a superfluous one".to_string();
    tensors[0].0.shape = vec![1 << 20];
    tensors[0].1 = vec![0; 4 << 20];
    let mut files = whole.files.clone();
    files.insert("model.safetensors".into(), safetensors_of(&tensors));
    let files = Memory::of(files);
    refused(
        load_files(&files, None, &options(Dtype::Q8)),
        &[missing, "missing"],
    );
    let weights = files.take_reads();
    let weights = weights
        .iter()
        .filter(|(file, ..)| file == "model.safetensors");
    assert_eq!(weights.count(), 1, "the header");
}

#[test]
fn a_promised_hash_is_checked_over_every_byte() {
    for (files, file) in [
        (folder("blip-all"), "model.safetensors"),
        (Memory::of([(NAME, gguf("blip-all", Dtype::Q8))]), NAME),
    ] {
        let single = (file == NAME).then_some(NAME);
        let with = |hash: &str| Options {
            sha256: BTreeMap::from([(file.to_string(), hash.to_string())]),
            tasks: vec!["caption".to_string()],
            ..options(Dtype::Q8)
        };
        let right = sha256(&files, file);
        load_files(&files, single, &with(&right.to_uppercase())).expect("a model");
        let reads = files.take_reads();
        let read: u64 = reads
            .iter()
            .filter(|read| read.0 == file)
            .map(|read| read.2)
            .sum();
        assert_eq!(read, files.files[file].len() as u64, "every byte, once");
        let wrong = right.replace(|c: char| c.is_ascii_digit(), "f");
        match load_files(&files, single, &with(&wrong)) {
            Err(Error::Integrity(message)) => {
                assert!(
                    message.contains(&right) && message.contains(&wrong),
                    "{message}"
                );
                assert!(message.contains(file), "{message}");
            }
            other => panic!("{:?}", other.map(|_| ())),
        }
    }
    let files = folder("blip-all");
    let other = Options {
        sha256: BTreeMap::from([("another.safetensors".to_string(), "00".to_string())]),
        ..options(Dtype::Q8)
    };
    match load_files(&files, None, &other) {
        Err(Error::BadInput(message)) => {
            assert!(message.contains("model.safetensors"), "{message}")
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
}
