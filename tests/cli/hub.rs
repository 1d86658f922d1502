//! Models by hub id and by URL: the same results as from their folders.

use super::server::{COMMIT, Fault, Hub, Server, page, path_at, sha256};
use super::{Run, Scratch, expected, model, picture};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A golden model's files.
fn golden(name: &str) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(model(name)).unwrap();
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    files.map(|entry| file(entry.unwrap())).collect()
}

pub fn hub_of(name: &str) -> Hub {
    let files = golden(name);
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    Hub::start(&files)
}

/// The program, with its caches in `scratch` and with `endpoint` for a hub.
fn program(scratch: &Scratch, endpoint: &Server, words: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_obscura"));
    program
        .args(words)
        .env_clear()
        .env("HOME", scratch.path("home"))
        .env("HF_ENDPOINT", endpoint.url(""));
    program
}

fn finished(mut program: Command) -> Run {
    let output = program.output().expect("the program starts");
    Run {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

pub fn run(scratch: &Scratch, endpoint: &Server, words: &[&str]) -> Run {
    finished(program(scratch, endpoint, words))
}

#[test]
fn a_hub_id_gives_the_references_caption_and_again_without_the_hub() {
    let (hub, scratch) = (hub_of("blip-caption"), Scratch::new("hub-id"));
    let image = picture("landscape.png");
    let words = ["caption", "owner/name", &image, "--dtype", "f32", "--json"];
    let reference = &expected("blip-caption")["captions"]["landscape.png"]["greedy"]["ids"];
    let found = run(&scratch, &hub.front, &words).object();
    assert_eq!(&found["tokens"], reference);
    let cache = scratch.path("home/.cache/huggingface/hub/models--owner--name/snapshots");
    assert!(
        Path::new(&cache)
            .join(COMMIT)
            .join("model.safetensors")
            .exists()
    );
    let asked = hub.front.requests().len();
    let mut offline = program(&scratch, &hub.front, &words);
    offline.env("HF_HUB_OFFLINE", "1");
    assert_eq!(&finished(offline).object()["tokens"], reference);
    assert_eq!(hub.front.requests().len(), asked);
}

#[test]
fn inspect_and_convert_take_ids_and_urls() {
    let (hub, scratch) = (hub_of("clip-quick"), Scratch::new("hub-convert"));
    let local = super::obscura(["inspect", &model("clip-quick"), "--json"]).object();
    let remote = run(&scratch, &hub.front, &["inspect", "owner/name", "--json"]).object();
    assert_eq!(remote["tensors"], local["tensors"]);
    assert_eq!(
        (&remote["model"], &remote["container"]),
        (&"owner/name".into(), &"folder".into())
    );

    let website = Server::start();
    for (name, bytes) in golden("clip-quick") {
        website.put(&format!("/clip/{name}"), page(bytes));
    }
    let (one, two) = (scratch.path("one.gguf"), scratch.path("two.gguf"));
    run(&scratch, &hub.front, &["convert", "owner/name", &one]).lines();
    run(
        &scratch,
        &hub.front,
        &["convert", &website.url("/clip/"), &two],
    )
    .lines();
    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());
    website.put("/clip.gguf", page(fs::read(&one).unwrap()));
    let url = website.url("/clip.gguf");
    let by_url = run(&scratch, &hub.front, &["inspect", &url, "--json"]).object();
    assert_eq!(by_url["container"], "gguf");
    let sum = sha256(&fs::read(&one).unwrap());
    run(&scratch, &hub.front, &["inspect", &url, "--sha256", &sum]).lines();
    let wrong = sum.replace(['0', '1'], "2");
    run(&scratch, &hub.front, &["inspect", &url, "--sha256", &wrong]).fails(1, &[&sum, &wrong]);
    run(&scratch, &hub.front, &["inspect", &one, "--sha256", &wrong]).fails(1, &[&sum, &one]);
}

#[test]
fn a_revision_is_the_one_that_is_used() {
    const LATER: &str = "89abcdef0123456789abcdef0123456789abcdef";
    let (hub, scratch) = (hub_of("clip-quick"), Scratch::new("hub-revision"));
    let other = golden("clip-gelu");
    let other: Vec<_> = other
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    hub.publish("other", LATER, &other);
    let tensors = |words: &[&str]| run(&scratch, &hub.front, words).object()["tensors"].clone();
    let local =
        |name| super::obscura(["inspect", &model(name), "--json"]).object()["tensors"].clone();
    assert_eq!(
        tensors(&["inspect", "owner/name", "--json"]),
        local("clip-quick")
    );
    let words = ["inspect", "owner/name", "--revision", "other", "--json"];
    assert_eq!(tensors(&words), local("clip-gelu"));
    let on_a_folder = ["inspect", &model("clip-quick"), "--revision", "other"];
    run(&scratch, &hub.front, &on_a_folder).fails(1, &["--revision", "hub ids"]);
}

#[test]
fn what_is_not_a_model_is_refused_before_its_weights_come() {
    let hub = Hub::start(&[
        (
            "config.json",
            b"{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"]}".to_vec(),
        ),
        ("model.safetensors", vec![0; 1000]),
    ]);
    let scratch = Scratch::new("hub-bert");
    run(&scratch, &hub.front, &["inspect", "owner/name"]).fails(1, &["bert", "clip"]);
    assert_eq!(hub.fetched(), ["config.json"]);
    run(&scratch, &hub.front, &["inspect", "owner/other"])
        .fails(1, &["owner/other", "config.json"]);
}

#[test]
fn a_download_that_was_killed_goes_on() {
    let (hub, scratch) = (hub_of("clip-quick"), Scratch::new("hub-killed"));
    let weights = fs::read(Path::new(&model("clip-quick")).join("model.safetensors")).unwrap();
    let path = format!("/{}", sha256(&weights));
    hub.storage.fail(&path, [Fault::Stall(100_000)]);
    let words = ["inspect", "owner/name"];
    let mut killed = program(&scratch, &hub.front, &words);
    let mut killed = killed
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let blobs = scratch.path("home/.cache/huggingface/hub/models--owner--name/blobs");
    let part = Path::new(&blobs).join(format!("{}.incomplete", &path[1..]));
    let start = Instant::now();
    while part.metadata().map_or(0, |part| part.len()) < 100_000 {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing arrives");
        std::thread::sleep(Duration::from_millis(10));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    run(&scratch, &hub.front, &words).lines();
    let gets = hub.storage.gets(&path);
    assert_eq!(gets.last().unwrap().header("range"), Some("bytes=100000-"));
}

#[test]
fn several_programs_at_once_download_once() {
    let (hub, scratch) = (hub_of("clip-quick"), Scratch::new("hub-several"));
    let weights = fs::read(Path::new(&model("clip-quick")).join("model.safetensors")).unwrap();
    let path = format!("/{}", sha256(&weights));
    hub.storage
        .fail(&path, [Fault::Drip(40_000, Duration::from_millis(20))]);
    let start = |_| {
        let mut one = program(&scratch, &hub.front, &["inspect", "owner/name"]);
        one.stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    for mut one in [(); 3].map(start) {
        assert!(one.wait().unwrap().success());
    }
    assert_eq!(hub.storage.gets(&path).len(), 1);
}

/// A limit of file sizes stands in for a full disk: both end in a failing write.
#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_the_download_goes_on_when_there_is_room() {
    let (hub, scratch) = (hub_of("clip-quick"), Scratch::new("hub-full"));
    let mut limited = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" inspect owner/name";
    limited
        .args(["-c", script, env!("CARGO_BIN_EXE_obscura")])
        .env_clear()
        .env("HOME", scratch.path("home"))
        .env("HF_ENDPOINT", hub.front.url(""));
    finished(limited).fails(1, &["cannot be written", "Make room", "HF_HOME"]);
    run(&scratch, &hub.front, &["inspect", "owner/name"]).lines();
}

#[test]
fn a_token_is_read_from_the_file_that_the_hubs_tools_write() {
    let (hub, scratch) = (hub_of("clip-quick"), Scratch::new("hub-token"));
    let home = scratch.path("home/.cache/huggingface");
    fs::create_dir_all(&home).unwrap();
    fs::write(format!("{home}/token"), "hf_from_file\n").unwrap();
    run(&scratch, &hub.front, &["inspect", "owner/name"]).lines();
    let requests = hub.front.requests();
    let token = |request: &super::server::Request| {
        request.header("authorization") == Some("Bearer hf_from_file")
    };
    assert!(requests.iter().all(token), "{requests:?}");
    let gone = path_at(COMMIT, "config.json");
    assert!(requests.iter().any(|request| request.path == gone));
}

#[test]
fn the_help_tells_what_a_model_may_be_and_what_the_environment_does() {
    let help = super::obscura(["--help"]);
    let help = help.lines().join("\n");
    for word in [
        "hub id",
        "URL",
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "--revision",
        "--sha256",
        "--adapter",
        "--base",
    ] {
        assert!(help.contains(word), "no {word:?} in: {help}");
    }
}
