//! How many examples a second training learns from on this machine's CPU, with a new BLIP of the
//! default size: `cargo run --release --example training_speed [BATCH] [SHARDS] [four|two]`, where
//! `two` leaves out the contrastive and the matching loss.

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use obscura::Result;
use obscura::train::objectives::Objectives;
use obscura::train::{Blueprint, Example, OptimizerConfig, Recipe, Schedule, Trainer};
use std::time::Instant;

const WORDS: usize = 600;
const STEPS: u32 = 8;

fn main() -> Result<()> {
    let argument = |place: usize| std::env::args().nth(place);
    let number = |place: usize, default: usize| {
        argument(place).map_or(default, |text| text.parse().expect("a number"))
    };
    let (batch, shards) = (number(1, 32), number(2, 1));
    let all_four = argument(3).is_none_or(|text| text == "four");

    let mut trainer = Trainer::new(
        recipe(batch, shards, all_four),
        blip()?,
        None,
        Device::flex(),
    )?;
    let examples: Vec<Example> = (0..batch).map(example).collect();
    let shards = trainer.prepare(&examples)?;
    trainer.learn(&shards)?; // the first step allocates
    let started = Instant::now();
    for _ in 0..STEPS {
        trainer.learn(&shards)?;
    }
    let seconds = started.elapsed().as_secs_f64() / f64::from(STEPS);
    let rate = batch as f64 / seconds;
    println!(
        "{:.0} ms a step, {rate:.0} examples a second",
        1000.0 * seconds
    );
    Ok(())
}

fn blip() -> Result<obscura::load::Description> {
    let blueprint = Blueprint {
        image_size: 96,
        patch_size: 16,
        width: 192,
        head_width: 32,
        vision_depth: 6,
        text_depth: 4,
        projection: 128,
        vocabulary: WORDS,
        positions: 64,
    };
    blueprint.blip((0..WORDS).map(word))
}

fn recipe(batch: usize, shards: usize, all_four: bool) -> Recipe {
    let contrast = f32::from(all_four);
    Recipe {
        batch,
        shards,
        schedule: Schedule {
            peak: 1e-4,
            last: 1e-4,
            warm_up: 1,
            steps: 100,
        },
        optimizer: OptimizerConfig::default(),
        objectives: Objectives {
            itc: contrast,
            itm: contrast,
            ..Objectives::default()
        },
        queue: if all_four { 1024 } else { 0 },
        momentum: 0.995,
        longest: 35,
        classes: 0,
        picture_size: None,
        seed: 1,
    }
}

/// Pictures do not matter here, and texts only by their lengths: those of scenes.
fn example(place: usize) -> Example {
    let text = |words: usize| -> String {
        let words: Vec<String> = (0..words)
            .map(|at| word((place * 31 + at * 7) % WORDS))
            .collect();
        words.join(" ")
    };
    Example {
        image: RgbImage::from_pixel(96, 96, Rgb([place as u8; 3])),
        caption: text(10 + place % 8),
        questions: vec![(text(8), text(1))],
        regions: None,
        truth: None,
    }
}

fn word(place: usize) -> String {
    let letters = ["b", "d", "f", "k", "l", "m", "n", "p", "r", "s"];
    let letter = |at: usize| letters[place / 10_usize.pow(at as u32) % 10];
    format!("{}a{}o{}", letter(2), letter(1), letter(0))
}
