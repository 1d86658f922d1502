//! `obscura scenes`: the drawings that training scenes are composed of, and held-out scenes.

use super::arguments::{ScenesArguments, mix_of};
use obscura::scenes::shapes::{Part, Shapes};
use obscura::scenes::{CaptionLine, Options, Scenes, Split, build, write, write_scenes};
use obscura::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::path::Path;

/// Renders the drawings, and writes scenes of each split if asked.
pub fn scenes(command: &ScenesArguments) -> Result<()> {
    build(&command.packages, &command.output)?;
    if command.count == 0 {
        return Ok(());
    }
    let options = Options {
        objects: command.objects,
        image_size: command.image_size,
        mix: mix_of(&command.mix)?,
    };
    let scenes = Scenes::open(&command.output, options)?;
    for split in Split::ALL {
        let folder = command.output.join(split.name());
        write_scenes(&scenes, split, command.count, command.seed, &folder)?;
        eprintln!("{} scenes are in {}", command.count, folder.display());
    }
    if command.noise > 0.0 {
        add_noise(&command.output.join(Split::Train.name()), command)?;
    }
    write_shapes(command)
}

/// Writes easy-VQA's test pictures with their questions.
fn write_shapes(command: &ScenesArguments) -> Result<()> {
    let shapes = Shapes::open(&command.packages, Part::Test)?;
    let mut rng = ChaCha8Rng::seed_from_u64(command.seed);
    let made = (0..shapes.len()).map(|index| {
        let scene = shapes.scene(index, &mut rng)?;
        Ok((scene, Vec::new()))
    });
    let folder = command.output.join("easy-vqa");
    write(made, &folder)?;
    eprintln!("{} pictures are in {}", shapes.len(), folder.display());
    Ok(())
}

/// Gives some pictures the captions of the next one, in `noisy.jsonl` beside the clean file.
fn add_noise(folder: &Path, command: &ScenesArguments) -> Result<()> {
    let failed = |error: std::io::Error| Error::BadInput(format!("{}: {error}", folder.display()));
    let clean = std::fs::read_to_string(folder.join("captions.jsonl")).map_err(failed)?;
    let lines: Result<Vec<CaptionLine>> = clean
        .lines()
        .map(|line| {
            serde_json::from_str(line).map_err(|error| {
                Error::BadInput(format!("{}/captions.jsonl: {error}", folder.display()))
            })
        })
        .collect();
    let lines = lines?;
    let mut rng = ChaCha8Rng::seed_from_u64(command.seed);
    let mut noisy = String::new();
    for (place, line) in lines.iter().enumerate() {
        let is_wrong = rng.random_bool(command.noise.clamp(0.0, 1.0));
        let source = if is_wrong {
            &lines[(place + 1) % lines.len()]
        } else {
            line
        };
        // One text a picture, as pictures on the web have.
        let line = json!({ "image": line.image, "captions": source.captions[..1] });
        noisy.push_str(&format!("{line}\n"));
    }
    std::fs::write(folder.join("noisy.jsonl"), noisy).map_err(failed)
}
