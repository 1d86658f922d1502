//! Connections that break, servers that lie, files that change: the right bytes in the end, or none.

use super::server::{Fault, Hub, Page, page, path_at, sha256};
use super::{
    Random, Scratch, WANTED, bytes_of, check_error, check_folder, hub_of, noise, repository,
};
use std::time::Duration;

/// Where the weights of [`repository`] are in the storage.
fn weights() -> String {
    format!("/{}", sha256(&bytes_of(&repository(), "model.safetensors")))
}

fn ranges(hub: &Hub) -> Vec<Option<String>> {
    let gets = hub.storage.gets(&weights());
    gets.iter()
        .map(|request| request.header("range").map(str::to_string))
        .collect()
}

#[test]
fn connections_cut_at_random_bytes_go_on_where_they_broke() {
    for seed in 0..25 {
        let (hub, scratch) = hub_of(&repository());
        let mut random = Random(seed);
        let cuts: Vec<usize> = (0..5).map(|_| random.below(60_000) as usize).collect();
        hub.storage
            .fail(&weights(), cuts.iter().map(|cut| Fault::Cut(*cut)));
        for file in &WANTED[..3] {
            let path = path_at(super::server::COMMIT, file);
            hub.front
                .fail(&path, [Fault::Cut(random.below(20) as usize)]);
        }
        check_folder(
            &scratch.fetch("owner/name").unwrap(),
            &repository(),
            &WANTED,
        );
        let mut expected = vec![None];
        let mut position = 0;
        for cut in cuts {
            position += cut;
            expected.push((position > 0).then(|| format!("bytes={position}-")));
        }
        assert_eq!(ranges(&hub), expected, "seed {seed}");
        assert!(scratch.incomplete().is_empty());
    }
}

#[test]
fn a_later_process_goes_on_where_an_earlier_one_ended() {
    let (hub, mut scratch) = hub_of(&repository());
    let patience = scratch.options.patience.clone();
    scratch.options.patience.tries = 1;
    hub.storage.fail(&weights(), [Fault::Cut(100_000)]);
    check_error(
        scratch.fetch("owner/name"),
        "network",
        &["after 0.1 MB of 0.3 MB", "kept"],
    );
    assert_eq!(scratch.incomplete().len(), 2, "the bytes and their ETag");
    scratch.options.patience = patience;
    check_folder(
        &scratch.fetch("owner/name").unwrap(),
        &repository(),
        &WANTED,
    );
    assert_eq!(ranges(&hub), [None, Some("bytes=100000-".into())]);
    let again = &hub.storage.gets(&weights())[1];
    let etag = page(bytes_of(&repository(), "model.safetensors")).etag;
    assert_eq!(
        again.header("if-range"),
        Some(format!("\"{etag}\"").as_str())
    );
    assert!(scratch.incomplete().is_empty());
}

#[test]
fn what_python_left_incomplete_is_continued_and_checked() {
    for damaged in [false, true] {
        let (hub, scratch) = hub_of(&repository());
        let mut beginning = bytes_of(&repository(), "model.safetensors")[..70_000].to_vec();
        if damaged {
            beginning[5] ^= 1;
        }
        let blobs = scratch
            .options
            .environment
            .hub_cache
            .join("models--owner--name/blobs");
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(
            blobs.join(format!("{}.incomplete", &weights()[1..])),
            beginning,
        )
        .unwrap();
        check_folder(
            &scratch.fetch("owner/name").unwrap(),
            &repository(),
            &WANTED,
        );
        let expected = [Some("bytes=70000-".to_string()), None];
        assert_eq!(ranges(&hub), expected[..if damaged { 2 } else { 1 }]);
    }
}

#[test]
fn servers_without_ranges_or_etags_begin_anew() {
    for change in [
        |page: &mut Page| page.no_ranges = true,
        |page: &mut Page| page.etag.clear(),
        |page: &mut Page| {
            page.no_ranges = true;
            page.etag.clear();
        },
    ] {
        let (hub, scratch) = hub_of(&repository());
        hub.storage.change(&weights(), change);
        hub.storage.fail(
            &weights(),
            [Fault::Cut(100_000), Fault::Cut(7), Fault::Cut(299_999)],
        );
        check_folder(
            &scratch.fetch("owner/name").unwrap(),
            &repository(),
            &WANTED,
        );
    }
}

#[test]
fn a_file_that_changes_while_it_comes_is_taken_whole_in_its_new_form() {
    let (old, new) = (noise(200_000, 7), noise(150_000, 8));
    for ignores_if_range in [false, true] {
        let (hub, scratch) = hub_of(&[]);
        let url = hub.storage.url("/model.gguf");
        hub.storage.put("/model.gguf", page(old.clone()));
        hub.storage.fail(
            "/model.gguf",
            [Fault::Cut(90_000), Fault::Change(new.clone())],
        );
        if ignores_if_range {
            // The rest of another version comes though the ETag says it is another one.
            hub.storage.fail("/model.gguf", [Fault::None]);
            hub.storage
                .change("/model.gguf", |page| page.ignores_if_range = true);
        }
        let file = scratch.fetch(&url).unwrap();
        assert!(std::fs::read(file).unwrap() == new);
        assert!(scratch.incomplete().is_empty());
    }
}

#[test]
fn another_version_in_spite_of_if_range_is_noticed() {
    let (old, new) = (noise(200_000, 7), noise(200_000, 8));
    let (hub, mut scratch) = hub_of(&[]);
    let url = hub.storage.url("/model.gguf");
    hub.storage.put("/model.gguf", page(old));
    hub.storage.fail("/model.gguf", [Fault::Cut(90_000)]);
    scratch.options.patience.tries = 1;
    scratch.fetch(&url).unwrap_err();
    hub.storage.put(
        "/model.gguf",
        Page {
            ignores_if_range: true,
            ..page(new.clone())
        },
    );
    scratch.options.patience.tries = 3;
    assert!(std::fs::read(scratch.fetch(&url).unwrap()).unwrap() == new);
    let gets = hub.storage.gets("/model.gguf");
    let statuses: Vec<u16> = gets.iter().map(|request| request.status).collect();
    assert_eq!(statuses, [200, 206, 200]);
}

#[test]
fn a_small_file_that_changes_after_it_was_announced_is_asked_about_again() {
    let (hub, scratch) = hub_of(&repository());
    let path = path_at(super::server::COMMIT, "tokenizer.json");
    hub.front.fail(&path, [Fault::Change(noise(4_000, 11))]);
    let folder = scratch.fetch("owner/name").unwrap();
    assert!(std::fs::read(folder.join("tokenizer.json")).unwrap() == noise(4_000, 11));
}

#[test]
fn lengths_that_are_not_kept_are_errors() {
    for difference in [1, 1000, -1, -1000] {
        let (hub, scratch) = hub_of(&repository());
        hub.storage
            .fail(&weights(), vec![Fault::Length(difference); 20]);
        check_error(
            scratch.fetch("owner/name"),
            "network",
            &["model.safetensors", "tried 6 times"],
        );
        let folder = scratch
            .options
            .environment
            .hub_cache
            .join("models--owner--name");
        assert!(!folder.join("blobs").join(&weights()[1..]).exists());
        // And it recovers once the server does.
        let (hub, scratch) = hub_of(&repository());
        hub.storage
            .fail(&weights(), vec![Fault::Length(difference); 3]);
        check_folder(
            &scratch.fetch("owner/name").unwrap(),
            &repository(),
            &WANTED,
        );
    }
}

#[test]
fn a_damaged_transfer_is_repeated_once() {
    let (hub, scratch) = hub_of(&repository());
    hub.storage.fail(&weights(), [Fault::Damage]);
    check_folder(
        &scratch.fetch("owner/name").unwrap(),
        &repository(),
        &WANTED,
    );
    assert_eq!(ranges(&hub), [None, None]);

    let (hub, scratch) = hub_of(&repository());
    hub.storage.fail(&weights(), vec![Fault::Damage; 9]);
    check_error(
        scratch.fetch("owner/name"),
        "integrity",
        &["model.safetensors", &weights()[1..]],
    );
    assert_eq!(ranges(&hub).len(), 2);
    assert!(scratch.incomplete().is_empty(), "nothing damaged is kept");
    let names =
        |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    assert!(
        !scratch
            .files()
            .iter()
            .map(names)
            .any(|name| name == weights()[1..] || name == "model.safetensors")
    );
}

#[test]
fn slow_servers_are_waited_for_and_silent_ones_are_not() {
    let (hub, scratch) = hub_of(&repository());
    hub.storage
        .fail(&weights(), [Fault::Drip(10_000, Duration::from_millis(30))]);
    check_folder(
        &scratch.fetch("owner/name").unwrap(),
        &repository(),
        &WANTED,
    );
    assert_eq!(ranges(&hub).len(), 1);

    let (hub, scratch) = hub_of(&repository());
    hub.storage.fail(&weights(), [Fault::Stall(50_000)]);
    check_folder(
        &scratch.fetch("owner/name").unwrap(),
        &repository(),
        &WANTED,
    );
    assert_eq!(ranges(&hub), [None, Some("bytes=50000-".into())]);

    let (hub, mut scratch) = hub_of(&repository());
    scratch.options.patience.tries = 2;
    hub.storage
        .fail(&weights(), [Fault::Stall(1), Fault::Stall(1)]);
    check_error(
        scratch.fetch("owner/name"),
        "network",
        &["the server fell silent", "tried 2 times"],
    );
}

#[test]
fn overloaded_servers_are_asked_again() {
    let busy = |seconds: &str| Fault::Status(429, vec![("Retry-After", seconds.into())]);
    let (hub, scratch) = hub_of(&repository());
    let failed = Fault::Status(500, vec![]);
    hub.storage.fail(
        &weights(),
        [failed.clone(), busy("1"), Fault::Status(503, vec![])],
    );
    let start = std::time::Instant::now();
    check_folder(
        &scratch.fetch("owner/name").unwrap(),
        &repository(),
        &WANTED,
    );
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "Retry-After is kept to"
    );

    let (hub, scratch) = hub_of(&repository());
    hub.storage.fail(&weights(), vec![failed; 20]);
    check_error(
        scratch.fetch("owner/name"),
        "network",
        &["500 Internal Server Error", "tried 6 times"],
    );

    let (hub, scratch) = hub_of(&repository());
    hub.storage.fail(&weights(), [busy("3600")]);
    check_error(
        scratch.fetch("owner/name"),
        "network",
        &["429 Too Many Requests", "3600 s"],
    );
    assert_eq!(ranges(&hub).len(), 1);
}

#[test]
fn a_complete_part_needs_no_more_bytes() {
    let (hub, scratch) = hub_of(&repository());
    let blobs = scratch
        .options
        .environment
        .hub_cache
        .join("models--owner--name/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let left = blobs.join(format!("{}.incomplete", &weights()[1..]));
    std::fs::write(&left, bytes_of(&repository(), "model.safetensors")).unwrap();
    check_folder(
        &scratch.fetch("owner/name").unwrap(),
        &repository(),
        &WANTED,
    );
    assert!(ranges(&hub).is_empty());
}

#[test]
fn a_url_without_any_version_is_fetched_whole_each_time() {
    let (hub, scratch) = hub_of(&[]);
    let url = hub.storage.url("/model.gguf");
    let scratch: &Scratch = &scratch;
    hub.storage.put(
        "/model.gguf",
        Page {
            etag: String::new(),
            ..page(noise(9_000, 1))
        },
    );
    for _ in 0..2 {
        hub.storage.fail("/model.gguf", [Fault::Cut(5_000)]);
        assert!(std::fs::read(scratch.fetch(&url).unwrap()).unwrap() == noise(9_000, 1));
    }
    let whole = hub.storage.gets("/model.gguf");
    assert!(
        whole
            .iter()
            .all(|request| request.header("range").is_none()),
        "{whole:?}"
    );
}
