//! What `obscura album` and `obscura search` can be asked; the comments are the help texts.

use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;

/// What to do with an album: a file that holds pictures' vectors, for `obscura search`.
#[derive(Debug, Subcommand)]
pub enum AlbumCommand {
    /// Embed pictures and add them; those that are there already are left as they are
    Add(AddToAlbum),
    /// Take pictures out
    Remove(RemoveFromAlbum),
    /// Print the names of the pictures
    List(ListAlbum),
    /// Write the vectors as a Parquet file, or as a NumPy file and their names as JSON
    Export(ExportAlbum),
    /// Add the vectors of a Parquet file, or of a NumPy file under the names of a JSON file
    Import(ImportToAlbum),
}

#[derive(Debug, Args)]
pub struct AddToAlbum {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// The album's file, made if it does not exist
    pub album: PathBuf,
    /// Pictures: files, folders with all in them, patterns, or - for names on standard input
    #[arg(required = true)]
    pub pictures: Vec<PathBuf>,
    /// Embed pictures anew that are there already
    #[arg(long)]
    pub again: bool,
}

#[derive(Debug, Args)]
pub struct RemoveFromAlbum {
    /// The album's file
    pub album: PathBuf,
    /// Pictures, by their paths or their names in the album
    #[arg(required_unless_present = "missing")]
    pub pictures: Vec<PathBuf>,
    /// Take out all whose files do not exist any more
    #[arg(long)]
    pub missing: bool,
}

#[derive(Debug, Args)]
pub struct ListAlbum {
    /// The album's file
    pub album: PathBuf,
}

#[derive(Debug, Args)]
pub struct ExportAlbum {
    /// The album's file
    pub album: PathBuf,
    /// The file to write: .parquet, as `obscura embed --write` does, or .npy: float32, one row a picture
    pub vectors: PathBuf,
    /// With .npy: the .json file to write, a list of names, in the same order
    pub keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ImportToAlbum {
    /// The model that the vectors come from; may be left out
    pub model: PathBuf,
    /// The album's file, made if it does not exist
    pub album: PathBuf,
    /// A .parquet file with the columns path (or id) and vector, or an .npy file of float32, float16 or float64, one
    /// row a picture
    pub vectors: PathBuf,
    /// With .npy: a .json file, a list of names, in the same order
    pub keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("query").required(true).args(["text", "image"])))]
pub struct Search {
    /// The model that made the album, or a text encoder alone whose texts lie among its vectors; may be left out
    pub model: PathBuf,
    /// The album's file
    pub album: PathBuf,
    /// Find pictures that a text describes
    #[arg(long)]
    pub text: Option<String>,
    /// Find pictures that resemble a picture
    #[arg(long)]
    pub image: Option<PathBuf>,
    /// Find so many
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
    /// With --text: leave out pictures that belong to the text with less than this probability, 0 to 1
    #[arg(long, value_name = "P", requires = "text")]
    pub min_score: Option<f32>,
    /// With --text and a BLIP that can match: look again at so many of the best, as BLIP's paper does
    /// with 128 or 256, and order them anew (0: none)
    #[arg(long, default_value_t = 16)]
    pub rerank: usize,
}
