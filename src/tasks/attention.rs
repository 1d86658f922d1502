//! Where a BLIP or a CoCa looked: for each word of a caption, and for how well a text matches, as maps over
//! the picture's patches. `models::bert` says what they are maps of.

use super::{Caption, Match, Model, read};
use crate::generate::GenerationOptions;
use crate::image::RgbImage;
use crate::tokenizer::StreamDecoder;
use crate::{Error, Result};
use burn::tensor::Tensor;
use serde::Serialize;

/// A token and where the model looked for it.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct TokenMap {
    /// The token.
    pub id: u32,
    /// Its text: those of all tokens, one after the other, are the whole text.
    pub text: String,
    /// One number a patch, row by row. They are not negative.
    pub map: Vec<f32>,
}

/// Where a decoder looked for each token that it wrote.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct CaptionAttention {
    /// Rows of patches.
    pub rows: usize,
    /// Patches of a row.
    pub columns: usize,
    /// The generated tokens, `[SEP]` included where it was reached. The map is the share of the
    /// attention that each patch had when the token was chosen.
    pub tokens: Vec<TokenMap>,
}

/// What in a picture makes a text match.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct MatchAttention {
    /// Rows of patches.
    pub rows: usize,
    /// Patches of a row.
    pub columns: usize,
    /// The mean over the text's tokens, row by row.
    pub map: Vec<f32>,
    /// The text's tokens without `[CLS]` and `[SEP]`.
    pub tokens: Vec<TokenMap>,
}

impl Model {
    /// [`Self::caption`], and where each of its tokens was looked for.
    pub async fn caption_with_attention(
        &self,
        image: &RgbImage,
        prompt: &str,
        options: &GenerationOptions,
        on_token: impl AsyncFnMut(&str, Option<u32>) -> Result<()>,
    ) -> Result<(Caption, CaptionAttention)> {
        let (prompt, mut decoding) = self.begin_caption(image, prompt, options)?;
        let caption = self
            .write(&mut decoding, &prompt, options, on_token)
            .await?;
        let first = prompt.len();
        let written = &caption.tokens[..caption.tokens.len() - 1];
        let maps = self.patches_of(decoding.writer.attention(written)).await?;
        let (rows, columns) = self.grid();
        // The last token that was read is the one after which the next was chosen.
        let tokens = self.token_maps(&caption.tokens, first, &maps[first - 1..])?;
        let attention = CaptionAttention {
            rows,
            columns,
            tokens,
        };
        Ok((caption, attention))
    }

    /// [`Self::match_texts`], and what in the picture makes each text match.
    ///
    /// # Errors
    /// [`Error::UnsupportedTask`] of a model that compares vectors and never looks at picture and text together.
    pub async fn match_texts_with_attention(
        &self,
        image: &RgbImage,
        texts: &[String],
    ) -> Result<Vec<(Match, MatchAttention)>> {
        if self.network.matcher().is_none() {
            return Err(Error::UnsupportedTask(
                "this model compares vectors and attends to no text in a picture: attention takes a BLIP with a retrieval head".to_string(),
            ));
        }
        let (matches, context) = self.match_and_ground(image, texts).await?;
        let (blip, context) = (self.grounded("match")?, context.expect("a BLIP's"));
        let layer = blip.text_encoder()?.localising_layer();
        let mut found = Vec::with_capacity(texts.len());
        for one in matches {
            let ids = self.text_ids(&one.text)?;
            let maps = blip.matching_gradient(std::slice::from_ref(&ids), &context, layer)?;
            let maps = self.patches_of(maps).await?;
            let last = ids.len() - 1;
            let tokens = self.token_maps(&ids[..last], 1, &maps[1..last])?;
            let (rows, columns) = self.grid();
            let attention = MatchAttention {
                rows,
                columns,
                map: mean(&tokens, rows * columns),
                tokens,
            };
            found.push((one, attention));
        }
        Ok(found)
    }

    /// Rows and columns of patches.
    fn grid(&self) -> (usize, usize) {
        let (height, width) = self.preprocessor().output_size();
        (height / self.patch_size, width / self.patch_size)
    }

    /// One map a token without the image's class token: from `[1, tokens, 1 + patches]`.
    async fn patches_of(&self, maps: Tensor<3>) -> Result<Vec<Vec<f32>>> {
        let states = maps.dims()[2];
        let values = read(maps).await?;
        Ok(values
            .chunks_exact(states)
            .map(|map| map[1..].to_vec())
            .collect())
    }

    /// The tokens from `first` on, with their maps.
    fn token_maps(&self, ids: &[u32], first: usize, maps: &[Vec<f32>]) -> Result<Vec<TokenMap>> {
        let tokenizer = self.tokenizer()?;
        let mut pieces = StreamDecoder::new();
        for id in &ids[..first] {
            pieces.push(tokenizer, *id)?;
        }
        let mut tokens = Vec::new();
        for (id, map) in ids[first..].iter().zip(maps) {
            tokens.push(TokenMap {
                id: *id,
                text: pieces.push(tokenizer, *id)?,
                map: map.clone(),
            });
        }
        Ok(tokens)
    }
}

/// The mean of maps of `patches` numbers; zeros for none.
fn mean(tokens: &[TokenMap], patches: usize) -> Vec<f32> {
    let mut mean = vec![0.0; patches];
    for token in tokens {
        for (sum, value) in mean.iter_mut().zip(&token.map) {
            *sum += value / tokens.len() as f32;
        }
    }
    mean
}
