//! The search in wasm: its vector instructions against their definition, and an album.

use obscura::search::codes::POINTS;
use obscura::search::scan::{fast, naive};
use obscura::search::{Album, vectors};
use wasm_bindgen_test::wasm_bindgen_test;

/// Numbers of a linear congruential generator, the same everywhere.
fn numbers(count: usize, mut state: u32) -> impl Iterator<Item = u32> {
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    })
}

#[wasm_bindgen_test]
fn the_fast_sums_in_wasm_equal_their_definition() {
    let sums_of = fast::choose();
    for runs in [6, 12, 96, 192, 288] {
        let codes: Vec<u8> = numbers(runs * POINTS, 1)
            .map(|number| number as u8)
            .collect();
        let entries: Vec<u8> = numbers(runs * POINTS, 2)
            .map(|number| (number % 86) as u8)
            .collect();
        let entries = entries.as_chunks::<POINTS>().0;
        assert_eq!(sums_of(&codes, entries), naive(&codes, entries));
    }
}

#[wasm_bindgen_test]
fn an_album_in_wasm_finds_what_products_with_every_vector_find() {
    const WIDTH: usize = 64;
    const COUNT: usize = 5000;
    let values: Vec<f32> = numbers(COUNT * WIDTH, 3)
        .map(|number| number as f32 - 32_768.0)
        .collect();
    let keys: Vec<String> = (0..COUNT).map(|key| key.to_string()).collect();
    let mut album = Album::open(Vec::new(), None).expect("an empty album");
    album.add(&keys, &values).expect("room in memory");
    let album = Album::open(album.close(), None).expect("the same album");
    let mut right = 0;
    for seed in 0..10 {
        let query: Vec<f32> = numbers(WIDTH, 10 + seed)
            .map(|number| number as f32 - 32_768.0)
            .collect();
        let query = vectors::unit(&query).expect("some length");
        let cosine = |row: usize| {
            let vector = vectors::unit(&values[row * WIDTH..][..WIDTH]).expect("some length");
            vector.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>()
        };
        let mut exact: Vec<(f32, usize)> = (0..COUNT).map(|row| (cosine(row), row)).collect();
        exact.sort_by(|a, b| b.0.total_cmp(&a.0));
        let found = album.search(&query, 10).expect("a search");
        right += exact[..10]
            .iter()
            .filter(|(_, row)| found.iter().any(|one| one.key == row.to_string()))
            .count();
    }
    assert!(right >= 98, "found {right} of 100");
}
