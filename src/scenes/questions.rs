//! Questions about a scene, with answers of a word or two. Yes and no are equally likely for every
//! kind of question, whatever it names: the question alone tells nothing.

use std::ops::Range;

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde::{Deserialize, Serialize};

use super::compose::colours;
use super::facts::{Bounds, Facts, Group, Relation, Size};
use super::objects::Objects;
use super::words::{be, noun, number, pick, relation_phrases};

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    What,
    HowMany,
    Colour,
    Where,
    YesNo,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub question: String,
    pub answer: String,
    pub kind: Kind,
}

/// One question of each kind that these facts can answer, and two for yes or no. What is asked for
/// and is not there is one of `absent`.
pub fn questions(
    facts: &Facts,
    objects: &Objects,
    absent: Range<usize>,
    rng: &mut impl Rng,
) -> Vec<Question> {
    let groups = facts.groups();
    let mut asker = Asker {
        facts,
        objects,
        groups: &groups,
        absent,
        rng,
    };
    let mut questions: Vec<Question> = [
        asker.what(),
        asker.how_many(),
        asker.colour(),
        asker.position(),
        asker.yes_no(),
        asker.yes_no(),
    ]
    .into_iter()
    .flatten()
    .collect();
    questions.shuffle(asker.rng);
    questions
}

struct Asker<'a, R> {
    facts: &'a Facts,
    objects: &'a Objects,
    groups: &'a [Group<'a>],
    absent: Range<usize>,
    rng: &'a mut R,
}

fn question(kind: Kind, question: String, answer: impl Into<String>) -> Option<Question> {
    Some(Question {
        question,
        answer: answer.into(),
        kind,
    })
}

impl<'a, R: Rng> Asker<'a, R> {
    fn noun(&self, group: &Group) -> String {
        noun(group, self.objects)
    }

    /// "what is to the left of the dog?"
    fn what(&mut self) -> Option<Question> {
        if let [only] = self.groups {
            let asked = [
                "what is this?",
                "what is in the picture?",
                "what does the picture show?",
                "what can be seen?",
            ];
            return question(Kind::What, pick(&asked, self.rng).into(), self.noun(only));
        }
        let mut pairs = self.related();
        // Only what has one answer. Of three and more, that is the one straight across.
        let groups = self.groups;
        pairs.retain(|(a, relation, b)| match groups.len() {
            2 => true,
            _ => groups
                .iter()
                .filter(|other| other.object != b.object)
                .all(|other| {
                    other.bounds.faces(*relation, &b.bounds) == (other.object == a.object)
                }),
        });
        let (a, relation, b) = *pairs.choose(self.rng)?;
        let words = pick(relation_phrases(relation), self.rng);
        let text = format!("what is {words} the {}?", self.noun(b));
        question(Kind::What, text, self.noun(a))
    }

    /// "how many dogs are there?" What has the commonest answers, one thing of a kind and two in all,
    /// is asked least.
    fn how_many(&mut self) -> Option<Question> {
        let several: Vec<&Group> = self.groups.iter().filter(|group| group.count > 1).collect();
        let total = self.facts.things.len();
        let (name, count) = match (several.choose(self.rng), self.rng.random_range(0..10)) {
            (_, 0) => (self.absent_object()?, 0),
            (Some(group), 1..8) => (group.object.to_string(), group.count),
            (None, 1..3) => {
                let group = self.groups.choose(self.rng)?;
                (group.object.to_string(), group.count)
            }
            (_, chance) if total > 2 && self.groups.len() > 1 || total == 2 && chance < 5 => {
                let asked = [
                    "how many things are there?",
                    "how many objects are in the picture?",
                ];
                return question(Kind::HowMany, pick(&asked, self.rng).into(), number(total));
            }
            _ => return None,
        };
        let plural = self.plural(&name);
        let endings = [
            "are there?",
            "are in the picture?",
            "can you see?",
            "does the picture show?",
        ];
        let ending = pick(&endings, self.rng);
        question(
            Kind::HowMany,
            format!("how many {plural} {ending}"),
            number(count),
        )
    }

    /// "what color is the background?"
    fn colour(&mut self) -> Option<Question> {
        let colour = self.facts.background.clone()?;
        let asked = [
            "what color is the background?",
            "which color does the background have?",
            "what is the color of the background?",
        ];
        question(Kind::Colour, pick(&asked, self.rng).into(), colour)
    }

    /// "where is the dog?", in the picture or as seen from another thing.
    fn position(&mut self) -> Option<Question> {
        if self.groups.len() > 1 && self.rng.random_bool(0.6) {
            let pairs = self.related();
            let (a, relation, b) = *pairs.choose(self.rng)?;
            let answer = match relation {
                Relation::LeftOf => "left",
                Relation::RightOf => "right",
                Relation::Above => "above",
                Relation::Below => "below",
                Relation::On | Relation::NextTo => return None,
            };
            let (one, other) = (self.noun(a), self.noun(b));
            let from = pick(&["seen from", "relative to", "compared to"], self.rng);
            return question(
                Kind::Where,
                format!("where {} the {one} {from} the {other}?", be(a.count)),
                answer,
            );
        }
        let group = *self.groups.choose(self.rng)?;
        let answer = region(&group.bounds).filter(|_| group.count == 1)?;
        let ending = pick(&["", " in the picture"], self.rng);
        question(
            Kind::Where,
            format!("where is the {}{ending}?", group.object),
            answer,
        )
    }

    fn yes_no(&mut self) -> Option<Question> {
        let yes = self.rng.random_bool(0.5);
        let text = match self.rng.random_range(0..10) {
            0..4 => self.is_related(yes).or_else(|| self.is_there(yes)),
            4..6 => self.are_there(yes).or_else(|| self.is_there(yes)),
            6..7 => self.is_coloured(yes),
            7..8 => self.is_sized(yes).or_else(|| self.is_there(yes)),
            _ => self.is_there(yes),
        };
        question(Kind::YesNo, text?, if yes { "yes" } else { "no" })
    }

    /// "is there a dog?"
    fn is_there(&mut self, yes: bool) -> Option<String> {
        let name = match yes {
            true => self.groups.choose(self.rng)?.object.to_string(),
            false => self.absent_object()?,
        };
        let object = self.objects.named(&name)?;
        let (article, plural) = (&object.article, &object.plural);
        Some(match self.rng.random_range(0..5) {
            0..2 => format!("is there {article} {name}?"),
            2 => format!("is there {article} {name} in the picture?"),
            3 => format!("does the picture show {article} {name}?"),
            _ => format!("are there any {plural}?"),
        })
    }

    /// "is the dog to the left of the cat?" What is untrue is asked in the same words as what is true
    /// and as often, so that no word gives the answer away.
    fn is_related(&mut self, yes: bool) -> Option<String> {
        let pairs = self.related();
        let (mut a, mut relation, mut b) = *pairs.choose(self.rng)?;
        if !yes {
            match self.untrue(a, relation, b) {
                Some(other) => relation = other,
                None => (a, b) = (b, a),
            }
        }
        let words = pick(relation_phrases(relation), self.rng);
        Some(format!(
            "{} the {} {words} the {}?",
            be(a.count),
            self.noun(a),
            self.noun(b)
        ))
    }

    /// Half of the time a relation across the true one; else, and where that holds too, the two are to
    /// be turned round.
    fn untrue(&mut self, a: &Group, relation: Relation, b: &Group) -> Option<Relation> {
        let across = match relation {
            Relation::LeftOf | Relation::RightOf => [Relation::Above, Relation::Below],
            _ => [Relation::LeftOf, Relation::RightOf],
        };
        let asked = across[self.rng.random_range(0..2)];
        let touching = a.bounds.is(Relation::On, &b.bounds) || b.bounds.is(Relation::On, &a.bounds);
        let turned = touching || self.rng.random() || a.bounds.is(asked, &b.bounds);
        (!turned).then_some(asked)
    }

    /// "are there three dogs?" Only where a scene has one kind: there each number is equally frequent,
    /// so none is more often true than another.
    fn are_there(&mut self, yes: bool) -> Option<String> {
        let [group] = self.groups else { return None };
        let wrong: Vec<usize> = (2..=4).filter(|count| *count != group.count).collect();
        let count = match group.count {
            1 => return None,
            count if yes => count,
            _ => *wrong.choose(self.rng)?,
        };
        Some(format!("are there {} {}?", number(count), self.noun(group)))
    }

    /// "is the background red?"
    fn is_coloured(&mut self, yes: bool) -> Option<String> {
        let colour = self.facts.background.as_deref()?;
        let others: Vec<&str> = colours().filter(|other| *other != colour).collect();
        let asked = if yes {
            colour
        } else {
            *others.choose(self.rng)?
        };
        Some(format!("is the background {asked}?"))
    }

    /// "is the dog small?"
    fn is_sized(&mut self, yes: bool) -> Option<String> {
        let [only] = &self.facts.things[..] else {
            return None;
        };
        let large = match only.size() {
            Size::Large => yes,
            Size::Small => !yes,
            Size::Middling => return None,
        };
        let words: &[&str] = if large {
            &["large", "big"]
        } else {
            &["small", "little"]
        };
        Some(format!("is the {} {}?", only.object, pick(words, self.rng)))
    }

    /// Every pair of which one relation is the best description, in both orders.
    fn related(&self) -> Vec<(&'a Group<'a>, Relation, &'a Group<'a>)> {
        let groups = self.groups;
        let pairs = groups
            .iter()
            .flat_map(|a| groups.iter().map(move |b| (a, b)));
        let apart = pairs.filter(|(a, b)| a.object != b.object);
        apart
            .filter_map(|(a, b)| a.relation_to(b).map(|relation| (a, relation, b)))
            .collect()
    }

    fn absent_object(&mut self) -> Option<String> {
        let shown = |id: &usize| {
            let name = &self.objects.all()[*id].name;
            self.groups.iter().any(|group| group.object == name)
        };
        let mut id = self.rng.random_range(self.absent.clone());
        // At most four are shown: a few steps end it, unless there is nothing else.
        for _ in 0..self.absent.len() {
            if !shown(&id) {
                return Some(self.objects.all()[id].name.clone());
            }
            id = if id + 1 == self.absent.end {
                self.absent.start
            } else {
                id + 1
            };
        }
        None
    }

    fn plural(&self, name: &str) -> String {
        self.objects
            .named(name)
            .map_or_else(|| format!("{name}s"), |object| object.plural.clone())
    }
}

/// Where in the picture something lies; `None` where one could argue.
fn region(bounds: &Bounds) -> Option<&'static str> {
    let (x, y) = bounds.centre();
    let (across, down) = (side(x)?, side(y)?);
    Some(match (across, down) {
        (0, 0) => "center",
        (-1, 0) => "left",
        (1, 0) => "right",
        (0, -1) => "top",
        (0, 1) => "bottom",
        (-1, -1) => "top left",
        (1, -1) => "top right",
        (-1, 1) => "bottom left",
        _ => "bottom right",
    })
}

/// -1 for the first third, 0 for the middle, 1 for the last; `None` close to a border.
fn side(centre: f32) -> Option<i8> {
    match centre {
        ..0.36 => Some(-1),
        0.42..0.58 => Some(0),
        0.64.. => Some(1),
        _ => None,
    }
}
