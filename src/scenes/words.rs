//! The words that captions and questions share: numbers, relations, articles.

use rand::Rng;

use super::facts::{Group, Relation};
use super::objects::Objects;

pub const NUMBERS: [&str; 5] = ["zero", "one", "two", "three", "four"];

/// The ways to say a relation between two things, the plainest first.
pub fn relation_phrases(relation: Relation) -> &'static [&'static str] {
    match relation {
        Relation::LeftOf => &[
            "to the left of",
            "left of",
            "on the left of",
            "on the left side of",
        ],
        Relation::RightOf => &[
            "to the right of",
            "right of",
            "on the right of",
            "on the right side of",
        ],
        Relation::Above => &["above", "over", "higher than"],
        Relation::Below => &["below", "under", "beneath", "underneath"],
        Relation::On => &["on", "on top of", "standing on", "resting on"],
        Relation::NextTo => &["next to", "beside", "near"],
    }
}

/// The ways to say a relation to something that was just named.
pub fn backward_phrases(relation: Relation, plural: bool) -> &'static [&'static str] {
    match (relation, plural) {
        (Relation::LeftOf, false) => &["to its left", "on its left"],
        (Relation::LeftOf, true) => &["to their left", "on their left"],
        (Relation::RightOf, false) => &["to its right", "on its right"],
        (Relation::RightOf, true) => &["to their right", "on their right"],
        (Relation::Above, false) => &["above it", "over it"],
        (Relation::Above, true) => &["above them", "over them"],
        (Relation::Below, false) => &["below it", "under it", "beneath it"],
        (Relation::Below, true) => &["below them", "under them", "beneath them"],
        (Relation::On, false) => &["on it", "on top of it"],
        (Relation::On, true) => &["on them", "on top of them"],
        (Relation::NextTo, false) => &["next to it", "beside it"],
        (Relation::NextTo, true) => &["next to them", "beside them"],
    }
}

/// One of them; the first, the plainest, about half of the time.
pub fn pick<'a>(phrases: &[&'a str], rng: &mut impl Rng) -> &'a str {
    match rng.random_bool(0.4) {
        true => phrases[0],
        false => phrases[rng.random_range(0..phrases.len())],
    }
}

/// "a" or "an", by the sound that a word begins with as far as its first letter tells.
pub fn article(word: &str) -> &'static str {
    match word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => "an",
        false => "a",
    }
}

/// A group's noun: "dog" for one, "dogs" for more. Names that are not objects take the plain endings.
pub fn noun(group: &Group, objects: &Objects) -> String {
    match (group.count, objects.named(group.object)) {
        (1, _) => group.object.to_string(),
        (_, Some(object)) => object.plural.clone(),
        (_, None) => format!("{}s", group.object),
    }
}

/// A group with its article or number, and with an adjective: "a small dog", "three dogs".
pub fn counted(group: &Group, adjective: Option<&str>, objects: &Objects) -> String {
    let mut words: Vec<String> = adjective.map(str::to_string).into_iter().collect();
    words.push(noun(group, objects));
    let first = match (group.count, adjective, objects.named(group.object)) {
        (1, None, Some(object)) => object.article.clone(),
        (1, _, _) => article(&words[0]).to_string(),
        (count, _, _) => number(count),
    };
    format!("{first} {}", words.join(" "))
}

/// The number as a word, as far as there is one.
pub fn number(count: usize) -> String {
    NUMBERS
        .get(count)
        .map_or_else(|| count.to_string(), |word| word.to_string())
}

/// "is" or "are".
pub fn be(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
