//! JSX in MDX, as far as its values can be known without running it: texts, what is imported, and the two functions by which
//! Docusaurus finds files.

use super::reader::Tag;
use markdown::MdxSignal;
use markdown::mdast::{AttributeContent, AttributeValue};
use std::collections::HashMap;

/// The files that names stand for, of `import logo from './logo.png'`.
#[derive(Debug, Default)]
pub struct Imports(HashMap<String, String>);

impl Imports {
    /// Takes note of a part of the document that is JavaScript.
    pub fn note(&mut self, module: &str) {
        let imports = module.lines().filter_map(import);
        self.0.extend(imports);
    }

    /// The value of an expression, if it is one of those that are known.
    fn value(&self, expression: &str) -> Option<String> {
        let expression = expression.trim();
        if let "true" | "false" = expression {
            return Some(expression.to_string());
        }
        if let Some(text) = quoted(expression) {
            return Some(text.to_string());
        }
        let name = ["src", "default"].iter().find_map(|property| {
            let name = expression.strip_suffix(property)?;
            name.strip_suffix('.')
        });
        let name = name.unwrap_or(expression);
        let of_function = ["require", "useBaseUrl"].iter().find_map(|function| {
            let given = name.strip_prefix(function)?.trim_start();
            quoted(given.strip_prefix('(')?.strip_suffix(')')?.trim())
        });
        let file = of_function.or_else(|| self.0.get(name).map(String::as_str))?;
        Some(file.strip_prefix("@site").unwrap_or(file).to_string()) // Docusaurus' name of the site's folder
    }
}

fn import(line: &str) -> Option<(String, String)> {
    let (name, file) = line.trim().strip_prefix("import ")?.split_once(" from ")?;
    let file = quoted(file.trim().trim_end_matches(';'))?;
    Some((name.trim().to_string(), file.to_string()))
}

/// What is in quotes, if that is all there is.
fn quoted(text: &str) -> Option<&str> {
    let quote = text
        .chars()
        .next()
        .filter(|first| "'\"`".contains(*first))?;
    let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let is_plain = !inside.contains([quote, '\\']) && !inside.contains("${");
    is_plain.then_some(inside)
}

/// An element as a tag of HTML. `<Image>` of Astro and Next.js is a picture, and the `<Link>` of several a link.
pub fn tag(name: &str, attributes: &[AttributeContent], imports: &Imports) -> Tag {
    let name = match name {
        "Image" => "img",
        "Link" => "a",
        name => name,
    };
    let attribute = |attribute: &AttributeContent| match attribute {
        AttributeContent::Expression(_) => ("{".to_string(), String::new()), // {...properties}, whatever they are
        AttributeContent::Property(property) => {
            let value = match &property.value {
                None => "true".to_string(),
                Some(AttributeValue::Literal(text)) => text.clone(),
                Some(AttributeValue::Expression(it)) => {
                    let value = imports.value(&it.value);
                    value.unwrap_or_else(|| format!("{{{}}}", it.value))
                }
            };
            let name = match (name, property.name.as_str()) {
                ("a", "to") => "href",
                (_, name) => name,
            };
            (name.to_string(), value)
        }
    };
    Tag {
        name: name.to_string(),
        attributes: attributes.iter().map(attribute).collect(),
    }
}

/// Whether a part of JavaScript is whole: it ends at an empty line at which no bracket is open.
pub fn ends_a_module_part(text: &str) -> MdxSignal {
    let open = text.chars().fold(0, |open: i32, letter| match letter {
        '(' | '[' | '{' => open + 1,
        ')' | ']' | '}' => open - 1,
        _ => open,
    });
    match open > 0 {
        true => MdxSignal::Eof(
            "a bracket is not closed".to_string(),
            Box::new("obscura".to_string()),
            Box::new("module".to_string()),
        ),
        false => MdxSignal::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_name_a_file_are_known() {
        let mut imports = Imports::default();
        imports.note("import logo from './logo.png';\nimport { useState } from \"react\"\n  import site from '@site/static/x.png'\nexport const a = 1;");
        for (expression, expected) in [
            ("logo", Some("./logo.png")),
            (" logo.src ", Some("./logo.png")),
            ("site", Some("/static/x.png")),
            ("'x.png'", Some("x.png")),
            ("`x.png`", Some("x.png")),
            ("require('./x.png').default", Some("./x.png")),
            ("require(\"@site/static/x.png\")", Some("/static/x.png")),
            ("useBaseUrl('/img/x.png')", Some("/img/x.png")),
            ("true", Some("true")),
            ("`${name}.png`", None),
            ("'a' + 'b'", None),
            ("useState", None),
            ("other", None),
            ("'", None),
        ] {
            assert_eq!(
                imports.value(expression).as_deref(),
                expected,
                "{expression}"
            );
        }
    }
}
