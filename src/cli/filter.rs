//! `obscura filter`: CapFilt over a folder of pictures with captions.

use super::arguments::Common;
use super::training_arguments::Filter;
use super::{progress, tasks};
use obscura::image::decode;
use obscura::metrics::data::{CaptionedImage, read_folder};
use obscura::tasks::{Filtered, Model, captioner_options};
use obscura::{Error, Result};
use pollster::block_on;
use serde_json::json;
use std::io::Write;
use std::path::Path;

/// Writes a line for each picture: the texts that were kept, and what became of each.
pub fn filter(command: &Filter, common: &Common) -> Result<()> {
    let pictures = read_folder(&command.data)?.captions;
    let model = tasks::open(&command.model, common)?;
    let failed = |error: std::io::Error| {
        let path = command.output.display();
        Error::BadInput(format!("{path} cannot be written: {error}"))
    };
    let mut output =
        std::io::BufWriter::new(std::fs::File::create(&command.output).map_err(failed)?);
    let bar = progress::pictures(pictures.len());
    let mut counts = Counts::default();
    for (place, picture) in pictures.iter().enumerate() {
        let judged = judge(&model, picture, command, place as u64)?;
        counts.add(&judged);
        let kept: Vec<&str> = judged
            .iter()
            .filter(|text| text.kept)
            .map(|text| text.text.as_str())
            .collect();
        if !kept.is_empty() {
            let image = absolute(&picture.image);
            let line = json!({ "image": image, "captions": kept, "judged": judged });
            writeln!(output, "{line}").map_err(failed)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    output.flush().map_err(failed)?;
    eprintln!("{}", counts.text());
    Ok(())
}

fn judge(
    model: &Model,
    picture: &CaptionedImage,
    command: &Filter,
    place: u64,
) -> Result<Vec<Filtered>> {
    let path = &picture.image;
    let bytes = std::fs::read(path)
        .map_err(|error| Error::BadInput(format!("{} cannot be read: {error}", path.display())))?;
    let image =
        decode(&bytes).map_err(|error| Error::BadImage(format!("{}: {error}", path.display())))?;
    let options = captioner_options(command.seed.wrapping_add(place));
    block_on(model.filter(&image, &picture.captions, &options, command.threshold))
}

fn absolute(path: &Path) -> std::path::PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// How many texts of either origin there were, and were kept.
#[derive(Default)]
struct Counts {
    given: [usize; 2],
    written: [usize; 2],
}

impl Counts {
    fn add(&mut self, judged: &[Filtered]) {
        for text in judged {
            let counts = if text.generated {
                &mut self.written
            } else {
                &mut self.given
            };
            counts[0] += 1;
            counts[1] += usize::from(text.kept);
        }
    }

    fn text(&self) -> String {
        let [given, written] = [self.given, self.written];
        format!(
            "kept {} of {} given and {} of {} written texts",
            given[1], given[0], written[1], written[0]
        )
    }
}
