//! What can be asked on the command line; the comments are the help texts.

mod agents;
mod album;
mod bench;
mod common;
mod files;
mod shard;
mod tasks;
#[cfg(feature = "train")]
mod training;
mod vectors;
mod words;

pub use agents::{Alt, Mcp};
pub use album::*;
pub use bench::{Bench, Work};
pub use common::Common;
pub use files::{Convert, Inspect, Pixels};
pub use shard::{Shard, parse_shard};
pub use tasks::{Answer, Caption, Classify, Embed, Form, Labels, Match, Names, WritingArguments};
#[cfg(feature = "train")]
pub use training::*;
pub use vectors::VectorsFile;
pub use words::{command, with_model};

use clap::{Parser, Subcommand};
use obscura::Result;
use obscura::generate::GenerationSettings;

/// CLIP and BLIP on your own machine: caption, classify, compare and ask about pictures.
///
/// MODEL is a .gguf file (made by `obscura convert`) or a folder in Hugging Face layout:
/// config.json, tokenizer, preprocessor_config.json, and model.safetensors or pytorch_model.bin.
/// It may also be the http(s) URL of either, or a hub id such as Salesforce/blip-vqa-base: then the
/// files are downloaded and kept. A LoRA adapter stands for the model that it was made for, with the
/// adapter merged.
///
/// MODEL may be left out: then it is the variable OBSCURA_MODEL, or the one that comes with obscura,
/// pictograms, which knows drawings only. The first word is MODEL if it is a folder with a model in it,
/// ends like a file of weights (.gguf), is a URL, or is a hub id (owner/name) of which there is no file
/// here; --model names it in any case, and then no other word does.
///
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
  OBSCURA_MODEL   The model where none is named
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
    /// Find pictures without alternative text in a website's files, and write texts for them (BLIP)
    ///
    /// Without further options it reports them, loads no model, and its exit code is 1 if there are any. In HTML files
    /// (.html, .htm, .xhtml) that is an img without alt; alt="" marks a decoration and stays. In Markdown files (.md,
    /// .markdown, .mdown) it is a picture whose text is empty, as in ![](x.png). What a link consists of needs a text that
    /// says where the link leads, which no model knows: it is reported, and left to people.
    Alt(Box<Alt>),
    /// Serve a model to agents, by the Model Context Protocol (CLIP, BLIP)
    ///
    /// The tools are caption, answer, classify, match, and search in an album: those that the model has the heads for.
    /// Pictures come in base64, or by their paths in the folders that --folder names; nothing else is read.
    Mcp(Mcp),
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
    /// Where no model is named: whether one is needed, or what is against the one that comes with obscura.
    pub fn needs_unnamed(&self) -> Result<bool> {
        match self {
            Command::Alt(alt) => alt.check_unnamed().map(|()| false),
            _ => Ok(true),
        }
    }

    /// Refuses values that no model can make sense of, before one is loaded.
    pub fn check(&self) -> Result<()> {
        let check = |asked: &GenerationSettings| {
            let says_how = asked.num_beams.is_some() || asked.do_sample.is_some();
            // Whether there may be groups and several texts hangs on the model, too.
            let asked = GenerationSettings {
                num_beam_groups: None,
                num_return_sequences: asked.num_return_sequences.filter(|_| says_how),
                ..asked.clone()
            };
            asked.or(&GenerationSettings::default()).check()
        };
        match self {
            Command::Caption(caption) => check(&caption.settings()),
            Command::Answer(answer) => check(&answer.generation.settings()),
            #[cfg(feature = "train")]
            Command::Train(train) => train.check(),
            _ => Ok(()),
        }
    }
}
