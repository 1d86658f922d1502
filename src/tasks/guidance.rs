//! Text guidance: what a generator of pictures takes from CLIP's text encoder. Stable Diffusion 1
//! and 2 are guided by the states of the last layer or the one before it, of texts padded to full
//! length; SDXL by those of the layer before the last without the final norm, and by the pooled
//! vector. `CLIPTextModelWithProjection` of the `transformers` package.

use super::{Model, read};
use crate::{Error, Result};
use serde::Serialize;

/// Which states are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct GuidanceOptions {
    /// After which layer, as the reference counts its `hidden_states`: 0 is before the first, -1
    /// after the last, -2 after the one before that.
    pub layer: i32,
    /// Whether the encoder's final norm is applied to them.
    pub norm: bool,
    /// What fills the text up.
    pub pad: Filling,
}

/// What fills up a text to the encoder's full length (77 tokens in all of OpenAI's).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filling {
    /// Nothing: the text keeps its length.
    #[default]
    None,
    /// The end-of-text token, which OpenAI's tokenizer pads with, and Stable Diffusion.
    EndToken,
    /// This token: 0, which is `!`, in open_clip and in SDXL's second encoder.
    Token(u32),
}

impl Default for GuidanceOptions {
    fn default() -> Self {
        Self {
            layer: -1,
            norm: true,
            pad: Filling::None,
        }
    }
}

/// A text as a generator takes it.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct TokenStates {
    /// The ids, special tokens and padding included.
    pub ids: Vec<u32>,
    /// The tokens as the vocabulary spells them.
    pub tokens: Vec<String>,
    /// The place of the end-of-text token, whose state is pooled.
    pub end: usize,
    /// Numbers of a state.
    pub width: usize,
    /// One state a token, one after the other: `[tokens, width]`.
    pub states: Vec<f32>,
    /// The vector in the space that texts share with pictures, not scaled to length one: the
    /// reference's `text_embeds`. It is of the last layer, whichever layer the states are of.
    pub pooled: Vec<f32>,
}

impl Model {
    /// The states of a text's tokens in CLIP's text encoder. A text longer than the encoder's full
    /// length is cut.
    ///
    /// # Errors
    /// [`Error::UnsupportedTask`] of a BLIP, or of a CLIP that was loaded without its text encoder;
    /// [`Error::BadInput`] for a layer or a token that the encoder lacks. The empty text is none: guided
    /// generation goes away from its states.
    pub async fn embed_tokens(&self, text: &str, options: &GuidanceOptions) -> Result<TokenStates> {
        let Some(clip) = self.network.text_layers() else {
            return Err(Error::UnsupportedTask(format!(
                "the states of a text's tokens are CLIP's: this is a {}",
                self.info.family.to_uppercase()
            )));
        };
        if !self.network.takes_texts() {
            return Err(self.unsupported("embed-text"));
        }
        let depth = block_count(options.layer, clip.config().text.depth)?;
        let mut ids = self.ids_of(text)?;
        let end = clip.pooled_position(&ids);
        if let Some(token) = self.filling_token(options.pad, ids[end])? {
            ids.resize(clip.config().text.positions.max(ids.len()), token);
        }
        let batch = std::slice::from_ref(&ids);
        let [states, last] = clip.encode_text_layer(batch, depth);
        let states = match options.norm {
            true => clip.normalize_text(states),
            false => states,
        };
        let tokenizer = self.tokenizer()?;
        let tokens = ids.iter().map(|id| tokenizer.spelling(*id));
        Ok(TokenStates {
            tokens: tokens.collect(),
            end,
            width: states.dims()[2],
            states: read(states).await?,
            pooled: read(clip.pool_text(batch, last)).await?,
            ids,
        })
    }

    /// The id that a text is filled up with, if it is.
    fn filling_token(&self, filling: Filling, end: u32) -> Result<Option<u32>> {
        let vocabulary = self.tokenizer()?.largest_id();
        match filling {
            Filling::None => Ok(None),
            Filling::EndToken => Ok(Some(end)),
            Filling::Token(token) if token <= vocabulary => Ok(Some(token)),
            Filling::Token(token) => Err(Error::BadInput(format!(
                "pad is {token}, but this model's largest token is {vocabulary}"
            ))),
        }
    }
}

/// How many blocks come before the states of `layer`.
fn block_count(layer: i32, depth: usize) -> Result<usize> {
    let states = depth as i64 + 1;
    let place = i64::from(layer) + if layer < 0 { states } else { 0 };
    match usize::try_from(place) {
        Ok(place) if place <= depth => Ok(place),
        _ => Err(Error::BadInput(format!(
            "layer is {layer}, but this text encoder has {depth} layers: -1 to -{states}, or 0 to {depth}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_counted_as_the_reference_counts_its_hidden_states() {
        for (layer, blocks) in [(-1, 12), (-2, 11), (-13, 0), (0, 0), (12, 12)] {
            assert_eq!(block_count(layer, 12), Ok(blocks), "{layer}");
        }
        for layer in [13, -14, i32::MIN, i32::MAX] {
            let error = block_count(layer, 12).expect_err("no such layer");
            assert_eq!(error.code(), "bad_input");
        }
    }
}
