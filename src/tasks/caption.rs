//! Captions: BLIP's image-grounded decoder, from a picture or a picture and the first words.

use super::{Decoding, Model};
use crate::generate::{Generated, GenerationOptions, NextLogits, generate};
use crate::image::RgbImage;
use crate::tokenizer::StreamDecoder;
use crate::{Error, Result};
use serde::Serialize;

/// A generated text.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Caption {
    /// The text, prompt included.
    pub text: String,
    /// The reference's ids: `[DEC]`, the prompt, the generated tokens, `[SEP]` where reached.
    pub tokens: Vec<u32>,
    /// See [`crate::generate::Generated::score`].
    pub score: f32,
    /// The other texts that a beam search finished, best first: fewer than beams, none without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Caption>,
}

impl Model {
    /// Describes a picture, continuing `prompt` if it is not empty. `on_token` gets each new piece
    /// of text (the first with the prompt) and the token's id; nothing and no id after a step of a
    /// beam search.
    pub async fn caption(
        &self,
        image: &RgbImage,
        prompt: &str,
        options: &GenerationOptions,
        on_token: impl AsyncFnMut(&str, Option<u32>) -> Result<()>,
    ) -> Result<Caption> {
        let (prompt, mut decoding) = self.begin_caption(image, prompt, options)?;
        self.write(&mut decoding, &prompt, options, on_token).await
    }

    /// The ids that a caption begins with, and what it is written with.
    pub(super) fn begin_caption(
        &self,
        image: &RgbImage,
        prompt: &str,
        options: &GenerationOptions,
    ) -> Result<(Vec<u32>, Decoding<'_>)> {
        options.check()?;
        let blip = self.grounded("caption")?;
        let prompt = self.prompt_ids(prompt)?;
        self.check_room(prompt.len(), options)?;
        let states = blip.encode_image(self.pixels(image));
        Ok((prompt, Decoding::new(blip.text_decoder()?, states)))
    }

    /// `[DEC]` and the prompt's ids: the tokenizer's `[CLS]` is replaced, its `[SEP]` dropped.
    fn prompt_ids(&self, prompt: &str) -> Result<Vec<u32>> {
        let config = self.grounded("caption")?.config();
        if prompt.trim().is_empty() {
            return Ok(vec![config.start_token]);
        }
        let mut ids = self.tokenizer()?.encode(prompt, config.text.positions)?;
        ids.pop();
        ids[0] = config.start_token;
        Ok(ids)
    }

    /// Refuses texts longer than the decoder has positions for.
    pub(super) fn check_room(&self, prompt: usize, options: &GenerationOptions) -> Result<()> {
        let Some(blip) = self.network.grounded() else {
            return Ok(());
        };
        let positions = blip.config().text.positions;
        if prompt.saturating_add(options.max_new_tokens) <= positions {
            return Ok(());
        }
        Err(Error::BadInput(format!(
            "maxNewTokens is {}, but after a start of {prompt} tokens this model has room for {}",
            options.max_new_tokens,
            positions.saturating_sub(prompt)
        )))
    }

    /// Generates from `prompt` on and decodes what comes, piece by piece.
    pub(super) async fn write(
        &self,
        decoding: &mut impl NextLogits,
        prompt: &[u32],
        options: &GenerationOptions,
        mut on_token: impl AsyncFnMut(&str, Option<u32>) -> Result<()>,
    ) -> Result<Caption> {
        let Some(blip) = self.network.grounded() else {
            return Err(self.unsupported("caption"));
        };
        let stop = blip.config().stop_token;
        let mut pieces = StreamDecoder::new();
        let mut pending = String::new();
        for id in prompt {
            pending.push_str(&pieces.push(self.tokenizer()?, *id)?);
        }
        let generated = generate(decoding, prompt, stop, options, async |id| {
            let Some(id) = id else {
                return on_token("", None).await;
            };
            pending.push_str(&pieces.push(self.tokenizer()?, id)?);
            let piece = std::mem::take(&mut pending);
            on_token(&piece, Some(id)).await
        })
        .await?;
        let captions = generated.into_iter().map(|one| self.caption_of(one));
        let mut captions = captions.collect::<Result<Vec<_>>>()?.into_iter();
        let mut best = captions.next().expect("a text is generated or an error");
        best.alternatives = captions.collect();
        Ok(best)
    }

    fn caption_of(&self, generated: Generated) -> Result<Caption> {
        Ok(Caption {
            text: self.tokenizer()?.decode(&generated.ids)?,
            tokens: generated.ids,
            score: generated.score,
            alternatives: Vec::new(),
        })
    }
}
