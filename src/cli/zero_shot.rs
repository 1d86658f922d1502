//! `obscura eval` over a folder of pictures for each class: zero-shot accuracy.

use super::arguments::{Common, Eval};
use super::labels::Source;
use super::pictures::picture_files;
use super::{model, progress};
use obscura::evaluate::zero_shot::{Classification, classify_all, labels_of};
use obscura::metrics::data::{Classes, is_described, read_classes};
use obscura::tasks::LabelSet;
use obscura::{Error, Result};
use pollster::block_on;

/// The classes, if it is those that DATA is about: a folder without captions and questions.
pub fn classes(command: &Eval) -> Result<Option<Classes>> {
    if command.data.is_dir() && (command.label_set.is_some() || !is_described(&command.data)) {
        return read_classes(&command.data).map(Some);
    }
    if command.label_set.is_some() || !command.templates.is_empty() {
        return Err(Error::BadInput(
            "--label-set and --template are for a folder with a folder of pictures for each class"
                .to_string(),
        ));
    }
    Ok(None)
}

/// Classifies them all. Pictures that cannot be read are reported and counted.
pub fn measure(command: &Eval, classes: &Classes, common: &Common) -> Result<Classification> {
    let source = match &command.label_set {
        Some(path) => Source::read(path, &command.templates)?,
        None => {
            let names = classes.names.iter().map(|name| name.replace('_', " "));
            let labels: Vec<String> = names.collect();
            Source::Set(LabelSet::new(&labels, &command.templates))
        }
    };
    if let Source::Set(set) = &source {
        labels_of(classes, set)?; // before the model is loaded and the labels are encoded
    }
    let model = model::load(&command.model, common)?;
    let labels = source.vectors(&model)?;
    let places = labels_of(classes, labels.set())?;
    let bar = progress::pictures(classes.pictures.len());
    let files = picture_files(common);
    let progress = |error| {
        if let Some(error) = error {
            bar.suspend(|| eprintln!("error: {error}"));
        }
        bar.inc(1);
    };
    let measured = classify_all(&model, classes, &labels, &places, files, progress);
    let measured = block_on(measured);
    bar.finish_and_clear();
    measured
}
