//! Retrieval: is the right text among the first k for a picture, the right picture for a text.

use super::{mean, rank};
use std::collections::HashMap;

/// What a pair is behind that was not looked at again: no score of a matching head is so low. BLIP's
/// code has the same, without the similarity that orders such pairs among themselves.
const BEHIND: f32 = -100.0;

/// For each query the number of wrong answers that come before the first right one; 0 is found at
/// once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranks {
    /// One a picture, in order, without the pictures that have no text. A picture's best text
    /// counts, and its other texts are no wrong answers.
    pub image_to_text: Vec<usize>,
    /// One a text, in order.
    pub text_to_image: Vec<usize>,
}

impl Ranks {
    /// `similarities`: [images, texts], higher is better; `image_of_text`: which picture each text
    /// belongs to. Ties count against the right answer, so a text that two pictures share word for
    /// word is never a certain hit for either: give it to one of them.
    ///
    /// # Panics
    /// If the sizes do not fit each other, or a text belongs to no picture.
    pub fn of(similarities: &[f32], images: usize, image_of_text: &[usize]) -> Self {
        let texts = image_of_text.len();
        assert_eq!(
            similarities.len(),
            images * texts,
            "similarities are not [{images} images, {texts} texts]"
        );
        assert!(
            image_of_text.iter().all(|image| *image < images),
            "a text belongs to none of the {images} images"
        );
        let row = |image: usize| &similarities[image * texts..][..texts];
        Self {
            image_to_text: (0..images)
                .filter_map(|image| rank_of_best(row(image), image, image_of_text))
                .collect(),
            text_to_image: (0..texts)
                .map(|text| {
                    let own = image_of_text[text];
                    let column = (0..images).map(|image| row(image)[text]);
                    rank(column, own, row(own)[text])
                })
                .collect(),
        }
    }

    /// The same where each query's candidates were looked at again. `scores` has those pairs, as
    /// (image, text); all others come after them, by their similarities.
    ///
    /// # Panics
    /// As [`Self::of`], or if a candidate has no score.
    pub fn reranked(
        similarities: &[f32],
        images: usize,
        image_of_text: &[usize],
        candidates: &Candidates,
        scores: &HashMap<(usize, usize), f32>,
    ) -> Self {
        let texts = image_of_text.len();
        let behind = |image: usize, text: usize| BEHIND + similarities[image * texts + text];
        let by_image = (0..images).filter_map(|image| {
            let mut row: Vec<f32> = (0..texts).map(|text| behind(image, text)).collect();
            for text in &candidates.of_images[image] {
                row[*text] = scores[&(image, *text)];
            }
            rank_of_best(&row, image, image_of_text)
        });
        let by_text = (0..texts).map(|text| {
            let mut column: Vec<f32> = (0..images).map(|image| behind(image, text)).collect();
            for image in &candidates.of_texts[text] {
                column[*image] = scores[&(*image, text)];
            }
            let own = image_of_text[text];
            let own_score = column[own];
            rank(column, own, own_score)
        });
        Self {
            image_to_text: by_image.collect(),
            text_to_image: by_text.collect(),
        }
    }
}

/// Each query's most similar counterparts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// Texts, for each image.
    pub of_images: Vec<Vec<usize>>,
    /// Images, for each text.
    pub of_texts: Vec<Vec<usize>>,
}

impl Candidates {
    /// The best `count` of each. `similarities`: [images, texts].
    pub fn of(similarities: &[f32], images: usize, texts: usize, count: usize) -> Self {
        let at = |image: usize, text: usize| similarities[image * texts + text];
        let of_image = |image| best((0..texts).map(|text| at(image, text)), count);
        let of_text = |text| best((0..images).map(|image| at(image, text)), count);
        Self {
            of_images: (0..images).map(of_image).collect(),
            of_texts: (0..texts).map(of_text).collect(),
        }
    }

    /// The texts that are to be looked at beside an image, for either's sake.
    pub fn texts_of(&self, image: usize) -> Vec<usize> {
        let of_texts = self.of_texts.iter().enumerate();
        let others = of_texts.filter(|(_, images)| images.contains(&image));
        let others = others.map(|(text, _)| text);
        self.of_images[image]
            .iter()
            .copied()
            .chain(others)
            .collect()
    }
}

/// The places of the highest scores.
fn best(scores: impl Iterator<Item = f32>, count: usize) -> Vec<usize> {
    let mut places: Vec<(f32, usize)> = scores.zip(0..).collect();
    let highest_first =
        |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if count < places.len() {
        places.select_nth_unstable_by(count, highest_first);
        places.truncate(count);
    }
    places.into_iter().map(|(_, place)| place).collect()
}

/// The rank of the best of a picture's own texts among the texts of the others.
fn rank_of_best(row: &[f32], image: usize, image_of_text: &[usize]) -> Option<usize> {
    let is_own = |text: &usize| image_of_text[*text] == image;
    let own = (0..row.len()).filter(is_own).map(|text| row[text]);
    let best = own.reduce(f32::max)?; // the other one, where one is not a number
    let others = (0..row.len()).filter(|text| !is_own(text));
    Some(rank(others.map(|text| row[text]), usize::MAX, best))
}

/// The share of ranks below `k`, in 0..=1; 0 of nothing.
pub fn recall_at(ranks: &[usize], k: usize) -> f64 {
    mean(ranks.iter().map(|rank| f64::from(u8::from(*rank < k))))
}
