//! XMP: a picture's description (`dc:description`) and its alternative text
//! (`Iptc4xmpCore:AltTextAccessibility`, IPTC Photo Metadata Standard 2021.1), each a list of languages with
//! one that stands for all. Other programs' properties stay as they are, byte for byte.

use crate::{Error, Result};
use roxmltree::{Document, Node};
use std::ops::Range;

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// The two properties: namespace, prefix, name.
const PROPERTIES: [(&str, &str, &str); 2] = [
    ("http://purl.org/dc/elements/1.1/", "dc", "description"),
    (
        "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
        "Iptc4xmpCore",
        "AltTextAccessibility",
    ),
];

/// A file that says nothing but `text`.
pub fn packet(text: &str) -> String {
    let properties = PROPERTIES.map(|property| element(property, text, "   "));
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"obscura\">\n \
         <rdf:RDF xmlns:rdf=\"{RDF}\">\n  \
         <rdf:Description rdf:about=\"\">\n{}  \
         </rdf:Description>\n \
         </rdf:RDF>\n\
         </x:xmpmeta>\n\
         <?xpacket end=\"w\"?>\n",
        properties.concat()
    )
}

/// A file of other programs with the two properties set to `text`.
///
/// # Errors
/// [`Error::BadInput`] where it is no XMP.
pub fn with_text(file: &str, text: &str) -> Result<String> {
    let document = parse(file)?;
    let descriptions = descriptions(&document)?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut missing = String::new();
    for property in PROPERTIES {
        let there = descriptions.iter().flat_map(|node| node.children());
        let there = there.filter(|node| node.has_tag_name((property.0, property.2)));
        let mut new = Some(element(property, text, "").trim_end().to_string());
        for node in there {
            edits.push((node.range(), new.take().unwrap_or_default()));
        }
        missing.push_str(&new.map_or(String::new(), |element| element + "\n"));
    }
    if !missing.is_empty() {
        edits.push(insertion(file, &descriptions[0].range(), &missing));
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut changed = file.to_string();
    for (range, new) in edits.into_iter().rev() {
        changed.replace_range(range, &new);
    }
    Ok(changed)
}

/// The texts of the two properties, in the language that stands for all.
///
/// # Errors
/// [`Error::BadInput`] where it is no XMP.
pub fn texts(file: &str) -> Result<Vec<String>> {
    let document = parse(file)?;
    let descriptions = descriptions(&document)?;
    let mut found = Vec::new();
    for (namespace, _, name) in PROPERTIES {
        let properties = descriptions.iter().flat_map(|node| node.children());
        let properties = properties.filter(|node| node.has_tag_name((namespace, name)));
        found.extend(properties.map(text_of));
    }
    Ok(found)
}

fn parse(file: &str) -> Result<Document<'_>> {
    Document::parse(file).map_err(|error| Error::BadInput(format!("is no XMP: {error}")))
}

/// What is said of the picture: at least one element.
fn descriptions<'a, 'i>(document: &'a Document<'i>) -> Result<Vec<Node<'a, 'i>>> {
    let nodes = document.descendants();
    let is_of_picture = |node: &Node| {
        let is_in_rdf = node
            .parent()
            .is_some_and(|parent| parent.has_tag_name((RDF, "RDF")));
        is_in_rdf && node.has_tag_name((RDF, "Description"))
    };
    let found: Vec<Node> = nodes.filter(is_of_picture).collect();
    match found.is_empty() {
        true => Err(Error::BadInput(
            "is no XMP: it has no rdf:Description in an rdf:RDF".to_string(),
        )),
        false => Ok(found),
    }
}

/// One of the list's texts, or what stands there without a list. It may be empty.
fn text_of(property: Node) -> String {
    let items: Vec<Node> = property
        .descendants()
        .filter(|node| node.has_tag_name((RDF, "li")))
        .collect();
    let is_for_all = |node: &&Node| node.attribute((XML, "lang")) == Some("x-default");
    let chosen = items.iter().find(is_for_all).or(items.first());
    let text = chosen.unwrap_or(&property).text();
    text.unwrap_or_default().to_string()
}

/// A property that says `text`, with the namespaces that it needs.
fn element((namespace, prefix, name): (&str, &str, &str), text: &str, indent: &str) -> String {
    let text = escaped(text);
    format!(
        "{indent}<{prefix}:{name} xmlns:{prefix}=\"{namespace}\" xmlns:rdf=\"{RDF}\"><rdf:Alt>\
         <rdf:li xml:lang=\"x-default\">{text}</rdf:li></rdf:Alt></{prefix}:{name}>\n"
    )
}

/// As text in XML, which knows no control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' | '\t' => escaped.push(letter),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Puts elements before the end of the element in `range`, which gets one where it had none.
fn insertion(file: &str, range: &Range<usize>, elements: &str) -> (Range<usize>, String) {
    let element = &file[range.clone()];
    match element.strip_suffix("/>") {
        Some(start) => {
            let name = start[1..]
                .split([' ', '\t', '\r', '\n'])
                .next()
                .unwrap_or_default();
            let at = range.end - 2;
            (at..range.end, format!(">\n{elements}</{name}>"))
        }
        None => {
            let at = range.start + element.rfind("</").unwrap_or(element.len());
            (at..at, elements.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARD: &str = "a <dog> & \"a cat\" ]]> \u{1}ü 犬";
    const READ: &str = "a <dog> & \"a cat\" ]]> ü 犬";

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(
            texts(&packet(HARD)),
            Ok(vec![READ.to_string(), READ.to_string()])
        );
    }

    #[test]
    fn all_else_of_a_file_stays_byte_for_byte() {
        let others = [
            (
                "<rdf:Description rdf:about='' xmp:Rating='5' xmlns:xmp='http://ns.adobe.com/xap/1.0/'/>",
                "/>",
            ),
            (
                "<rdf:Description><dc:title xmlns:dc='http://purl.org/dc/elements/1.1/'>a &amp; b</dc:title>\r\n </rdf:Description>",
                "</rdf:Description>",
            ),
        ];
        for (description, end) in others {
            let file = format!(
                "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='{RDF}'>{description}</rdf:RDF></x:xmpmeta> "
            );
            let changed = with_text(&file, HARD).expect("XMP");
            assert_eq!(texts(&changed).expect("XMP"), [READ, READ]);
            let (before, after) = file.split_once(end).expect("an end");
            assert!(
                changed.starts_with(before) && changed.ends_with(after),
                "{changed}"
            );
            let again = with_text(&changed, "other").expect("XMP");
            assert_eq!(texts(&again).expect("XMP"), ["other", "other"]);
            assert_eq!(with_text(&again, HARD).expect("XMP"), changed);
        }
    }

    #[test]
    fn the_language_that_stands_for_all_is_read() {
        let file = format!(
            "<rdf:RDF xmlns:rdf='{RDF}'><rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'>\
             <dc:description><rdf:Alt><rdf:li xml:lang='de'>ein Hund</rdf:li><rdf:li xml:lang='x-default'>a dog</rdf:li>\
             </rdf:Alt></dc:description></rdf:Description></rdf:RDF>"
        );
        assert_eq!(texts(&file), Ok(vec!["a dog".to_string()]));
    }

    #[test]
    fn what_is_no_xmp_is_refused() {
        for file in ["", "<a>", "<a/>", "a dog"] {
            assert!(
                texts(file).is_err() && with_text(file, "a").is_err(),
                "{file:?}"
            );
        }
    }
}
