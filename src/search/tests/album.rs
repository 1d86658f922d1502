//! Adding, replacing, deleting and searching.

use super::{Random, album_of, check, exact, keys};
use crate::Error;
use crate::search::album::{Album, WIDEST};
use crate::search::{Identity, Store};

#[test]
fn small_albums_of_any_width_are_searched_exactly() {
    for width in [1, 2, 3, 15, 16, 17, 20, 256, 512, 768] {
        for count in [1, 2, 31, 32, 33, 100] {
            let mut random = Random::new((1000 * width + count) as u64);
            let vectors = random.normals(count * width);
            let album = album_of(&vectors, width);
            for limit in [1, 10, count] {
                let limit = limit.min(count);
                let query = random.normals(width);
                assert_eq!(
                    check(&album, &keys(0..count), &vectors, &query, limit),
                    limit
                );
            }
        }
    }
}

#[test]
fn the_scan_finds_what_products_with_every_vector_find() {
    for (width, count) in [(16, 3000), (64, 5000), (100, 4097), (256, 20_000)] {
        let mut random = Random::new(width as u64);
        for vectors in [
            random.normals(count * width),
            random.clustered(count, width),
        ] {
            let (album, keys) = (album_of(&vectors, width), keys(0..count));
            let (mut found, queries) = (0, 20);
            for query in 0..queries {
                let query = match query % 2 {
                    0 => random.normals(width),
                    _ => vectors[random.below(count) * width..][..width].to_vec(),
                };
                found += check(&album, &keys, &vectors, &query, 10);
            }
            assert!(
                found >= 10 * queries * 98 / 100,
                "found {found} of {}",
                10 * queries
            );
        }
    }
}

#[test]
fn an_album_does_the_same_whatever_was_added_deleted_and_replaced_before() {
    const WIDTH: usize = 48;
    let mut random = Random::new(5);
    let mut album = Album::open(Vec::new(), None).unwrap();
    let mut expected: Vec<(String, Vec<f32>)> = Vec::new();
    for step in 0..60 {
        let count = 1 + random.below(200);
        let mut batch = keys(0..5000);
        let first = random.below(5000 - count);
        let batch = batch.drain(first..first + count).collect::<Vec<_>>();
        if step % 3 == 2 {
            let there = expected
                .iter()
                .filter(|(key, _)| batch.contains(key))
                .count();
            assert_eq!(album.delete(&batch).unwrap(), there);
            expected.retain(|(key, _)| !batch.contains(key));
        } else {
            let vectors = random.normals(count * WIDTH);
            album.add(&batch, &vectors).unwrap();
            expected.retain(|(key, _)| !batch.contains(key));
            let new = batch
                .into_iter()
                .zip(vectors.chunks_exact(WIDTH).map(<[f32]>::to_vec));
            expected.extend(new);
        }
        if step % 7 == 0 {
            album = Album::open(album.close(), None).unwrap();
        }
        if step % 20 == 19 {
            album = album.compact_into(Vec::new()).unwrap();
        }
        let keys: Vec<String> = expected.iter().map(|(key, _)| key.clone()).collect();
        assert!(album.keys().eq(keys.iter().map(String::as_str)));
        let vectors: Vec<f32> = expected
            .iter()
            .flat_map(|(_, vector)| vector.clone())
            .collect();
        let limit = 10.min(keys.len());
        let found = check(&album, &keys, &vectors, &random.normals(WIDTH), limit);
        assert!(
            found + 1 >= limit,
            "found {found} of {limit} after step {step}"
        );
    }
}

#[test]
fn codes_of_512_numbers_take_100_bytes() {
    let count = 3200;
    let album = album_of(&Random::new(1).normals(count * 512), 512);
    assert_eq!(album.bytes().0, 100 * count);
}

#[test]
fn a_search_for_nothing_or_among_nothing_finds_nothing() {
    let album = Album::open(Vec::new(), None).unwrap();
    assert_eq!(album.search(&[1.0, 0.0], 10).unwrap(), []);
    let album = album_of(&Random::new(1).normals(3000 * 8), 8);
    assert_eq!(album.search(&[1.0; 8], 0).unwrap(), []);
    assert_eq!(album.search(&[1.0; 8], 5000).unwrap().len(), 3000);
}

#[test]
fn all_deleted_is_as_good_as_new_but_for_the_width() {
    let mut album = album_of(&Random::new(1).normals(3000 * 8), 8);
    assert_eq!(album.delete(&keys(0..3000)).unwrap(), 3000);
    assert_eq!(album.delete(&keys(0..3000)).unwrap(), 0);
    assert_eq!(album.search(&[1.0; 8], 10).unwrap(), []);
    album.add(&keys(0..1), &[1.0; 8]).unwrap();
    assert_eq!(album.search(&[1.0; 8], 10).unwrap().len(), 1);
    album.clear().unwrap();
    assert!(album.is_empty());
    assert_eq!(album.bytes(), (0, 0));
    album.add(&keys(0..1), &[1.0; 4]).unwrap();
}

#[test]
fn equal_vectors_come_in_the_order_of_adding() {
    let album = album_of(&[1.0; 40], 4);
    let found = album.search(&[1.0; 4], 3).unwrap();
    let names: Vec<&str> = found.iter().map(|found| found.key.as_str()).collect();
    assert_eq!(names, ["picture 0", "picture 1", "picture 2"]);
}

#[test]
fn unusable_vectors_and_keys_are_refused_and_nothing_is_added() {
    let mut album = album_of(&[1.0, 0.0, 0.0, 1.0], 2);
    let refused: [(&[&str], &[f32], &str); 7] = [
        (&["a"], &[1.0], "1 numbers"),
        (&["a", "b"], &[1.0, 2.0, 3.0], "not whole"),
        (&["a", "a"], &[1.0, 2.0, 3.0, 4.0], "twice"),
        (&["a"], &[0.0, 0.0], "length"),
        (&["a"], &[f32::NAN, 0.0], "length"),
        (&["a", "b"], &[1.0, 2.0, f32::INFINITY, 0.0], "length"),
        (&["a"], &vec![1.0; WIDEST + 1], "4097"),
    ];
    for (names, vectors, word) in refused {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let error = album.add(&names, vectors).unwrap_err();
        assert!(
            matches!(&error, Error::BadInput(text) if text.contains(word)),
            "{error}"
        );
        assert_eq!(album.len(), 2);
    }
    for query in [&[1.0][..], &[0.0, 0.0], &[f32::NAN, 1.0]] {
        assert!(matches!(album.search(query, 1), Err(Error::BadInput(_))));
    }
}

#[test]
fn vectors_come_back_as_they_were_added_but_for_length_and_half_precision() {
    let (count, width) = (5000, 24);
    let vectors = Random::new(9).normals(count * width);
    let mut album = album_of(&vectors, width);
    album.delete(&keys(0..10)).unwrap();
    let kept = album.vectors(100, 4500).unwrap();
    assert_eq!(kept.len(), 4500 * width);
    for (kept, added) in kept
        .chunks_exact(width)
        .zip(vectors[110 * width..].chunks_exact(width))
    {
        let (key, cosine) = exact(&keys(0..1), kept, added, 1).remove(0);
        assert!(cosine > 0.999_99, "{key}: {cosine}");
    }
    assert!(album.vectors(4990, 100).unwrap().is_empty());
}

#[test]
fn a_compacted_album_finds_the_same_in_less_room() {
    let (count, width) = (20_000, 32);
    let mut random = Random::new(3);
    let vectors = random.clustered(count, width);
    let mut album = album_of(&vectors[..500 * width], width);
    album
        .add(&keys(500..count), &vectors[500 * width..])
        .unwrap();
    assert!(!album.wants_compaction());
    album.delete(&keys(200..15_000)).unwrap();
    assert!(album.wants_compaction());
    let compact = album.compact_into(Vec::new()).unwrap();
    assert!(!compact.wants_compaction());
    assert!(compact.bytes().1 < album.bytes().1 / 2);
    let reopened = Album::open(compact.close(), None).unwrap();
    for _ in 0..10 {
        let query = random.normals(width);
        assert_eq!(
            reopened.search(&query, 20).unwrap(),
            album.search(&query, 20).unwrap()
        );
    }
}

fn identity(dtype: &str, probe: [f32; 2]) -> Option<Identity> {
    Some(Identity {
        family: "clip".to_string(),
        dtype: dtype.to_string(),
        image_size: 224,
        probe_of: "text".to_string(),
        probe: probe.to_vec(),
    })
}

#[test]
fn an_album_is_refused_to_another_model_than_its_own() {
    let own = identity("q8", [0.6, 0.8]);
    let mut album = Album::open(Vec::new(), own.clone()).unwrap();
    let wide = album.add(&keys(0..1), &[1.0; 3]).unwrap_err();
    assert!(wide.to_string().contains("3 numbers"), "{wide}");
    album.add(&keys(0..1), &[1.0; 2]).unwrap();
    let file = album.close();
    let open = |model| Album::open(file.clone(), model).map(|album| album.len());
    assert_eq!(open(own), Ok(1));
    assert_eq!(open(None), Ok(1), "its vectors can be had without a model");
    assert_eq!(
        open(identity("q8", [0.600_1, 0.799_9])),
        Ok(1),
        "another device's sums"
    );
    for (other, word) in [
        (identity("q4", [0.6, 0.8]), "q4"),
        (identity("q8", [0.8, 0.6]), "cosine"),
    ] {
        let error = open(other).unwrap_err();
        assert!(
            matches!(&error, Error::BadInput(text) if text.contains(word)),
            "{error}"
        );
    }
    let unknown = album_of(&[1.0; 2], 2).close();
    let error = Album::open(unknown, identity("q8", [0.6, 0.8])).unwrap_err();
    assert!(error.to_string().contains("unknown origin"), "{error}");
}

/// The identity of a text encoder alone.
fn text_encoder(probe: [f32; 2]) -> Option<Identity> {
    identity("q4", probe).map(|identity| Identity {
        image_size: 0,
        ..identity
    })
}

#[test]
fn a_text_encoder_of_the_same_space_searches_and_adds_nothing() {
    let mut album = Album::open(Vec::new(), identity("q8", [0.6, 0.8])).unwrap();
    album.add(&keys(0..2), &[1.0, 0.0, 0.0, 1.0]).unwrap();
    let file = album.close();
    let mut album = Album::open(file.clone(), text_encoder([0.8, 0.6])).unwrap();
    assert_eq!(album.search(&[1.0, 0.1], 1).unwrap()[0].key, "picture 0");
    let refused = album.add(&keys(2..3), &[1.0, 0.0]).unwrap_err();
    assert!(refused.to_string().contains("only searches"), "{refused}");
    assert_eq!(album.delete(&keys(0..1)), Ok(1));
    let compact = album.compact_into(Vec::new()).unwrap().close();
    let own = Album::open(compact, identity("q8", [0.6, 0.8])).map(|album| album.len());
    assert_eq!(own, Ok(1), "the album is still its own model's");
    let other = Album::open(file, text_encoder([1.0, -0.2])).unwrap_err();
    assert!(other.to_string().contains("cosine"), "{other}");
}

#[test]
fn an_album_of_texts_is_its_text_encoders_own() {
    let own = text_encoder([0.6, 0.8]);
    let mut album = Album::open(Vec::new(), own.clone()).unwrap();
    album.add(&keys(0..1), &[1.0; 2]).unwrap();
    let file = album.close();
    assert!(Album::open(file.clone(), own).is_ok());
    assert!(Album::open(file, text_encoder([0.8, 0.6])).is_err());
}

/// A store whose disk is full from some size on.
struct Small(Vec<u8>);

impl Store for Small {
    fn size(&self) -> crate::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> crate::Result<()> {
        self.0.read(offset, bytes)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> crate::Result<()> {
        let room = 60_000 - offset as usize;
        self.0.write(offset, &bytes[..bytes.len().min(room)])?;
        match bytes.len() > room {
            true => Err(Error::OutOfMemory("the disk is full".to_string())),
            false => Ok(()),
        }
    }

    fn truncate(&mut self, size: u64) -> crate::Result<()> {
        Store::truncate(&mut self.0, size)
    }

    fn flush(&mut self) -> crate::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing_that_was_there() {
    let mut album = Album::open(Small(Vec::new()), None).unwrap();
    let vectors = Random::new(4).normals(900 * 32);
    album.add(&keys(0..500), &vectors[..500 * 32]).unwrap();
    let full = album.add(&keys(500..900), &vectors[500 * 32..]);
    assert!(matches!(full, Err(Error::OutOfMemory(_))));
    for reopened in [false, true] {
        if reopened {
            album = Album::open(album.close(), None).unwrap();
        }
        assert_eq!(album.len(), 500);
        let found = check(
            &album,
            &keys(0..500),
            &vectors[..500 * 32],
            &vectors[..32],
            5,
        );
        assert_eq!(found, 5);
    }
    album
        .add(&keys(500..550), &vectors[500 * 32..550 * 32])
        .unwrap();
    assert_eq!(album.len(), 550);
}
