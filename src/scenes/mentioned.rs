//! The inverse of the grammar: which objects, counts and relations a sentence speaks of. It reads what
//! a model writes, so it takes any text and skips what it does not know.

use std::sync::LazyLock;

use super::compose::colours;
use super::facts::Relation;
use super::objects::Objects;
use super::words::{NUMBERS, backward_phrases, relation_phrases};

/// What a sentence says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mentioned {
    /// Each object once, in the singular, with how many of it are spoken of, in order of appearance.
    pub objects: Vec<(String, usize)>,
    /// "a dog to the left of a cat" is `("dog", LeftOf, "cat")`.
    pub relations: Vec<(String, Relation, String)>,
    pub background: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    Noun {
        object: usize,
        count: usize,
        again: bool,
    },
    Relation(Relation),
    /// "it", "its", "them", "their"; `many` where it stands for more than one thing.
    Pronoun {
        many: bool,
    },
    /// "on the left": the relation that the thing has to what is at the other end.
    End(Relation),
    /// "from left to right".
    Order(Relation),
    With,
    Comma,
    Other,
}

/// What `caption` mentions of `objects`.
pub fn mentioned(caption: &str, objects: &Objects) -> Mentioned {
    let mut words = words(caption);
    let background = take_background(&mut words);
    let tokens = tokens(&words, objects);
    let name = |object: usize| objects.all()[object].name.clone();
    let relations = relations(&tokens);
    Mentioned {
        objects: counts(&tokens)
            .into_iter()
            .map(|(object, count)| (name(object), count))
            .collect(),
        relations: relations
            .into_iter()
            .map(|(a, relation, b)| (name(a), relation, name(b)))
            .collect(),
        background,
    }
}

/// Lower case, and commas and full stops as words of their own.
fn words(caption: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in caption.to_lowercase().chars() {
        match letter {
            ',' | '.' | ';' => words.extend([",".to_string(), String::new()]),
            letter if letter.is_alphanumeric() => words
                .last_mut()
                .into_iter()
                .for_each(|word| word.push(letter)),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Cuts "on a red background" out: its "on" relates nothing, and its colour is no object.
fn take_background(words: &mut Vec<String>) -> Option<String> {
    let end = words.iter().position(|word| word == "background")?;
    let mut start = end;
    let colour = (end > 0)
        .then(|| words[end - 1].clone())
        .filter(|word| colours().any(|colour| colour == word));
    if colour.is_some() {
        start -= 1;
    }
    for fillers in [
        ["a", "an", "the"].as_slice(),
        &["of"],
        &["front"],
        &["on", "against", "in", "with"],
    ] {
        if start > 0 && fillers.contains(&words[start - 1].as_str()) {
            start -= 1;
        }
    }
    words.splice(start..=end, [",".to_string()]);
    colour
}

/// Reads the longest phrase at each place.
fn tokens(words: &[String], objects: &Objects) -> Vec<Token> {
    static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(phrases);
    let mut tokens = Vec::new();
    let mut number = Number::default();
    let mut at = 0;
    while at < words.len() {
        if let Some((length, object, plural)) = noun_at(&words[at..], objects) {
            tokens.push(number.noun(object, plural));
            at += length;
        } else if let Some((length, meaning)) = phrase_at(&words[at..], &PHRASES) {
            tokens.extend(meaning);
            number = Number::default();
            at += length;
        } else {
            number.read(&words[at]);
            at += 1;
        }
    }
    tokens
}

/// The number or article that the next noun has.
#[derive(Default)]
struct Number {
    count: Option<usize>,
    again: bool,
}

impl Number {
    fn read(&mut self, word: &str) {
        let spelt = NUMBERS.iter().position(|number| *number == word);
        match (spelt.or_else(|| word.parse().ok()), word) {
            (Some(count), _) => self.count = Some(count),
            (None, "a" | "an" | "another") => self.count = Some(1),
            (None, "the" | "this" | "that") => self.again = true,
            _ => {}
        }
    }

    fn noun(&mut self, object: usize, plural: bool) -> Token {
        let Number { count, again } = std::mem::take(self);
        Token::Noun {
            object,
            count: count.unwrap_or(if plural { 2 } else { 1 }),
            again,
        }
    }
}

fn noun_at(words: &[String], objects: &Objects) -> Option<(usize, usize, bool)> {
    (1..=words.len().min(3)).rev().find_map(|length| {
        let phrase = words[..length].join(" ");
        let object = objects.find(&phrase)?;
        Some((length, object, objects.all()[object].name != phrase))
    })
}

type Phrase = (Vec<String>, Vec<Token>);

fn phrase_at(words: &[String], phrases: &[Phrase]) -> Option<(usize, Vec<Token>)> {
    phrases
        .iter()
        .find(|(phrase, _)| words.starts_with(phrase))
        .map(|(phrase, meaning)| (phrase.len(), meaning.clone()))
}

/// All that is understood besides nouns and numbers, the longest first.
fn phrases() -> Vec<Phrase> {
    use Relation::*;
    let mut phrases: Vec<Phrase> = Vec::new();
    let mut add = |words: &str, meaning: &[Token]| {
        phrases.push((
            words.split(' ').map(str::to_string).collect(),
            meaning.to_vec(),
        ));
    };
    for relation in [LeftOf, RightOf, Above, Below, On, NextTo] {
        for words in relation_phrases(relation) {
            add(words, &[Token::Relation(relation)]);
        }
        for many in [false, true] {
            for words in backward_phrases(relation, many) {
                add(words, &[Token::Relation(relation), Token::Pronoun { many }]);
            }
        }
    }
    for (words, relation) in [
        ("sitting on", On),
        ("atop", On),
        ("by", NextTo),
        ("close to", NextTo),
    ] {
        add(words, &[Token::Relation(relation)]);
    }
    for (side, relation) in [
        ("left", LeftOf),
        ("right", RightOf),
        ("top", Above),
        ("bottom", Below),
    ] {
        for before in ["on the", "at the", "in the", "to the"] {
            add(&format!("{before} {side}"), &[Token::End(relation)]);
            add(&format!("{before} {side} side"), &[Token::End(relation)]);
        }
    }
    add("from left to right", &[Token::Order(LeftOf)]);
    add("from right to left", &[Token::Order(RightOf)]);
    add("from top to bottom", &[Token::Order(Above)]);
    add("from bottom to top", &[Token::Order(Below)]);
    for words in ["it", "its"] {
        add(words, &[Token::Pronoun { many: false }]);
    }
    for words in ["them", "their", "both"] {
        add(words, &[Token::Pronoun { many: true }]);
    }
    add("with", &[Token::With]);
    add("between", &[Token::Other]);
    add(",", &[Token::Comma]);
    phrases.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
    phrases
}

fn counts(tokens: &[Token]) -> Vec<(usize, usize)> {
    let mut counts: Vec<(usize, usize)> = Vec::new();
    for token in tokens {
        let Token::Noun {
            object,
            count,
            again,
        } = *token
        else {
            continue;
        };
        match counts.iter_mut().find(|(known, _)| *known == object) {
            Some(_) if again => {}
            Some((_, total)) => *total = total.saturating_add(count),
            None => counts.push((object, count)),
        }
    }
    counts
}

fn relations(tokens: &[Token]) -> Vec<(usize, Relation, usize)> {
    let mut reader = Reader::default();
    tokens.iter().for_each(|token| reader.read(*token));
    reader.finish()
}

/// Follows a sentence: which nouns form the current list, and what that list is related to.
#[derive(Default)]
struct Reader {
    found: Vec<(usize, Relation, usize)>,
    nouns: Vec<usize>,
    /// The nouns joined by "and" up to here.
    list: Vec<usize>,
    /// After a relation: it, and what it relates.
    open: Option<(Vec<usize>, Relation)>,
    ends: Vec<(usize, Relation)>,
}

impl Reader {
    fn read(&mut self, token: Token) {
        match token {
            Token::Noun { object, .. } => self.noun(object),
            Token::Relation(relation) => self.relation(relation),
            Token::Pronoun { many } => self.pronoun(many),
            Token::End(relation) => {
                self.ends
                    .extend(self.list.last().map(|noun| (*noun, relation)));
                self.close();
            }
            Token::Order(relation) => {
                let pairs = self
                    .nouns
                    .windows(2)
                    .map(|pair| (pair[0], relation, pair[1]));
                self.found.extend(pairs.collect::<Vec<_>>());
            }
            Token::Comma if self.open.is_none() => {}
            Token::With | Token::Comma => self.close(),
            Token::Other => self.close(),
        }
    }

    fn noun(&mut self, noun: usize) {
        if let Some((subjects, relation)) = &self.open {
            let new = subjects.iter().map(|subject| (*subject, *relation, noun));
            self.found.extend(new);
        }
        self.nouns.push(noun);
        self.list.push(noun);
    }

    fn relation(&mut self, relation: Relation) {
        let subjects = match self.open.take() {
            None => std::mem::take(&mut self.list),
            // "a dog on a car and a tree above it": the tree was the start of something new.
            Some((before, _)) => {
                let last = self.list.pop();
                if !self.list.is_empty() {
                    self.found.truncate(self.found.len() - before.len());
                }
                self.list.clear();
                last.into_iter().collect()
            }
        };
        self.open = Some((subjects, relation));
    }

    fn pronoun(&mut self, many: bool) {
        let Some((subjects, relation)) = self.open.take() else {
            return;
        };
        let mut meant: Vec<usize> = Vec::new();
        for noun in self.nouns.iter().filter(|noun| !subjects.contains(noun)) {
            if !meant.contains(noun) {
                meant.push(*noun);
            }
        }
        if !many {
            meant.truncate(1);
        }
        for subject in subjects {
            self.found
                .extend(meant.iter().map(|noun| (subject, relation, *noun)));
        }
        self.close();
    }

    fn close(&mut self) {
        self.open = None;
        self.list.clear();
    }

    /// Also what lies at the opposite ends of the picture.
    fn finish(mut self) -> Vec<(usize, Relation, usize)> {
        for (first, relation) in &self.ends {
            let opposite = self
                .ends
                .iter()
                .filter(|(_, other)| *other == relation.inverse());
            let before = matches!(relation, Relation::LeftOf | Relation::Above);
            self.found.extend(
                opposite
                    .filter(|_| before)
                    .map(|(second, _)| (*first, *relation, *second)),
            );
        }
        self.found
    }
}
