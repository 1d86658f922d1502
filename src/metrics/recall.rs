//! Retrieval: is the right text among the first k for a picture, the right picture for a text.

use super::{mean, rank};

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
