//! Texts into a page: bytes are put in, none is taken out or changed.

use super::texts::Choice;
use super::{Form, Lacking};
use obscura::{Error, Result};
use std::fmt::Write;
use std::io::Write as _;
use std::path::Path;

/// Characters that mean something in HTML, or in a template language around it.
const OF_HTML: &str = "&<>\"{}";
/// Those that mean something in Markdown, too. As a reference none of them does.
const OF_MARKDOWN: &str = "&<>\"{}\\[]*_`|~$^=";

/// What is put in for a picture; None for nothing.
pub fn insert(lacking: &Lacking, choice: &Choice) -> Option<String> {
    match (choice, lacking.form) {
        (
            Choice::Text { text, is_ours },
            Form::Html {
                is_utf8,
                is_foreign,
            },
        ) => {
            let text = encoded(text, OF_HTML, is_utf8);
            let lang = match is_foreign && *is_ours {
                true => " lang=\"en\"", // so that it is pronounced as English
                false => "",
            };
            Some(format!(" alt=\"{text}\"{lang}"))
        }
        (Choice::Text { text, .. }, Form::Markdown { is_utf8 }) => {
            Some(encoded(text, OF_MARKDOWN, is_utf8))
        }
        (Choice::Decorative, Form::Html { .. }) => Some(" alt=\"\"".to_string()),
        _ => None,
    }
}

/// A text in which special characters, and those that a file's encoding may lack, are references.
fn encoded(text: &str, special: &str, is_utf8: bool) -> String {
    text.chars().fold(String::new(), |mut encoded, letter| {
        let is_plain = !special.contains(letter) && (is_utf8 || letter.is_ascii());
        match is_plain {
            true => encoded.push(letter),
            false => write!(encoded, "&#{};", u32::from(letter)).expect("a text takes all"),
        }
        encoded
    })
}

/// The bytes with each text before its place; places ascend.
pub fn splice(bytes: &[u8], inserts: &[(usize, String)]) -> Vec<u8> {
    let mut spliced = Vec::with_capacity(bytes.len() + 128 * inserts.len());
    let mut done = 0;
    for (place, text) in inserts {
        spliced.extend_from_slice(&bytes[done..*place]);
        spliced.extend_from_slice(text.as_bytes());
        done = *place;
    }
    spliced.extend_from_slice(&bytes[done..]);
    spliced
}

/// Puts a file in the place of another, with its permissions, at once: whoever is stopped has either.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::BadInput(format!("{} cannot be written: {error}", path.display()))
    };
    let mut beside = path.as_os_str().to_os_string();
    beside.push(".obscura-new");
    let beside = Path::new(&beside);
    let write = || {
        let permissions = std::fs::metadata(path)?.permissions();
        if permissions.readonly() {
            return Err(std::io::ErrorKind::PermissionDenied.into());
        }
        let mut file = std::fs::File::create(beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::set_permissions(beside, permissions)?;
        std::fs::rename(beside, path)
    };
    write().map_err(|error| {
        let _ = std::fs::remove_file(beside); // the page itself is as it was
        failed(error)
    })
}
