//! Pictures without alternative text in HTML. A text is put right behind `<img`, so that of whatever the tag looks like
//! nothing has to be written again.

use super::{Form, Lacking, Role};
use html5gum::{DefaultEmitter, HtmlString, Spanned, StartTag, Token, Tokenizer};
use obscura::image::collection::ENDINGS;
use std::convert::Infallible;

type Tag = StartTag<usize>;

/// What a page has.
#[derive(Debug, Default)]
pub struct Found {
    /// Pictures that need a text, with or without one.
    pub pictures: usize,
    pub lacking: Vec<Lacking>,
    /// Of `<base href>`.
    pub base: Option<String>,
}

/// Looks through a page of any encoding that has ASCII in it.
pub fn find(bytes: &[u8]) -> Found {
    let mut reader = Reader {
        is_utf8: std::str::from_utf8(bytes).is_ok(),
        ..Reader::default()
    };
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true); // what is in scripts and styles are no tags
    for token in Tokenizer::new_with_emitter(bytes, emitter) {
        let Ok(token): Result<_, Infallible> = token;
        match token {
            Token::StartTag(tag) => reader.start(&tag, bytes),
            Token::EndTag(tag) => reader.end(&tag.name),
            Token::String(text) => reader.text(&text),
            _ => {}
        }
    }
    reader.end_link();
    reader.found
}

#[derive(Default)]
struct Reader {
    found: Found,
    is_utf8: bool,
    /// Whether `<html lang>` names another language than English.
    is_foreign: bool,
    link: Option<Link>,
    hidden: Option<Hidden>,
}

/// The link that is open.
struct Link {
    address: String,
    /// The first of its pictures without text, by their place among all.
    first: usize,
    /// Something says already where it leads.
    has_text: bool,
}

/// An element that is hidden from those who hear a page, and how many of its name are open in it.
struct Hidden {
    name: Vec<u8>,
    open: usize,
}

impl Reader {
    fn start(&mut self, tag: &Tag, bytes: &[u8]) {
        let name: &[u8] = &tag.name;
        if let Some(hidden) = &mut self.hidden {
            hidden.open += usize::from(hidden.name == name);
            return;
        }
        if self.value(tag, "aria-hidden").as_deref() == Some("true") {
            if !is_void(name) {
                let name = name.to_vec();
                self.hidden = Some(Hidden { name, open: 1 });
            }
            return;
        }
        match name {
            b"html" => {
                let lang = self.value(tag, "lang").unwrap_or_default();
                self.is_foreign = !lang.is_empty() && !is_english(&lang);
            }
            b"base" if self.found.base.is_none() => self.found.base = self.value(tag, "href"),
            b"a" => self.start_link(tag),
            b"img" => self.picture(tag, bytes),
            b"input"
                if self
                    .value(tag, "type")
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("image")) =>
            {
                self.picture(tag, bytes);
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &HtmlString) {
        if let Some(hidden) = &mut self.hidden {
            hidden.open -= usize::from(hidden.name == **name);
            if hidden.open == 0 {
                self.hidden = None;
            }
        } else if **name == *b"a" {
            self.end_link();
        }
    }

    fn text(&mut self, text: &[u8]) {
        if let Some(link) = &mut self.link
            && self.hidden.is_none()
        {
            link.has_text |= !text.iter().all(u8::is_ascii_whitespace);
        }
    }

    /// One link ends where the next begins, as in browsers.
    fn start_link(&mut self, tag: &Tag) {
        self.end_link();
        let Some(address) = self.value(tag, "href") else {
            return; // a place to jump to
        };
        self.link = Some(Link {
            address,
            first: self.found.lacking.len(),
            has_text: self.is_named(tag),
        });
    }

    fn end_link(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        if link.has_text || leads_to_a_picture(&link.address) {
            return;
        }
        for lacking in &mut self.found.lacking[link.first..] {
            if lacking.role == Role::Picture {
                lacking.role = Role::Link(link.address.clone());
            }
        }
    }

    fn picture(&mut self, tag: &Tag, bytes: &[u8]) {
        let role = self.value(tag, "role").unwrap_or_default();
        if role == "presentation" || role == "none" || is_filled_in(tag) {
            return;
        }
        self.found.pictures += 1;
        let alt = self.value(tag, "alt");
        let is_named = self.is_named(tag);
        if let Some(link) = &mut self.link {
            let has_alt = alt.as_ref().is_some_and(|alt| !alt.trim().is_empty());
            link.has_text |= has_alt || is_named;
        }
        // A mark of the format says where the tag begins; were it elsewhere, nothing may be written there.
        let start = tag.span.start;
        let insert = start + 1 + tag.name.len();
        let is_there = bytes
            .get(start + 1..insert)
            .is_some_and(|name| bytes[start] == b'<' && name.eq_ignore_ascii_case(&tag.name));
        if alt.is_some() || is_named || !is_there {
            return;
        }
        self.found.lacking.push(Lacking {
            address: self.address(tag),
            role: match &tag.name[..] {
                b"input" => Role::Button,
                _ => Role::Picture,
            },
            insert,
            form: Form::Html {
                is_utf8: self.is_utf8,
                is_foreign: self.is_foreign,
            },
        });
    }

    /// Where the picture is; pages that load pictures late have that in other attributes.
    fn address(&self, tag: &Tag) -> String {
        let value = |name| {
            self.value(tag, name)
                .filter(|value| !value.trim().is_empty())
        };
        let src = value("src");
        let late = || value("data-src").or_else(|| value("srcset").map(|set| first_of(&set)));
        match src {
            Some(src) if !src.starts_with("data:") => src,
            src => late().or(src).unwrap_or_default(),
        }
    }

    /// Whether ARIA names it. A title does not: few ever get to see one.
    fn is_named(&self, tag: &Tag) -> bool {
        ["aria-label", "aria-labelledby"].iter().any(|name| {
            self.value(tag, name)
                .is_some_and(|value| !value.trim().is_empty())
        })
    }

    fn value(&self, tag: &Tag, name: &str) -> Option<String> {
        let Spanned { value, .. } = tag.attributes.get(name.as_bytes())?;
        Some(match self.is_utf8 {
            true => String::from_utf8_lossy(value).into_owned(),
            false => value.iter().map(|byte| char::from(*byte)).collect(), // Latin-1 or much like it
        })
    }
}

/// Whether a template language writes attributes of the tag, so that nobody knows which there will be.
fn is_filled_in(tag: &Tag) -> bool {
    let names = tag.attributes.keys();
    let begins = |name: &HtmlString| matches!(name.first(), Some(b'{' | b'<' | b'%' | b'$'));
    names.into_iter().any(begins)
}

fn first_of(srcset: &str) -> String {
    let first = srcset.split_ascii_whitespace().next().unwrap_or_default();
    first.trim_end_matches(',').to_string()
}

/// A link to a picture shows it larger: its own description says where it leads.
pub fn leads_to_a_picture(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let ending = path
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

fn is_english(lang: &str) -> bool {
    let language = lang.trim().split('-').next().unwrap_or_default();
    language.eq_ignore_ascii_case("en")
}

/// Elements without an end.
fn is_void(name: &[u8]) -> bool {
    const VOID: [&[u8]; 13] = [
        b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link", b"meta",
        b"source", b"track", b"wbr",
    ];
    VOID.contains(&name)
}
