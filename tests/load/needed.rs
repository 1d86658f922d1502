//! Fewer bytes: what a task does not take, and what is there twice, is not read. More where they
//! are promised: then all of them, to be hashed.

use super::memory::{Memory, load_files};
use super::sources::{folder, options, safetensors_of, sha256, tensors_of};
use super::{NAME, gguf, opinions, refused, under_tests};
use obscura::Error;
use obscura::device::Placement;
use obscura::load::{Event, NoStore, Options, Promises, Source, Stores, load};
use obscura::nn::Dtype;
use obscura::tasks::Model;
use obscura::weights::Format;
use pollster::block_on;
use std::collections::BTreeMap;

const HEAD: &str = "text_decoder.cls.predictions.decoder.weight";
const TABLE: &str = "text_decoder.bert.embeddings.word_embeddings.weight";

/// Other bytes in place of a tensor's.
type Change = dyn Fn(&[u8]) -> Vec<u8>;

/// `blip-all` with these bytes as its head's, if any, and with `tie_word_embeddings` as given.
fn with_head(head: Option<&Change>, tied: Option<bool>) -> Memory {
    let mut files = folder("blip-all").files;
    let mut tensors = tensors_of(&files["model.safetensors"]);
    tensors.retain(|(info, _)| info.name != HEAD);
    if let Some(change) = head {
        let mut table = tensors.iter().filter(|(info, _)| info.name == TABLE);
        let (mut info, bytes) = table.next().expect("a table").clone();
        info.name = HEAD.to_string();
        tensors.push((info, change(&bytes)));
    }
    let mut config: serde_json::Value = serde_json::from_slice(&files["config.json"]).unwrap();
    for section in ["/text_config", ""] {
        let section = config.pointer_mut(section).unwrap();
        let fields = section.as_object_mut().unwrap();
        fields.remove("tie_word_embeddings");
    }
    if let Some(tied) = tied {
        config["text_config"]["tie_word_embeddings"] = tied.into();
    }
    files.insert("config.json".into(), config.to_string().into_bytes());
    files.insert("model.safetensors".into(), safetensors_of(&tensors));
    Memory::of(files)
}

/// Training parts a head from its table, and `tie_word_embeddings` stays true all the same:
/// transformers 4.25 to 4.55 and 5 take the head that the file has.
#[test]
fn a_head_beside_its_table_counts_whatever_the_configuration_says() {
    let turned = |bytes: &[u8]| {
        let rows = bytes.chunks_exact(bytes.len() / 800).rev();
        rows.flatten().copied().collect::<Vec<u8>>()
    };
    for dtype in [Dtype::F32, Dtype::Q8] {
        let load = |head, tied| {
            let files = with_head(head, tied);
            opinions(&load_files(&files, None, &options(dtype)).expect("a model"))
        };
        let tied = load(None, None);
        assert_eq!(tied, load(None, Some(true)));
        assert_eq!(tied, load(Some(&|bytes: &[u8]| bytes.to_vec()), None));
        let own = load(Some(&turned), None);
        assert_ne!(tied, own, "{dtype:?}");
        assert_eq!(own, load(Some(&turned), Some(true)));
        assert_eq!(own, load(Some(&turned), Some(false)));
    }
}

#[test]
fn a_head_that_is_neither_there_nor_tied_is_refused() {
    let files = with_head(None, Some(false));
    let words = ["tie_word_embeddings", HEAD];
    refused(load_files(&files, None, &options(Dtype::F32)), &words);
}

/// torch.save stores what is shared once, and names it twice.
#[test]
fn a_head_at_the_place_of_its_table_is_not_read_twice() {
    let pickled = std::fs::read(under_tests("golden/blip-caption/pytorch/pytorch_model.bin"));
    let mut files = folder("blip-caption").files;
    files.remove("model.safetensors");
    files.insert("pytorch_model.bin".into(), pickled.expect("a checkpoint"));
    let files = Memory::of(files);
    let source = block_on(Source::of(&files, None, &Promises::new())).expect("a source");
    let place = |name: &str| {
        let mut all = source.tensors();
        let found = all.find(|tensor| tensor.name == name).expect(name);
        (found.offset, found.bytes)
    };
    assert_eq!(place(HEAD), place(TABLE));
    let mut read = 0;
    let no_entry: Option<Stores<NoStore>> = None;
    let options = options(Dtype::Q8);
    let model = load(
        NAME,
        &files,
        None,
        no_entry,
        &options,
        Placement::cpu(),
        |event| {
            if let Event::Tensor { name, .. } = event {
                read += usize::from(name == HEAD) + usize::from(name == TABLE);
            }
        },
    );
    block_on(model).expect("a model");
    assert_eq!(read, 1);
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
fn one_encoder_of_each_family_says_what_the_whole_says() {
    for name in ["siglip", "siglip-timm", "siglip2", "chinese-clip"] {
        let load = |tasks: &[&str]| {
            let options = Options {
                tasks: tasks.iter().map(|task| task.to_string()).collect(),
                ..options(Dtype::F32)
            };
            load_files(&folder(name), None, &options).expect("a model")
        };
        let [all, image, text] = [load(&[]), load(&["embed-image"]), load(&["embed-text"])];
        assert!(text.info().image_size.is_none(), "{name}");
        assert_eq!(image.info().image_size, all.info().image_size, "{name}");
        let picture = std::fs::read(under_tests("pictures/landscape.png")).expect("a picture");
        let picture = obscura::image::decode(&picture).expect("a picture");
        let of_image = |model: &Model| block_on(model.embed_image(&picture, true));
        let of_text = |model: &Model| block_on(model.embed_text("a cat", true));
        assert_eq!(of_image(&image), of_image(&all), "{name}");
        assert_eq!(of_text(&text), of_text(&all), "{name}");
        // How similarities are read is known to the texts, too: a search has a cut-off.
        assert_eq!(block_on(text.gauge()), block_on(all.gauge()), "{name}");
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
