//! Label sets on the command line: read from where LABELS says, turned into vectors with a bar, kept
//! as a file by `obscura labels`.

use super::arguments::{Common, Labels};
use super::{model, progress, report};
use obscura::tasks::{LabelSet, LabelVectors, Model};
use obscura::{Error, Result};
use pollster::block_on;
use serde_json::json;
use std::path::Path;

/// The label set that is built in.
const BUILT_IN: &str = "imagenet";

/// What LABELS names.
pub enum Source {
    /// Labels that are still to be encoded.
    Set(LabelSet),
    /// A file of vectors, which fit one model.
    Vectors(Vec<u8>),
}

impl Source {
    /// Reads `imagenet`, a label set's file, or a file of vectors. Given templates take the place of
    /// the set's own.
    pub fn read(labels: &Path, templates: &[String]) -> Result<Self> {
        let named = |error: Error| Error::BadInput(format!("{}: {error}", labels.display()));
        let source = if labels == Path::new(BUILT_IN) {
            Source::Set(LabelSet::imagenet()?)
        } else {
            Self::parse(read(labels)?).map_err(named)?
        };
        match source {
            Source::Set(set) if !templates.is_empty() => {
                let templates = templates.to_vec();
                Ok(Source::Set(LabelSet { templates, ..set }))
            }
            Source::Vectors(_) if !templates.is_empty() => Err(named(Error::BadInput(
                "the vectors in this file were made with templates of their own, which --template cannot change".to_string(),
            ))),
            source => Ok(source),
        }
    }

    fn parse(bytes: Vec<u8>) -> Result<Self> {
        if bytes.iter().take(8).any(|byte| *byte == 0) {
            return Ok(Source::Vectors(bytes)); // the length of a header; no text has a zero
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::BadInput("neither a text nor a file of label vectors".into()))?;
        LabelSet::parse(&text).map(Source::Set)
    }

    /// The labels in the model's space.
    pub fn vectors(self, model: &Model) -> Result<LabelVectors> {
        match self {
            Source::Set(set) => encode(model, &set),
            Source::Vectors(bytes) => block_on(model.open_labels(&bytes)),
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| {
        Error::BadInput(format!(
            "{} cannot be read: {error}; expected a label set's file, or {BUILT_IN}",
            file.display()
        ))
    })
}

/// Encodes a set's labels, under a bar where that takes a while.
pub fn encode(model: &Model, set: &LabelSet) -> Result<LabelVectors> {
    let bar = progress::labels(set.labels.len(), set.templates().len());
    let vectors = block_on(model.label_vectors(set, async |done, _| {
        bar.set_position(done as u64);
        Ok(())
    }));
    bar.finish_and_clear();
    vectors
}

/// `obscura labels`: writes the file under a temporary name first, so that a failure leaves nothing
/// half-written.
pub fn labels(command: &Labels, common: &Common) -> Result<()> {
    let source = Source::read(&command.labels, &command.templates)?;
    let model = model::load(&command.model, common)?;
    let vectors = source.vectors(&model)?;
    let bytes = block_on(model.label_file(&vectors))?;
    let output = &command.output;
    let mut partial = output.clone().into_os_string();
    partial.push(".partial");
    let written = std::fs::write(&partial, &bytes).and_then(|()| std::fs::rename(&partial, output));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&partial); // it may not even exist
        let output = output.display();
        return Err(Error::BadInput(format!(
            "{output} cannot be written: {error}"
        )));
    }
    let set = vectors.set();
    let (count, templates) = (set.labels.len(), set.templates().len());
    let value = json!({
        "output": output, "bytes": bytes.len(), "labels": count, "templates": templates,
    });
    let text = format!(
        "{}: {:.1} MB, {count} labels by {templates} templates",
        output.display(),
        bytes.len() as f64 / 1e6
    );
    report::print(common.json, &value, &text)
}
