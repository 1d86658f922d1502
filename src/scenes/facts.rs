//! What is true of a picture: which things lie where, on which background. Captions, questions and
//! their checks all start from these facts, never from each other.

use serde::{Deserialize, Serialize};

/// How much two bounds may overlap and still count as apart: about two pixels of 96.
const SLACK: f32 = 0.021;
/// Two things further apart than this are not next to each other.
const NEAR: f32 = 0.45;

/// A rectangle in fractions of the picture's side, from the top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

/// One thing in the picture. `object` is the name in the singular.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    pub object: String,
    pub bounds: Bounds,
}

/// Everything that may be said about a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The colour's name, where the background has one worth naming.
    pub background: Option<String>,
    pub things: Vec<Thing>,
}

/// All things of one kind, and the rectangle around them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group<'a> {
    pub object: &'a str,
    pub count: usize,
    pub bounds: Bounds,
}

/// How one kind of thing lies to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    LeftOf,
    RightOf,
    Above,
    Below,
    On,
    NextTo,
}

/// The words for a thing's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Small,
    Middling,
    Large,
}

impl Relation {
    /// What holds from `b` to `a` where this holds from `a` to `b`.
    pub fn inverse(self) -> Relation {
        match self {
            Relation::LeftOf => Relation::RightOf,
            Relation::RightOf => Relation::LeftOf,
            Relation::Above | Relation::On => Relation::Below,
            Relation::Below => Relation::Above,
            Relation::NextTo => Relation::NextTo,
        }
    }
}

impl Bounds {
    pub fn right(&self) -> f32 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f32 {
        self.top + self.height
    }

    /// The longer side.
    pub fn extent(&self) -> f32 {
        self.width.max(self.height)
    }

    pub fn centre(&self) -> (f32, f32) {
        (self.left + self.width / 2.0, self.top + self.height / 2.0)
    }

    /// The smallest rectangle around both.
    pub fn union(&self, other: &Bounds) -> Bounds {
        let left = self.left.min(other.left);
        let top = self.top.min(other.top);
        Bounds {
            left,
            top,
            width: self.right().max(other.right()) - left,
            height: self.bottom().max(other.bottom()) - top,
        }
    }

    /// Whether this `relation` that, straight across from it rather than askew.
    pub fn faces(&self, relation: Relation, that: &Bounds) -> bool {
        let common = match relation {
            Relation::LeftOf | Relation::RightOf | Relation::NextTo => {
                shared(self.top, self.bottom(), that.top, that.bottom())
            }
            Relation::Above | Relation::Below | Relation::On => {
                shared(self.left, self.right(), that.left, that.right())
            }
        };
        common > 0.0 && self.is(relation, that)
    }

    /// Whether this `relation` that: apart along its axis, touching for `On`, side by side for `NextTo`.
    pub fn is(&self, relation: Relation, that: &Bounds) -> bool {
        match relation {
            Relation::LeftOf => self.right() <= that.left + SLACK,
            Relation::Above => self.bottom() <= that.top + SLACK,
            Relation::RightOf => that.is(Relation::LeftOf, self),
            Relation::Below => that.is(Relation::Above, self),
            Relation::On => {
                (self.bottom() - that.top).abs() <= SLACK
                    && shared(self.left, self.right(), that.left, that.right()) > 0.5
            }
            Relation::NextTo => {
                let gap = (that.left - self.right()).max(self.left - that.right());
                (-SLACK..=NEAR).contains(&gap)
                    && shared(self.top, self.bottom(), that.top, that.bottom()) > 0.3
            }
        }
    }
}

/// How much of the shorter of two stretches lies within the other.
fn shared(start: f32, end: f32, other_start: f32, other_end: f32) -> f32 {
    let common = end.min(other_end) - start.max(other_start);
    common / (end - start).min(other_end - other_start).max(f32::EPSILON)
}

impl Thing {
    /// Small and large mean the same share of the picture in every scene; between them lies a gap, so
    /// that no picture is a matter of taste.
    pub fn size(&self) -> Size {
        match self.bounds.extent() {
            extent if extent <= 0.31 => Size::Small,
            extent if extent >= 0.44 => Size::Large,
            _ => Size::Middling,
        }
    }
}

impl Facts {
    /// The kinds of things, in the order in which they were placed.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group> = Vec::new();
        for thing in &self.things {
            match groups.iter_mut().find(|group| group.object == thing.object) {
                Some(group) => {
                    group.count += 1;
                    group.bounds = group.bounds.union(&thing.bounds);
                }
                None => groups.push(Group {
                    object: &thing.object,
                    count: 1,
                    bounds: thing.bounds,
                }),
            }
        }
        groups
    }

    /// Whether all things called `a` are `relation` all things called `b`. False where one is missing.
    pub fn holds(&self, a: &str, relation: Relation, b: &str) -> bool {
        let groups = self.groups();
        let bounds = |name| {
            groups
                .iter()
                .find(|group| group.object == name)
                .map(|group| group.bounds)
        };
        match (bounds(a), bounds(b)) {
            (Some(first), Some(second)) => a != b && first.is(relation, &second),
            _ => false,
        }
    }
}

impl Group<'_> {
    /// The relation that describes best how this group lies to `other`; none where they lie askew.
    pub fn relation_to(&self, other: &Group) -> Option<Relation> {
        let sides = [Relation::LeftOf, Relation::RightOf];
        let heights = [Relation::On, Relation::Above, Relation::Below];
        let (dx, dy) = {
            let (a, b) = (self.bounds.centre(), other.bounds.centre());
            ((a.0 - b.0).abs(), (a.1 - b.1).abs())
        };
        let order: Vec<Relation> = match dx > dy {
            true => sides.into_iter().chain(heights).collect(),
            false => heights.into_iter().chain(sides).collect(),
        };
        order
            .into_iter()
            .find(|relation| self.bounds.is(*relation, &other.bounds))
    }
}
