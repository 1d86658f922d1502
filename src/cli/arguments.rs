//! What can be asked on the command line; the comments are the help texts.

use super::album_arguments::{AlbumCommand, Search};
use super::bench::Work;
#[cfg(feature = "train")]
use super::training_arguments::{Eval, Filter, ScenesArguments, Train};
use clap::{Args, Parser, Subcommand, ValueEnum};
use obscura::Result;
use obscura::device::DevicePreference;
use obscura::generate::GenerationOptions;
use obscura::image::Grey16;
use obscura::nn::Dtype;
use obscura::tasks::{CANDIDATES, Filling, GuidanceOptions, Ranking, Scores};
use std::path::PathBuf;

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

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// Where to compute
    #[arg(long, global = true, value_enum, default_value = "cpu")]
    device: DeviceArgument,
    /// Number format of the weights: auto keeps a .gguf as it is and makes other files q8 (q4 above 600 million numbers);
    /// f32 is unquantized
    #[arg(long, global = true, value_enum, default_value = "auto")]
    dtype: DtypeArgument,
    /// Print one JSON object per picture instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Where MODEL is a hub id: its branch, tag or commit [default: main]
    #[arg(long, global = true, value_name = "REV")]
    pub revision: Option<String>,
    /// Merge this LoRA adapter (a folder that PEFT has saved, its URL, or a hub id) into MODEL's weights; may be
    /// given several times
    #[arg(long = "adapter", global = true, value_name = "ADAPTER")]
    pub adapters: Vec<PathBuf>,
    /// Where MODEL is an adapter itself: the model that it was made for [default: the one that the adapter names]
    #[arg(long, global = true, value_name = "MODEL")]
    pub base: Option<PathBuf>,
    /// What becomes of pictures in grey of 16 bits: levels cut off at 255, as in the reference, which
    /// leaves most of them white, or scaled to 8 bits [default: clip, with a note]
    #[arg(long, global = true, value_enum, value_name = "HOW")]
    grey16: Option<Grey16Argument>,
    /// Fail unless MODEL's file of weights has this SHA-256, in hexadecimal
    #[arg(long, global = true, value_name = "HEX")]
    pub sha256: Option<String>,
}

impl Common {
    pub fn device(&self) -> DevicePreference {
        match self.device {
            DeviceArgument::Cpu => DevicePreference::Cpu,
            DeviceArgument::Gpu => DevicePreference::Gpu,
            #[cfg(feature = "cuda")]
            DeviceArgument::Cuda => DevicePreference::Cuda,
        }
    }

    /// None where nothing was said.
    pub fn grey16(&self) -> Option<Grey16> {
        self.grey16.map(|grey16| match grey16 {
            Grey16Argument::Clip => Grey16::Clip,
            Grey16Argument::Scale => Grey16::Scale,
        })
    }

    pub fn dtype(&self) -> Dtype {
        match self.dtype {
            DtypeArgument::Auto => Dtype::Auto,
            DtypeArgument::Q4 => Dtype::Q4,
            DtypeArgument::Q8 => Dtype::Q8,
            DtypeArgument::F16 => Dtype::F16,
            DtypeArgument::F32 => Dtype::F32,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Grey16Argument {
    Clip,
    Scale,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DeviceArgument {
    Cpu,
    Gpu,
    #[cfg(feature = "cuda")]
    Cuda,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DtypeArgument {
    Auto,
    Q4,
    Q8,
    F16,
    F32,
}

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

#[derive(Debug, Args)]
pub struct Caption {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id
    pub model: PathBuf,
    /// Pictures
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// First words of the caption, which it continues
    #[arg(long, default_value = "", hide_default_value = true)]
    pub prompt: String,
    /// With --json: add where the model looked for each token, as one number a patch
    #[arg(long, requires = "json")]
    pub attention: bool,
    #[command(flatten)]
    pub generation: Generation,
    /// Draw the words by chance instead of taking the likeliest
    #[arg(long)]
    sample: bool,
    /// With --sample: draw only among the likeliest words that together reach this probability
    #[arg(long, default_value_t = 1.0, requires = "sample")]
    top_p: f32,
    /// With --sample: draw only among this many of the likeliest words (0: all)
    #[arg(long, default_value_t = 50, requires = "sample")]
    top_k: usize,
    /// With --sample: above 1 more surprising, below 1 less
    #[arg(long, default_value_t = 1.0, requires = "sample")]
    temperature: f32,
    /// With --sample: the same seed draws the same words
    #[arg(long, requires = "sample")]
    seed: Option<u64>,
    /// Above 1, words that are already there become less likely
    #[arg(long, default_value_t = 1.0)]
    repetition_penalty: f32,
}

impl Caption {
    pub fn options(&self) -> GenerationOptions {
        GenerationOptions {
            do_sample: self.sample,
            top_p: self.top_p,
            top_k: self.top_k,
            temperature: self.temperature,
            seed: self.seed,
            repetition_penalty: self.repetition_penalty,
            ..self.generation.options()
        }
    }
}

/// Options of all generated texts.
#[derive(Debug, Args)]
pub struct Generation {
    /// Follow so many alternatives at once and take the best
    #[arg(long, default_value_t = 1)]
    beams: usize,
    /// Add at most so many tokens
    #[arg(long, default_value_t = 20)]
    max_new_tokens: usize,
    /// Do not end before the text, start token and prompt included, has so many tokens
    #[arg(long, default_value_t = 0)]
    min_length: usize,
    /// With --beams: above 1 prefers longer texts, below 1 shorter ones
    #[arg(long, default_value_t = 1.0)]
    length_penalty: f32,
}

impl Generation {
    pub fn options(&self) -> GenerationOptions {
        GenerationOptions {
            num_beams: self.beams,
            max_new_tokens: self.max_new_tokens,
            min_length: self.min_length,
            length_penalty: self.length_penalty,
            ..Default::default()
        }
    }
}

#[derive(Debug, Args)]
pub struct Classify {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id
    pub model: PathBuf,
    /// Pictures
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// The labels, separated by commas
    #[arg(long, required_unless_present = "label_set", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// Many labels: imagenet (its 1,000 classes and CLIP's 80 templates), a file of labels (JSON, or
    /// one in each line), or the vectors that `obscura labels` wrote
    #[arg(long, value_name = "LABELS", conflicts_with = "labels")]
    pub label_set: Option<PathBuf>,
    /// A sentence with {} for the label; several are averaged [default: "a photo of a {}"]
    #[arg(long = "template")]
    pub templates: Vec<String>,
    /// What the scores are: shares of all labels, or cosines
    #[arg(long, value_enum, default_value = "probability")]
    scores: ScoresArgument,
    /// Only so many of the best labels
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
}

impl Classify {
    pub fn ranking(&self) -> Ranking {
        Ranking {
            scores: match self.scores {
                ScoresArgument::Probability => Scores::Probability,
                ScoresArgument::Cosine => Scores::Cosine,
            },
            top_k: self.top_k,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScoresArgument {
    Probability,
    Cosine,
}

/// Turns a set of labels into vectors, once, for `classify --label-set` and the page.
#[derive(Debug, Args)]
pub struct Labels {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id
    pub model: PathBuf,
    /// imagenet (its 1,000 classes and CLIP's 80 templates), or a file of labels: JSON, or one in
    /// each line
    pub labels: PathBuf,
    /// The file to write, in safetensors format
    pub output: PathBuf,
    /// A sentence with {} for the label, instead of the label set's own; several are averaged
    #[arg(long = "template")]
    pub templates: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Embed {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id
    pub model: PathBuf,
    /// Pictures
    #[arg(required_unless_present = "texts")]
    pub images: Vec<PathBuf>,
    /// A text; may be given several times
    #[arg(long = "text", num_args = 1.., conflicts_with = "images")]
    pub texts: Vec<String>,
    /// The pictures are the frames of one video, which gets one vector: the mean of theirs. A single
    /// animated picture (GIF, WebP, PNG) is a video, too
    #[arg(long, conflicts_with = "texts")]
    pub video: bool,
    /// With --video: so many frames of a single animated picture, at equal distances
    #[arg(long, value_name = "N", default_value_t = 8, requires = "video", value_parser = number_of_frames)]
    pub frames: usize,
    /// With --text: every token's state in CLIP's text encoder, as generators are guided by, and
    /// the pooled vector
    #[arg(long, requires = "texts")]
    pub tokens: bool,
    /// With --tokens: after which layer; -1 is the last, -2 the one before it, 0 before the first
    #[arg(long, default_value_t = -1, requires = "tokens", allow_negative_numbers = true)]
    pub layer: i32,
    /// With --tokens: without the encoder's final norm
    #[arg(long, requires = "tokens")]
    pub no_norm: bool,
    /// With --tokens: fill up the text to the encoder's full length (77 tokens) with the end token,
    /// or with the token of this number
    #[arg(long, requires = "tokens", num_args = 0..=1, value_name = "TOKEN")]
    pub pad: Option<Option<u32>>,
}

impl Embed {
    pub fn guidance(&self) -> GuidanceOptions {
        GuidanceOptions {
            layer: self.layer,
            norm: !self.no_norm,
            pad: match self.pad {
                None => Filling::None,
                Some(None) => Filling::EndToken,
                Some(Some(token)) => Filling::Token(token),
            },
        }
    }
}

/// From 1 to what a video may have in the browser, too.
fn number_of_frames(text: &str) -> std::result::Result<usize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=1024).contains(number));
    number.ok_or_else(|| "a whole number from 1 to 1024 is expected".to_string())
}

#[derive(Debug, Args)]
pub struct Match {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id
    pub model: PathBuf,
    /// The picture
    pub image: PathBuf,
    /// Texts that may describe it
    #[arg(required = true)]
    pub texts: Vec<String>,
    /// With --json: add what in the picture makes each text match (Grad-CAM), as one number a patch
    #[arg(long, requires = "json")]
    pub attention: bool,
}

#[derive(Debug, Args)]
pub struct Answer {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id
    pub model: PathBuf,
    /// One picture, or a video's frames in order
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// Of a single animated picture (GIF, WebP, PNG): so many frames, at equal distances, instead of
    /// the first
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number_of_frames)]
    pub frames: usize,
    /// The question
    #[arg(long)]
    pub question: String,
    /// Rank these answers, separated by commas, instead of writing one
    #[arg(long, value_delimiter = ',')]
    pub answers: Vec<String>,
    /// With --answers: score those in full whose first token is among the N likeliest
    #[arg(long, value_name = "N", default_value_t = CANDIDATES, requires = "answers")]
    pub candidates: usize,
    #[command(flatten)]
    pub generation: Generation,
}

#[derive(Debug, Args)]
pub struct Convert {
    /// A folder in Hugging Face layout, a .gguf file, the URL of either, or a hub id
    pub model: PathBuf,
    /// The .gguf file to write
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id
    pub model: PathBuf,
}

/// Prints what pictures decode to, to compare decoders: `scripts/pictures-parity` does, with Pillow.
#[derive(Debug, Args)]
pub struct Pixels {
    /// Pictures
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// Write the pixels too, three bytes each, row by row, as files NAME.rgb in this folder
    #[arg(long, value_name = "FOLDER")]
    pub raw: Option<PathBuf>,
}

/// Measures how long a model's tasks take on this machine.
///
/// The picture is decoded once, and each text is one that was not encoded before. Captions and
/// answers have exactly as many tokens as asked for. `scripts/bench` runs this beside other
/// programs and in the browser.
#[derive(Debug, Args)]
pub struct Bench {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id
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
