//! A table with the columns `image` and `caption`.

use super::{Entry, Place, cannot_be_read, without_byte_order_mark};
use crate::{Error, Result};
use csv::{ReaderBuilder, StringRecord};
use std::path::Path;

pub(super) fn captions(file: &Path) -> Result<Vec<Entry>> {
    let bytes = std::fs::read(file).map_err(|error| cannot_be_read(file, error))?;
    let mut reader = ReaderBuilder::new().from_reader(without_byte_order_mark(&bytes));
    let names = reader.headers().map_err(|error| unreadable(file, &error))?;
    let image = column(file, names, "image")?;
    let caption = column(file, names, "caption")?;
    let entry = |row: csv::Result<StringRecord>| {
        let row = row.map_err(|error| unreadable(file, &error))?;
        let place = Place::line(file, row.position().map_or(0, csv::Position::line));
        Ok(Entry {
            image: place.text("image", &row[image])?,
            caption: place.text("caption", &row[caption])?,
            place,
        })
    };
    reader.records().map(entry).collect()
}

fn column(file: &Path, names: &StringRecord, wanted: &str) -> Result<usize> {
    let found = names
        .iter()
        .position(|name| name.trim().eq_ignore_ascii_case(wanted));
    found.ok_or_else(|| {
        let names: Vec<&str> = names.iter().collect();
        Error::BadInput(format!(
            "{}, line 1: no column '{wanted}', found: {}",
            file.display(),
            names.join(", ")
        ))
    })
}

fn unreadable(file: &Path, error: &csv::Error) -> Error {
    let line = error.position().map_or(1, csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!(
            "{len} columns, expected {expected_len} as in the first line (a text with a comma goes in quotation marks)"
        ),
        csv::ErrorKind::Utf8 { .. } => "not valid UTF-8".to_owned(),
        _ => error.to_string(),
    };
    Error::BadInput(format!("{}, line {line}: {what}", file.display()))
}
