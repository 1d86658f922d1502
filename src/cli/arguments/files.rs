//! What can be asked about files of models and of pictures.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Convert {
    /// A folder in Hugging Face layout, a .gguf file, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// The .gguf file to write
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
}

/// Prints what pictures decode to, to compare decoders: `scripts/pictures-parity` does, with Pillow.
#[derive(Debug, Args)]
pub struct Pixels {
    /// Pictures: files, folders with all in them, patterns, or - for names on standard input
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// Write the pixels too, three bytes each, row by row, as files NAME.rgb in this folder
    #[arg(long, value_name = "FOLDER")]
    pub raw: Option<PathBuf>,
}
