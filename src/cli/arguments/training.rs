//! What can be asked of the commands around training; the comments are the help texts.

use super::{Shard, parse_shard};
use clap::{ArgGroup, Args, ValueEnum};
use obscura::scenes::Mix;
use obscura::{Error, Result};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Eval {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// A folder with captions.jsonl, captions.csv, metadata.jsonl (Hugging Face's) or questions.jsonl beside
    /// its pictures, or with a .txt or .xmp file beside each of them; a folder with a folder of pictures
    /// for each class; a file of captions in COCO's format; or VQA v2's file of questions
    pub data: PathBuf,
    /// The pictures of a file in COCO's or VQA v2's format [default: the file's own folder]
    #[arg(long)]
    pub images: Option<PathBuf>,
    /// Retrieval: look again at so many of the best by the matching head, as BLIP's paper does with
    /// 128 or 256 (0: none)
    #[arg(long, default_value_t = 16)]
    pub rerank: usize,
    /// VQA v2's file of annotations, which belongs to its file of questions
    #[arg(long, value_name = "FILE")]
    pub annotations: Option<PathBuf>,
    /// Rank the answers in this file (a JSON list, or one in each line) instead of writing answers:
    /// the protocol of BLIP's paper
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// With --answers: score those in full whose first token is among the N likeliest
    #[arg(long, value_name = "N", default_value_t = obscura::tasks::CANDIDATES, requires = "answers")]
    pub candidates: usize,
    /// Beams of written answers
    #[arg(long, default_value_t = 1, conflicts_with = "answers")]
    pub beams: usize,
    /// The labels of the classes: imagenet, a file of labels, or the vectors that `obscura labels`
    /// wrote. Folders are named by label or by id [default: the folders' names]
    #[arg(long, value_name = "LABELS")]
    pub label_set: Option<PathBuf>,
    /// A sentence with {} for the label; several are averaged [default: the label set's own, or
    /// "a photo of a {}"]
    #[arg(long = "template")]
    pub templates: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Filter {
    /// A BLIP that can caption and match: a .gguf file, a folder, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// A .jsonl file with a line for each picture, {"image": "a.jpg", "captions": ["a dog"]}, the
    /// captions being optional; Hugging Face's metadata.jsonl; a captions.csv; a folder with one of them, or
    /// with pictures, which may have .txt or .xmp files beside them; or - for lines on standard input. It is
    /// read as it is needed, whatever its size
    pub data: PathBuf,
    /// The .jsonl file to write, or - for standard output: a line for each picture, with the texts
    /// that were kept, what became of each, or why the picture could not be read
    pub output: PathBuf,
    /// The folder of the pictures [default: that of DATA]
    #[arg(long)]
    pub images: Option<PathBuf>,
    /// Keep texts of at least this matching probability
    #[arg(long, default_value_t = obscura::tasks::THRESHOLD)]
    pub threshold: f32,
    /// Makes the written captions reproducible: with it, a picture's name decides what is drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Go on with OUTPUT where it ends. A line that was cut off is done again
    #[arg(long)]
    pub resume: bool,
    /// Only the I-th of N parts, counted from 1: every N-th picture. Each part has an OUTPUT of its own
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    pub shard: Option<Shard>,
}

/// Shares of scenes, in the order in which `--mix` names them.
const MIX: [f32; 5] = [0.15, 0.15, 0.4, 0.1, 0.2];

/// What `--mix` says.
pub fn mix_of(shares: &[f32]) -> Result<Mix> {
    let [single, group, pair, groups, several] = *shares else {
        return Err(Error::BadInput(format!(
            "--mix has {} shares, expected {}",
            shares.len(),
            MIX.len()
        )));
    };
    Ok(Mix {
        single,
        group,
        pair,
        groups,
        several,
    })
}

#[derive(Debug, Args)]
pub struct ScenesArguments {
    /// The folder that `scripts/pictograms/fetch` filled
    pub packages: PathBuf,
    /// The folder to write the drawings to
    pub output: PathBuf,
    /// Also write so many scenes of each held-out split, with captions and questions
    #[arg(long, default_value_t = 0)]
    pub count: usize,
    /// Take the first so many objects
    #[arg(long, default_value_t = 64)]
    pub objects: usize,
    /// Side of the pictures, in pixels
    #[arg(long, default_value_t = 96)]
    pub image_size: u32,
    /// Shares of scenes with one thing, several of a kind, a pair, groups, and more kinds
    #[arg(long, value_delimiter = ',', default_values_t = MIX)]
    pub mix: Vec<f32>,
    /// Give this share of the training scenes another scene's captions, as noisy web texts do
    #[arg(long, default_value_t = 0.0)]
    pub noise: f64,
    /// Everything random comes from it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("examples").args(["scenes", "data"]).required(true)))]
pub struct Train {
    /// The folder of the run: checkpoint.gguf, model.gguf, metrics.csv, loss.svg
    pub output: PathBuf,
    /// Train on scenes of the drawings in this folder, made by `obscura scenes`
    #[arg(long)]
    pub scenes: Option<PathBuf>,
    /// Train on the pictures of this folder, described by its captions.jsonl, captions.csv, metadata.jsonl
    /// or metadata.csv, or by a .txt or .xmp file beside each
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Show easy-VQA's shapes too, from this folder that `scripts/pictograms/fetch` filled
    #[arg(long, requires = "scenes")]
    pub shapes: Option<PathBuf>,
    /// Start from this model instead of a new one: a .gguf file, a folder, a URL or a hub id
    #[arg(long)]
    pub from: Option<PathBuf>,
    /// Go on with the run in the folder
    #[arg(long, conflicts_with = "from")]
    pub resume: bool,
    /// A new CLIP instead of a BLIP
    #[arg(long)]
    pub clip: bool,
    /// What to learn, separated by commas: itc, itm, lm, vqa, and patches (what lies where, for
    /// drawn scenes)
    #[arg(long, value_delimiter = ',', default_value = "itc,itm,lm,vqa")]
    objectives: Vec<Objective>,
    /// Steps in all [default: 10000, or those of the resumed run]
    #[arg(long)]
    pub steps: Option<u64>,
    /// Stop after so many minutes; --resume goes on
    #[arg(long)]
    pub minutes: Option<f64>,
    /// Examples a step
    #[arg(long, default_value_t = 32)]
    pub batch: usize,
    /// Parts of a batch to work on side by side, one CPU core each
    #[arg(long, default_value_t = 1)]
    pub shards: usize,
    /// The highest learning rate
    #[arg(long, default_value_t = 4e-4)]
    pub rate: f64,
    /// Orthogonal steps (Muon) for the matrices inside the model, AdamW's for the rest: it learns from
    /// fewer examples
    #[arg(long)]
    pub muon: bool,
    /// Steps until the highest learning rate
    #[arg(long, default_value_t = 500)]
    pub warm_up: u64,
    /// Vectors in the contrastive queues; 0 for no momentum encoders
    #[arg(long, default_value_t = 1024)]
    pub queue: usize,
    /// The share of themselves that the momentum encoders keep at each step
    #[arg(long, default_value_t = 0.995)]
    pub momentum: f64,
    /// The share of the momentum encoders in the contrastive targets
    #[arg(long, default_value_t = 0.4)]
    alpha: f32,
    /// Questions about each picture
    #[arg(long, default_value_t = 2)]
    pub questions: usize,
    /// Take the first so many objects into the scenes
    #[arg(long, default_value_t = 64)]
    pub objects: usize,
    /// So many scenes in a row show the same things, differently: wrong texts are then hard to tell
    #[arg(long, default_value_t = 1)]
    pub alike: usize,
    /// Shares of scenes with one thing, several of a kind, a pair, groups, and more kinds
    #[arg(long, value_delimiter = ',', default_values_t = MIX)]
    pub mix: Vec<f32>,
    /// Side of a new model's pictures, in pixels
    #[arg(long, default_value_t = 96)]
    pub image_size: usize,
    /// Side of the pictures in this run, in pixels, where it is not the model's: smaller ones cost less
    #[arg(long)]
    pub picture_size: Option<usize>,
    /// Side of a new model's patches, in pixels
    #[arg(long, default_value_t = 16)]
    pub patch_size: usize,
    /// Width of a new model, a multiple of 32
    #[arg(long, default_value_t = 192)]
    pub width: usize,
    /// Blocks of a new model's image encoder
    #[arg(long, default_value_t = 6)]
    pub vision_depth: usize,
    /// Layers of a new model's text transformer
    #[arg(long, default_value_t = 4)]
    pub text_depth: usize,
    /// Entries of a new model's vocabulary at most
    #[arg(long, default_value_t = 1024)]
    pub vocabulary: usize,
    /// Everything random comes from it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write the checkpoint and the model every so many steps
    #[arg(long, default_value_t = 500)]
    pub save_every: u64,
    /// Report every so many steps
    #[arg(long, default_value_t = 50)]
    pub report_every: u64,
}

/// What a model learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Objective {
    Itc,
    Itm,
    Lm,
    Vqa,
    Patches,
}

impl Train {
    /// Refuses sizes that no model has, before anything is read.
    pub fn check(&self) -> Result<()> {
        let positive = [
            ("--batch", self.batch),
            ("--shards", self.shards),
            ("--objects", self.objects),
            ("--alike", self.alike),
            ("--image-size", self.image_size),
            ("--patch-size", self.patch_size),
            ("--width", self.width),
            ("--vision-depth", self.vision_depth),
            ("--text-depth", self.text_depth),
        ];
        let refuse = |what: String| Err(Error::BadInput(what));
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return refuse(format!("{name} is 0, expected at least 1"));
        }
        if !self.width.is_multiple_of(32) {
            return refuse(format!(
                "--width is {}, expected a multiple of 32",
                self.width
            ));
        }
        if !self.image_size.is_multiple_of(self.patch_size) {
            return refuse(format!(
                "--image-size is {}, expected whole patches of {}",
                self.image_size, self.patch_size
            ));
        }
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return refuse(format!(
                "--rate is {}, expected a positive number",
                self.rate
            ));
        }
        if !(0.0..=1.0).contains(&self.momentum) || !(0.0..=1.0).contains(&self.alpha) {
            return refuse("--momentum and --alpha are shares, expected 0 to 1".to_string());
        }
        mix_of(&self.mix)?;
        Ok(())
    }

    pub fn objectives(&self) -> obscura::train::objectives::Objectives {
        let weight = |objective| f32::from(self.objectives.contains(&objective));
        obscura::train::objectives::Objectives {
            itc: weight(Objective::Itc),
            itm: weight(Objective::Itm),
            lm: weight(Objective::Lm),
            vqa: weight(Objective::Vqa),
            patches: weight(Objective::Patches),
            alpha: self.alpha,
            ..Default::default()
        }
    }
}
