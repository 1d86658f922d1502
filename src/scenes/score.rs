//! Whether a caption is true of a scene.

use super::facts::Facts;
use super::mentioned::{Mentioned, mentioned};
use super::objects::Objects;

/// All objects of the scene are named, and no other.
pub fn objects_exact(caption: &str, facts: &Facts, objects: &Objects) -> bool {
    let mut said: Vec<String> = mentioned(caption, objects)
        .objects
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let mut shown: Vec<&str> = facts.groups().iter().map(|group| group.object).collect();
    said.sort();
    shown.sort();
    said == shown
}

/// The same, and each as often as it is shown.
pub fn counts_exact(caption: &str, facts: &Facts, objects: &Objects) -> bool {
    let mut said = mentioned(caption, objects).objects;
    let groups = facts.groups();
    let mut shown: Vec<(String, usize)> = groups
        .iter()
        .map(|group| (group.object.into(), group.count))
        .collect();
    said.sort();
    shown.sort();
    said == shown
}

/// Whether all that a sentence says of objects, counts, places and the background is true. Of what
/// [`mentioned`] does not read, such as sizes, nothing is known.
pub fn all_true(said: &Mentioned, facts: &Facts) -> bool {
    let groups = facts.groups();
    let counted = groups.iter().all(|group| {
        said.objects
            .iter()
            .any(|(name, count)| name == group.object && *count == group.count)
    });
    let mut relations = said.relations.iter();
    counted
        && said.objects.len() == groups.len()
        && relations.all(|(a, relation, b)| facts.holds(a, *relation, b))
        && (said.background.is_none() || said.background == facts.background)
}

/// Whether what the caption says about places is true. A caption of two kinds of things must say
/// something about them; of more, it may just list them, which is no answer: `None`, as for one kind.
pub fn relation_correct(caption: &str, facts: &Facts, objects: &Objects) -> Option<bool> {
    let kinds = facts.groups().len();
    let relations = mentioned(caption, objects).relations;
    if kinds < 2 || kinds > 2 && relations.is_empty() {
        return None;
    }
    let all_true = relations
        .iter()
        .all(|(a, relation, b)| facts.holds(a, *relation, b));
    Some(all_true && !relations.is_empty())
}
