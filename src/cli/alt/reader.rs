//! What is read of a page in whatever language: tags, words, and Markdown's own links and pictures, in their order. From
//! these comes which pictures need a text, and what that has to say.

use super::{Form, Lacking, Role};
use obscura::image::collection::ENDINGS;

/// What a page has.
#[derive(Debug, Default)]
pub struct Found {
    /// Pictures that need a text, with or without one.
    pub pictures: usize,
    pub lacking: Vec<Lacking>,
    /// Of `<base href>`.
    pub base: Option<String>,
}

/// A start tag. Its name and its attributes' are in small letters, and their values are what they stand for.
#[derive(Debug)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

impl Tag {
    fn value(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter(); // of an attribute that is there twice, the first counts
        attributes
            .find(|attribute| attribute.0 == name)
            .map(|attribute| attribute.1.as_str())
    }

    fn said(&self, name: &str) -> Option<&str> {
        self.value(name).filter(|value| !value.trim().is_empty())
    }

    /// Where the picture is; pages that load pictures late have that in other attributes.
    fn address(&self) -> String {
        let src = self.said("src");
        if let Some(src) = src.filter(|src| !src.starts_with("data:")) {
            return src.to_string();
        }
        let late = self.said("data-src").map(str::to_string);
        late.or_else(|| self.said("srcset").map(first_of))
            .or_else(|| src.map(str::to_string))
            .unwrap_or_default()
    }

    /// Whether ARIA names it. A title does not: few ever get to see one.
    fn is_named(&self) -> bool {
        self.said("aria-label").is_some() || self.said("aria-labelledby").is_some()
    }

    /// Whether it hides its element, with all in it, from those who hear a page.
    pub fn hides(&self) -> bool {
        self.value("aria-hidden") == Some("true")
    }

    fn is_decoration(&self) -> bool {
        matches!(self.value("role"), Some("presentation" | "none"))
    }

    /// Whether a template language writes attributes of the tag, so that nobody knows which there will be.
    fn is_filled_in(&self) -> bool {
        let mut names = self.attributes.iter().map(|(name, _)| name);
        names.any(|name| name.starts_with(['{', '<', '%', '$']))
    }

    fn is_picture(&self) -> bool {
        let kind = || self.value("type").unwrap_or_default();
        self.name == "img" || self.name == "input" && kind().eq_ignore_ascii_case("image")
    }
}

/// Reads from the beginning to the end.
#[derive(Debug, Default)]
pub struct Reader {
    found: Found,
    pub is_utf8: bool,
    /// Whether `<html lang>` names another language than English.
    is_foreign: bool,
    /// Whether what comes now is hidden from those who hear a page.
    pub is_hidden: bool,
    link: Option<Link>,
    links: usize,
}

/// The link that is open.
#[derive(Debug)]
struct Link {
    number: Opened,
    address: String,
    /// The first of its pictures without text, by their place among all.
    first: usize,
    /// Something says already where it leads.
    has_text: bool,
}

/// The number of a link, which ends with an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened(usize);

impl Reader {
    pub fn new(is_utf8: bool) -> Self {
        Self {
            is_utf8,
            ..Self::default()
        }
    }

    /// A start tag, and the byte before which it can be given an attribute. Says what its end tag ends.
    pub fn open(&mut self, tag: &Tag, insert: usize) -> Option<Opened> {
        if self.is_hidden {
            return None;
        }
        match tag.name.as_str() {
            "html" => self.is_foreign = tag.said("lang").is_some_and(|lang| !is_english(lang)),
            "base" if self.found.base.is_none() => {
                self.found.base = tag.value("href").map(str::to_string);
            }
            "a" => return self.open_anchor(tag),
            _ if tag.is_picture() => self.tag_of_picture(tag, insert),
            _ => {}
        }
        None
    }

    /// The end of a link, unless the next one has ended it.
    pub fn close(&mut self, opened: Opened) {
        if self.link.as_ref().is_some_and(|it| it.number == opened) {
            self.end_link();
        }
    }

    pub fn words(&mut self, text: &str) {
        if !self.is_hidden && !text.trim().is_empty() {
            self.name_link();
        }
    }

    /// One link ends where the next begins, as in browsers.
    fn open_anchor(&mut self, tag: &Tag) -> Option<Opened> {
        self.end_link();
        let address = tag.value("href")?; // else it is a place to jump to
        Some(self.open_link(address, tag.is_named()))
    }

    pub fn open_link(&mut self, address: &str, has_text: bool) -> Opened {
        self.end_link();
        self.links += 1;
        self.link = Some(Link {
            number: Opened(self.links),
            address: address.to_string(),
            first: self.found.lacking.len(),
            has_text,
        });
        Opened(self.links)
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
        for lacking in &mut self.found.lacking[link.first..] {
            if lacking.role == Role::Picture {
                lacking.role = Role::Link(link.address.clone());
            }
        }
    }

    fn tag_of_picture(&mut self, tag: &Tag, insert: usize) {
        if tag.is_decoration() || tag.is_filled_in() {
            return;
        }
        self.found.pictures += 1;
        let is_named = tag.is_named();
        if is_named || tag.said("alt").is_some() {
            self.name_link();
        }
        if is_named || tag.value("alt").is_some() {
            return;
        }
        self.found.lacking.push(Lacking {
            address: tag.address(),
            role: match tag.name.as_str() {
                "input" => Role::Button,
                _ => Role::Picture,
            },
            insert,
            form: Form::Html {
                is_utf8: self.is_utf8,
                is_foreign: self.is_foreign,
            },
        });
    }

    /// A picture of Markdown's, whose text is between brackets, at this byte.
    pub fn markdown_picture(&mut self, address: &str, text: &str, insert: usize) {
        if self.is_hidden {
            return;
        }
        self.found.pictures += 1;
        if !text.trim().is_empty() {
            return self.name_link();
        }
        self.found.lacking.push(Lacking {
            address: address.to_string(),
            role: Role::Picture,
            insert,
            form: Form::Markdown {
                is_utf8: self.is_utf8,
            },
        });
    }

    /// At the end of the page, which ends all that is open.
    pub fn finish(&mut self) -> Found {
        self.end_link();
        std::mem::take(&mut self.found)
    }
}

fn first_of(srcset: &str) -> String {
    let first = srcset.split_ascii_whitespace().next().unwrap_or_default();
    first.trim_end_matches(',').to_string()
}

/// A link to a picture shows it larger: its own description says where it leads.
fn leads_to_a_picture(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let ending = path
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_lowercase());
    ending.is_some_and(|ending| ending == "svg" || ENDINGS.contains(&ending.as_str()))
}

fn is_english(lang: &str) -> bool {
    let language = lang.trim().split('-').next().unwrap_or_default();
    language.eq_ignore_ascii_case("en")
}
