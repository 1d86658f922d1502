//! Albums as Parquet files, out and in.

use super::super::album_file::{ROWS, open};
use super::super::arguments::{Common, ExportAlbum, ImportToAlbum};
use super::super::{model, report};
use super::parquet_file::{IDENTITY, Origin, Reader, Row, WIDTH, Writer};
use obscura::search::Identity;
use obscura::{Error, Result};
use pollster::block_on;
use serde_json::json;
use std::fs::File;
use std::path::Path;

/// What an album calls a model that it does not know.
const UNKNOWN: &str = "unknown";

/// Whether a file is to be one, by its ending.
pub fn is_parquet(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// Writes all vectors of an album; an album knows its model's family, and no name.
pub fn export(command: &ExportAlbum) -> Result<()> {
    refuse_names(command.keys.as_deref())?;
    let album = open(&command.album, None)?;
    let identity = album.identity();
    let known = |of: fn(&Identity) -> &String| identity.map_or(UNKNOWN, |found| of(found).as_str());
    let origin = Origin {
        model: known(|identity| &identity.family).to_string(),
        dtype: known(|identity| &identity.dtype).to_string(),
    };
    let file = File::create(&command.vectors).map_err(|error| failed(&command.vectors, &error))?;
    let mut writer = Writer::new(file, origin)?;
    let width = album.width().unwrap_or_default();
    let mut keys = album.keys();
    for start in (0..album.len()).step_by(ROWS) {
        let vectors = album.vectors(start, ROWS)?;
        let rows = vectors.chunks_exact(width).zip(&mut keys);
        let rows = rows.map(|(vector, key)| Row {
            id: key.to_string(),
            path: key.to_string(),
            vector: vector.to_vec(),
        });
        writer.write(&rows.collect::<Vec<_>>())?;
    }
    let width = width.to_string();
    let identity = identity.and_then(|identity| serde_json::to_string(identity).ok());
    let mut notes = vec![(WIDTH, width.as_str())];
    notes.extend(identity.as_deref().map(|identity| (IDENTITY, identity)));
    writer.finish(&notes).map(drop)
}

/// Adds the vectors of a file under their paths. One that says which model made it has to say this one.
pub fn import(command: &ImportToAlbum, common: &Common) -> Result<()> {
    refuse_names(command.keys.as_deref())?;
    let name = &command.vectors;
    let file = File::open(name).map_err(|error| failed(name, &error))?;
    let named = |error: Error| Error::BadInput(format!("{}: {error}", name.display()));
    let reader = Reader::open(file).map_err(named)?;
    let model = model::load(&command.model, common)?;
    let identity = block_on(model.identity())?;
    if let Some(noted) = reader.note(IDENTITY) {
        let noted: std::result::Result<Identity, _> = serde_json::from_str(noted);
        let noted = noted.map_err(|error| named(Error::BadInput(error.to_string())))?;
        noted.check(&identity).map_err(named)?;
    }
    let mut album = open(&command.album, Some(identity))?;
    let mut added = 0;
    let mut failure = None;
    let read = reader.for_each(|rows| {
        added += rows.names.len();
        album
            .add(&rows.names, &rows.vectors)
            .inspect_err(|error| failure = Some(error.clone()))
    });
    read.map_err(|error| failure.unwrap_or_else(|| named(error)))?;
    let size = album.len();
    let text = format!("added {added}, {size} in all");
    report::print(common.json, &json!({ "added": added, "size": size }), &text)
}

fn refuse_names(keys: Option<&Path>) -> Result<()> {
    match keys {
        None => Ok(()),
        Some(keys) => Err(Error::BadInput(format!(
            "a .parquet file holds the names, too: leave out {}",
            keys.display()
        ))),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::BadInput(format!("{}: {error}", path.display()))
}
