//! One JSON object a line.

use super::{Entry, Place, cannot_be_read, without_byte_order_mark};
use crate::Result;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A longer line than this is no line of ours: memory stays bounded whatever the file is.
const LONGEST_LINE: u64 = 64 << 20;

/// A question before its picture is looked for.
pub(super) struct QuestionLine {
    pub place: Place,
    pub image: String,
    pub question: String,
    pub answers: Vec<String>,
}

pub(super) fn captions(file: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for_each_line(file, |object| {
        if object.is_without_texts() {
            return Ok(());
        }
        let (image, one) = object.image()?;
        for caption in object.one_or_more(one, "captions")? {
            entries.push(Entry {
                place: object.place.clone(),
                image: image.clone(),
                caption,
            });
        }
        Ok(())
    })?;
    Ok(entries)
}

pub(super) fn questions(file: &Path) -> Result<Vec<QuestionLine>> {
    let mut questions = Vec::new();
    for_each_line(file, |object| {
        questions.push(QuestionLine {
            place: object.place.clone(),
            image: object.text("image")?,
            question: object.text("question")?,
            answers: object.one_or_more("answer", "answers")?,
        });
        Ok(())
    })?;
    Ok(questions)
}

/// Hands over every line but the blank ones.
fn for_each_line(file: &Path, mut accept: impl FnMut(&Object) -> Result<()>) -> Result<()> {
    let open = std::fs::File::open(file).map_err(|error| cannot_be_read(file, error))?;
    for line in LineReader::new(file, BufReader::new(open)) {
        let (place, line) = line?;
        accept(&Object::parse(place, &line)?)?;
    }
    Ok(())
}

/// The lines of a file but the blank ones, each with its place. A failure to read ends them.
pub(super) struct LineReader<R> {
    file: PathBuf,
    reader: R,
    number: u64,
    failed: bool,
}

impl<R: BufRead> LineReader<R> {
    pub(super) fn new(file: &Path, reader: R) -> Self {
        Self {
            file: file.to_owned(),
            reader,
            number: 0,
            failed: false,
        }
    }

    /// The next line, blank or not; None at the end.
    fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.reader).take(LONGEST_LINE);
        let length = bounded
            .read_until(b'\n', &mut line)
            .map_err(|error| cannot_be_read(&self.file, error))?;
        self.number += 1;
        if length as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
            let place = Place::line(&self.file, self.number);
            return place.refuse(&format!("the line has more than {LONGEST_LINE} bytes"));
        }
        Ok((length > 0).then_some(line))
    }
}

impl<R: BufRead> Iterator for LineReader<R> {
    type Item = Result<(Place, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let line = match self.read() {
                Ok(line) => line?,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            };
            let text = match self.number {
                1 => without_byte_order_mark(&line),
                _ => &line,
            };
            if !text.trim_ascii().is_empty() {
                let place = Place::line(&self.file, self.number);
                return Some(Ok((place, text.trim_ascii().to_vec())));
            }
        }
        None
    }
}

/// The object in a line.
pub(super) struct Object {
    place: Place,
    fields: Map<String, Value>,
}

impl Object {
    pub(super) fn parse(place: Place, line: &[u8]) -> Result<Self> {
        match serde_json::from_slice(line) {
            Ok(Value::Object(fields)) => Ok(Self { place, fields }),
            Ok(other) => place.refuse(&format!(
                "found {}, expected an object {{...}}",
                kind(&other)
            )),
            Err(error) => {
                // Its own line number would be 1, always.
                let message = error.to_string();
                let reason = message.split(" at line ").next().unwrap_or(&message);
                let column = error.column();
                place.refuse(&format!("not valid JSON: {reason}, at column {column}"))
            }
        }
    }

    pub(super) fn text(&self, field: &str) -> Result<String> {
        match self.fields.get(field) {
            Some(Value::String(text)) => self.place.text(field, text),
            Some(other) => self
                .place
                .refuse(&format!("'{field}' is {}, expected a text", kind(other))),
            None => self.place.refuse(&format!("'{field}' is missing")),
        }
    }

    /// The picture's name, and the field of a single caption: Hugging Face's `metadata.jsonl` calls them
    /// `file_name` and `text`.
    pub(super) fn image(&self) -> Result<(String, &'static str)> {
        match self.fields.contains_key("file_name") && !self.fields.contains_key("image") {
            true => Ok((self.text("file_name")?, "text")),
            false => Ok((self.text("image")?, "caption")),
        }
    }

    /// The field `id`, if it is a text or a number.
    pub(super) fn id(&self) -> Option<String> {
        match self.fields.get("id")? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A line of `obscura filter` about a picture that it could not read, or kept no text of.
    fn is_without_texts(&self) -> bool {
        let nothing_kept = self.fields.get("captions") == Some(&Value::Array(Vec::new()));
        self.fields.contains_key("error") || (self.fields.contains_key("judged") && nothing_kept)
    }

    /// What there is of the two fields, blank texts left out.
    pub(super) fn any(&self, one: &str, more: &str) -> Result<Vec<String>> {
        let given = |field: &str| self.fields.get(field).filter(|value| !value.is_null());
        let mut texts = Vec::new();
        if let Some(value) = given(one) {
            texts.push((one.to_owned(), value));
        }
        match given(more) {
            Some(Value::Array(list)) => {
                let name = |index| format!("{more}[{index}]");
                texts.extend(
                    list.iter()
                        .enumerate()
                        .map(|(index, value)| (name(index), value)),
                );
            }
            Some(other) => texts.push((more.to_owned(), other)),
            None => {}
        }
        let mut found = Vec::new();
        for (name, value) in texts {
            let Value::String(text) = value else {
                return self
                    .place
                    .refuse(&format!("'{name}' is {}, expected a text", kind(value)));
            };
            found.extend(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
        }
        Ok(found)
    }

    /// A text in the field `one`, or a list of texts in the field `more`.
    fn one_or_more(&self, one: &str, more: &str) -> Result<Vec<String>> {
        match (self.fields.get(one), self.fields.get(more)) {
            (Some(_), Some(_)) => self.place.refuse(&format!(
                "has both '{one}' and '{more}', expected one of them"
            )),
            (Some(_), None) => Ok(vec![self.text(one)?]),
            (None, Some(Value::Array(list))) => self.texts(more, list),
            (None, Some(other)) => self.place.refuse(&format!(
                "'{more}' is {}, expected a list of texts",
                kind(other)
            )),
            (None, None) => self.place.refuse(&format!(
                "'{more}' is missing (or '{one}', for a single one)"
            )),
        }
    }

    fn texts(&self, field: &str, list: &[Value]) -> Result<Vec<String>> {
        if list.is_empty() {
            return self.place.refuse(&format!("'{field}' is an empty list"));
        }
        let texts = list.iter().enumerate().map(|(index, value)| {
            let name = format!("{field}[{index}]");
            match value {
                Value::String(text) => self.place.text(&name, text),
                other => self
                    .place
                    .refuse(&format!("'{name}' is {}, expected a text", kind(other))),
            }
        });
        texts.collect()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
