//! `obscura alt`: pictures without alternative text on the pages of a website, and texts for them.
//!
//! - `pages`: the files of a site. `html`, `markdown` and `jsx` parse them, `reader` says what in them lacks a text.
//! - `address`: the file that an address names. `texts`: who writes the texts: the model, or a person's decisions.
//! - `svg`: drawings as pictures for the model.
//! - `edit`: a page with texts put in. `diff`: how it differs. `review`: a page for people to decide on.

mod address;
mod decisions;
mod diff;
mod edit;
mod html;
mod jsx;
mod markdown;
mod pages;
mod reader;
mod review;
mod svg;
mod texts;

use super::arguments::{Alt, Common};
use super::report;
use address::Base;
use obscura::{Error, Result};
use pages::{Page, Place};
use serde_json::json;
use std::path::{Path, PathBuf};
use texts::{Choice, Texts};

/// What there is, or in words why there is nothing.
type Told<T> = std::result::Result<T, String>;

/// Longest alternative text, in characters: some screen readers read no more of it in one go.
const LONGEST: usize = 125;

/// The website.
#[derive(Debug)]
pub struct Site {
    /// Its folder, by its one true path.
    root: PathBuf,
    base: Option<Base>,
}

impl Site {
    fn open(command: &Alt) -> Result<Self> {
        let failed = |error| {
            let name = command.site.display();
            Error::BadInput(format!("{name} cannot be read: {error}"))
        };
        let root = command.site.canonicalize().map_err(failed)?;
        if !root.is_dir() {
            let name = command.site.display();
            return Err(Error::BadInput(format!("{name} is no folder of a website")));
        }
        let base = command.site_url.as_deref().map(Base::parse).transpose();
        let base = base.map_err(Error::BadInput)?;
        Ok(Self { root, base })
    }
}

/// A picture that a page shows without alternative text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// As the page writes it.
    address: String,
    role: Role,
    /// The byte before which a text goes.
    insert: usize,
    form: Form,
}

/// What the text has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// What the picture shows.
    Picture,
    /// Where the link leads, to this address: the picture is all there is of it.
    Link(String),
    /// What the button does.
    Button,
}

/// How a text is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As an attribute; `is_foreign` on a page in another language than English.
    Html { is_utf8: bool, is_foreign: bool },
    /// Between brackets.
    Markdown { is_utf8: bool },
}

/// Runs `obscura alt`. A page that cannot be read or written does not keep the others from being done.
pub fn alt(command: &Alt, common: &Common) -> Result<()> {
    let site = Site::open(command)?;
    let (pages, failures) = pages::all(&site)?;
    let mut texts = Texts::new(command, common, &site, &pages)?;
    if let Some(path) = &command.review {
        pages.iter().try_for_each(|page| texts.ask_about(page))?;
        review::write(path, command, &site, &pages, &texts)?;
    }
    let mut done = Done::default();
    failures.iter().for_each(|error| done.fail(error));
    for page in &pages {
        texts.ask_about(page)?; // so that of a run that is stopped, the pages so far are done
        let edited = match command.diff || command.write {
            true => edited(command, &site, page, &texts),
            false => Ok(0),
        };
        let is_written = command.write && edited.is_ok();
        match edited {
            Ok(written) => done.written += written,
            Err(error) => done.fail(&error),
        }
        for place in &page.lacking {
            let choice = texts.choice(place);
            let changes = choice.is_written(place.lacking.form);
            if choice.is_open() || (changes && !is_written) {
                done.missing += 1;
            }
            if !command.diff && (choice.is_open() || changes) {
                let is_written = changes && is_written;
                texts.suspend(|| report_place(command, common, page, place, &texts, is_written))?;
            }
        }
    }
    done.end(command, common, &pages)
}

/// Shows or writes a page with its texts; how many were put in.
fn edited(command: &Alt, site: &Site, page: &Page, texts: &Texts) -> Result<usize> {
    let mut inserts = Vec::new();
    for place in &page.lacking {
        if let Some(insert) = edit::insert(&place.lacking, &texts.choice(place)) {
            inserts.push((place.lacking.insert, insert));
        }
    }
    if inserts.is_empty() {
        return Ok(0);
    }
    let path = site.root.join(&page.path);
    let before = pages::read(&path)?;
    let after = edit::splice(&before, &inserts);
    page.check(&before, &after, inserts.len())?;
    if command.write {
        edit::replace(&path, &after)?;
    } else {
        report::bytes(&diff::unified(&page.path, &before, &inserts))?;
    }
    Ok(inserts.len())
}

/// A line about a picture that lacks a text, or got one.
fn report_place(
    command: &Alt,
    common: &Common,
    page: &Page,
    place: &Place,
    texts: &Texts,
    is_written: bool,
) -> Result<()> {
    let file = command.site.join(&page.path);
    let link = match &place.lacking.role {
        Role::Link(address) => Some(address),
        _ => None,
    };
    let suggestion = texts.suggestion(place);
    let text = match texts.choice(place) {
        Choice::Text { text, .. } => Some(text),
        Choice::Decorative => Some(String::new()),
        _ => suggestion.and_then(|found| found.as_ref().ok().cloned()),
    };
    let value = json!({
        "page": file, "line": place.line, "address": place.lacking.address,
        "picture": place.picture.as_ref().ok(), "link": link, "button": place.lacking.role == Role::Button,
        "text": text, "problem": problem(place, suggestion), "written": is_written,
    });
    let line = match (is_written, &text) {
        (true, Some(text)) => format!("{} is now \"{text}\"", shortened(&place.lacking.address)),
        _ => words(place, text.as_deref(), problem(place, suggestion)),
    };
    let line = format!("{}:{}: {line}", file.display(), place.line);
    report::print(common.json, &value, &line)
}

/// Why there is no text of the model's.
fn problem<'a>(place: &'a Place, suggestion: Option<&'a Told<String>>) -> Option<&'a str> {
    match (&place.picture, suggestion) {
        (Err(problem), _) | (_, Some(Err(problem))) => Some(problem),
        _ => None,
    }
}

fn words(place: &Place, text: Option<&str>, problem: Option<&str>) -> String {
    let name = shortened(&place.lacking.address);
    let lacks = match &place.lacking.role {
        Role::Picture => format!("{name} has no alternative text"),
        Role::Link(address) => format!(
            "{name} has no alternative text and is all there is of the link to {}: say where that leads",
            shortened(address)
        ),
        Role::Button => {
            format!("{name} has no alternative text and is a button: say what that does")
        }
    };
    match (text, problem) {
        (Some(""), _) => format!("{lacks}; it is decided to be decoration"),
        (Some(text), _) => format!("{lacks}; suggested: \"{text}\""),
        (None, Some(problem)) => format!("{lacks}; {problem}"),
        (None, None) => lacks,
    }
}

/// Addresses may be whole pictures.
fn shortened(address: &str) -> String {
    const LONGEST: usize = 100;
    match address.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &address[..end]),
        None => address.to_string(),
    }
}

/// What came of a run.
#[derive(Default)]
struct Done {
    written: usize,
    missing: usize,
    failures: usize,
}

impl Done {
    fn fail(&mut self, error: &Error) {
        eprintln!("error: {error}");
        self.failures += 1;
    }

    fn end(&self, command: &Alt, common: &Common, pages: &[Page]) -> Result<()> {
        let pictures: usize = pages.iter().map(|page| page.pictures).sum();
        if command.write && !common.json {
            report::line(&format!("{} written", counted(self.written, "text")))?;
        }
        let mut left = Vec::new();
        if self.missing > 0 {
            let (pictures, pages) = (counted(pictures, "picture"), counted(pages.len(), "page"));
            left.push(format!(
                "{} of {pictures} on {pages} without alternative text",
                self.missing
            ));
        }
        if self.failures > 0 {
            left.push(format!(
                "{} could not be done",
                counted(self.failures, "page")
            ));
        }
        match left.is_empty() {
            true => Ok(()),
            false => Err(Error::BadInput(left.join("; "))),
        }
    }
}

fn counted(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// A path as addresses write it.
fn with_slashes(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
