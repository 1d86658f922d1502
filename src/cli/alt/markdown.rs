//! Pictures without text in Markdown: those of its own syntax, and the HTML in between.

use super::html::{self, Found, leads_to_a_picture};
use super::{Form, Lacking, Role};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// Looks through a document.
pub fn find(bytes: &[u8]) -> Found {
    let (text, is_utf8) = readable(bytes);
    let mut reader = Reader {
        is_utf8,
        rest: text.bytes().map(hide).collect(),
        ..Reader::default()
    };
    for (event, range) in Parser::new_ext(&text, options()).into_offset_iter() {
        reader.event(event, range, &text);
    }
    let mut found = html::find(&reader.rest);
    found.pictures += reader.pictures;
    found.lacking.extend(reader.lacking);
    found.lacking.sort_by_key(|lacking| lacking.insert);
    found
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS
}

/// As text in which every byte has its place. Where it is not UTF-8, bytes beyond ASCII are put as letters; and what
/// templates fill in has no spaces, so that it may be in an address.
fn readable(bytes: &[u8]) -> (String, bool) {
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    let mut readable = bytes.to_vec();
    if !is_utf8 {
        let beyond = readable.iter_mut().filter(|byte| !byte.is_ascii());
        beyond.for_each(|byte| *byte = b'x');
    }
    let mut is_template = false;
    for place in 1..readable.len() {
        match readable[place - 1..=place] {
            [b'{', b'{'] => is_template = true,
            [b'}', b'}'] | [_, b'\n'] => is_template = false,
            [_, b' '] if is_template => readable[place] = b'_',
            _ => {}
        }
    }
    let text = String::from_utf8(readable);
    (
        text.expect("ASCII was put for ASCII, or for all else"),
        is_utf8,
    )
}

/// What is not HTML, so that HTML can be looked for in the rest: spaces stay, the rest counts as words.
fn hide(byte: u8) -> u8 {
    match byte.is_ascii_whitespace() {
        true => byte,
        false => b'x',
    }
}

#[derive(Default)]
struct Reader {
    is_utf8: bool,
    pictures: usize,
    lacking: Vec<Lacking>,
    /// The document with everything hidden but its HTML.
    rest: Vec<u8>,
    link: Option<Link>,
    picture: Option<Picture>,
}

struct Link {
    address: String,
    /// Its pictures without text, by their place among all, from here on.
    first: usize,
    has_text: bool,
}

struct Picture {
    address: String,
    start: usize,
    has_text: bool,
}

impl Reader {
    fn event(&mut self, event: Event, range: Range<usize>, text: &str) {
        match event {
            Event::Html(_) | Event::InlineHtml(_) => {
                self.rest[range.clone()].copy_from_slice(&text.as_bytes()[range]);
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                self.link = Some(Link {
                    address: dest_url.into_string(),
                    first: self.lacking.len(),
                    has_text: false,
                });
            }
            Event::End(TagEnd::Link) => self.end_link(),
            Event::Start(Tag::Image { dest_url, .. }) => {
                self.picture = Some(Picture {
                    address: dest_url.into_string(),
                    start: range.start,
                    has_text: false,
                });
            }
            Event::End(TagEnd::Image) => self.end_picture(text),
            Event::Text(words) | Event::Code(words) if !words.trim().is_empty() => {
                match &mut self.picture {
                    Some(picture) => picture.has_text = true,
                    None => self.name_link(),
                }
            }
            _ => {}
        }
    }

    fn name_link(&mut self) {
        if let Some(link) = &mut self.link {
            link.has_text = true;
        }
    }

    fn end_link(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        if link.has_text || leads_to_a_picture(&link.address) {
            return;
        }
        for lacking in &mut self.lacking[link.first..] {
            lacking.role = Role::Link(link.address.clone());
        }
    }

    fn end_picture(&mut self, text: &str) {
        let Some(picture) = self.picture.take() else {
            return;
        };
        self.pictures += 1;
        if picture.has_text {
            return self.name_link();
        }
        let is_there = text[picture.start..].starts_with("![");
        if is_there {
            self.lacking.push(Lacking {
                address: picture.address,
                role: Role::Picture,
                insert: picture.start + "![".len(),
                form: Form::Markdown {
                    is_utf8: self.is_utf8,
                },
            });
        }
    }
}
