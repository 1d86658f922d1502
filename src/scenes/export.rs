//! Writes scenes as files that any tool can read: PNG pictures, `captions.jsonl` and `questions.jsonl`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::questions::Kind;
use super::{Scene, Scenes, Split};
use crate::{Error, Result};

/// As many captions as COCO has for a picture.
const CAPTIONS: usize = 5;

/// A line of `captions.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
pub struct CaptionLine {
    pub image: String,
    pub captions: Vec<String>,
    pub facts: Facts,
}

/// A line of `questions.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuestionLine {
    pub image: String,
    pub question: String,
    pub answer: String,
    pub kind: Kind,
}

/// Makes `count` scenes of a split and writes them into the folder `out`, with five captions each.
pub fn write_scenes(
    scenes: &Scenes,
    split: Split,
    count: usize,
    seed: u64,
    out: &Path,
) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let made = (0..count).map(|_| {
        let scene = scenes.sample(split, &mut rng);
        let mut captions = vec![scene.caption.clone()];
        captions.extend((1..CAPTIONS).map(|_| scenes.caption(&scene.facts, &mut rng)));
        Ok((scene, captions))
    });
    write(made, out)
}

/// Writes any scenes with their captions; a scene without captions has only its questions written. Where
/// none has any, there is no `captions.jsonl`.
pub fn write(scenes: impl Iterator<Item = Result<(Scene, Vec<String>)>>, out: &Path) -> Result<()> {
    let unwritable = |error: std::io::Error| {
        Error::BadInput(format!("cannot write to {}: {error}", out.display()))
    };
    std::fs::create_dir_all(out).map_err(unwritable)?;
    let create = |name: &str| {
        File::create(out.join(name))
            .map(BufWriter::new)
            .map_err(unwritable)
    };
    let (mut captions_file, mut questions_file) =
        (create("captions.jsonl")?, create("questions.jsonl")?);
    let mut is_described = false;
    for (position, scene) in scenes.enumerate() {
        let (scene, captions) = scene?;
        let image = format!("{position:05}.png");
        scene.image.save(out.join(&image)).map_err(|error| {
            Error::BadInput(format!(
                "cannot write {image} to {}: {error}",
                out.display()
            ))
        })?;
        for question in scene.questions {
            let line = QuestionLine {
                image: image.clone(),
                question: question.question,
                answer: question.answer,
                kind: question.kind,
            };
            writeln!(questions_file, "{}", json(&line)?).map_err(unwritable)?;
        }
        if !captions.is_empty() {
            is_described = true;
            let line = CaptionLine {
                image,
                captions,
                facts: scene.facts,
            };
            writeln!(captions_file, "{}", json(&line)?).map_err(unwritable)?;
        }
    }
    captions_file
        .flush()
        .and_then(|()| questions_file.flush())
        .map_err(unwritable)?;
    if !is_described {
        std::fs::remove_file(out.join("captions.jsonl")).map_err(unwritable)?;
    }
    Ok(())
}

fn json(line: &impl Serialize) -> Result<String> {
    serde_json::to_string(line)
        .map_err(|error| Error::BadInput(format!("a scene cannot be written: {error}")))
}
