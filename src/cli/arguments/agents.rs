//! What `obscura alt` and `obscura mcp` can be asked; the comments are the help texts.

use clap::{ArgGroup, Args};
use obscura::{Error, Result};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("outcome").args(["suggest", "diff", "write", "review"])))]
pub struct Alt {
    /// A BLIP that writes captions: a .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be
    /// left out for reports and with decisions
    pub model: PathBuf,
    /// The folder of a website, as a generator has built it or as its source. Hidden files and node_modules are left out
    pub site: PathBuf,
    /// Report each picture with the text that the model suggests
    #[arg(long)]
    pub suggest: bool,
    /// Print what --write would change as a unified diff, from the site's folder
    #[arg(long)]
    pub diff: bool,
    /// Write the texts into the files; every other byte stays as it is
    #[arg(long)]
    pub write: bool,
    /// Write a page in which the texts can be looked at beside their pictures, edited, and turned down: it gives a
    /// file for --decisions
    #[arg(long, value_name = "FILE.html")]
    pub review: Option<PathBuf>,
    /// What somebody has decided about pictures, from the page that --review writes: their texts are taken instead of
    /// the model's, and what is dismissed or decorative counts as done
    #[arg(long, value_name = "FILE.json")]
    pub decisions: Option<PathBuf>,
    /// Also take the model's texts for pictures that are all there is of a link
    #[arg(long)]
    pub links: bool,
    /// Where the site will be, as in https://example.org/blog/ or /blog/: addresses that begin so are its own
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
    /// First words of each text, which the model continues
    #[arg(long, default_value = "", hide_default_value = true)]
    pub prompt: String,
}

impl Alt {
    /// Whether the model writes texts: not for a report, and not where people have decided on them.
    pub fn asks_model(&self) -> bool {
        let takes_texts = self.suggest || self.diff || self.write;
        self.review.is_some() || takes_texts && self.decisions.is_none()
    }

    /// Refuses to have texts written by a model that nobody has named: they would go into a website.
    pub fn check_unnamed(&self) -> Result<()> {
        match self.asks_model() {
            false => Ok(()),
            true => Err(Error::BadInput(
                "no model is named to write the texts: name one, as in --model Salesforce/blip-image-captioning-base. The \
                 one that comes with obscura, pictograms, knows drawings only"
                    .to_string(),
            )),
        }
    }
}

#[derive(Debug, Args)]
pub struct Mcp {
    /// A .gguf file, a folder in Hugging Face layout, the URL of either, or a hub id; may be left out
    pub model: PathBuf,
    /// A folder whose pictures may be read, with all in it; may be given several times
    #[arg(long = "folder", value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// An album that `obscura album` has made with this model, for the tool search
    #[arg(long, value_name = "FILE")]
    pub album: Option<PathBuf>,
}
