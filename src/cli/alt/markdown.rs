//! Pictures without text in Markdown: those of its own syntax, the HTML in between, and in MDX, which Astro, Docusaurus and
//! Next.js read, its JSX.

use super::Told;
use super::html;
use super::jsx::{self, Imports};
use super::reader::{Found, Reader};
use markdown::mdast::{AttributeContent, Node};
use markdown::unist::Position;
use markdown::{Constructs, MdxSignal, ParseOptions};
use std::collections::HashMap;
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// With tables, footnotes and front matter.
    Markdown,
    Mdx,
}

/// Looks through a document.
pub fn find(bytes: &[u8], dialect: Dialect) -> Told<Found> {
    let (text, is_utf8) = readable(bytes, dialect);
    let document = parse(&text, dialect)?;
    let mut walker = Walker {
        text: &text,
        reader: Reader::new(is_utf8),
        addresses: HashMap::new(),
        imports: Imports::default(),
        rest: text.bytes().map(hide).collect(),
    };
    walker.note(&document);
    walker.node(&document);
    let mut found = walker.reader.finish();
    let in_between = html::find(&walker.rest)?;
    found.pictures += in_between.pictures;
    found.lacking.extend(in_between.lacking);
    found.lacking.sort_by_key(|lacking| lacking.insert);
    found.base = in_between.base;
    Ok(found)
}

/// Where JavaScript ends is a guess: with one that is wrong, the rest of the document may make no sense, and the other is
/// taken.
fn parse(text: &str, dialect: Dialect) -> Told<Node> {
    let parse = |ends: fn(&str) -> MdxSignal| markdown::to_mdast(text, &options(dialect, ends));
    let parsed = parse(jsx::ends_a_module_part);
    let parsed = parsed.or_else(|error| parse(|_| MdxSignal::Ok).map_err(|_| error));
    parsed.map_err(|error| match error.place {
        Some(place) => format!("it is no MDX: {place}: {}", error.reason),
        None => format!("it is no MDX: {}", error.reason), // Markdown has no errors
    })
}

fn options(dialect: Dialect, ends: fn(&str) -> MdxSignal) -> ParseOptions {
    let constructs = match dialect {
        Dialect::Markdown => Constructs::default(),
        Dialect::Mdx => Constructs::mdx(),
    };
    ParseOptions {
        constructs: Constructs {
            frontmatter: true,
            gfm_footnote_definition: true,
            gfm_label_start_footnote: true,
            gfm_table: true,
            ..constructs
        },
        mdx_esm_parse: Some(Box::new(ends)),
        ..ParseOptions::default()
    }
}

/// As text in which every byte has its place. Where it is not UTF-8, bytes beyond ASCII are put as letters. What templates
/// fill into Markdown has no spaces, so that it may be in an address; what is a comment in HTML, and an error in MDX that
/// Docusaurus forgives, is words.
fn readable(bytes: &[u8], dialect: Dialect) -> (String, bool) {
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    let mut readable = bytes.to_vec();
    if !is_utf8 {
        let beyond = readable.iter_mut().filter(|byte| !byte.is_ascii());
        beyond.for_each(|byte| *byte = b'x');
    }
    match dialect {
        Dialect::Markdown => close_up_templates(&mut readable),
        Dialect::Mdx => hide_comments(&mut readable),
    }
    let text = String::from_utf8(readable);
    (
        text.expect("ASCII was put for ASCII, or for whole characters"),
        is_utf8,
    )
}

fn close_up_templates(text: &mut [u8]) {
    let mut is_template = false;
    for place in 1..text.len() {
        match text[place - 1..=place] {
            [b'{', b'{'] => is_template = true,
            [b'}', b'}'] | [_, b'\n'] => is_template = false,
            [_, b' '] if is_template => text[place] = b'_',
            _ => {}
        }
    }
}

fn hide_comments(text: &mut [u8]) {
    let find = |text: &[u8], from: usize, mark: &[u8]| {
        let mut windows = text[from..].windows(mark.len());
        windows
            .position(|window| window == mark)
            .map(|place| from + place)
    };
    let mut from = 0;
    while let Some(start) = find(text, from, b"<!--") {
        let Some(end) = find(text, start, b"-->") else {
            return;
        };
        from = end + "-->".len();
        text[start..from]
            .iter_mut()
            .for_each(|byte| *byte = hide(*byte));
    }
}

/// What is not HTML, so that HTML can be looked for in the rest: spaces stay, the rest counts as words.
fn hide(byte: u8) -> u8 {
    match byte.is_ascii_whitespace() {
        true => byte,
        false => b'x',
    }
}

fn range(position: Option<&Position>) -> Range<usize> {
    let position = position.expect("all that is parsed has a place");
    position.start.offset..position.end.offset
}

struct Walker<'a> {
    text: &'a str,
    reader: Reader,
    /// Of `[name]: address`.
    addresses: HashMap<String, String>,
    imports: Imports,
    /// The document with everything hidden but its HTML.
    rest: Vec<u8>,
}

impl Walker<'_> {
    /// What is said in one place and meant in another.
    fn note(&mut self, node: &Node) {
        match node {
            Node::Definition(it) => {
                let address = it.url.clone();
                self.addresses
                    .entry(it.identifier.clone())
                    .or_insert(address);
            }
            Node::MdxjsEsm(it) => self.imports.note(&it.value),
            _ => {}
        }
        let children = node.children().into_iter().flatten();
        children.for_each(|child| self.note(child));
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Text(it) => self.reader.words(&it.value),
            Node::InlineCode(it) => self.reader.words(&it.value),
            Node::Html(it) => {
                let range = range(it.position.as_ref());
                self.rest[range.clone()].copy_from_slice(&self.text.as_bytes()[range]);
            }
            Node::Image(it) => self.picture(&it.url, &it.alt, it.position.as_ref()),
            Node::ImageReference(it) => {
                let address = self.address(&it.identifier);
                self.picture(&address, &it.alt, it.position.as_ref());
            }
            Node::Link(it) => self.link(&it.url, &it.children),
            Node::LinkReference(it) => self.link(&self.address(&it.identifier), &it.children),
            Node::MdxJsxFlowElement(it) => {
                let start = range(it.position.as_ref()).start;
                self.element(it.name.as_deref(), &it.attributes, &it.children, start);
            }
            Node::MdxJsxTextElement(it) => {
                let start = range(it.position.as_ref()).start;
                self.element(it.name.as_deref(), &it.attributes, &it.children, start);
            }
            other => self.all(other.children().into_iter().flatten()),
        }
    }

    fn all<'n>(&mut self, nodes: impl IntoIterator<Item = &'n Node>) {
        nodes.into_iter().for_each(|node| self.node(node));
    }

    fn address(&self, identifier: &str) -> String {
        self.addresses.get(identifier).cloned().unwrap_or_default()
    }

    fn link(&mut self, address: &str, children: &[Node]) {
        let opened = self.reader.open_link(address, false);
        self.all(children);
        self.reader.close(opened);
    }

    fn picture(&mut self, address: &str, text: &str, position: Option<&Position>) {
        let insert = range(position).start + "![".len();
        self.reader.markdown_picture(address, text, insert);
    }

    /// An element of JSX with what is in it; one without a name is none.
    fn element(
        &mut self,
        name: Option<&str>,
        attributes: &[AttributeContent],
        children: &[Node],
        start: usize,
    ) {
        let name = name.unwrap_or_default();
        let tag = jsx::tag(name, attributes, &self.imports);
        let was_hidden = self.reader.is_hidden;
        self.reader.is_hidden |= tag.hides();
        let opened = self.reader.open(&tag, start + "<".len() + name.len());
        self.all(children);
        if let Some(opened) = opened {
            self.reader.close(opened);
        }
        self.reader.is_hidden = was_hidden;
    }
}
