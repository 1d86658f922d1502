//! Vectors of texts, encoded in batches of equal length and remembered.

use super::{Model, Network, read};
use crate::models::normalize;
use crate::{Error, Result};
use std::collections::{BTreeMap, HashSet};

/// BLIP's own limit on captions and questions in retrieval and answering.
pub const BLIP_TEXT_TOKENS: usize = 35;
/// Texts encoded at once.
const BATCH: usize = 32;
/// Vectors remembered; beyond that the memory starts anew.
const REMEMBERED: usize = 16_384;

impl Model {
    /// A text's ids with its special tokens, cut as the reference cuts it.
    pub fn text_ids(&self, text: &str) -> Result<Vec<u32>> {
        if text.trim().is_empty() {
            return Err(Error::BadInput(
                "a text is empty: write at least one word".to_string(),
            ));
        }
        self.ids_of(text)
    }

    /// The same, also of the empty text, which is what guidance goes away from.
    pub(super) fn ids_of(&self, text: &str) -> Result<Vec<u32>> {
        let tokenizer = self.tokenizer()?;
        match &self.network {
            Network::Clip(clip) => {
                let config = &clip.config().text;
                let ids = tokenizer.encode(text, config.positions)?;
                Ok(config.completed(ids))
            }
            Network::Blip(blip) => {
                let longest = BLIP_TEXT_TOKENS.min(blip.config().text.positions);
                tokenizer.encode(text, longest)
            }
        }
    }

    /// The unit vectors of texts in the space they share with pictures.
    pub async fn text_vectors(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        self.text_vectors_by_batch(texts, async || Ok(())).await
    }

    /// The same. `after_batch` is called between batches, and its error stops the work.
    pub(super) async fn text_vectors_by_batch(
        &self,
        texts: &[String],
        after_batch: impl AsyncFnMut() -> Result<()>,
    ) -> Result<Vec<Vec<f32>>> {
        self.encode_new(texts, after_batch).await?;
        let known = self.known();
        Ok(texts.iter().map(|text| known[text].clone()).collect())
    }

    /// Encodes those that are not remembered.
    async fn encode_new(
        &self,
        texts: &[String],
        after_batch: impl AsyncFnMut() -> Result<()>,
    ) -> Result<()> {
        let mut new: Vec<String> = Vec::new();
        {
            let mut known = self.known();
            if known.len() + texts.len() > REMEMBERED {
                known.clear();
            }
            let mut seen = HashSet::new();
            let unknown = texts.iter().filter(|text| !known.contains_key(*text));
            new.extend(unknown.filter(|text| seen.insert(*text)).cloned());
        }
        let vectors = self.encode_in_batches(&new, true, after_batch).await?;
        self.known().extend(new.into_iter().zip(vectors));
        Ok(())
    }

    /// The vectors of texts, in their order, scaled to length one if `unit`, without remembering any.
    /// `after_batch` is called between batches, and its error stops the work.
    pub(super) async fn encode_in_batches(
        &self,
        texts: &[String],
        unit: bool,
        mut after_batch: impl AsyncFnMut() -> Result<()>,
    ) -> Result<Vec<Vec<f32>>> {
        let mut by_length: BTreeMap<usize, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
        for (place, text) in texts.iter().enumerate() {
            let ids = self.text_ids(text)?;
            by_length.entry(ids.len()).or_default().push((place, ids));
        }
        let mut vectors = vec![Vec::new(); texts.len()];
        for batch in by_length
            .values()
            .flat_map(|same_length| same_length.chunks(BATCH))
        {
            let ids: Vec<Vec<u32>> = batch.iter().map(|(_, ids)| ids.clone()).collect();
            let mut encoded = self.encode_texts(&ids)?; // [batch, projection]
            if unit {
                encoded = normalize(encoded);
            }
            let width = encoded.dims()[1];
            let values = read(encoded).await?;
            for ((place, _), vector) in batch.iter().zip(values.chunks_exact(width)) {
                vectors[*place] = vector.to_vec();
            }
            after_batch().await?;
        }
        Ok(vectors)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<String, Vec<f32>>> {
        // The map is valid at every step, so a panic elsewhere does not spoil it.
        self.text_vectors
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The cosine of two unit vectors.
pub fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

/// The vector scaled to length one.
pub fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = dot(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|value| *value /= length);
    vector
}
