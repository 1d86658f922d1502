//! Hard negatives for image-text matching: wrong texts and pictures that look right, drawn by the
//! contrastive similarities of the batch.

use rand::Rng;
use rand::distr::{Distribution, weighted::WeightedIndex};

/// For each picture a wrong text, and for each text a wrong picture, as places in the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negatives {
    /// A text for each picture.
    pub texts: Vec<usize>,
    /// A picture for each text.
    pub images: Vec<usize>,
}

/// How similar pictures and texts of a batch are, over the temperature, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Similarities {
    /// `[pictures, texts]`.
    pub to_texts: Vec<f32>,
    /// `[texts, pictures]`.
    pub to_images: Vec<f32>,
}

impl Similarities {
    /// All alike: negatives are then drawn evenly.
    pub fn none(batch: usize) -> Self {
        Self {
            to_texts: vec![0.0; batch * batch],
            to_images: vec![0.0; batch * batch],
        }
    }
}

/// Draws negatives. `belongs`, `[pictures, texts]`, says which texts are none. `None` if some picture has
/// no wrong text, because all texts of the batch belong to it.
pub fn draw(
    similarities: &Similarities,
    belongs: &[bool],
    rng: &mut impl Rng,
) -> Option<Negatives> {
    let batch = belongs.len().isqrt();
    let mut pick = |rows: &[f32], belongs: &dyn Fn(usize, usize) -> bool| {
        let rows = rows.chunks_exact(batch).enumerate();
        rows.map(|(place, row)| {
            let weights = weights(row, |other| belongs(place, other));
            Some(WeightedIndex::new(weights).ok()?.sample(rng))
        })
        .collect::<Option<Vec<usize>>>()
    };
    Some(Negatives {
        texts: pick(&similarities.to_texts, &|picture, text| {
            belongs[picture * batch + text]
        })?,
        images: pick(&similarities.to_images, &|text, picture| {
            belongs[picture * batch + text]
        })?,
    })
}

/// The reference's sampling weights: the softmax of the similarities plus a little, and nothing for
/// what belongs together.
pub fn weights(logits: &[f32], belongs: impl Fn(usize) -> bool) -> Vec<f32> {
    const LEAST: f32 = 1e-4;
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    let weight = |(place, power): (usize, &f32)| {
        if belongs(place) {
            0.0
        } else {
            power / sum + LEAST
        }
    };
    powers.iter().enumerate().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_negative_is_never_of_its_own_group() {
        let groups = [0, 1, 0, 2];
        let values: Vec<f32> = (0..16).map(|value| value as f32).collect();
        let similarities = Similarities {
            to_texts: values.clone(),
            to_images: values,
        };
        let same = |place: usize| groups.map(|group| group == groups[place]);
        let mut belongs = [same(0), same(1), same(2), same(3)].concat();
        belongs[4] = true; // the first text is true of the second picture, too
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100 {
            let drawn = draw(&similarities, &belongs, &mut rng).unwrap();
            assert!(drawn.texts[1] != 0 && drawn.images[0] != 1);
            for place in 0..4 {
                assert_ne!(groups[drawn.texts[place]], groups[place]);
                assert_ne!(groups[drawn.images[place]], groups[place]);
            }
        }
    }

    #[test]
    fn a_batch_of_one_group_has_no_negatives() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(draw(&Similarities::none(2), &[true; 4], &mut rng), None);
    }
}
