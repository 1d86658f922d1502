//! What the tasks ask of a decoder that writes about a picture, whatever its family.

use super::bert::{Cache, Context};
use super::blip::TextDecoder;
use crate::generate::Rules;
use burn::tensor::{Int, Tensor};

/// What of captions is the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captions {
    /// The token that a text begins with.
    pub start: u32,
    /// The one that ends it.
    pub stop: u32,
    /// Tokens that a text may have.
    pub room: usize,
    /// How its tokens are chosen.
    pub rules: Rules,
}

/// A decoder that looks at a picture, or at a question, and keeps what it has read.
pub trait Writer {
    /// Forgets what it has read, but not what it looks at.
    fn forget(&mut self);

    /// Reads more tokens of each text, `[texts, tokens]`, and gives the logits after the last: `[texts,
    /// vocabulary]`. Several tokens at once are possible only at the start.
    fn next_logits(&mut self, ids: Tensor<2, Int>) -> Tensor<2>;

    /// Makes text `i` continue what text `parents[i]` was, of as many as `parents` are.
    fn reorder(&mut self, parents: Tensor<1, Int>);

    /// Where each token of a whole text looked while the next one was chosen: `[1, tokens, 1 + patches]`, the
    /// class token first.
    fn attention(&self, ids: &[u32]) -> Tensor<3>;
}

/// BLIP's decoder.
pub struct BlipWriter<'a> {
    decoder: &'a TextDecoder,
    context: Context,
    cache: Cache,
}

impl<'a> BlipWriter<'a> {
    /// `states` is an image's, or a question's: `[1, tokens, width]`.
    pub fn new(decoder: &'a TextDecoder, states: Tensor<3>) -> Self {
        Self {
            decoder,
            context: decoder.context(states),
            cache: decoder.empty_cache(),
        }
    }
}

impl Writer for BlipWriter<'_> {
    fn forget(&mut self) {
        self.cache = self.decoder.empty_cache();
    }

    fn next_logits(&mut self, ids: Tensor<2, Int>) -> Tensor<2> {
        self.decoder
            .next_logits(ids, &self.context, &mut self.cache)
    }

    fn reorder(&mut self, parents: Tensor<1, Int>) {
        self.cache.reorder(parents);
    }

    fn attention(&self, ids: &[u32]) -> Tensor<3> {
        let layer = self.decoder.localising_layer();
        let texts = [ids.to_vec()];
        self.decoder
            .attention_of_tokens(&texts, &self.context, layer)
    }
}
