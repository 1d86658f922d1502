//! What the real tools saved, from transformers 4.21 to today's, and open_clip, sentence-transformers, peft and
//! torch beside it: every folder of `tests/golden/eras` loads, and says what its own tool said.
//! docs/checkpoints.md lists them. In a browser, `browser.rs` checks the same.
#![cfg(not(target_arch = "wasm32"))]

#[allow(
    dead_code,
    reason = "of what it shares, this takes the reading and the bounds"
)]
mod parity;
#[path = "eras/rows.rs"]
mod rows;

use obscura::device::Placement;
use obscura::models::ModelConfig;
use pollster::block_on;
use std::collections::BTreeSet;

#[test]
fn checkpoints_of_every_era_and_tool_say_what_was_recorded() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/eras");
    let entries = std::fs::read_dir(folder).expect("golden data");
    let entries = entries.map(|entry| entry.expect("a readable folder"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders
        .map(|entry| entry.file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    block_on(rows::check(&names, &Placement::cpu()));
}

/// Some versions write every field down, some leave out what is at its default. Up to 4.30 a text's
/// state was that of the id that is largest, whatever the configuration said, which those files still
/// ask for.
#[test]
fn a_configuration_of_defaults_means_the_same_in_every_version() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/configurations");
    let kinds = ["clip of old", "clip", "blip"];
    let mut meanings = kinds.map(|_| BTreeSet::new());
    for entry in std::fs::read_dir(folder).expect("golden data") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        let kind = match name.strip_prefix("clip-transformers-") {
            Some("4.21" | "4.26" | "4.30") => 0,
            Some(_) => 1,
            None => 2,
        };
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let config = ModelConfig::from_json(&text).expect("a configuration");
        meanings[kind].insert(format!("{config:?}"));
    }
    for (kind, meanings) in kinds.iter().zip(meanings) {
        assert_eq!(meanings.len(), 1, "{kind}: {meanings:#?}");
    }
}
