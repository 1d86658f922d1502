//! Says what a picture shows. One set of facts has hundreds of captions, so that sentences cannot be
//! learnt by heart; each names every object of the scene, and nothing else.

use rand::Rng;
use rand::seq::SliceRandom;

use super::facts::{Facts, Group, Relation, Size};
use super::objects::Objects;
use super::words::{article, backward_phrases, be, counted, pick, relation_phrases};

/// How often a caption mentions what could be left out.
const BACKGROUND: f64 = 0.3;
const SIZE: f64 = 0.3;

/// One of the many captions that these facts allow.
pub fn caption(facts: &Facts, objects: &Objects, rng: &mut impl Rng) -> String {
    let mut speaker = Speaker {
        facts,
        objects,
        rng,
    };
    let groups = facts.groups();
    let sentence = match &groups[..] {
        [] => Sentence::noun("nothing"),
        [only] => Sentence::noun(speaker.phrase(only)),
        [first, second] => speaker.two(first, second),
        [first, second, third] => speaker.three([first, second, third]),
        many => speaker.many(many),
    };
    speaker.framed(sentence, groups.first().map_or(1, |group| group.count))
}

struct Sentence {
    text: String,
    /// Has a verb: cannot follow "a picture of".
    complete: bool,
}

impl Sentence {
    fn noun(text: impl Into<String>) -> Sentence {
        Sentence {
            text: text.into(),
            complete: false,
        }
    }
}

struct Speaker<'a, R> {
    facts: &'a Facts,
    objects: &'a Objects,
    rng: &'a mut R,
}

impl<R: Rng> Speaker<'_, R> {
    /// "a dog", "three dogs", and now and then "a small dog".
    fn phrase(&mut self, group: &Group) -> String {
        let thing = self
            .facts
            .things
            .iter()
            .find(|thing| thing.object == group.object);
        let size = match thing {
            Some(thing) if group.count == 1 && self.facts.things.len() <= 2 => thing.size(),
            _ => Size::Middling,
        };
        let words: &[&str] = match size {
            Size::Small => &["small", "little", "tiny"],
            Size::Large => &["large", "big"],
            Size::Middling => &[],
        };
        let said = !words.is_empty() && self.rng.random_bool(SIZE);
        let adjective = said.then(|| pick(words, self.rng));
        counted(group, adjective, self.objects)
    }

    fn two(&mut self, first: &Group, second: &Group) -> Sentence {
        let swapped = self.rng.random();
        let (a, b) = if swapped {
            (second, first)
        } else {
            (first, second)
        };
        let Some(relation) = a.relation_to(b) else {
            return Sentence::noun(format!("{} and {}", self.phrase(a), self.phrase(b)));
        };
        let (one, other) = (self.phrase(a), self.phrase(b));
        let words = pick(relation_phrases(relation), self.rng);
        match self.rng.random_range(0..100) {
            0..15 => Sentence {
                text: format!("{one} {} {words} {other}", be(a.count)),
                complete: true,
            },
            15..28 => {
                let backward = pick(backward_phrases(relation, b.count > 1), self.rng);
                Sentence::noun(format!("{other} with {one} {backward}"))
            }
            28..40 if ends(relation).is_some() => Sentence::noun(by_ends(relation, &one, &other)),
            40..47 if a.bounds.is(Relation::NextTo, &b.bounds) => {
                let words = pick(relation_phrases(Relation::NextTo), self.rng);
                Sentence::noun(format!("{one} {words} {other}"))
            }
            _ => Sentence::noun(format!("{one} {words} {other}")),
        }
    }

    fn three(&mut self, groups: [&Group; 3]) -> Sentence {
        let plain = self.rng.random_range(0..100) < 25;
        let line = in_line(groups);
        match (plain, line, across(groups)) {
            (false, Some((relation, line)), _) => self.line(relation, line),
            (false, None, Some((pair, third, relation))) => {
                self.pair_and_third(pair, third, relation)
            }
            _ => self.many(&groups.map(|group| *group)),
        }
    }

    /// Three in a row or a column.
    fn line(&mut self, relation: Relation, [a, b, c]: [&Group; 3]) -> Sentence {
        let [first, middle, last] = [a, b, c].map(|group| self.phrase(group));
        let between = self.rng.random_range(0..100) < 35;
        let text = match (between, relation) {
            (true, _) if self.rng.random() => format!("{middle} between {first} and {last}"),
            (true, _) => format!("{middle} between {last} and {first}"),
            (false, Relation::LeftOf) => format!("{first}, {middle} and {last} from left to right"),
            (false, _) => format!("{first}, {middle} and {last} from top to bottom"),
        };
        Sentence::noun(text)
    }

    /// `third` is `relation` both of the pair.
    fn pair_and_third(&mut self, pair: [&Group; 2], third: &Group, relation: Relation) -> Sentence {
        let swapped = self.rng.random();
        let [a, b] = if swapped { [pair[1], pair[0]] } else { pair };
        let [one, other, alone] = [a, b, third].map(|group| self.phrase(group));
        let words = pick(relation_phrases(relation), self.rng);
        let inverse = pick(relation_phrases(relation.inverse()), self.rng);
        let text = match (self.rng.random_range(0..3), a.relation_to(b)) {
            (0, Some(within)) => {
                let within = pick(relation_phrases(within), self.rng);
                let backward = pick(backward_phrases(relation, true), self.rng);
                format!("{one} {within} {other}, with {alone} {backward}")
            }
            (1, _) => format!("{alone} {words} {one} and {other}"),
            _ => format!("{one} and {other} {inverse} {alone}"),
        };
        Sentence::noun(text)
    }

    /// A list in any order; for four in a square also the upper above the lower two.
    fn many(&mut self, groups: &[Group]) -> Sentence {
        if let [a, b, c, d] = groups
            && self.rng.random_bool(0.5)
            && let Some((relation, [a, b, c, d])) = two_and_two([a, b, c, d])
        {
            let words = pick(relation_phrases(relation), self.rng);
            let [a, b, c, d] = [a, b, c, d].map(|group| self.phrase(group));
            return Sentence::noun(format!("{a} and {b} {words} {c} and {d}"));
        }
        let mut groups: Vec<&Group> = groups.iter().collect();
        groups.shuffle(self.rng);
        let mut names: Vec<String> = groups.into_iter().map(|group| self.phrase(group)).collect();
        let last = names.pop().unwrap_or_default();
        Sentence::noun(format!("{} and {last}", names.join(", ")))
    }

    /// With the words around it: "a picture of", "on a red background".
    fn framed(&mut self, sentence: Sentence, count: usize) -> String {
        let before = match (sentence.complete, self.rng.random_range(0..100)) {
            (true, _) | (_, 30..) => String::new(),
            (_, 0..20) => {
                let words = [
                    "a picture of",
                    "a drawing of",
                    "an image of",
                    "pictograms of",
                ];
                let fitting = if self.facts.things.len() > 1 { 4 } else { 3 };
                format!("{} ", pick(&words[..fitting], self.rng))
            }
            _ => format!("there {} ", be(count)),
        };
        let text = format!("{before}{}", sentence.text);
        match &self.facts.background {
            Some(colour) if self.rng.random_bool(BACKGROUND) => self.on_background(&text, colour),
            _ => text,
        }
    }

    fn on_background(&mut self, text: &str, colour: &str) -> String {
        let background = format!("{} {colour} background", article(colour));
        match self.rng.random_range(0..10) {
            0..5 => format!("{text} on {background}"),
            5..7 => format!("{text} against {background}"),
            7..9 => format!("{text} in front of {background}"),
            _ => format!("on {background}, {text}"),
        }
    }
}

/// The two ends of the picture at which things lie that are so related.
fn ends(relation: Relation) -> Option<[&'static str; 2]> {
    match relation {
        Relation::LeftOf => Some(["on the left", "on the right"]),
        Relation::RightOf => Some(["on the right", "on the left"]),
        Relation::Above => Some(["at the top", "at the bottom"]),
        Relation::Below => Some(["at the bottom", "at the top"]),
        Relation::On | Relation::NextTo => None,
    }
}

fn by_ends(relation: Relation, one: &str, other: &str) -> String {
    let [here, there] = ends(relation).unwrap_or_default();
    format!("{one} {here} and {other} {there}")
}

/// The three in their order from the left or from the top, where they lie in one line.
fn in_line<'a>(groups: [&'a Group<'a>; 3]) -> Option<(Relation, [&'a Group<'a>; 3])> {
    let place = |group: &Group, relation| match relation {
        Relation::LeftOf => group.bounds.left,
        _ => group.bounds.top,
    };
    [Relation::LeftOf, Relation::Above]
        .into_iter()
        .find_map(|relation| {
            let mut line = groups;
            line.sort_by(|a, b| place(a, relation).total_cmp(&place(b, relation)));
            let ordered = line
                .windows(2)
                .all(|pair| pair[0].bounds.is(relation, &pair[1].bounds));
            ordered.then_some((relation, line))
        })
}

/// Two of the three, the third, and how it lies to both.
fn across<'a>(groups: [&'a Group<'a>; 3]) -> Option<([&'a Group<'a>; 2], &'a Group<'a>, Relation)> {
    let sides = [
        Relation::LeftOf,
        Relation::RightOf,
        Relation::Above,
        Relation::Below,
    ];
    (0..3).find_map(|third| {
        let pair = [groups[(third + 1) % 3], groups[(third + 2) % 3]];
        let fits = |relation: &Relation| {
            pair.iter()
                .all(|group| groups[third].bounds.is(*relation, &group.bounds))
        };
        sides
            .into_iter()
            .find(fits)
            .map(|relation| (pair, groups[third], relation))
    })
}

/// The upper two and the lower two, or the left and the right.
fn two_and_two<'a>(groups: [&'a Group<'a>; 4]) -> Option<(Relation, [&'a Group<'a>; 4])> {
    let [a, b, c, d] = groups;
    let splits = [
        (Relation::Above, [a, b, c, d]),
        (Relation::LeftOf, [a, c, b, d]),
    ];
    splits.into_iter().find(|(relation, [a, b, c, d])| {
        let apart = |one: &Group| {
            one.bounds.is(*relation, &c.bounds) && one.bounds.is(*relation, &d.bounds)
        };
        apart(a) && apart(b)
    })
}
