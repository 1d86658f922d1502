//! What can be asked on the command line; the comments are the help texts.

mod album;
mod bench;
mod common;
mod files;
mod tasks;
#[cfg(feature = "train")]
mod training;

pub use album::*;
pub use bench::{Bench, Work};
pub use common::Common;
pub use files::{Convert, Inspect, Pixels};
pub use tasks::{Answer, Caption, Classify, Embed, Labels, Match};
#[cfg(feature = "train")]
pub use training::*;

use clap::{Parser, Subcommand};
use obscura::Result;

/// CLIP and BLIP on your own machine: caption, classify, compare and ask about pictures.
///
/// MODEL is a .gguf file (made by `obscura convert`) or a folder in Hugging Face layout:
/// config.json, tokenizer, preprocessor_config.json, and model.safetensors or pytorch_model.bin.
/// It may also be the http(s) URL of either, or a hub id such as Salesforce/blip-vqa-base: then the
/// files are downloaded and kept. A LoRA adapter stands for the model that it was made for, with the
/// adapter merged.
/// Pictures are PNG, JPEG, WebP, GIF, BMP, JPEG XL, JPEG 2000, TIFF, ICO, QOI, PNM or TGA files.
#[derive(Debug, Parser)]
#[command(name = "obscura", version, propagate_version = true, after_long_help = ENVIRONMENT)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// What the downloads of models understand; the names are those of the hub's own tools.
const ENVIRONMENT: &str = "\
Environment:
  HF_ENDPOINT     The hub [default: https://huggingface.co]
  HF_TOKEN        Shown to the hub for private and gated models [default: what `hf auth login` wrote]
  HF_HOME         Folder of cache (hub/) and token [default: ~/.cache/huggingface]
  HF_HUB_CACHE    Folder of hub models, shared with Python [default: $HF_HOME/hub]
  HF_HUB_OFFLINE  1: use what is downloaded already, and no network
  XDG_CACHE_HOME  Models from other URLs go to obscura/ in this folder [default: ~/.cache]";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Describe pictures in a sentence (BLIP)
    Caption(Caption),
    /// Say which of given labels fits each picture (CLIP, BLIP)
    Classify(Classify),
    /// Turn pictures or texts into vectors that can be compared (CLIP, BLIP)
    Embed(Embed),
    /// Score how well texts describe a picture (CLIP, BLIP)
    Match(Match),
    /// Answer a question about a picture, or about a video's frames in order (BLIP)
    Answer(Answer),
    /// Keep pictures' vectors in a file, to search among them (CLIP, BLIP)
    #[command(subcommand)]
    Album(AlbumCommand),
    /// Find pictures of an album by a text or a picture (CLIP, BLIP)
    Search(Search),
    /// Turn a set of labels into a file of vectors, so that classifying takes one encoding (CLIP, BLIP)
    Labels(Labels),
    /// Write a model as one .gguf file, quantized if asked
    Convert(Convert),
    /// Show what a model file holds
    Inspect(Inspect),
    /// Print what pictures decode to: their size and a hash of their upright RGB pixels
    Pixels(Pixels),
    /// Measure how long a model's tasks take on this machine (CLIP, BLIP)
    Bench(Bench),
    /// Train a model, or go on training one
    #[cfg(feature = "train")]
    Train(Box<Train>),
    /// Measure a model on pictures with known captions, answers or classes
    #[cfg(feature = "train")]
    Eval(Eval),
    /// Caption pictures and keep the better of given and written texts (BLIP's CapFilt)
    #[cfg(feature = "train")]
    Filter(Filter),
    /// Make the drawings that training scenes are composed of, and sets of scenes to test with
    #[cfg(feature = "train")]
    Scenes(ScenesArguments),
}

impl Command {
    /// Refuses values that no model can make sense of, before one is loaded.
    pub fn check(&self) -> Result<()> {
        match self {
            Command::Caption(caption) => caption.options().check(),
            Command::Answer(answer) => answer.generation.options().check(),
            #[cfg(feature = "train")]
            Command::Train(train) => train.check(),
            _ => Ok(()),
        }
    }
}
