//! What people have decided about pictures: the file that the page of `--review` gives. It can be kept beside the site,
//! so that what was dismissed is not reported again.

use super::pages::Place;
use super::{LONGEST, Role, Told};
use obscura::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// About a picture, wherever it stands in the same role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Apply(String),
    Decorative,
    Dismiss,
}

/// What a decision is about: a picture, what it is the whole content of, and whether that is a button.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// Its file in the site, or its address where it is none.
    pub picture: String,
    /// The address of the link.
    #[serde(default)]
    pub link: Option<String>,
    #[serde(default)]
    pub button: bool,
}

impl Subject {
    pub fn of(place: &Place) -> Self {
        Self {
            picture: place.key(),
            link: match &place.lacking.role {
                Role::Link(address) => Some(address.clone()),
                _ => None,
            },
            button: place.lacking.role == Role::Button,
        }
    }
}

/// As the file has it.
#[derive(Deserialize)]
struct Entry {
    #[serde(flatten)]
    subject: Subject,
    decision: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct File {
    decisions: Vec<Entry>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Decisions(HashMap<Subject, Decision>);

impl Decisions {
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let bytes = std::fs::read(path)
            .map_err(|error| Error::BadInput(format!("{name} cannot be read: {error}")))?;
        let file: File = serde_json::from_slice(&bytes).map_err(|error| {
            Error::BadInput(format!(
                "{name} is no file of decisions, as the page of --review gives: {error}"
            ))
        })?;
        let decisions = file.decisions.into_iter().map(|entry| {
            let decision = entry.decision().map_err(|words| {
                Error::BadInput(format!("{name}: {}: {words}", entry.subject.picture))
            })?;
            Ok((entry.subject, decision))
        });
        Ok(Self(decisions.collect::<Result<_>>()?))
    }

    pub fn of(&self, place: &Place) -> Option<&Decision> {
        match self.0.is_empty() {
            true => None,
            false => self.0.get(&Subject::of(place)),
        }
    }
}

impl Entry {
    fn decision(&self) -> Told<Decision> {
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        match self.decision.as_str() {
            "apply" if text.is_empty() => {
                Err("the text is empty: write one, or decide \"decorative\"".to_string())
            }
            "apply" => match text.chars().count() {
                0..=LONGEST => Ok(Decision::Apply(text)),
                long => Err(format!(
                    "the text has {long} characters, at most {LONGEST} are allowed"
                )),
            },
            "decorative" => Ok(Decision::Decorative),
            "dismiss" => Ok(Decision::Dismiss),
            other => Err(format!(
                "the decision is \"{other}\", expected \"apply\", \"decorative\" or \"dismiss\""
            )),
        }
    }
}
