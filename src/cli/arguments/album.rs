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
    /// Write the vectors as a NumPy file and their names as JSON
    Export(ExportAlbum),
    /// Add the vectors of a NumPy file under the names of a JSON file
    Import(ImportToAlbum),
}

#[derive(Debug, Args)]
pub struct AddToAlbum {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id
    pub model: PathBuf,
    /// The album's file, made if it does not exist
    pub album: PathBuf,
    /// Pictures, and folders of them
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
    /// The .npy file to write: float32, one row a picture
    pub vectors: PathBuf,
    /// The .json file to write: a list of names, in the same order
    pub keys: PathBuf,
}

#[derive(Debug, Args)]
pub struct ImportToAlbum {
    /// The model that the vectors come from
    pub model: PathBuf,
    /// The album's file, made if it does not exist
    pub album: PathBuf,
    /// An .npy file of float32, float16 or float64, one row a picture
    pub vectors: PathBuf,
    /// A .json file: a list of names, in the same order
    pub keys: PathBuf,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("query").required(true).args(["text", "image"])))]
pub struct Search {
    /// The model that made the album
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
