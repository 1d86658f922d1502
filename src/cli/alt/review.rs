//! `--review`: a page on which people decide about each picture, beside what it shows. It is one file, contacts nobody,
//! and gives the decisions as a file to keep.

use super::decisions::Subject;
use super::pages::Page;
use super::texts::{Choice, Texts};
use super::{LONGEST, Site, counted};
use crate::cli::arguments::Alt;
use obscura::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

const PAGE: &str = include_str!("review.html");
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A picture in one role, on all pages where it stands so.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    subject: Subject,
    /// Where a browser finds it.
    source: Option<String>,
    places: Vec<String>,
    text: String,
    problem: Option<String>,
    decision: &'static str,
}

/// Writes the page, and says what to do with it.
pub fn write(path: &Path, command: &Alt, site: &Site, pages: &[Page], texts: &Texts) -> Result<()> {
    let rows: Vec<Row> = rows(site, pages, texts).into_values().collect();
    let count = rows.len();
    let data = serde_json::json!({ "rows": rows, "longest": LONGEST }).to_string();
    let data = data.replace('<', "\\u003c"); // no text ends the script that it stands in
    let page = PAGE.replace("\"DATA\"", &data);
    std::fs::write(path, page).map_err(|error| {
        Error::BadInput(format!("{} cannot be written: {error}", path.display()))
    })?;
    eprintln!(
        "note: {}: {}. Open it in a browser, save the decisions, then: obscura alt {} --decisions decisions.json --write",
        path.display(),
        counted(count, "picture"),
        command.site.display()
    );
    Ok(())
}

fn rows(site: &Site, pages: &[Page], texts: &Texts) -> BTreeMap<Subject, Row> {
    let mut rows = BTreeMap::new();
    for page in pages {
        for place in &page.lacking {
            let subject = Subject::of(place);
            let row = rows.entry(subject.clone()).or_insert_with(|| {
                let suggestion = texts.suggestion(place);
                let (text, decision) = match texts.choice(place) {
                    Choice::Text { text, .. } => (text, "apply"),
                    Choice::Decorative => (String::new(), "decorative"),
                    Choice::Dismissed => (String::new(), "dismiss"),
                    Choice::Open => (String::new(), ""),
                };
                let suggested = suggestion.and_then(|found| found.as_ref().ok().cloned());
                Row {
                    subject,
                    source: place
                        .picture
                        .as_ref()
                        .ok()
                        .map(|path| file_url(&site.root.join(path))),
                    places: Vec::new(),
                    text: match text.is_empty() {
                        true => suggested.unwrap_or_default(),
                        false => text,
                    },
                    problem: super::problem(place, suggestion).map(str::to_string),
                    decision,
                }
            });
            row.places
                .push(format!("{}:{}", page.path.display(), place.line));
        }
    }
    rows
}

fn file_url(path: &Path) -> String {
    let path = super::with_slashes(path).replacen("//", "/", 1);
    format!("file://{}", utf8_percent_encode(&path, IN_PATHS))
}
