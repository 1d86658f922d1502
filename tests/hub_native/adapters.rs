//! Adapters on the hub: two files of a repository, and whose model they are for.

use super::server::COMMIT;
use super::{WANTED, check_folder, hub_of, noise, repository};

const ADAPTER: [&str; 2] = ["adapter_config.json", "adapter_model.safetensors"];

fn adapter_of(base: &str) -> Vec<(&'static str, Vec<u8>)> {
    let config = format!("{{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"{base}\"}}");
    vec![
        ("adapter_config.json", config.into_bytes()),
        ("adapter_model.safetensors", noise(9_000, 7)),
        ("adapter_model.bin", noise(9_000, 8)),
        ("training_args.bin", noise(100, 9)),
    ]
}

#[test]
fn of_an_adapter_two_files_are_fetched_and_a_second_time_takes_one_question() {
    let files = adapter_of("owner/base");
    let (hub, scratch) = hub_of(&files);
    hub.front.missing(vec![
        ("X-Error-Code", "EntryNotFound".into()),
        ("X-Repo-Commit", COMMIT.into()),
    ]);
    let folder = scratch.fetch("owner/name").unwrap();
    check_folder(&folder, &files, &ADAPTER);
    assert_eq!(hub.fetched(), ADAPTER);
    let repository = folder.parent().unwrap().parent().unwrap();
    let note = repository
        .join(".no_exist")
        .join(COMMIT)
        .join("config.json");
    assert!(note.is_file(), "as the hub's own tools note it");
    hub.front.forget_requests();
    assert_eq!(scratch.fetch("owner/name").unwrap(), folder);
    assert_eq!(hub.front.requests().len(), 1);
}

#[test]
fn a_model_beside_an_adapter_is_fetched_if_it_is_the_adapters_base() {
    for (base, whole) in [("owner/name", true), ("owner/other", false)] {
        let files = [repository(), adapter_of(base)].concat();
        let (_hub, scratch) = hub_of(&files);
        let folder = scratch.fetch("owner/name").unwrap();
        match whole {
            true => check_folder(&folder, &files, &[&WANTED[..], &ADAPTER].concat()),
            false => check_folder(&folder, &files, &[&WANTED[..1], &ADAPTER].concat()),
        }
    }
}
