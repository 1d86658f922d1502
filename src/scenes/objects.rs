//! What scenes are made of: the nouns, in the order in which training takes them up. The list is data
//! (`objects.tsv`), so that a name or a drawing is changed without touching code.

use std::collections::HashMap;

use crate::{Error, Result};

const TABLE: &str = include_str!("objects.tsv");

/// One kind of thing: how it is called, and under which name the icon packages draw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub name: String,
    pub plural: String,
    pub article: String,
    pub icon: String,
}

/// The known objects, most common first, and those that training never shows.
#[derive(Debug, Clone)]
pub struct Objects {
    all: Vec<Object>,
    known: usize,
    first_unseen: usize,
    by_phrase: HashMap<String, usize>,
}

impl Objects {
    /// The curated list.
    pub fn built_in() -> Result<Objects> {
        Objects::parse(TABLE)
    }

    /// A table of `set name plural article icon`, tab-separated under one line of headings; `set` is
    /// `known` or `unseen`.
    pub fn parse(table: &str) -> Result<Objects> {
        let mut known = Vec::new();
        let mut unseen = Vec::new();
        for (row, line) in table.lines().enumerate().skip(1) {
            let [set, name, plural, article, icon] = line.split('\t').collect::<Vec<_>>()[..]
            else {
                return Err(bad_row(
                    row,
                    "does not have the five columns set, name, plural, article, icon",
                ));
            };
            let object = Object {
                name: name.into(),
                plural: plural.into(),
                article: article.into(),
                icon: icon.into(),
            };
            match set {
                "known" => known.push(object),
                "unseen" => unseen.push(object),
                _ => {
                    return Err(bad_row(
                        row,
                        "belongs to neither the known nor the unseen objects",
                    ));
                }
            }
        }
        let count = known.len();
        known.append(&mut unseen);
        Objects::new(known, count)
    }

    /// `all` objects, of which the first `known` are for training.
    pub fn new(all: Vec<Object>, known: usize) -> Result<Objects> {
        let mut by_phrase = HashMap::new();
        for (id, object) in all.iter().enumerate() {
            for phrase in [&object.name, &object.plural] {
                let other = by_phrase.insert(phrase.clone(), id);
                if other.is_some_and(|other| other != id) {
                    return Err(Error::BadInput(format!(
                        "two objects are called '{phrase}'"
                    )));
                }
            }
        }
        Ok(Objects {
            all,
            known,
            first_unseen: known,
            by_phrase,
        })
    }

    /// Only the first `count` known objects; the unseen ones stay.
    pub fn limited_to(mut self, count: usize) -> Result<Objects> {
        if count == 0 || count > self.first_unseen {
            return Err(Error::BadInput(format!(
                "there are 1 to {} objects to choose from, not {count}",
                self.first_unseen
            )));
        }
        self.known = count;
        Ok(self)
    }

    /// Every object that there is a drawing of, also beyond the limit. Positions are ids.
    pub fn all(&self) -> &[Object] {
        &self.all
    }

    /// The ids that training uses.
    pub fn known(&self) -> std::ops::Range<usize> {
        0..self.known
    }

    /// The ids that training never uses, whatever the limit.
    pub fn unseen(&self) -> std::ops::Range<usize> {
        self.first_unseen..self.all.len()
    }

    /// The object called `phrase`, in the singular or the plural.
    pub fn find(&self, phrase: &str) -> Option<usize> {
        self.by_phrase.get(phrase).copied()
    }

    /// The object named `name` by a scene's facts.
    pub fn named(&self, name: &str) -> Option<&Object> {
        self.find(name).map(|id| &self.all[id])
    }
}

fn bad_row(row: usize, problem: &str) -> Error {
    Error::BadInput(format!(
        "line {} of the table of objects {problem}",
        row + 1
    ))
}
