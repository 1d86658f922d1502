//! What crashes and damage do to an album's file.

use super::{Random, check, keys};
use crate::Error;
use crate::search::Album;

const WIDTH: usize = 8;

/// An album of three batches, and where each ends.
fn written() -> (Vec<f32>, Vec<u8>, Vec<usize>) {
    let vectors = Random::new(21).normals(30 * WIDTH);
    let mut album = Album::open(Vec::new(), None).unwrap();
    let mut ends = vec![0];
    for batch in 0..3 {
        let range = 10 * batch..10 * (batch + 1);
        album
            .add(
                &keys(range.clone()),
                &vectors[range.start * WIDTH..range.end * WIDTH],
            )
            .unwrap();
        ends.push(album.bytes().1 as usize);
    }
    (vectors, album.close(), ends)
}

#[test]
fn a_file_cut_off_anywhere_loses_at_most_the_batch_that_was_torn() {
    let (vectors, file, ends) = written();
    for length in 0..=file.len() {
        let whole = ends.iter().rposition(|end| *end <= length).unwrap();
        let mut album = Album::open(file[..length].to_vec(), None).unwrap();
        assert_eq!(album.len(), 10 * whole, "cut off at {length}");
        if length % 97 == 0 && whole < 3 {
            album
                .add(&keys(10 * whole..30), &vectors[10 * whole * WIDTH..])
                .unwrap();
            let album = Album::open(album.close(), None).unwrap();
            assert_eq!(
                check(&album, &keys(0..30), &vectors, &vectors[..WIDTH], 5),
                5
            );
        }
    }
}

#[test]
fn a_last_batch_with_any_byte_wrong_is_lost_and_nothing_else() {
    let (_, file, ends) = written();
    let last = ends[2];
    for place in last..file.len() {
        let mut torn = file.clone();
        torn[place] ^= 0x41;
        let album = Album::open(torn, None).unwrap();
        let is_padding = place >= file.len() - padding(&file[last..]);
        assert_eq!(
            album.len(),
            if is_padding { 30 } else { 20 },
            "byte {place}"
        );
    }
    for zeros in [1, 64, 100, 5000] {
        let mut torn = file.clone();
        torn.resize(file.len() + zeros, 0);
        let album = Album::open(torn, None).unwrap();
        assert_eq!((album.len(), album.bytes().1 as usize), (30, file.len()));
    }
}

/// Bytes after the last part of a record.
fn padding(record: &[u8]) -> usize {
    let part = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap()) as usize;
    record.len() - 64 - part(16) - part(24) - part(32)
}

#[test]
fn damage_before_the_last_batch_is_an_error_and_changes_nothing() {
    let (_, file, ends) = written();
    for place in (ends[1]..ends[2] - padding(&file[ends[1]..ends[2]])).step_by(3) {
        let mut damaged = file.clone();
        damaged[place] ^= 0x41;
        // Vectors of earlier batches are not read when an album is opened.
        match Album::open(damaged, None) {
            Err(Error::Integrity(message)) => assert!(message.contains("restore"), "{message}"),
            Err(error) => panic!("byte {place}: {error}"),
            Ok(album) => assert_eq!(album.len(), 30, "byte {place}"),
        }
    }
    let mut damaged = file;
    damaged[ends[1] + 20] ^= 1; // in a head
    assert!(matches!(
        Album::open(damaged, None),
        Err(Error::Integrity(_))
    ));
}

#[test]
fn another_programs_file_is_left_alone() {
    for bytes in [
        &b"\x89PNG\r\n\x1a\n and so on"[..],
        b"x",
        b"obsALBM2 of the future",
    ] {
        let error = Album::open(bytes.to_vec(), None).unwrap_err();
        assert!(
            matches!(&error, Error::BadInput(text) if text.contains("not an album")),
            "{error}"
        );
    }
}

#[test]
fn random_bytes_behind_a_good_beginning_never_panic() {
    let (_, file, ends) = written();
    let mut random = Random::new(31);
    for _ in 0..2000 {
        let mut damaged = file.clone();
        for _ in 0..1 + random.below(8) {
            let place = random.below(damaged.len());
            damaged[place] = random.below(256) as u8;
        }
        damaged.truncate(ends[1] + random.below(damaged.len() - ends[1]));
        if let Ok(album) = Album::open(damaged, None) {
            assert!(album.len() <= 30);
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_file_on_disk_is_an_album_and_belongs_to_one_program_at_a_time() {
    use crate::search::FileStore;
    let path = std::env::temp_dir().join(format!("obscura-album-{}", std::process::id()));
    let vectors = Random::new(1).normals(10 * WIDTH);
    let mut album = Album::open(FileStore::open(&path, true).unwrap(), None).unwrap();
    album.add(&keys(0..10), &vectors).unwrap();
    let error = FileStore::open(&path, false).unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    drop(album);
    let album = Album::open(FileStore::open(&path, false).unwrap(), None).unwrap();
    assert_eq!(
        check(&album, &keys(0..10), &vectors, &vectors[..WIDTH], 3),
        3
    );
    assert_eq!(album.bytes().1, super::album_of(&vectors, WIDTH).bytes().1);
    drop(album);
    std::fs::remove_file(&path).unwrap();
    assert!(FileStore::open(&path, false).is_err());
}
