//! What the tools take and give: the list of www/lib/agents/tool-schemas.js, which JavaScript's `tools()` reads, too.

use rmcp::model::Tool;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Comments, and then `export default` with JSON.
const MODULE: &str = include_str!("../../../www/lib/agents/tool-schemas.js");

/// One tool.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schema {
    pub name: String,
    title: String,
    /// What a model has to be able to do.
    pub task: String,
    description: String,
    input_schema: Value,
    output_schema: Value,
}

/// All tools, in their order.
pub fn all() -> Vec<Schema> {
    let (_, list) = MODULE
        .split_once("\nexport default ")
        .expect("the module has an export");
    serde_json::from_str(list).expect("what it exports is JSON")
}

impl Schema {
    /// As `tools/list` has it.
    pub fn described(&self) -> Tool {
        let described = json!({
            "name": self.name, "title": self.title, "description": self.description,
            "inputSchema": self.input_schema, "outputSchema": self.output_schema,
            "annotations": { "readOnlyHint": true, "openWorldHint": false },
        });
        serde_json::from_value(described).expect("a schema describes a tool")
    }

    /// What is wrong with arguments, in words that tell a language model what to write instead.
    pub fn check(&self, arguments: &Map<String, Value>) -> Result<(), String> {
        let properties = self.input_schema["properties"].as_object();
        for (name, value) in arguments {
            let Some(schema) = properties.and_then(|properties| properties.get(name)) else {
                let names = properties
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.as_str());
                let names: Vec<&str> = names.collect();
                return Err(format!(
                    "there is no argument '{name}'; there are {}",
                    names.join(", ")
                ));
            };
            if let Some(expected) = complaint(schema, value) {
                return Err(format!("{name} is {}, expected {expected}", shown(value)));
            }
        }
        let required = self.input_schema["required"]
            .as_array()
            .into_iter()
            .flatten();
        let mut required = required.filter_map(Value::as_str);
        match required.find(|name| !arguments.contains_key(*name)) {
            Some(name) => Err(format!("the argument '{name}' is missing")),
            None => Ok(()),
        }
    }
}

/// What was expected instead of a value; None if nothing. The schemas take no more of JSON Schema than this knows.
fn complaint(schema: &Value, value: &Value) -> Option<String> {
    let limit = |name: &str| schema[name].as_u64();
    match schema["type"].as_str() {
        Some("string") => {
            let text = value.as_str();
            let fits =
                text.is_some_and(|text| text.len() as u64 >= limit("minLength").unwrap_or(0));
            (!fits).then(|| "a text".to_string())
        }
        Some("integer") => {
            let (least, most) = (limit("minimum").unwrap_or(0), limit("maximum"));
            let whole = value.as_u64().or_else(|| whole_number(value));
            let fits = whole
                .is_some_and(|number| number >= least && most.is_none_or(|most| number <= most));
            let range = most.map_or("or more".to_string(), |most| format!("to {most}"));
            (!fits).then(|| format!("a whole number, {least} {range}"))
        }
        _ => {
            let items = value.as_array();
            let fits =
                items.is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_string));
            (!fits).then(|| "a list of at least one text".to_string())
        }
    }
}

/// 5.0 is a whole number in JSON Schema.
pub fn whole_number(value: &Value) -> Option<u64> {
    let number = value.as_f64()?;
    (number >= 0.0 && number.fract() == 0.0 && number < 1e15).then_some(number as u64)
}

/// The beginning of a value, which may be a picture.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint_about(tool: &str, arguments: Value) -> String {
        let schema = all().into_iter().find(|schema| schema.name == tool);
        let Value::Object(arguments) = arguments else {
            panic!("no object");
        };
        schema.unwrap().check(&arguments).err().unwrap_or_default()
    }

    #[test]
    fn the_list_holds_the_five_tools() {
        let names: Vec<String> = all().into_iter().map(|schema| schema.name).collect();
        assert_eq!(names, ["caption", "answer", "classify", "match", "search"]);
    }

    #[test]
    fn arguments_are_checked_against_their_schema() {
        assert_eq!(
            complaint_about("caption", json!({ "path": "a.png", "numBeams": 3.0 })),
            ""
        );
        assert_eq!(
            complaint_about("caption", json!({ "path": 1 })),
            "path is 1, expected a text"
        );
        assert_eq!(
            complaint_about("caption", json!({ "numBeams": 0 })),
            "numBeams is 0, expected a whole number, 1 or more"
        );
        assert_eq!(
            complaint_about("search", json!({ "limit": 5000 })),
            "limit is 5000, expected a whole number, 1 to 1000"
        );
        assert_eq!(
            complaint_about("classify", json!({ "labels": "a cat" })),
            "labels is \"a cat\", expected a list of at least one text"
        );
        assert_eq!(
            complaint_about("answer", json!({})),
            "the argument 'question' is missing"
        );
        let unknown = complaint_about("caption", json!({ "image": "a.png" }));
        assert!(
            unknown.starts_with("there is no argument 'image'; there are "),
            "{unknown}"
        );
        let long = complaint_about("match", json!({ "texts": "x".repeat(1000) }));
        assert!(long.len() < 150, "{long}");
    }
}
