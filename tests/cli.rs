//! The command line as its users meet it: the built program, run on the small golden models. What it
//! has to say is in the reference's `expected.json` files.

#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

#[path = "cli/adapters.rs"]
mod adapters;
#[path = "cli/album.rs"]
mod album;
#[path = "cli/alt.rs"]
mod alt;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/by_default.rs"]
mod by_default;
#[path = "cli/failures.rs"]
mod failures;
#[path = "cli/files.rs"]
mod files;
#[cfg(feature = "train")]
#[path = "cli/filter.rs"]
mod filter;
#[path = "cli/folder.rs"]
mod folder;
#[path = "cli/hub.rs"]
mod hub;
#[path = "cli/pictures.rs"]
mod pictures;
#[allow(dead_code)] // its other user needs more of it
#[path = "hub_native/server.rs"]
mod server;
#[path = "cli/tasks.rs"]
mod tasks;
#[cfg(feature = "train")]
#[path = "cli/training.rs"]
mod training;
#[path = "cli/vectors.rs"]
mod vectors;
#[cfg(feature = "train")]
#[path = "cli/vqa.rs"]
mod vqa;
#[cfg(feature = "train")]
#[path = "cli/zero_shot.rs"]
mod zero_shot;

use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What one run of the program left behind.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    /// The lines of a run that has to succeed and to say nothing on standard error.
    fn lines(&self) -> Vec<&str> {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (0, ""),
            "{}",
            self.stdout
        );
        self.stdout.lines().collect()
    }

    /// The JSON objects, one a line, of a run that has to succeed.
    fn objects(&self) -> Vec<Value> {
        let lines = self.lines();
        let parsed = lines.iter().map(|line| serde_json::from_str(line));
        parsed.collect::<Result<_, _>>().expect("JSON on each line")
    }

    /// The one JSON object of a run that has to succeed.
    fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{}", self.stdout);
        objects.remove(0)
    }

    /// Wants a failure with this exit code, and each of `words` in what it says.
    fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for word in words {
            assert!(
                self.stderr.contains(word),
                "no {word:?} in: {}",
                self.stderr
            );
        }
    }
}

fn obscura<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_obscura"))
        .args(arguments)
        .output()
        .expect("the program starts");
    Run {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Runs words of a command line, after which `--dtype f32 --json` is added.
fn exact(words: &[&str]) -> Run {
    obscura([words, &["--dtype", "f32", "--json"]].concat())
}

fn under_tests(path: &str) -> String {
    format!("{}/tests/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// A golden model's folder in Hugging Face layout.
fn model(name: &str) -> String {
    under_tests(&format!("golden/{name}/model"))
}

fn picture(name: &str) -> String {
    under_tests(&format!("pictures/{name}"))
}

/// What the reference says about a golden model.
fn expected(name: &str) -> Value {
    let path = under_tests(&format!("golden/{name}/expected.json"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("golden data")).expect("JSON")
}

/// A JSON object's keys, in alphabetical order.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(number)
        .collect()
}

#[track_caller]
fn assert_near(found: &Value, expected: &Value, within: f64) {
    let difference = (number(found) - number(expected)).abs();
    assert!(difference <= within, "{found} for {expected}");
}

/// A folder for one test, which goes away with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("cli-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_string()
    }

    /// Copies a golden model's folder, so that the test may change it.
    fn copy_of(&self, name: &str) -> String {
        let copy = self.path(name);
        std::fs::create_dir_all(&copy).expect("a folder");
        for file in std::fs::read_dir(model(name)).expect("a golden model") {
            let file = file.expect("an entry").path();
            let to = Path::new(&copy).join(file.file_name().expect("a name"));
            std::fs::copy(&file, to).expect("a copy");
        }
        copy
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("a folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).into_string().expect("UTF-8"))
            .collect();
        names.sort_unstable();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // left over, it would only take room
    }
}
