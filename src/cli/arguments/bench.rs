//! What can be measured.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Measures how long a model's tasks take on this machine.
///
/// The picture is decoded once, and each text is one that was not encoded before. Captions and
/// answers have exactly as many tokens as asked for. `scripts/bench` runs this beside other
/// programs and in the browser.
#[derive(Debug, Args)]
pub struct Bench {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// The picture
    pub image: PathBuf,
    /// Measure only this, instead of all that the model can do; may be several, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WORK")]
    pub only: Vec<Work>,
    /// Runs that count, after those to warm up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub runs: u16,
    /// Runs that do not count
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=200))]
    pub warm_up: u16,
    /// Tokens of the caption
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=400))]
    pub tokens: u16,
    /// How many of ImageNet's labels to classify by
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub labels: u16,
    /// The question to answer
    #[arg(long, default_value = "what is in the picture?")]
    pub question: String,
    /// Instead: measure once whatever WORK is named on a line of standard input, and print one JSON
    /// object for each
    #[arg(long, conflicts_with_all = ["only", "runs", "warm_up"])]
    pub on_request: bool,
}

/// What is measured in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Encode the picture (CLIP, BLIP)
    Image,
    /// Encode a text that was not encoded before (CLIP, BLIP)
    Text,
    /// Classify the picture by labels that were not encoded before (CLIP, BLIP)
    Labels,
    /// Classify it by labels that were (CLIP, BLIP)
    Classify,
    /// Write a caption, greedily: time to the first token, for each further one, and in all (BLIP)
    Caption,
    /// Write it by a search with three beams (BLIP)
    Beam,
    /// Answer a question in five tokens (BLIP)
    Answer,
}
