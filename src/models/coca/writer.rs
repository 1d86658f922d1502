//! CoCa's decoder at work. Text encoder and decoder both see only what is before a token, so both keep
//! what they have read.

use super::{Coca, Pair, fills};
use crate::models::writer::Writer;
use crate::nn::{KeysValues, Padding, SelfCache, matmul, token_ids};
use burn::tensor::{Int, Tensor};

/// The two encoders and the decoder, writing about a picture.
pub struct CocaWriter<'a> {
    coca: &'a Coca,
    /// The image encoder's: `[1, 1 + patches, width]`.
    states: Tensor<3>,
    context: Vec<KeysValues>,
    text: Vec<SelfCache>,
    decoder: Vec<SelfCache>,
    /// Which places the text encoder does not see, as 1 and 0, the next token's included: `[texts, tokens +
    /// 1]`.
    hidden: Tensor<2>,
}

impl<'a> CocaWriter<'a> {
    pub(super) fn new(coca: &'a Coca, states: Tensor<3>) -> Self {
        let looked_at = coca.looked_at(states.clone());
        let mut new = Self {
            context: coca.decoder().context(looked_at),
            text: Vec::new(),
            decoder: Vec::new(),
            hidden: Tensor::zeros([1, 1], &coca.device),
            states,
            coca,
        };
        new.forget();
        new
    }

    /// The text encoder's states of tokens that follow those before: `[texts, tokens]` to `[texts, tokens,
    /// width]`.
    fn read(&mut self, ids: Tensor<2, Int>) -> Tensor<3> {
        let encoder = self.coca.text();
        let first = self.hidden.dims()[1] - 1;
        let tokens = first + ids.dims()[1];
        self.hidden = Tensor::cat(vec![self.hidden.clone(), fills(&ids)], 1);
        let padding = Padding::of(self.hidden.clone().narrow(1, 0, tokens));
        let blocks = encoder.blocks.iter().zip(&mut self.text);
        blocks.fold(encoder.embed(ids, first), |states, (block, cache)| {
            block.follow(states, cache, Some(&padding))
        })
    }

    /// The decoder's states of tokens that follow those before, after some of its layers: `[texts, tokens]`
    /// to `[texts, tokens, width]`.
    fn decode(&mut self, ids: Tensor<2, Int>, layers: usize) -> Tensor<3> {
        let states = self.read(ids);
        let pairs = self.coca.decoder().pairs.iter();
        let pairs = pairs.zip(&mut self.decoder).zip(&self.context).take(layers);
        pairs.fold(states, |states, ((Pair { own, cross }, cache), context)| {
            cross.forward(own.follow(states, cache, None), context)
        })
    }

    /// Logits after every token of a text: `[texts, tokens]` to `[texts, tokens, vocabulary]`.
    pub fn all_logits(&mut self, ids: Tensor<2, Int>) -> Tensor<3> {
        let states = self.decode(ids, usize::MAX);
        self.coca.decoder().logits(states)
    }
}

impl Writer for CocaWriter<'_> {
    fn forget(&mut self) {
        let empty = |count: usize| (0..count).map(|_| SelfCache::default()).collect();
        self.text = empty(self.coca.text().blocks.len());
        self.decoder = empty(self.coca.decoder().pairs.len());
        self.hidden = Tensor::zeros([1, 1], &self.coca.device);
    }

    fn next_logits(&mut self, ids: Tensor<2, Int>) -> Tensor<2> {
        let states = self.decode(ids, usize::MAX);
        let [texts, tokens, width] = states.dims();
        let last = states.narrow(1, tokens - 1, 1).reshape([texts, width]);
        self.coca.decoder().logits(last)
    }

    fn reorder(&mut self, parents: Tensor<1, Int>) {
        for cache in self.text.iter_mut().chain(&mut self.decoder) {
            cache.reorder(parents.clone());
        }
        self.hidden = self.hidden.clone().select(0, parents);
    }

    /// Of the decoder's last layer but a third, as BLIP's: where the pooled vectors that a token looks at had
    /// looked themselves. Without a pooler these are the patches.
    fn attention(&self, ids: &[u32]) -> Tensor<3> {
        let (decoder, image) = (self.coca.decoder(), self.coca.image());
        let layer = (2 * decoder.pairs.len() / 3).saturating_sub(1);
        let mut again = Self::new(self.coca, self.states.clone());
        let ids = token_ids(&[ids.to_vec()], &self.coca.device);
        let states = again.decode(ids, layer);
        let Pair { own, cross } = &decoder.pairs[layer];
        let states = own.follow(states, &mut SelfCache::default(), None);
        let maps = cross.attention(states, &self.context[layer]); // [1, tokens, looked at]
        match &image.pooler {
            Some(pooler) => {
                let places = pooler.attention(self.states.clone(), 1..pooler.count());
                matmul(maps, places) // [1, tokens, 1 + patches]
            }
            None => {
                let [texts, tokens, _] = maps.dims();
                let class = Tensor::zeros([texts, tokens, 1], &maps.device());
                Tensor::cat(vec![class, maps], 2)
            }
        }
    }
}
