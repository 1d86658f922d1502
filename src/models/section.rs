//! An object of config.json or of another configuration, read field by field. It remembers which fields were asked for, so
//! that [`Section::finish`] can refuse the others by name: a field that nobody read may change the
//! network, and the numbers would be wrong without a word.

use crate::kernels::Activation;
use crate::{Error, Result};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// An object of config.json, with its path for error messages.
pub struct Section {
    /// What stands in front of a field's name in messages: the file and the objects around it.
    path: String,
    fields: Map<String, Value>,
    /// The names that have been asked for.
    asked: RefCell<BTreeSet<String>>,
}

impl Section {
    /// Reads the text of `file`.
    pub fn root(file: &str, text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Error::BadWeights(format!("{file} is not valid JSON: {error}")))?;
        Self::of(file, value)
    }

    /// The fields of `file`.
    pub fn of(file: &str, value: Value) -> Result<Self> {
        match value {
            Value::Object(fields) => Ok(Self::new(format!("{file}: "), fields)),
            _ => Err(Error::BadWeights(format!("{file}: expected an object"))),
        }
    }

    fn new(path: String, fields: Map<String, Value>) -> Self {
        Self {
            path,
            fields,
            asked: RefCell::default(),
        }
    }

    /// A field's value; the reference takes null for "not given", everywhere.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.asked.borrow_mut().insert(name.to_string());
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there and null, where that is not the same as missing.
    pub fn has_null(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(Value::is_null)
    }

    /// All fields, of one that is handed on as it is.
    pub fn value(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// Refuses the fields that nobody has asked for, unless they are `harmless`. Names that begin
    /// with `_` are notes of the library that wrote the file.
    pub fn finish(&self, harmless: &[&[&str]]) -> Result<()> {
        let asked = self.asked.borrow();
        let unknown = self.fields.iter().find(|(name, value)| {
            let is_known =
                asked.contains(*name) || harmless.iter().any(|list| list.contains(&name.as_str()));
            !is_known && !value.is_null() && !name.starts_with('_')
        });
        match unknown {
            None => Ok(()),
            Some((name, found)) => Err(self.refused(
                name,
                "obscura does not know this field, which may change the network: remove it if it does not",
                found,
            )),
        }
    }

    /// Refuses a field that has another value than the only one that is supported.
    pub fn only(&self, name: &str, supported: Value) -> Result<()> {
        match self.get(name) {
            Some(found) if *found != supported => {
                Err(self.wrong(name, &supported.to_string(), found))
            }
            _ => Ok(()),
        }
    }

    /// `true` or `false`.
    pub fn switch(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(found) => Err(self.wrong(name, "true or false", found)),
        }
    }

    /// The object `name`, empty if missing. Old files may have it in `{name}_dict`, too, which then
    /// counts alone, its defaults included, as in the reference.
    pub fn section(&self, name: &str) -> Result<Section> {
        let mut fields = Map::new();
        for name in [name.to_string(), format!("{name}_dict")] {
            match self.get(&name) {
                None => {}
                Some(Value::Object(found)) => fields = found.clone(),
                Some(found) => return Err(self.wrong(&name, "an object", found)),
            }
        }
        Ok(Section::new(format!("{}{name}.", self.path), fields))
    }

    /// A string.
    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(found) => Err(self.wrong(name, "a string", found)),
        }
    }

    /// A list of strings, empty if missing.
    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    found => Err(self.wrong(name, "a list of strings", found)),
                })
                .collect(),
            Some(found) => Err(self.wrong(name, "a list of strings", found)),
        }
    }

    /// A whole number that may be zero, such as a token id.
    pub fn id(&self, name: &str, default: u32) -> Result<u32> {
        Ok(self.optional_id(name)?.unwrap_or(default))
    }

    /// The same, `None` if missing.
    pub fn optional_id(&self, name: &str) -> Result<Option<u32>> {
        let Some(found) = self.get(name) else {
            return Ok(None);
        };
        let id = found.as_u64().and_then(|id| u32::try_from(id).ok());
        id.map(Some)
            .ok_or_else(|| self.wrong(name, "a token id", found))
    }

    /// One of several names, as its place in `names`; the first if missing.
    pub fn choice(&self, name: &str, names: &[&str]) -> Result<usize> {
        let Some(found) = self.get(name) else {
            return Ok(0);
        };
        let place = names.iter().position(|name| found == name);
        place.ok_or_else(|| self.wrong(name, &format!("one of {names:?}"), found))
    }

    /// The side of a square: a size, or two equal ones in a list.
    pub fn side(&self, name: &str, default: usize) -> Result<usize> {
        match self.get(name) {
            Some(Value::Array(sides)) if sides.len() == 2 && sides[0] == sides[1] => {
                let one = Section::new(
                    self.path.clone(),
                    Map::from_iter([(name.to_string(), sides[0].clone())]),
                );
                one.size(name, default)
            }
            _ => self.size(name, default),
        }
    }

    /// A size: a whole number from 1 to 2^20, far above any real one.
    pub fn size(&self, name: &str, default: usize) -> Result<usize> {
        const LARGEST: u64 = 1 << 20;
        match self.get(name) {
            None => Ok(default),
            Some(found) => match found.as_u64() {
                Some(size @ 1..=LARGEST) => Ok(size as usize),
                _ => Err(self.wrong(name, "a whole number from 1 to 1048576", found)),
            },
        }
    }

    /// Four small numbers, such as the blocks of a ResNet's stages; `None` if the field is no list.
    pub fn four_depths(&self, name: &str) -> Result<Option<[usize; 4]>> {
        const DEEPEST: u64 = 256;
        let Some(found @ Value::Array(items)) = self.get(name) else {
            return Ok(None);
        };
        let depth = |item: &Value| match item.as_u64() {
            Some(depth @ 1..=DEEPEST) => Some(depth as usize),
            _ => None,
        };
        let depths: Option<Vec<usize>> = items.iter().map(depth).collect();
        match depths.and_then(|depths| <[usize; 4]>::try_from(depths).ok()) {
            Some(depths) => Ok(Some(depths)),
            None => Err(self.wrong(name, "a list of four numbers from 1 to 256", found)),
        }
    }

    /// Any number.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        match self.get(name) {
            None => Ok(None),
            Some(found) => match found.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(name, "a number", found)),
            },
        }
    }

    /// A small positive number, an epsilon.
    pub fn epsilon(&self, name: &str, default: f64) -> Result<f64> {
        match self.get(name) {
            None => Ok(default),
            Some(found) => match found.as_f64() {
                Some(epsilon) if (0.0..1.0).contains(&epsilon) => Ok(epsilon),
                _ => Err(self.wrong(name, "a number from 0 to 1", found)),
            },
        }
    }

    /// An activation's name.
    pub fn activation(&self, name: &str, default: Activation) -> Result<Activation> {
        match self.text(name)? {
            None => Ok(default),
            Some("gelu") => Ok(Activation::Gelu),
            Some("gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
            Some("quick_gelu") => Ok(Activation::QuickGelu),
            Some(found) => Err(Error::BadWeights(format!(
                "{}{name} is {found:?}, expected \"gelu\", \"gelu_pytorch_tanh\" or \"quick_gelu\"",
                self.path
            ))),
        }
    }

    /// Heads, checked to divide the width.
    pub fn heads(&self, default: usize, width: usize) -> Result<usize> {
        self.heads_called("num_attention_heads", default, ("hidden_size", width))
    }

    /// The same under another name; `width` with its own.
    pub fn heads_called(
        &self,
        name: &str,
        default: usize,
        (width_name, width): (&str, usize),
    ) -> Result<usize> {
        let heads = self.size(name, default)?;
        if width.is_multiple_of(heads) {
            return Ok(heads);
        }
        Err(Error::BadWeights(format!(
            "{}{name} is {heads}, which does not divide {width_name} {width}",
            self.path
        )))
    }

    /// Number of blocks, bounded so that a hostile file can't make us build millions.
    pub fn depth(&self, default: usize) -> Result<usize> {
        self.depth_called("num_hidden_layers", default)
    }

    /// The same under another name.
    pub fn depth_called(&self, name: &str, default: usize) -> Result<usize> {
        let depth = self.size(name, default)?;
        if depth <= 1024 {
            return Ok(depth);
        }
        Err(Error::BadWeights(format!(
            "{}{name} is {depth}, expected at most 1024",
            self.path
        )))
    }

    /// The `Err` for a field that is not what it should be.
    pub fn wrong(&self, name: &str, expected: &str, found: &Value) -> Error {
        self.error(
            name,
            &format!("is {}, expected {expected}", shortened(found)),
        )
    }

    /// The `Err` for a field that should not be there.
    pub fn refused(&self, name: &str, why: &str, found: &Value) -> Error {
        self.error(name, &format!("is {}: {why}", shortened(found)))
    }

    fn error(&self, name: &str, what: &str) -> Error {
        Error::BadWeights(format!("{}{name} {what}", self.path))
    }
}

/// A value as it is shown in a message.
fn shortened(value: &Value) -> String {
    const SHOWN: usize = 40;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
