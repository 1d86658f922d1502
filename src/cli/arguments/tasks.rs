//! What can be asked of a model.

use clap::{Args, ValueEnum};
use obscura::generate::GenerationSettings;
use obscura::tasks::{CANDIDATES, Filling, GuidanceOptions, Ranking, Scores};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Caption {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// Pictures: files, folders with all in them, patterns such as "photos/*.jpg", videos, or - for names on
    /// standard input
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    #[command(flatten)]
    pub writing: WritingArguments,
    /// First words of the caption, which it continues
    #[arg(long, default_value = "", hide_default_value = true)]
    pub prompt: String,
    /// With --json: add where the model looked for each token, as one number a patch
    #[arg(long, requires = "json", conflicts_with = "write")]
    pub attention: bool,
    #[command(flatten)]
    pub generation: Generation,
    /// Draw the words by chance instead of taking the likeliest; --sample=false where the model would
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    sample: Option<bool>,
    /// With --sample: draw only among the likeliest words that together reach this probability [default: 1]
    #[arg(long, requires = "sample")]
    top_p: Option<f32>,
    /// With --sample: draw only among this many of the likeliest words (0: all) [default: 50]
    #[arg(long, requires = "sample")]
    top_k: Option<usize>,
    /// With --sample: above 1 more surprising, below 1 less [default: 1]
    #[arg(long, requires = "sample")]
    temperature: Option<f32>,
    /// With --sample: the same seed draws the same words
    #[arg(long, requires = "sample")]
    seed: Option<u64>,
    /// Above 1, words that are already there become less likely [default: 1]
    #[arg(long)]
    repetition_penalty: Option<f32>,
}

impl Caption {
    pub fn settings(&self) -> GenerationSettings {
        GenerationSettings {
            do_sample: self.sample,
            top_p: self.top_p,
            top_k: self.top_k,
            temperature: self.temperature,
            seed: self.seed,
            repetition_penalty: self.repetition_penalty,
            ..self.generation.settings()
        }
    }
}

/// Where captions and labels go, other than to standard output.
#[derive(Debug, Args)]
pub struct WritingArguments {
    /// Write into files: a text beside each picture (txt, as training tools read it), an XMP sidecar beside each with
    /// IPTC's alternative text and description (xmp, captions only), or one table of all (jsonl: as Hugging Face's
    /// metadata.jsonl; csv). Of several captions or labels of a picture, txt and xmp hold the best, jsonl and csv all
    #[arg(long, value_enum, value_name = "FORM")]
    pub write: Option<Form>,
    /// With --write jsonl or csv: the file [default: in the one folder that is named, metadata.jsonl or captions.csv,
    /// labels.jsonl or labels.csv]
    #[arg(long, value_name = "FILE", requires = "write")]
    pub output: Option<PathBuf>,
    /// With --write: what each text begins with, as it stands
    #[arg(
        long,
        value_name = "TEXT",
        requires = "write",
        default_value = "",
        hide_default_value = true
    )]
    pub prefix: String,
    /// With --write: what each text ends with, as it stands
    #[arg(
        long,
        value_name = "TEXT",
        requires = "write",
        default_value = "",
        hide_default_value = true
    )]
    pub suffix: String,
    /// With --write: leave the pictures that something is written of already, and go on with a run that was stopped
    #[arg(long, visible_alias = "skip-existing", requires = "write")]
    pub resume: bool,
    /// With --write: replace what is there already; of an XMP file, these two texts alone
    #[arg(long, requires = "write", conflicts_with = "resume")]
    pub overwrite: bool,
    /// With --write txt or xmp: the files' names, photo.txt and photo.xmp (stem), or photo.jpg.txt and
    /// photo.jpg.xmp (full) [default: stem for txt, full for xmp]
    #[arg(long, value_enum, value_name = "HOW", requires = "write")]
    pub names: Option<Names>,
}

/// What a run's texts are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Txt,
    Jsonl,
    Csv,
    Xmp,
}

/// How files beside pictures are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Names {
    Stem,
    Full,
}

/// Options of all generated texts. Defaults are the model's own, in its generation_config.json, where it has some.
#[derive(Debug, Args)]
pub struct Generation {
    /// Follow so many alternatives at once and take the best [default: 1]
    #[arg(long)]
    beams: Option<usize>,
    /// With --beams of a CoCa, as open_clip: so many groups of equally many beams, which search by themselves
    /// [default: 3]
    #[arg(long, value_name = "N")]
    beam_groups: Option<usize>,
    /// Add at most so many tokens, up to what the model has positions for [default: 20]
    #[arg(long)]
    max_new_tokens: Option<usize>,
    /// Do not end before the text, start token and prompt included, has so many tokens [default: 0]
    #[arg(long)]
    min_length: Option<usize>,
    /// Do not write the same so many tokens twice, against texts that go round in circles [default: 0, allow it]
    #[arg(long)]
    no_repeat_ngram_size: Option<usize>,
    /// Words that are not written, separated by commas
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    bad_words: Option<Vec<String>>,
    /// So many texts: with --beams the best of them, with --sample as many drawn. With --json the others
    /// are "alternatives", else lines of their own; with --write jsonl they are "texts", with csv columns
    #[arg(long, value_name = "N")]
    num_return_sequences: Option<usize>,
    /// With --beams: above 1 prefers longer texts, below 1 shorter ones [default: 1]
    #[arg(long)]
    length_penalty: Option<f32>,
}

impl Generation {
    pub fn settings(&self) -> GenerationSettings {
        GenerationSettings {
            num_beams: self.beams,
            num_beam_groups: self.beam_groups,
            max_new_tokens: self.max_new_tokens,
            min_length: self.min_length,
            no_repeat_ngram_size: self.no_repeat_ngram_size,
            bad_words: self.bad_words.clone(),
            num_return_sequences: self.num_return_sequences,
            length_penalty: self.length_penalty,
            ..Default::default()
        }
    }
}

#[derive(Debug, Args)]
pub struct Classify {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// Pictures: files, folders with all in them, patterns, videos, or - for names on standard input
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    #[command(flatten)]
    pub writing: WritingArguments,
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
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
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
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// Pictures: files, folders with all in them, patterns, videos, or - for names on standard input
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
    #[command(flatten)]
    pub file: super::VectorsFile,
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
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// The picture; of a folder or a pattern each
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
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// One picture; a folder or a pattern, each of whose pictures is asked about; or several files, a video's
    /// frames in order
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
