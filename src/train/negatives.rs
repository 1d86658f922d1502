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

/// Draws them from similarities over the temperature, `[pictures, texts]` row by row. `None` if
/// some picture has no wrong text, because all texts of the batch are of its group.
pub fn draw(similarities: &[f32], groups: &[usize], rng: &mut impl Rng) -> Option<Negatives> {
    let batch = groups.len();
    let row = |picture: usize| similarities[picture * batch..(picture + 1) * batch].to_vec();
    let column =
        |text: usize| -> Vec<f32> { (0..batch).map(|picture| row(picture)[text]).collect() };
    let mut pick = |place: usize, logits: Vec<f32>| {
        let weights = weights(place, &logits, groups);
        let distribution = WeightedIndex::new(weights).ok()?;
        Some(distribution.sample(rng))
    };
    let texts = (0..batch).map(|place| pick(place, row(place))).collect::<Option<_>>()?;
    let images = (0..batch).map(|place| pick(place, column(place))).collect::<Option<_>>()?;
    Some(Negatives { texts, images })
}

/// The reference's sampling weights: the softmax of the similarities plus a little, and nothing for
/// what belongs together.
pub fn weights(place: usize, logits: &[f32], groups: &[usize]) -> Vec<f32> {
    const LEAST: f32 = 1e-4;
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    let weight = |(power, group): (&f32, &usize)| {
        if *group == groups[place] {
            0.0
        } else {
            power / sum + LEAST
        }
    };
    powers.iter().zip(groups).map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_negative_is_never_of_its_own_group() {
        let groups = [0, 1, 0, 2];
        let similarities: Vec<f32> = (0..16).map(|value| value as f32).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100 {
            let drawn = draw(&similarities, &groups, &mut rng).unwrap();
            for place in 0..4 {
                assert_ne!(groups[drawn.texts[place]], groups[place]);
                assert_ne!(groups[drawn.images[place]], groups[place]);
            }
        }
    }

    #[test]
    fn a_batch_of_one_group_has_no_negatives() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(draw(&[1.0; 4], &[3, 3], &mut rng), None);
    }
}
