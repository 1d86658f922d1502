//! Files and folders behind plain URLs.

use super::server::{Page, Server, page};
use super::{Scratch, WANTED, bytes_of, check_error, check_folder, noise, repository};

fn website() -> (Server, Scratch) {
    let server = Server::start();
    for (name, bytes) in repository() {
        server.put(&format!("/models/small/{name}"), page(bytes));
    }
    let scratch = Scratch::new(&Server::start());
    (server, scratch)
}

#[test]
fn a_folder_is_fetched_into_a_cache_of_our_own() {
    let (server, scratch) = website();
    let url = server.url("/models/small/");
    let folder = scratch.fetch(&url).unwrap();
    assert!(folder.starts_with(&scratch.options.environment.url_cache));
    check_folder(&folder, &repository(), &WANTED);
    let statuses = |from: usize| -> Vec<u16> {
        let requests = server.requests().into_iter().skip(from);
        let mut statuses: Vec<u16> = requests.map(|request| request.status).collect();
        statuses.sort_unstable();
        statuses
    };
    // There is neither an adapter nor what transformers 5 has in place of preprocessor_config.json.
    let first = statuses(0);
    assert_eq!(first, [200, 200, 200, 200, 404, 404]);
    assert_eq!(scratch.fetch(&url).unwrap(), folder);
    let again = statuses(first.len());
    assert_eq!(
        again,
        [304, 304, 304, 304, 404, 404],
        "nothing is sent twice"
    );
}

#[test]
fn a_new_version_replaces_the_old_one() {
    let (server, scratch) = website();
    let url = server.url("/models/small");
    let folder = scratch.fetch(&url).unwrap();
    server.put("/models/small/model.safetensors", page(noise(1_000, 20)));
    scratch.fetch(&url).unwrap();
    assert!(std::fs::read(folder.join("model.safetensors")).unwrap() == noise(1_000, 20));
    // Gone on the server, gone here: the other weights take its place.
    server.remove("/models/small/model.safetensors");
    scratch.fetch(&url).unwrap();
    let names = [
        "config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        "pytorch_model.bin",
    ];
    check_folder(&folder, &repository(), &names);
}

#[test]
fn a_date_stands_in_for_an_etag() {
    let (server, scratch) = website();
    let last_modified = Some("Tue, 24 Nov 2026 00:00:00 GMT".to_string());
    let dated = Page {
        last_modified,
        etag: String::new(),
        ..page(noise(1_000, 1))
    };
    server.put("/a.gguf", dated);
    for _ in 0..2 {
        let file = scratch.fetch(&server.url("/a.gguf")).unwrap();
        assert!(std::fs::read(file).unwrap() == noise(1_000, 1));
    }
    let statuses: Vec<u16> = server
        .gets("/a.gguf")
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [200, 304]);
}

#[test]
fn without_the_server_the_last_fetched_is_used() {
    let (server, mut scratch) = website();
    let url = server.url("/models/small");
    let folder = scratch.fetch(&url).unwrap();
    drop(server);
    let (found, notices) = scratch.notices(&url);
    assert_eq!(found.unwrap(), folder);
    assert!(
        notices
            .iter()
            .all(|notice| notice.contains("as it was last fetched")),
        "{notices:?}"
    );
    assert!(!notices.is_empty());
    scratch.options.environment.offline = true;
    let (found, notices) = scratch.notices(&url);
    assert_eq!((found.unwrap(), notices), (folder, vec![]));
    check_error(
        scratch.fetch("http://127.0.0.1:1/b.gguf"),
        "network",
        &["b.gguf", "HF_HUB_OFFLINE"],
    );
}

#[test]
fn a_file_keeps_its_name_and_its_query_is_not_shown() {
    let (server, scratch) = website();
    server.put("/x/blip.Q8_0.gguf?key=secret", page("weights"));
    let url = server.url("/x/blip.Q8_0.gguf?key=secret");
    let file = scratch.fetch(&url).unwrap();
    assert_eq!(file.file_name().unwrap(), "blip.Q8_0.gguf");
    let lost = server.url("/x/other.gguf?key=secret");
    let error = scratch.fetch(&lost).unwrap_err().to_string();
    assert!(
        error.contains("/x/other.gguf") && error.contains("404"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn a_checksum_of_a_url_is_checked() {
    let (server, mut scratch) = website();
    server.put("/a.gguf", page(noise(50_000, 4)));
    let url = server.url("/a.gguf");
    let sum = super::server::sha256(&noise(50_000, 4));
    scratch.options.sha256 = Some("1".repeat(64));
    check_error(scratch.fetch(&url), "integrity", &["/a.gguf", &sum]);
    assert!(scratch.files().is_empty(), "{:?}", scratch.files());
    scratch.options.sha256 = Some(sum);
    let file = scratch.fetch(&url).unwrap();
    std::fs::write(&file, "damaged").unwrap();
    assert!(std::fs::read(scratch.fetch(&url).unwrap()).unwrap() == noise(50_000, 4));
    let folder = server.url("/models/small");
    scratch.options.sha256 = Some(super::server::sha256(&bytes_of(
        &repository(),
        "model.safetensors",
    )));
    check_folder(&scratch.fetch(&folder).unwrap(), &repository(), &WANTED);
}

#[test]
fn the_hubs_token_is_not_offered_where_access_is_refused() {
    let (server, mut scratch) = website();
    scratch.options.environment.token = Some("hf_secret".into());
    server.put(
        "/a.gguf",
        Page {
            status: Some(403),
            ..Page::default()
        },
    );
    check_error(
        scratch.fetch(&server.url("/a.gguf")),
        "network",
        &["refuses access", "403"],
    );
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn a_gguf_file_without_texts_is_fetched_with_those_beside_it() {
    let (server, scratch) = website();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/gguf/blocks.gguf");
    let Ok(bytes) = std::fs::read(golden) else {
        panic!("no {golden}");
    };
    server.put("/models/small/blocks.gguf", page(bytes));
    let file = scratch
        .fetch(&server.url("/models/small/blocks.gguf"))
        .unwrap();
    let beside = file.parent().unwrap();
    for name in ["config.json", "preprocessor_config.json", "tokenizer.json"] {
        let found = std::fs::read(beside.join(name)).unwrap();
        assert!(found == bytes_of(&repository(), name), "{name}");
    }
    assert!(server.gets("/models/small/model.safetensors").is_empty());
}
