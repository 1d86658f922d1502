//! The parts of the scan, each against what it promises.

use super::Random;
use crate::search::codes::{Coder, MEAN_FACTOR, POINTS, RELATIVE_ERROR};
use crate::search::rotation::Rotation;
use crate::search::scan::{BLOCK, Blocks, fast, naive};
use crate::search::vectors;
use half::f16;

fn product(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn a_rotation_keeps_products_and_spreads_a_single_number_over_all() {
    for width in [1, 2, 16, 48, 256, 272, 512, 768] {
        let rotation = Rotation::new(width);
        let mut random = Random::new(width as u64);
        let (mut a, mut b) = (random.normals(width), random.normals(width));
        let before = [product(&a, &b), product(&a, &a)];
        rotation.apply(&mut a);
        rotation.apply(&mut b);
        let after = [product(&a, &b), product(&a, &a)];
        for (before, after) in before.iter().zip(after) {
            assert!(
                (before - after).abs() < 1e-3 * width as f32,
                "{after} for {before}"
            );
        }
        for place in [0, width / 3, width - 1] {
            let mut spike = vec![0.0; width];
            spike[place] = 1.0;
            rotation.apply(&mut spike);
            let largest = spike
                .iter()
                .fold(0.0_f32, |most, value| most.max(value.abs()));
            let even = 1.0 / (width as f32).sqrt();
            assert!(
                width < 16 || largest < 5.5 * even,
                "{largest} of {width} numbers"
            );
        }
    }
}

#[test]
fn estimates_are_right_on_average_and_err_as_much_as_is_said() {
    for width in [256, 512, 768] {
        let (coder, mut random) = (Coder::new(width), Random::new(width as u64));
        let (mut errors, mut squares, mut factors) = (0.0_f64, 0.0_f64, 0.0_f64);
        let count = 2000;
        let centre = vec![0.0; width];
        for _ in 0..count {
            let vector = vectors::unit(&random.normals(width)).unwrap();
            let query = vectors::unit(&random.normals(width)).unwrap();
            let mut code = vec![0; coder.bytes()];
            let factor = coder.encode(&vector, &centre, &mut code);
            let tables = coder.tables(&query);
            let nibbles = code.iter().flat_map(|pair| [pair & 15, pair >> 4]);
            let entries = nibbles.zip(&tables.entries);
            let sum: u32 = entries
                .map(|(nibble, table)| u32::from(table[usize::from(nibble)]))
                .sum();
            let estimate = factor * (tables.bias + tables.step * sum as f32);
            let error = f64::from(estimate - product(&vector, &query)) * (width as f64).sqrt();
            errors += error;
            squares += error * error;
            factors += f64::from(factor) * (width as f64).sqrt();
        }
        let mean = |sum: f64| sum / f64::from(count);
        let deviation = mean(squares).sqrt();
        assert!(mean(errors).abs() < 0.05, "biased by {}", mean(errors));
        assert!(
            (deviation / f64::from(RELATIVE_ERROR) - 1.0).abs() < 0.08,
            "errs by {deviation}"
        );
        assert!(
            (mean(factors) / f64::from(MEAN_FACTOR) - 1.0).abs() < 0.02,
            "{}",
            mean(factors)
        );
    }
}

#[test]
fn a_vector_estimates_its_own_product_exactly() {
    let (coder, vector) = (Coder::new(512), Random::new(2).normals(512));
    let centre = Random::new(3).normals(512);
    let relative: Vec<f32> = vector.iter().zip(&centre).map(|(a, b)| a - b).collect();
    let mut code = vec![0; coder.bytes()];
    let factor = coder.encode(&vector, &centre, &mut code);
    let tables = coder.tables(&relative);
    let nibbles = code.iter().flat_map(|pair| [pair & 15, pair >> 4]);
    let sum: f32 = nibbles
        .zip(&tables.entries)
        .map(|(nibble, table)| f32::from(table[usize::from(nibble)]))
        .sum();
    let (found, expected) = (
        factor * (tables.bias + tables.step * sum),
        product(&relative, &relative),
    );
    assert!(
        (found / expected - 1.0).abs() < 0.02,
        "{found} for {expected}"
    );
    assert_eq!(coder.encode(&centre, &centre, &mut code), 0.0);
}

#[test]
fn the_fast_sums_equal_their_definition() {
    let sums_of = fast::choose();
    let mut random = Random::new(11);
    for runs in [6, 12, 18, 96, 192, 288, 1536] {
        for largest in [1, 42, 85] {
            let largest = largest.min(usize::from(u16::MAX) / runs);
            let codes: Vec<u8> = (0..runs * POINTS)
                .map(|_| random.below(256) as u8)
                .collect();
            let table =
                |random: &mut Random| [0; POINTS].map(|_: u8| random.below(largest + 1) as u8);
            let entries: Vec<[u8; POINTS]> = (0..runs).map(|_| table(&mut random)).collect();
            assert_eq!(sums_of(&codes, &entries), naive(&codes, &entries));
            let full = vec![[largest as u8; POINTS]; runs];
            assert_eq!(sums_of(&codes, &full), [(runs * largest) as u16; BLOCK]);
        }
    }
}

#[test]
fn blocks_give_back_codes_and_scan_all_that_was_not_removed() {
    const RUNS: usize = 12;
    let (coder, mut random) = (Coder::new(32), Random::new(12));
    assert_eq!(coder.runs(), RUNS);
    for count in [1, 31, 32, 33, 70, 8192, 8200, 20_000] {
        let mut blocks = Blocks::new(RUNS);
        let codes: Vec<Vec<u8>> = (0..count)
            .map(|_| (0..RUNS / 2).map(|_| random.below(256) as u8).collect())
            .collect();
        for (place, code) in codes.iter().enumerate() {
            blocks.push(code, 1.0 + place as f32);
        }
        for (place, code) in codes.iter().enumerate() {
            assert_eq!(blocks.get(place), (code.clone(), 1.0 + place as f32));
        }
        blocks.remove(count / 2);
        let mut seen = Vec::new();
        blocks.scan(
            &coder.tables(&[0.5; 32]),
            0.0,
            f32::NEG_INFINITY,
            |place, _| {
                seen.push(place);
                f32::NEG_INFINITY
            },
        );
        let expected: Vec<usize> = (0..count).filter(|place| *place != count / 2).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn half_precision_is_read_as_it_is_defined() {
    let finite = (0..=u16::MAX)
        .map(f16::from_bits)
        .filter(|number| number.is_finite());
    let numbers: Vec<f16> = finite.collect();
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let read: Vec<u32> = vectors::from_bytes(&bytes).map(f32::to_bits).collect();
    let expected: Vec<u32> = numbers
        .iter()
        .map(|number| number.to_f32().to_bits())
        .collect();
    assert_eq!(read, expected);
    let other = Random::new(1).normals(37);
    let mut bytes = Vec::new();
    vectors::to_bytes(&other, &mut bytes);
    let unit = vectors::unit(&other).unwrap();
    let cosine = vectors::cosine(&bytes, &unit);
    assert!((cosine - 1.0).abs() < 1e-5, "{cosine}");
}
