//! Models from a hub and from other servers, as the command line fetches them: every fault of a
//! server or a line ends in the right files or in an error that says what to do.

#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

#[path = "hub_native/adapters.rs"]
mod adapters;
#[path = "hub_native/cache.rs"]
mod cache;
#[path = "hub_native/faults.rs"]
mod faults;
#[path = "hub_native/refusals.rs"]
mod refusals;
#[path = "hub_native/server.rs"]
mod server;
#[path = "hub_native/websites.rs"]
mod websites;

use obscura::hub::{self, Environment, Event, Options, Patience, Source};
use obscura::{Error, Result};
use server::{Hub, Server};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Caches for one test, which go away with it, and what is needed to fetch into them.
struct Scratch {
    folder: PathBuf,
    options: Options,
}

impl Scratch {
    /// With `endpoint` for a hub.
    fn new(endpoint: &Server) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("hub-{}-{number}", std::process::id()));
        let environment = Environment {
            endpoint: endpoint.url(""),
            token: None,
            hub_cache: folder.join("hub"),
            url_cache: folder.join("obscura"),
            offline: false,
        };
        let patience = Patience {
            tries: 6,
            pause: Duration::from_millis(1),
            longest: Duration::from_secs(5),
        };
        let options = Options {
            patience,
            silence: Duration::from_millis(700),
            ..Options::new(environment)
        };
        Self { folder, options }
    }

    fn fetch(&self, model: &str) -> Result<PathBuf> {
        self.fetch_with(model, &mut |_| {})
    }

    fn fetch_with(&self, model: &str, observer: &mut hub::Observer) -> Result<PathBuf> {
        let source = Source::parse(Path::new(model), &self.options.environment)?;
        hub::fetch(&source, &self.options, &check_config, observer)
    }

    /// Fetches, and returns what a person would read meanwhile.
    fn notices(&self, model: &str) -> (Result<PathBuf>, Vec<String>) {
        let mut notices = Vec::new();
        let fetched = self.fetch_with(model, &mut |event| {
            if let Event::Notice(text) = event {
                notices.push(text.to_string());
            }
        });
        (fetched, notices)
    }

    /// All files below the caches, without those that only lock.
    fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), vec![self.folder.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                match path.is_dir() && !path.is_symlink() {
                    true => folders.push(path),
                    false if path.extension().is_some_and(|ending| ending == "lock") => {}
                    false => files.push(path),
                }
            }
        }
        files.sort();
        files
    }

    /// Whether anything is left of a download that is not over.
    fn incomplete(&self) -> Vec<PathBuf> {
        let is_incomplete = |path: &PathBuf| path.to_string_lossy().contains(".incomplete");
        self.files().into_iter().filter(is_incomplete).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder); // left over, it would only take room
    }
}

/// Stands in for the models' own check.
fn check_config(text: &str) -> Result<()> {
    match text.contains("clip") || text.contains("blip") {
        true => Ok(()),
        false => Err(Error::BadWeights(format!(
            "{text} is no model that is known"
        ))),
    }
}

/// A repository's wanted files, and some that are not.
fn repository() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("config.json", b"{\"model_type\": \"clip\"}".to_vec()),
        ("preprocessor_config.json", b"{}".to_vec()),
        ("tokenizer.json", noise(5_000, 1)),
        ("model.safetensors", noise(300_000, 2)),
        ("pytorch_model.bin", noise(300_000, 3)),
        ("README.md", b"a model".to_vec()),
        ("vocab.txt", b"a\nb".to_vec()),
    ]
}

const WANTED: [&str; 4] = [
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "model.safetensors",
];

fn hub_of(files: &[(&'static str, Vec<u8>)]) -> (Hub, Scratch) {
    let hub = Hub::start(files);
    let scratch = Scratch::new(&hub.front);
    (hub, scratch)
}

fn bytes_of(files: &[(&'static str, Vec<u8>)], name: &str) -> Vec<u8> {
    let found = files.iter().find(|(file, _)| *file == name);
    found.unwrap_or_else(|| panic!("no {name}")).1.clone()
}

/// Checks that a folder holds these files of `files`, byte for byte, and no others.
#[track_caller]
fn check_folder(folder: &Path, files: &[(&'static str, Vec<u8>)], wanted: &[&str]) {
    for name in wanted {
        let found =
            std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found == bytes_of(files, name), "{name} differs");
    }
    let entries = std::fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let visible = names
        .filter(|name| !name.to_string_lossy().starts_with('.'))
        .count();
    assert_eq!(visible, wanted.len(), "files in {}", folder.display());
}

#[track_caller]
fn check_error(result: Result<PathBuf>, code: &str, words: &[&str]) {
    let error = result.expect_err("this should have failed");
    assert_eq!(error.code(), code, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "no {word:?} in: {error}");
    }
}

/// Bytes that are the same for the same seed.
fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    (0..count).map(|_| random.below(256) as u8).collect()
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
