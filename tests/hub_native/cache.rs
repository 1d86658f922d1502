//! What is in the cache is used, and what is put there is as the hub's own tools have it.

use super::server::{COMMIT, Fault, Hub, page, path_at, sha256};
use super::{Scratch, WANTED, bytes_of, check_error, check_folder, hub_of, noise, repository};
use std::fs;
use std::path::{Path, PathBuf};

fn snapshot(scratch: &Scratch, commit: &str) -> PathBuf {
    let repository = scratch
        .options
        .environment
        .hub_cache
        .join("models--owner--name");
    repository.join("snapshots").join(commit)
}

#[test]
fn a_repository_is_laid_out_as_the_hubs_own_tools_do() {
    let files = repository();
    let (hub, scratch) = hub_of(&files);
    let folder = scratch.fetch("owner/name").unwrap();
    assert_eq!(folder, snapshot(&scratch, COMMIT));
    check_folder(&folder, &files, &WANTED);
    let repository = folder.parent().unwrap().parent().unwrap();
    assert_eq!(
        fs::read_to_string(repository.join("refs/main")).unwrap(),
        COMMIT
    );
    let sum = sha256(&bytes_of(&files, "model.safetensors"));
    assert!(repository.join("blobs").join(&sum).is_file());
    #[cfg(unix)]
    assert_eq!(
        fs::read_link(folder.join("model.safetensors")).unwrap(),
        Path::new("../../blobs").join(sum)
    );
    assert_eq!(hub.fetched(), WANTED, "only what is wanted is fetched");
    assert!(scratch.incomplete().is_empty());
}

#[test]
fn a_second_time_takes_one_question() {
    let files = repository();
    let (hub, scratch) = hub_of(&files);
    let first = scratch.fetch("owner/name").unwrap();
    hub.front.forget_requests();
    assert_eq!(scratch.fetch("owner/name").unwrap(), first);
    let requests = hub.front.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].method, "HEAD");
}

#[test]
fn a_model_that_writes_comes_with_its_settings_of_generation_where_it_has_some() {
    let golden = format!(
        "{}/tests/golden/blip-caption/model",
        env!("CARGO_MANIFEST_DIR")
    );
    let config = fs::read(format!("{golden}/config.json")).unwrap();
    let mut files = repository();
    files[0].1 = config;
    let (hub, mut scratch) = hub_of(&files);
    let without = scratch.fetch("owner/name").unwrap();
    check_folder(&without, &files, &WANTED);
    scratch.options.environment.offline = true;
    assert_eq!(scratch.fetch("owner/name").unwrap(), without);
    files.push(("generation_config.json", b"{\"num_beams\": 3}".to_vec()));
    drop(hub);
    let (_hub, scratch) = hub_of(&files);
    let wanted = [&WANTED[..], &["generation_config.json"]].concat();
    check_folder(&scratch.fetch("owner/name").unwrap(), &files, &wanted);
}

/// As LAION has its CoCas: the network's options alone or nothing, and no tokenizer, for open_clip has it in itself.
#[test]
fn a_tokenizer_that_open_clip_has_in_itself_comes_from_openais_repository() {
    const PLACE: &str = "openai/clip-vit-base-patch32";
    let config = br#"{"vision_cfg": {}, "text_cfg": {}, "multimodal_cfg": {}}"#;
    let weights = ("open_clip_pytorch_model.bin", noise(300_000, 3));
    let with_options = vec![weights.clone(), ("open_clip_config.json", config.to_vec())];
    for files in [vec![weights], with_options] {
        let (hub, mut scratch) = hub_of(&files);
        // As the hub answers, which tells the commit of what it has no such file of.
        let answer = [("X-Error-Code", "EntryNotFound"), ("X-Repo-Commit", COMMIT)];
        hub.front
            .missing(answer.map(|(name, value)| (name, value.into())).to_vec());
        let lacking = scratch.fetch("owner/name");
        check_error(lacking, "bad_weights", &["no tokenizer", PLACE]);
        let words = noise(5_000, 4);
        let path = format!("/{PLACE}/resolve/main/tokenizer.json");
        hub.front.put(&path, page(words.clone()));
        let folder = scratch.fetch("owner/name").unwrap();
        let fetched = fs::read(folder.join(PLACE).join("tokenizer.json")).unwrap();
        assert!(fetched == words, "other words");
        scratch.options.environment.offline = true;
        assert_eq!(scratch.fetch("owner/name").unwrap(), folder);
    }
}

/// A cache as Python leaves it.
fn filled_by_python(scratch: &Scratch, files: &[(&'static str, Vec<u8>)], names: &[&str]) {
    let folder = snapshot(scratch, COMMIT);
    let repository = folder.parent().unwrap().parent().unwrap();
    for below in ["blobs", "refs"] {
        fs::create_dir_all(repository.join(below)).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    fs::write(repository.join("refs/main"), COMMIT).unwrap();
    for name in names {
        let bytes = bytes_of(files, name);
        let blob = repository.join("blobs").join(sha256(&bytes));
        fs::write(&blob, bytes).unwrap();
        fs::hard_link(blob, folder.join(name)).unwrap();
    }
}

#[test]
fn what_python_has_fetched_is_not_fetched_again() {
    let files = repository();
    let names = [
        "config.json",
        "preprocessor_config.json",
        "vocab.txt",
        "pytorch_model.bin",
    ];
    let (hub, mut scratch) = hub_of(&files);
    filled_by_python(&scratch, &files, &names);
    // Other tokenizer and other weights than we would have chosen, but a whole model.
    scratch.options.environment.offline = true;
    check_folder(&scratch.fetch("owner/name").unwrap(), &files, &names);
    assert!(hub.front.requests().is_empty());
    scratch.options.revision = Some(COMMIT.into());
    scratch.options.environment.offline = false;
    check_folder(&scratch.fetch("owner/name").unwrap(), &files, &names);
    assert!(hub.front.requests().is_empty(), "a commit never changes");
}

#[test]
fn only_what_python_has_not_fetched_is_fetched() {
    let files = repository();
    let (hub, scratch) = hub_of(&files);
    let names = [
        "config.json",
        "preprocessor_config.json",
        "pytorch_model.bin",
    ];
    filled_by_python(&scratch, &files, &names);
    scratch.fetch("owner/name").unwrap();
    assert_eq!(hub.fetched(), ["tokenizer.json"]);
}

#[test]
fn without_a_network_the_last_fetched_is_used() {
    let files = repository();
    let (hub, scratch) = hub_of(&files);
    let folder = scratch.fetch("owner/name").unwrap();
    drop(hub);
    let (found, notices) = scratch.notices("owner/name");
    assert_eq!(found.unwrap(), folder);
    assert!(
        notices.len() == 1 && notices[0].contains("as it was last fetched"),
        "{notices:?}"
    );
}

#[test]
fn offline_asks_nobody_and_says_what_is_missing() {
    let files = repository();
    let (hub, mut scratch) = hub_of(&files);
    scratch.options.environment.offline = true;
    check_error(
        scratch.fetch("owner/name"),
        "network",
        &["main", "HF_HUB_OFFLINE"],
    );
    filled_by_python(
        &scratch,
        &files,
        &["config.json", "preprocessor_config.json"],
    );
    check_error(
        scratch.fetch("owner/name"),
        "bad_weights",
        &["owner/name", "cached", "tokenizer"],
    );
    assert!(hub.front.requests().is_empty());
}

#[test]
fn a_new_commit_is_fetched_beside_the_old_one_and_shares_its_files() {
    const LATER: &str = "89abcdef0123456789abcdef0123456789abcdef";
    let mut files = repository();
    let (hub, scratch) = hub_of(&files);
    let old = scratch.fetch("owner/name").unwrap();
    files[2].1 = noise(6_000, 9);
    hub.publish("main", LATER, &files);
    hub.front.forget_requests();
    let new = scratch.fetch("owner/name").unwrap();
    check_folder(&new, &files, &WANTED);
    assert_eq!(hub.fetched(), ["tokenizer.json"]);
    check_folder(&old, &repository(), &WANTED);
}

#[test]
fn branches_tags_and_pull_requests_are_revisions() {
    let files = repository();
    let hub = Hub::start(&[]);
    hub.publish("refs%2Fpr%2F4", COMMIT, &files);
    let mut scratch = Scratch::new(&hub.front);
    scratch.options.revision = Some("refs/pr/4".into());
    let folder = scratch.fetch("owner/name").unwrap();
    check_folder(&folder, &files, &WANTED);
    let repository = folder.parent().unwrap().parent().unwrap();
    assert_eq!(
        fs::read_to_string(repository.join("refs/refs/pr/4")).unwrap(),
        COMMIT
    );
    drop(hub);
    assert_eq!(scratch.fetch("owner/name").unwrap(), folder);
}

#[test]
fn weights_in_parts_are_fetched_with_their_index() {
    let index = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    let mut files = repository();
    files.retain(|(name, _)| *name != "model.safetensors");
    files.push(("model.safetensors.index.json", index.into()));
    files.push(("model-1.safetensors", noise(1_000, 5)));
    files.push(("model-2.safetensors", noise(2_000, 6)));
    let (hub, scratch) = hub_of(&files);
    let folder = scratch.fetch("owner/name").unwrap();
    let parts = [
        "model.safetensors.index.json",
        "model-1.safetensors",
        "model-2.safetensors",
    ];
    check_folder(&folder, &files, &[&WANTED[..3], &parts].concat());
    assert!(!hub.fetched().contains(&"pytorch_model.bin".to_string()));
}

#[test]
fn a_repository_of_one_gguf_file_needs_nothing_else() {
    let files = [("model.gguf", noise(1_000, 5))];
    let hub = Hub::start(&files);
    let scratch = Scratch::new(&hub.front);
    // The commit is told with every reply, even that there is no config.json.
    hub.front.missing(vec![
        ("X-Repo-Commit", COMMIT.into()),
        ("X-Error-Code", "EntryNotFound".into()),
    ]);
    let folder = scratch.fetch("owner/name").unwrap();
    assert_eq!(folder, snapshot(&scratch, COMMIT));
    check_folder(&folder, &files, &["model.gguf"]);
}

#[test]
fn open_clips_own_files_are_enough() {
    let files = [
        ("open_clip_config.json", b"{}".to_vec()),
        ("tokenizer.json", noise(500, 1)),
        ("open_clip_model.safetensors", noise(1_000, 5)),
    ];
    let hub = Hub::start(&files);
    let scratch = Scratch::new(&hub.front);
    hub.front.missing(vec![
        ("X-Repo-Commit", COMMIT.into()),
        ("X-Error-Code", "EntryNotFound".into()),
    ]);
    let names = files.each_ref().map(|(name, _)| *name);
    check_folder(&scratch.fetch("owner/name").unwrap(), &files, &names);
}

/// A pipeline of diffusers with two text encoders, as far as their files' names go.
fn pipeline() -> Vec<(&'static str, Vec<u8>)> {
    let index = br#"{"_class_name": "A", "text_encoder": ["transformers", "CLIPTextModel"]}"#;
    let config = br#"{"model_type": "clip_text_model"}"#;
    vec![
        ("model_index.json", index.to_vec()),
        ("text_encoder/config.json", config.to_vec()),
        ("text_encoder/model.safetensors", noise(1_000, 1)),
        ("tokenizer/vocab.json", noise(100, 2)),
        ("tokenizer/merges.txt", noise(100, 3)),
        ("text_encoder_2/config.json", config.to_vec()),
        ("text_encoder_2/model.fp16.safetensors", noise(1_000, 4)),
        ("tokenizer_2/tokenizer.json", noise(100, 5)),
        ("unet/config.json", b"{}".to_vec()),
        ("unet/diffusion_pytorch_model.safetensors", noise(1_000, 6)),
    ]
}

/// The files below a folder, with the folders that they are in.
fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(below(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found.sort();
    found
}

#[test]
fn of_a_pipeline_the_text_encoder_and_its_tokenizer_are_fetched() {
    let hub = Hub::start(&pipeline());
    let scratch = Scratch::new(&hub.front);
    hub.front.missing(vec![
        ("X-Repo-Commit", COMMIT.into()),
        ("X-Error-Code", "EntryNotFound".into()),
    ]);
    let root = scratch.fetch("owner/name").unwrap();
    assert_eq!(root, snapshot(&scratch, COMMIT));
    let expected = |names: &[&str]| -> Vec<String> {
        let paths = names.iter().map(|name| root.join(name));
        paths.map(|path| path.display().to_string()).collect()
    };
    let mut first = vec![
        "model_index.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
    ];
    assert_eq!(below(&root), expected(&first));
    for (name, bytes) in pipeline() {
        if first.contains(&name) {
            assert!(fs::read(root.join(name)).unwrap() == bytes, "{name}");
        }
    }
    let second = scratch.fetch("owner/name/text_encoder_2").unwrap();
    assert_eq!(second, root.join("text_encoder_2/"));
    first.splice(
        3..3,
        [
            "text_encoder_2/config.json",
            "text_encoder_2/model.fp16.safetensors",
        ],
    );
    first.push("tokenizer_2/tokenizer.json");
    let mut all = expected(&first);
    all.sort();
    assert_eq!(below(&root), all);
    // The same from a website, where the part is a folder among others.
    for (name, bytes) in pipeline() {
        hub.storage
            .put(&format!("/sd/{name}"), super::server::page(bytes));
    }
    let folder = scratch
        .fetch(&hub.storage.url("/sd/text_encoder_2"))
        .unwrap();
    assert!(folder.ends_with("text_encoder_2") && folder.join("config.json").exists());
    assert!(folder.join("../tokenizer_2/tokenizer.json").exists());
}

#[test]
fn two_at_once_download_once() {
    let files = repository();
    let (hub, scratch) = hub_of(&files);
    let weights = format!("/{}", sha256(&bytes_of(&files, "model.safetensors")));
    let pause = std::time::Duration::from_millis(20);
    hub.storage.fail(&weights, [Fault::Drip(20_000, pause)]);
    let folders = std::thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(|| scratch.fetch("owner/name").unwrap()));
        threads.map(|thread| thread.join().unwrap())
    });
    for folder in folders {
        check_folder(&folder, &files, &WANTED);
    }
    assert_eq!(hub.storage.gets(&weights).len(), 1);
    assert!(scratch.incomplete().is_empty());
}

#[test]
fn a_mirror_that_is_only_files_is_treated_as_a_website() {
    let files = repository();
    let (hub, scratch) = hub_of(&[]);
    for (name, bytes) in &files {
        hub.front
            .put(&path_at("main", name), super::server::page(bytes.clone()));
    }
    let folder = scratch.fetch("owner/name").unwrap();
    check_folder(&folder, &files, &WANTED);
    assert!(folder.starts_with(&scratch.options.environment.url_cache));
}
