//! Which modules of a model an adapter is for, by the fields of its configuration: names match as
//! PEFT matches them (`check_target_module_exists`, `get_pattern_key`).

use super::fields::{bad, texts};
use super::modules::{Modules, compile, matches, modules, unmatched};
use crate::Result;
use fancy_regex::Regex;
use serde_json::{Map, Value};

/// The fields `target_modules`, `exclude_modules`, `layers_to_transform` and `layers_pattern`.
#[derive(Debug)]
pub(super) struct Targets {
    /// `all-linear`: whatever linear layers there are.
    every_linear: bool,
    wanted: Modules,
    excluded: Modules,
    /// Modules that are saved whole are never given matrices.
    saved: Vec<Regex>,
    /// The layers, if they are not all.
    layers: Option<Vec<u64>>,
    /// What a layer's number follows in a name.
    before_layer: Vec<Regex>,
}

impl Targets {
    /// Reads the fields; `saved` are the names of `modules_to_save`.
    pub fn of(fields: &Map<String, Value>, saved: &[String]) -> Result<Self> {
        let every_linear = fields
            .get("target_modules")
            .and_then(Value::as_str)
            .is_some_and(|text| text.eq_ignore_ascii_case("all-linear"));
        let patterns = texts(fields, "layers_pattern")?.unwrap_or_default();
        let patterns = patterns.into_iter().filter(|pattern| !pattern.is_empty());
        let mut before_layer = patterns
            .map(|pattern| {
                compile(
                    "layers_pattern",
                    &format!(r"\A(?:|.*?\.){pattern}\.(\d+)\."),
                )
            })
            .collect::<Result<Vec<_>>>()?;
        if before_layer.is_empty() {
            before_layer.push(compile("layers_pattern", r"\A.*?\.[^.]*\.(\d+)\.")?);
        }
        let saved = saved
            .iter()
            .map(|name| compile("modules_to_save", &format!(r"\A(|.*\.){name}(\z|\.)")));
        Ok(Self {
            every_linear,
            wanted: modules(fields, "target_modules")?,
            excluded: modules(fields, "exclude_modules")?,
            saved: saved.collect::<Result<_>>()?,
            layers: layers(fields)?,
            before_layer,
        })
    }

    /// Refuses a module that these fields do not mean. PEFT would leave its matrices out with a
    /// warning.
    pub fn check(&self, module: &str, is_linear: bool) -> Result<()> {
        let refuse = |reason: &str| {
            Err(bad(format!(
                "{reason}, but the file of weights has matrices for the module '{module}'"
            )))
        };
        if self.excluded.has("exclude_modules", module)? {
            return refuse("exclude_modules leaves it out");
        }
        for saved in &self.saved {
            if matches("modules_to_save", saved, module)? {
                return refuse("modules_to_save has it saved whole");
            }
        }
        if self.every_linear {
            return match is_linear {
                true => Ok(()),
                false => {
                    refuse("target_modules is \"all-linear\", which takes linear layers alone")
                }
            };
        }
        if !self.wanted.has("target_modules", module)? {
            return refuse("target_modules does not name it");
        }
        if !self.has_layer(module)? {
            return refuse("layers_to_transform leaves its layer out");
        }
        Ok(())
    }

    /// Whether the module is in one of the layers. A module that is named in full always is.
    fn has_layer(&self, module: &str) -> Result<bool> {
        let (Some(layers), Modules::Names(names)) = (&self.layers, &self.wanted) else {
            return Ok(true);
        };
        if names.iter().any(|name| name == module) {
            return Ok(true);
        }
        for pattern in &self.before_layer {
            let found = pattern
                .captures(module)
                .map_err(|error| unmatched("layers_pattern", &error))?;
            if let Some(number) = found.and_then(|found| found.get(1)) {
                let number = number.as_str().parse();
                return Ok(number.is_ok_and(|number: u64| layers.contains(&number)));
            }
        }
        Ok(false)
    }
}

/// `layers_to_transform`: a number or a list of them; an empty list means all.
fn layers(fields: &Map<String, Value>) -> Result<Option<Vec<u64>>> {
    let Some(value) = fields.get("layers_to_transform") else {
        return Ok(None);
    };
    let found = match value {
        Value::Null => return Ok(None),
        Value::Array(items) if items.is_empty() => return Ok(None),
        Value::Array(items) => items.iter().map(Value::as_u64).collect(),
        value => value.as_u64().map(|layer| vec![layer]),
    };
    let wrong = || {
        bad(format!(
            "layers_to_transform is {value}, expected numbers of layers"
        ))
    };
    found.map(Some).ok_or_else(wrong)
}
