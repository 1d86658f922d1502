//! What cannot be fetched is refused with words that help; and nobody is told what is not theirs.

use super::server::{COMMIT, Fault, Hub, Page, Server, page, path_at};
use super::{Scratch, WANTED, check_error, check_folder, hub_of, repository};

fn code(name: &str) -> Vec<(&'static str, String)> {
    vec![("X-Error-Code", name.into())]
}

/// What fetching says when the hub refuses config.json, with a token or without.
fn refused(status: u16, error: &str, token: Option<&str>) -> super::Result<std::path::PathBuf> {
    let hub = Hub::start(&repository());
    let mut scratch = Scratch::new(&hub.front);
    scratch.options.environment.token = token.map(str::to_string);
    let refusal = Page {
        status: Some(status),
        headers: code(error),
        ..Page::default()
    };
    hub.front.put(&path_at("main", "config.json"), refusal);
    scratch.fetch("owner/name")
}

#[test]
fn gated_and_private_repositories_say_how_to_pass_a_token() {
    check_error(
        refused(401, "GatedRepo", None),
        "network",
        &["gated", "accept", "HF_TOKEN"],
    );
    check_error(
        refused(403, "GatedRepo", Some("t")),
        "network",
        &["gated", "your token", "accept"],
    );
    check_error(
        refused(401, "RepoNotFound", None),
        "network",
        &["owner/name", "spelling", "HF_TOKEN"],
    );
    check_error(
        refused(403, "", Some("t")),
        "network",
        &["owner/name", "your token has no access"],
    );
}

#[test]
fn what_is_not_there_is_named() {
    let words = ["no repository owner/name", "spelling"];
    check_error(refused(404, "RepoNotFound", None), "network", &words);
    let words = ["owner/name", "no revision main"];
    check_error(refused(404, "RevisionNotFound", None), "network", &words);
    for (lacking, said) in [
        ("config.json", "config.json"),
        ("preprocessor_config.json", "preprocessor_config.json"),
        ("tokenizer.json", "no tokenizer"),
        ("model.safetensors", "no weights"),
    ] {
        let mut files = repository();
        let others = ["vocab.txt", "pytorch_model.bin"];
        files.retain(|(name, _)| *name != lacking && !others.contains(name));
        let (_hub, scratch) = hub_of(&files);
        check_error(
            scratch.fetch("owner/name"),
            "bad_weights",
            &["owner/name", "main", said],
        );
    }
}

#[test]
fn a_part_that_is_missing_and_an_index_that_leads_astray_are_named() {
    for (index, words) in [
        (
            r#"{"weight_map": {"a": "part.safetensors"}}"#,
            "part.safetensors",
        ),
        (
            r#"{"weight_map": {"a": "../../refs/main"}}"#,
            "../../refs/main",
        ),
    ] {
        let mut files = repository();
        files.retain(|(name, _)| *name != "model.safetensors");
        files.push(("model.safetensors.index.json", index.into()));
        let (_hub, scratch) = hub_of(&files);
        check_error(scratch.fetch("owner/name"), "bad_weights", &[words]);
    }
}

#[test]
fn another_kind_of_model_is_refused_before_its_weights_are_fetched() {
    let mut files = repository();
    files[0].1 = b"{\"model_type\": \"bert\"}".to_vec();
    let (hub, scratch) = hub_of(&files);
    check_error(scratch.fetch("owner/name"), "bad_weights", &["bert"]);
    assert_eq!(hub.fetched(), ["config.json"]);
}

#[test]
fn the_token_is_for_the_hub_alone() {
    let hub = Hub::start(&repository());
    let mut scratch = Scratch::new(&hub.front);
    scratch.options.environment.token = Some("hf_secret".into());
    check_folder(
        &scratch.fetch("owner/name").unwrap(),
        &repository(),
        &WANTED,
    );
    hub.storage.put("/model.gguf", page("weights"));
    scratch.fetch(&hub.storage.url("/model.gguf")).unwrap();
    let asked = |server: &Server| {
        let requests = server.requests().into_iter();
        let tokens = requests.map(|request| request.header("authorization").map(str::to_string));
        tokens.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        asked(&hub.front),
        [Some("Bearer hf_secret".to_string())].into()
    );
    assert_eq!(asked(&hub.storage), [None].into());
}

#[test]
fn redirects_that_lead_nowhere_are_refused() {
    let server = Server::start();
    let scratch = Scratch::new(&server);
    for (location, words) in [
        (server.url("/model.gguf"), "redirects for ever"),
        ("file:///etc/passwd".into(), "not followed"),
        ("ftp://host/x".into(), "not followed"),
    ] {
        server.put(
            "/model.gguf",
            Page {
                location: Some(location),
                ..Page::default()
            },
        );
        check_error(
            scratch.fetch(&server.url("/model.gguf")),
            "network",
            &["/model.gguf", words],
        );
    }
}

#[test]
fn a_compressed_reply_is_refused() {
    let server = Server::start();
    let scratch = Scratch::new(&server);
    let headers = vec![("Content-Encoding", "gzip".to_string())];
    server.put(
        "/model.gguf",
        Page {
            headers,
            ..page("weights")
        },
    );
    check_error(
        scratch.fetch(&server.url("/model.gguf")),
        "network",
        &["compresses", "gzip"],
    );
    assert_eq!(
        server.requests()[0].header("accept-encoding"),
        Some("identity")
    );
    assert!(scratch.incomplete().is_empty());
}

#[test]
fn names_that_a_hub_makes_up_do_not_lead_out_of_the_cache() {
    for (commit, etag) in [
        ("../../../out", "plain"),
        ("/tmp/out", "plain"),
        (COMMIT, "../../../../out"),
        (COMMIT, "/tmp/out"),
        (COMMIT, ""),
        ("..", ".."),
    ] {
        let (hub, scratch) = hub_of(&repository());
        for (name, bytes) in repository() {
            for at in ["main", commit] {
                let headers = vec![("X-Repo-Commit", commit.to_string())];
                let named = Page {
                    headers,
                    etag: etag.into(),
                    ..page(bytes.clone())
                };
                hub.front.put(&path_at(at, name), named);
            }
        }
        let folder = scratch.fetch("owner/name").unwrap();
        let folder = folder.canonicalize().unwrap();
        assert!(
            folder.starts_with(scratch.folder.canonicalize().unwrap()),
            "{}",
            folder.display()
        );
        assert!(!scratch.folder.join("out").exists() && !std::path::Path::new("/tmp/out").exists());
    }
}

#[test]
fn a_checksum_that_is_asked_for_is_checked_everywhere() {
    let files = repository();
    let sum = super::server::sha256(&super::bytes_of(&files, "model.safetensors"));
    let (hub, mut scratch) = hub_of(&files);
    let other = "0".repeat(64);
    scratch.options.sha256 = Some(other.clone());
    check_error(
        scratch.fetch("owner/name"),
        "integrity",
        &["model.safetensors", &sum, &other],
    );
    assert!(!hub.fetched().contains(&"model.safetensors".to_string()));
    scratch.options.sha256 = Some(sum.to_uppercase());
    let folder = scratch.fetch("owner/name").unwrap();
    check_folder(&folder, &files, &WANTED);

    // In the cache, damaged: fetched again. On this machine: refused.
    std::fs::write(folder.join("model.safetensors"), vec![0; 300_000]).unwrap();
    let local = folder.to_str().unwrap();
    check_error(
        scratch.fetch(local),
        "integrity",
        &["model.safetensors", &sum],
    );
    check_folder(&scratch.fetch("owner/name").unwrap(), &files, &WANTED);
    assert_eq!(scratch.fetch(local).unwrap(), folder);

    scratch.options.sha256 = Some("abc".into());
    check_error(scratch.fetch(local), "bad_input", &["--sha256", "64"]);
}

#[test]
fn a_hub_that_cannot_be_reached_is_named() {
    let server = Server::start();
    let mut scratch = Scratch::new(&server);
    scratch.options.patience.tries = 2;
    drop(server);
    let endpoint = scratch.options.environment.endpoint.clone();
    check_error(
        scratch.fetch("owner/name"),
        "network",
        &[&endpoint, "refused", "tried 2 times"],
    );
}

#[test]
fn a_revision_needs_a_hub_id_and_has_to_be_one() {
    let (hub, mut scratch) = hub_of(&repository());
    for revision in ["../main", "a//b", "", "a b", ".hidden"] {
        scratch.options.revision = Some(revision.into());
        check_error(
            scratch.fetch("owner/name"),
            "bad_input",
            &["revision", revision],
        );
    }
    scratch.options.revision = Some("main".into());
    check_error(
        scratch.fetch(&hub.front.url("/x.gguf")),
        "bad_input",
        &["--revision", "hub ids"],
    );
    hub.front.fail("/none", [Fault::None]);
    assert!(hub.front.requests().is_empty());
}
