//! LoRA adapters on the command line: merged into a model, in place of one, and from elsewhere.

use super::hub::{hub_of, run};
use super::server::page;
use super::{Scratch, exact, model, obscura, picture, under_tests};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn adapter(name: &str) -> String {
    under_tests(&format!("golden/adapters/{name}"))
}

/// What the reference says about a golden model with adapters.
fn reference(load: &str) -> Value {
    let text = fs::read_to_string(under_tests("golden/adapters/expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["loads"][load]["ids"].clone()
}

fn caption<'w>(model: &'w str, picture: &'w str, more: &[&'w str]) -> Vec<&'w str> {
    [&["caption", model, picture, "--max-new-tokens", "12"], more].concat()
}

/// The adapter with another base in its configuration.
fn with_base(scratch: &Scratch, name: &str, base: Value) -> String {
    let folder = scratch.path(name);
    fs::create_dir_all(&folder).unwrap();
    for file in fs::read_dir(adapter(name)).unwrap() {
        let file = file.unwrap().path();
        fs::copy(&file, Path::new(&folder).join(file.file_name().unwrap())).unwrap();
    }
    let path = format!("{folder}/adapter_config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    config["base_model_name_or_path"] = base;
    fs::write(&path, config.to_string()).unwrap();
    folder
}

#[test]
fn adapters_are_merged_in_their_order() {
    let (base, picture) = (model("blip-caption"), picture("landscape.png"));
    let [plain, second] = ["blip-plain", "blip-second"].map(adapter);
    let one = exact(&caption(&base, &picture, &["--adapter", &plain])).object();
    assert_eq!(one["tokens"], reference("blip-plain"));
    let both = ["--adapter", &plain, "--adapter", &second];
    let both = exact(&caption(&base, &picture, &both)).object();
    assert_eq!(both["tokens"], reference("blip-two"));
}

#[test]
fn an_adapter_stands_for_its_base_with_the_adapter_merged() {
    let (base, picture, scratch) = (
        model("blip-caption"),
        picture("landscape.png"),
        Scratch::new("adapter"),
    );
    let named = with_base(&scratch, "blip-plain", json!(base));
    let found = exact(&caption(&named, &picture, &[])).object();
    assert_eq!(found["tokens"], reference("blip-plain"));
    let weights = format!("{named}/adapter_model.safetensors");
    let found = exact(&caption(&weights, &picture, &[])).object();
    assert_eq!(
        found["tokens"],
        reference("blip-plain"),
        "named by its weights"
    );
    let given = adapter("blip-plain");
    let found = exact(&caption(&given, &picture, &["--base", &base])).object();
    assert_eq!(found["tokens"], reference("blip-plain"));
    // An adapter of an adapter, and one more.
    let on_top = with_base(&scratch, "blip-second", json!(named));
    let found = exact(&caption(&on_top, &picture, &[])).object();
    assert_eq!(found["tokens"], reference("blip-two"));
}

#[test]
fn an_adapter_beside_a_model_is_merged_into_it() {
    let (picture, scratch) = (picture("landscape.png"), Scratch::new("adapter-beside"));
    let folder = scratch.copy_of("blip-caption");
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(
            format!("{}/{file}", adapter("blip-plain")),
            format!("{folder}/{file}"),
        )
        .unwrap();
    }
    let found = exact(&caption(&folder, &picture, &[])).object();
    assert_eq!(found["tokens"], reference("blip-plain"));
    obscura(["inspect", &folder, "--base", &model("blip-caption")])
        .fails(1, &["--base", "--adapter"]);
}

#[test]
fn a_converted_file_has_the_adapter_merged_and_inspect_names_it() {
    let (base, picture, scratch) = (
        model("blip-caption"),
        picture("landscape.png"),
        Scratch::new("adapter-file"),
    );
    let (file, plain) = (scratch.path("merged.gguf"), adapter("blip-plain"));
    let words = [
        "convert",
        &base,
        &file,
        "--adapter",
        &plain,
        "--dtype",
        "f32",
        "--json",
    ];
    let formats = obscura(words).object()["formats"].clone();
    assert_eq!(formats, json!({ "F32": 129 }));
    let found = exact(&caption(&file, &picture, &[])).object();
    assert_eq!(found["tokens"], reference("blip-plain"));
    for words in [
        vec!["inspect", &base, "--adapter", &plain],
        vec!["inspect", &file],
    ] {
        let found = obscura([&words[..], &["--json"]].concat()).object()["adapters"].clone();
        assert_eq!(found[0]["name"], "blip-plain");
        assert_eq!(found[0]["tensors"], 18);
        let text = obscura(&words).lines().join("\n");
        assert!(
            text.contains("adapter       blip-plain, rank 2, changes 18 tensors"),
            "{text}"
        );
    }
}

#[test]
fn an_adapter_that_cannot_be_used_says_what_to_do() {
    let (base, scratch) = (model("blip-caption"), Scratch::new("adapter-refused"));
    let fails = |words: &[&str], expected: &[&str]| obscura(words).fails(1, expected);
    let gone = with_base(&scratch, "blip-plain", json!("/content/drive/blip"));
    fails(
        &["inspect", &gone],
        &["blip-plain", "/content/drive/blip", "--base"],
    );
    let unknown = with_base(&scratch, "blip-second", Value::Null);
    fails(
        &["inspect", &unknown],
        &["blip-second", "does not say", "--base"],
    );
    let itself = with_base(&scratch, "blip-words", json!(scratch.path("blip-words")));
    fails(&["inspect", &itself], &["blip-words", "each other"]);
    fails(
        &["inspect", &base, "--adapter", &base],
        &["no PEFT adapter", "adapter_config.json"],
    );
    fails(&["inspect", &base, "--adapter", "nowhere"], &["nowhere"]);
    let other = adapter("clip-plain");
    fails(
        &["inspect", &base, "--adapter", &other],
        &["clip-plain", "another model", "CLIPModel"],
    );
}

#[test]
fn adapters_and_their_bases_are_fetched() {
    let (hub, scratch) = (hub_of("blip-caption"), Scratch::new("adapter-hub"));
    let local = with_base(&scratch, "blip-plain", json!("owner/name"));
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let bytes = fs::read(format!("{local}/{file}")).unwrap();
        hub.front
            .put(&format!("/models/adapters/plain/{file}"), page(bytes));
    }
    let (url, picture) = (
        hub.front.url("/models/adapters/plain"),
        picture("landscape.png"),
    );
    let exactly = ["--dtype", "f32", "--json"];
    let found = run(&scratch, &hub.front, &caption(&url, &picture, &exactly)).object();
    assert_eq!(found["tokens"], reference("blip-plain"));
    let with_adapter = ["--adapter", &url, "--dtype", "f32", "--json"];
    let found = run(
        &scratch,
        &hub.front,
        &caption("owner/name", &picture, &with_adapter),
    )
    .object();
    assert_eq!(found["tokens"], reference("blip-plain"));
}
