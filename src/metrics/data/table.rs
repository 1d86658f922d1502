//! A table with the columns `image` and `caption`, or Hugging Face's `file_name` and `text`.

use super::{Entry, Place, cannot_be_read, without_byte_order_mark};
use crate::{Error, Result};
use csv::{ReaderBuilder, StringRecord};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(super) fn captions(file: &Path) -> Result<Vec<Entry>> {
    let entry = |row: Result<Entry>| {
        let row = row?;
        let caption = row.place.text("caption", &row.caption)?;
        Ok(Entry { caption, ..row })
    };
    rows(file)?.map(entry).collect()
}

/// One row after another; a caption may be blank here.
pub(super) fn rows(file: &Path) -> Result<impl Iterator<Item = Result<Entry>> + use<>> {
    let open = File::open(file).map_err(|error| cannot_be_read(file, error))?;
    let mut text = BufReader::new(open);
    let start = text
        .fill_buf()
        .map_err(|error| cannot_be_read(file, error))?;
    let mark = start.len() - without_byte_order_mark(start).len();
    text.consume(mark);
    let mut reader = ReaderBuilder::new().from_reader(text);
    let names = reader.headers().map_err(|error| unreadable(file, &error))?;
    let of_hugging_face = |name: &str| has(names, "file_name") && !has(names, name);
    let image = match of_hugging_face("image") {
        true => column(file, names, "file_name")?,
        false => column(file, names, "image")?,
    };
    let caption = match of_hugging_face("caption") {
        true => column(file, names, "text")?,
        false => column(file, names, "caption")?,
    };
    let file = file.to_owned();
    Ok(reader.into_records().map(move |row| {
        let row = row.map_err(|error| unreadable(&file, &error))?;
        let place = Place::line(&file, row.position().map_or(0, csv::Position::line));
        Ok(Entry {
            image: place.text("image", &row[image])?,
            caption: row[caption].trim().to_owned(),
            place,
        })
    }))
}

fn has(names: &StringRecord, wanted: &str) -> bool {
    let mut names = names.iter();
    names.any(|name| name.trim().eq_ignore_ascii_case(wanted))
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
