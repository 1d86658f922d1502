//! The names of modules, as a field of adapter_config.json lists them or matches them by an expression.

use super::fields::{bad, texts};
use crate::Result;
use fancy_regex::Regex;
use serde_json::{Map, Value};

/// The modules that a field means.
#[derive(Debug)]
pub(super) enum Modules {
    /// Those of these names, or whose names end with a dot and one of them.
    Names(Vec<String>),
    /// Those whose whole names match.
    Expression(Regex),
}

impl Modules {
    pub fn has(&self, field: &str, module: &str) -> Result<bool> {
        match self {
            Modules::Names(names) => Ok(names.iter().any(|name| is_called(module, name))),
            Modules::Expression(expression) => matches(field, expression, module),
        }
    }
}

/// Whether a module has this name, which may lack the beginning.
fn is_called(module: &str, name: &str) -> bool {
    let rest = module.strip_suffix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The names in a field that is a list, or the expression that it is.
pub(super) fn modules(fields: &Map<String, Value>, name: &str) -> Result<Modules> {
    match fields.get(name) {
        Some(Value::String(text)) if text.is_empty() => Ok(Modules::Names(Vec::new())),
        Some(Value::String(text)) => Ok(Modules::Expression(whole(name, text)?)),
        _ => Ok(Modules::Names(texts(fields, name)?.unwrap_or_default())),
    }
}

/// The expression of a whole name.
pub(super) fn whole(field: &str, expression: &str) -> Result<Regex> {
    compile(field, &format!(r"\A(?:{expression})\z"))
}

/// The expression of a name's end, from a dot on.
pub(super) fn at_the_end(field: &str, expression: &str) -> Result<Regex> {
    compile(field, &format!(r"\A(?:.*\.)?(?:{expression})\z"))
}

pub(super) fn compile(field: &str, expression: &str) -> Result<Regex> {
    Regex::new(expression).map_err(|error| {
        bad(format!(
            "{field} has an expression that cannot be understood: {error}"
        ))
    })
}

/// Whether a name matches; an expression that takes for ever is an error.
pub(super) fn matches(field: &str, expression: &Regex, module: &str) -> Result<bool> {
    expression
        .is_match(module)
        .map_err(|error| unmatched(field, &error))
}

pub(super) fn unmatched(field: &str, error: &fancy_regex::Error) -> crate::Error {
    bad(format!(
        "{field} has an expression that cannot be matched: {error}"
    ))
}
