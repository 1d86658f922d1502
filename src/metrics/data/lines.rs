//! One JSON object a line.

use super::{Entry, Place, cannot_be_read, without_byte_order_mark};
use crate::Result;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader};
use std::path::Path;

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
        let image = object.text("image")?;
        for caption in object.one_or_more("caption", "captions")? {
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
    for (index, line) in BufReader::new(open).split(b'\n').enumerate() {
        let line = line.map_err(|error| cannot_be_read(file, error))?;
        let line = match index {
            0 => without_byte_order_mark(&line),
            _ => &line,
        };
        if !line.trim_ascii().is_empty() {
            accept(&Object::parse(Place::line(file, index as u64 + 1), line)?)?;
        }
    }
    Ok(())
}

/// The object in a line.
struct Object {
    place: Place,
    fields: Map<String, Value>,
}

impl Object {
    fn parse(place: Place, line: &[u8]) -> Result<Self> {
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

    fn text(&self, field: &str) -> Result<String> {
        match self.fields.get(field) {
            Some(Value::String(text)) => self.place.text(field, text),
            Some(other) => self
                .place
                .refuse(&format!("'{field}' is {}, expected a text", kind(other))),
            None => self.place.refuse(&format!("'{field}' is missing")),
        }
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
