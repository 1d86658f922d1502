//! Fields of adapter_config.json of the kinds that several have.

use super::CONFIG_FILE;
use crate::{Error, Result};
use serde_json::{Map, Value};
use std::fmt;

/// A list of texts, or a single one; `None` if the field says nothing.
pub(super) fn texts(fields: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>> {
    let wrong = |value: &Value| bad(format!("{name} is {value}, expected a list of names"));
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
        Some(list @ Value::Array(items)) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_string));
            texts
                .collect::<Option<_>>()
                .ok_or_else(|| wrong(list))
                .map(Some)
        }
        Some(other) => Err(wrong(other)),
    }
}

/// A complaint about adapter_config.json.
pub(super) fn bad(message: impl fmt::Display) -> Error {
    Error::BadWeights(format!("{}: {message}", CONFIG_FILE))
}
