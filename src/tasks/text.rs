//! Vectors of texts, encoded in batches and remembered.

use super::{Model, read};
use crate::models::normalize;
use crate::nn::common;
use crate::{Error, Result};
use std::collections::{BTreeMap, HashSet};

/// Texts of equal length that are encoded at once.
const BATCH: usize = 32;
/// Tokens of texts of any length that are encoded at once: what a layer does for all of them, such as
/// unpacking its weights, then takes little of its time, and memory stays small.
const BATCH_TOKENS: usize = 512;
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
        let ids = tokenizer.encode(text, self.network.longest_text())?;
        Ok(self.network.completed(ids))
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
        let all = texts.iter().map(|text| self.text_ids(text));
        let all: Vec<Vec<u32>> = all.collect::<Result<_>>()?;
        let mut vectors = vec![Vec::new(); texts.len()];
        for batch in self.text_batches(&all) {
            let ids: Vec<Vec<u32>> = batch.iter().map(|place| all[*place].clone()).collect();
            let mut encoded = self.encode_texts(&ids)?; // [batch, projection]
            if unit {
                encoded = normalize(encoded);
            }
            let width = encoded.dims()[1];
            let values = read(encoded).await?;
            for (place, vector) in batch.iter().zip(values.chunks_exact(width)) {
                vectors[*place] = vector.to_vec();
            }
            after_batch().await?;
        }
        Ok(vectors)
    }

    /// Whether texts are encoded with what they begin alike with only once. On a GPU that would be many
    /// small calls instead of a few large ones.
    pub(super) fn texts_share(&self) -> bool {
        self.placement.name == "cpu" && self.network.texts_share()
    }

    /// The places of texts that [`Model::encode_texts`] may take together.
    fn text_batches(&self, all: &[Vec<u32>]) -> Vec<Vec<usize>> {
        match self.texts_share() {
            true => sharing_batches(all),
            false => equal_batches(all),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<String, Vec<f32>>> {
        // The map is valid at every step, so a panic elsewhere does not spoil it.
        self.text_vectors
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Texts of equal length.
fn equal_batches(all: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, ids) in all.iter().enumerate() {
        by_length.entry(ids.len()).or_default().push(place);
    }
    let alike = by_length.values();
    alike
        .flat_map(|places| places.chunks(BATCH).map(<[_]>::to_vec))
        .collect()
}

/// Texts that begin alike side by side, up to [`BATCH_TOKENS`] together that are not shared.
fn sharing_batches(all: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|place| &all[*place]);
    let (mut batches, mut tokens) = (Vec::<Vec<usize>>::new(), BATCH_TOKENS);
    for pair in 0..order.len() {
        let ids = &all[order[pair]];
        let shared = match pair {
            0 => 0,
            _ => common(&all[order[pair - 1]], ids),
        };
        tokens += ids.len() - shared;
        match batches.last_mut() {
            Some(batch) if tokens <= BATCH_TOKENS => batch.push(order[pair]),
            _ => {
                batches.push(vec![order[pair]]);
                tokens = ids.len();
            }
        }
    }
    batches
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
