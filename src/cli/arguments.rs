//! What can be asked on the command line; the comments are the help texts.

use clap::{Args, Parser, Subcommand, ValueEnum};
use obscura::Result;
use obscura::device::DevicePreference;
use obscura::generate::GenerationOptions;
use obscura::nn::Dtype;
use std::path::PathBuf;

/// CLIP and BLIP on your own machine: caption, classify, compare and ask about pictures.
///
/// MODEL is a .gguf file (made by `obscura convert`) or a folder in Hugging Face layout:
/// config.json, tokenizer, preprocessor_config.json, and model.safetensors or pytorch_model.bin.
/// Pictures are PNG, JPEG, WebP, GIF or BMP files.
#[derive(Debug, Parser)]
#[command(name = "obscura", version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// Where to compute
    #[arg(long, global = true, value_enum, default_value = "cpu")]
    device: DeviceArgument,
    /// Number format of the weights: auto keeps a .gguf as it is and makes other files q8;
    /// f32 is unquantized
    #[arg(long, global = true, value_enum, default_value = "auto")]
    dtype: DtypeArgument,
    /// Print one JSON object per picture instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

impl Common {
    pub fn device(&self) -> DevicePreference {
        match self.device {
            DeviceArgument::Cpu => DevicePreference::Cpu,
            DeviceArgument::Gpu => DevicePreference::Gpu,
        }
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
enum DeviceArgument {
    Cpu,
    Gpu,
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
    /// Write a model as one .gguf file, quantized if asked
    Convert(Convert),
    /// Show what a model file holds
    Inspect(Inspect),
    /// Train a model, or go on training one
    #[cfg(feature = "train")]
    Train(Train),
    /// Measure a model on pictures with known captions and answers
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
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Args)]
pub struct Caption {
    /// A .gguf file or a folder in Hugging Face layout
    pub model: PathBuf,
    /// Pictures
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// First words of the caption, which it continues
    #[arg(long, default_value = "", hide_default_value = true)]
    pub prompt: String,
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
    /// A .gguf file or a folder in Hugging Face layout
    pub model: PathBuf,
    /// Pictures
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// The labels, separated by commas
    #[arg(long, required = true, value_delimiter = ',')]
    pub labels: Vec<String>,
    /// A sentence with {} for the label; several are averaged [default: "a photo of a {}"]
    #[arg(long = "template")]
    pub templates: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Embed {
    /// A .gguf file or a folder in Hugging Face layout
    pub model: PathBuf,
    /// Pictures
    #[arg(required_unless_present = "texts")]
    pub images: Vec<PathBuf>,
    /// A text; may be given several times
    #[arg(long = "text", num_args = 1.., conflicts_with = "images")]
    pub texts: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Match {
    /// A .gguf file or a folder in Hugging Face layout
    pub model: PathBuf,
    /// The picture
    pub image: PathBuf,
    /// Texts that may describe it
    #[arg(required = true)]
    pub texts: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Answer {
    /// A .gguf file or a folder in Hugging Face layout
    pub model: PathBuf,
    /// One picture, or a video's frames in order
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// The question
    #[arg(long)]
    pub question: String,
    /// Rank these answers, separated by commas, instead of writing one
    #[arg(long, value_delimiter = ',')]
    pub answers: Vec<String>,
    #[command(flatten)]
    pub generation: Generation,
}

#[derive(Debug, Args)]
pub struct Convert {
    /// A folder in Hugging Face layout, or a .gguf file
    pub model: PathBuf,
    /// The .gguf file to write
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// A .gguf file or a folder in Hugging Face layout
    pub model: PathBuf,
}

#[cfg(feature = "train")]
#[derive(Debug, Args)]
pub struct Eval {
    /// A .gguf file or a folder in Hugging Face layout
    pub model: PathBuf,
    /// A folder with captions.jsonl, captions.csv or questions.jsonl beside its pictures, or a file
    /// of captions in COCO's format
    pub data: PathBuf,
    /// The pictures of a file in COCO's format [default: the file's own folder]
    #[arg(long)]
    pub images: Option<PathBuf>,
}

#[cfg(feature = "train")]
#[derive(Debug, Args)]
pub struct Filter {
    /// A .gguf file or a folder in Hugging Face layout, of a BLIP that can caption and match
    pub model: PathBuf,
    /// A folder with captions.jsonl or captions.csv beside its pictures
    pub data: PathBuf,
    /// The .jsonl file to write: pictures with the texts that were kept, and what became of each
    pub output: PathBuf,
    /// Keep texts of at least this matching probability
    #[arg(long, default_value_t = obscura::tasks::THRESHOLD)]
    pub threshold: f32,
    /// Makes the written captions reproducible
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[cfg(feature = "train")]
#[derive(Debug, Args)]
pub struct ScenesArguments {
    /// The folder that `scripts/fetch-pictograms` filled
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
    /// Give this share of the training scenes another scene's captions, as noisy web texts do
    #[arg(long, default_value_t = 0.0)]
    pub noise: f64,
    /// Everything random comes from it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[cfg(feature = "train")]
#[derive(Debug, Args)]
pub struct Train {
    /// The folder of the run: checkpoint.gguf, model.gguf, metrics.csv, loss.svg
    pub output: PathBuf,
    /// Train on scenes of the drawings in this folder, made by `obscura scenes`
    #[arg(long, required_unless_present = "data", conflicts_with = "data")]
    pub scenes: Option<PathBuf>,
    /// Train on the pictures of this folder, described by its captions.jsonl or captions.csv
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Show easy-VQA's shapes too, from this folder that `scripts/fetch-pictograms` filled
    #[arg(long, requires = "scenes")]
    pub shapes: Option<PathBuf>,
    /// Start from this model instead of a new one
    #[arg(long)]
    pub from: Option<PathBuf>,
    /// Go on with the run in the folder
    #[arg(long, conflicts_with = "from")]
    pub resume: bool,
    /// A new CLIP instead of a BLIP
    #[arg(long)]
    pub clip: bool,
    /// What to learn, separated by commas: itc, itm, lm, vqa
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
    #[arg(long, default_value_t = 1e-3)]
    pub rate: f64,
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
    /// Shares of scenes with one thing, several of a kind, a pair, groups, and more kinds
    #[arg(long, value_delimiter = ',', default_values_t = [0.15, 0.15, 0.4, 0.1, 0.2])]
    pub mix: Vec<f32>,
    /// Side of a new model's pictures, in pixels
    #[arg(long, default_value_t = 96)]
    pub image_size: usize,
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
#[cfg(feature = "train")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Objective {
    Itc,
    Itm,
    Lm,
    Vqa,
}

#[cfg(feature = "train")]
impl Train {
    pub fn objectives(&self) -> obscura::train::objectives::Objectives {
        let weight = |objective| f32::from(self.objectives.contains(&objective));
        obscura::train::objectives::Objectives {
            itc: weight(Objective::Itc),
            itm: weight(Objective::Itm),
            lm: weight(Objective::Lm),
            vqa: weight(Objective::Vqa),
            alpha: self.alpha,
            ..Default::default()
        }
    }
}
