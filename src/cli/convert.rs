//! `obscura convert`: a folder in Hugging Face layout, or another GGUF file, to one GGUF file.

use super::arguments::{Common, Convert};
use super::{model, progress, report};
use obscura::load::convert::convert as write_gguf;
use obscura::{Error, Result};
use serde_json::json;
use std::fs::File;
use std::io::BufWriter;

/// Writes the file under a temporary name first, so that a failure leaves nothing half-written.
pub fn convert(command: &Convert, common: &Common) -> Result<()> {
    let mut source = model::open(&command.model, common)?;
    if let Some(note) = source.note() {
        eprintln!("note: {note}");
    }
    let output = &command.output;
    let mut partial = output.clone().into_os_string();
    partial.push(".partial");
    let cannot_write = |error: std::io::Error| {
        Error::BadInput(format!("{} cannot be written: {error}", output.display()))
    };
    let file = BufWriter::new(File::create(&partial).map_err(cannot_write)?);
    let bar = progress::bytes("converting", source.bytes());
    let written = write_gguf(&mut source, file, common.dtype(), |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let finished = written.and_then(|written| {
        std::fs::rename(&partial, output).map_err(cannot_write)?;
        Ok(written)
    });
    let written = finished.inspect_err(|_| drop(std::fs::remove_file(&partial)))?;
    let value = json!({
        "output": output, "bytes": written.bytes, "tensors": written.tensors, "formats": written.formats,
    });
    let formats: Vec<String> = written
        .formats
        .iter()
        .map(|(format, count)| format!("{count} {format}"))
        .collect();
    let text = format!(
        "{}: {:.1} MB, {} tensors ({})",
        output.display(),
        written.bytes as f64 / 1e6,
        written.tensors,
        formats.join(", ")
    );
    report::print(common.json, &value, &text)
}
