//! Zero-shot classification of a folder of pictures for each class, as CLIP's paper measures it: the
//! labels' vectors are computed once, each picture's right label has a rank among all.

use crate::Result;
use crate::error::Error;
use crate::image::PictureFiles;
use crate::metrics::data::Classes;
use crate::metrics::recall::recall_at;
use crate::tasks::{LabelSet, LabelVectors, Model};
use serde::Serialize;

/// How often the right label comes first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classification {
    /// Pictures that were classified.
    pub count: usize,
    /// Labels to choose among.
    pub labels: usize,
    /// The share of pictures whose label is the first.
    pub top_1: f64,
    /// The share of pictures whose label is among the first five.
    pub top_5: f64,
    /// Pictures that could not be read, which count in no share.
    pub unreadable: usize,
}

/// The label that each class of a data set is, in the order of the classes.
///
/// # Errors
/// [`Error::BadInput`] if a class is no label, or two are the same.
pub fn labels_of(classes: &Classes, set: &LabelSet) -> Result<Vec<usize>> {
    let mut places: Vec<usize> = Vec::with_capacity(classes.names.len());
    for name in &classes.names {
        let Some(place) = set.place_of(name) else {
            return Err(Error::BadInput(format!(
                "the folder '{name}' is none of the {} labels, nor the id of one",
                set.labels.len()
            )));
        };
        if let Some(other) = places.iter().position(|known| *known == place) {
            return Err(Error::BadInput(format!(
                "the folders '{}' and '{name}' are both the label '{}'",
                classes.names[other], set.labels[place]
            )));
        }
        places.push(place);
    }
    Ok(places)
}

/// Classifies every picture. `places` is what [`labels_of`] gives; `progress` hears of each picture,
/// and of the error if it cannot be read.
pub async fn classify_all(
    model: &Model,
    classes: &Classes,
    labels: &LabelVectors,
    places: &[usize],
    files: PictureFiles,
    mut progress: impl FnMut(Option<Error>),
) -> Result<Classification> {
    let mut ranks = Vec::new();
    for (path, class) in &classes.pictures {
        match files.decode(path) {
            Ok(image) => {
                let vector = model.embed_image(&image, true).await?;
                let set = labels.set();
                ranks.push(rank(&labels.cosines(&vector), &set.labels, places[*class]));
                progress(None);
            }
            Err(error) => progress(Some(error)),
        }
    }
    if ranks.is_empty() {
        return Err(Error::BadInput(
            "none of the pictures could be read".to_string(),
        ));
    }
    Ok(Classification {
        count: ranks.len(),
        labels: labels.set().labels.len(),
        top_1: recall_at(&ranks, 1),
        top_5: recall_at(&ranks, 5),
        unreadable: classes.pictures.len() - ranks.len(),
    })
}

/// How many labels come before the right one. Ties count against it, but where two labels are the
/// same words (ImageNet has two pairs of them) the first of the two wins, as it does in a sort.
fn rank(cosines: &[f32], labels: &[String], own: usize) -> usize {
    let before = cosines.iter().enumerate().filter(|(place, cosine)| {
        let twin = *place > own && labels[*place] == labels[own];
        let beaten = **cosine < cosines[own] || (twin && **cosine == cosines[own]);
        *place != own && !beaten // not a number beats all
    });
    before.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn ties_count_against_a_label_unless_it_is_the_first_of_twins() {
        let labels = texts(&["cat", "dog", "cat", "cow"]);
        let cosines = [0.3, 0.2, 0.3, 0.2];
        let ranks = [0, 1, 2, 3].map(|own| rank(&cosines, &labels, own));
        assert_eq!(ranks, [0, 3, 1, 3]);
        assert_eq!(rank(&[f32::NAN; 4], &labels, 0), 3);
    }

    #[test]
    fn classes_are_matched_with_labels_or_refused() {
        let set = LabelSet::new(&texts(&["tabby cat", "dog"]), &[]);
        let named = |names: &[&str]| Classes {
            names: texts(names),
            pictures: Vec::new(),
        };
        assert_eq!(
            labels_of(&named(&["dog", "Tabby_Cat"]), &set),
            Ok(vec![1, 0])
        );
        let error = labels_of(&named(&["cow"]), &set).expect_err("no label");
        assert!(error.to_string().contains("'cow'"), "{error}");
        let error = labels_of(&named(&["dog", "DOG"]), &set).expect_err("twice");
        assert!(error.to_string().contains("'dog' and 'DOG'"), "{error}");
    }
}
