//! What can be asked of a model.

use clap::{Args, ValueEnum};
use obscura::generate::GenerationOptions;
use obscura::tasks::{CANDIDATES, Filling, GuidanceOptions, Ranking, Scores};
use std::path::PathBuf;

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
    /// Do not write the same so many tokens twice, against texts that go round in circles (0: allow it)
    #[arg(long, default_value_t = 0)]
    no_repeat_ngram_size: usize,
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
            no_repeat_ngram_size: self.no_repeat_ngram_size,
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
    /// What the scores are: each label's own probability (SigLIP's default), shares of all labels (the
    /// others' default), or cosines
    #[arg(long, value_enum)]
    scores: Option<ScoresArgument>,
    /// Only so many of the best labels
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
}

impl Classify {
    pub fn ranking(&self) -> Ranking {
        Ranking {
            scores: self.scores.map(|scores| match scores {
                ScoresArgument::Sigmoid => Scores::Sigmoid,
                ScoresArgument::Softmax => Scores::Softmax,
                ScoresArgument::Cosine => Scores::Cosine,
            }),
            top_k: self.top_k,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScoresArgument {
    Sigmoid,
    #[value(alias = "probability")]
    Softmax,
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
