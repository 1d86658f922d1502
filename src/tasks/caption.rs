//! Captions: a decoder that looks at a picture, from the picture alone or with the first words.

use super::{Decoding, Model};
use crate::generate::{Generated, GenerationOptions, GenerationSettings, NextLogits, generate};
use crate::image::RgbImage;
use crate::models::Captions;
use crate::tokenizer::StreamDecoder;
use crate::{Error, Result};
use serde::Serialize;

/// A generated text.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Caption {
    /// The text, prompt included.
    pub text: String,
    /// The reference's ids: of BLIP `[DEC]`, the prompt, the generated tokens, `[SEP]` where reached.
    pub tokens: Vec<u32>,
    /// See [`crate::generate::Generated::score`].
    pub score: f32,
    /// The other texts: of a beam search, those that it finished, best first, and fewer than beams; of
    /// sampling, those that were drawn besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Caption>,
}

impl Model {
    /// The options of a call that asks for `settings`: what it does not say, the checkpoint's
    /// generation_config.json does, or else the reference's defaults, which are a network's own.
    pub fn generation(&self, settings: &GenerationSettings) -> GenerationOptions {
        let rules = self.network.captions().map(|own| own.rules);
        settings.of(rules.unwrap_or_default(), &self.info.generation)
    }

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
        let captions = self.captions("caption")?;
        options.of(captions.rules).check()?;
        let prompt = self.prompt_ids(prompt, &captions)?;
        self.check_room(prompt.len(), options)?;
        let states = self.network.states_to_describe(self.pixels(image))?;
        Ok((prompt, self.decoding(states)?))
    }

    /// The start token and the prompt's ids: it takes the place of the tokenizer's (BLIP's `[CLS]`), whose
    /// last (`[SEP]`) is dropped.
    fn prompt_ids(&self, prompt: &str, captions: &Captions) -> Result<Vec<u32>> {
        if prompt.trim().is_empty() {
            return Ok(vec![captions.start]);
        }
        let mut ids = self.tokenizer()?.encode(prompt, captions.room)?;
        ids.pop();
        ids[0] = captions.start;
        Ok(ids)
    }

    /// Refuses texts longer than the decoder has positions for.
    pub(super) fn check_room(&self, prompt: usize, options: &GenerationOptions) -> Result<()> {
        let options = options.after(prompt);
        let Some(Captions { room, .. }) = self.network.captions() else {
            return Ok(());
        };
        if prompt.saturating_add(options.max_new_tokens) <= room {
            return Ok(());
        }
        Err(Error::BadInput(format!(
            "maxNewTokens is {}, but after a start of {prompt} tokens this model has room for {}",
            options.max_new_tokens,
            room.saturating_sub(prompt)
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
        let Some(Captions { stop, rules, .. }) = self.network.captions() else {
            return Err(self.unsupported("caption"));
        };
        let mut options = options.of(rules).after(prompt.len());
        options.bad_words_ids.extend(self.bad_words(&options)?);
        let mut pieces = StreamDecoder::new();
        let mut pending = String::new();
        for id in prompt {
            pending.push_str(&pieces.push(self.tokenizer()?, *id)?);
        }
        let generated = generate(decoding, prompt, stop, &options, async |id| {
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

    /// The tokens of the words that are not written, without those that begin and end a text.
    fn bad_words(&self, options: &GenerationOptions) -> Result<Vec<Vec<u32>>> {
        const LONGEST: usize = 64;
        let words = options.bad_words.iter().map(|word| {
            let ids = self.tokenizer()?.encode(word.trim(), LONGEST)?;
            match &ids[..] {
                [_, ids @ .., _] if !ids.is_empty() => Ok(ids.to_vec()),
                _ => Err(Error::BadInput(format!(
                    "badWords has {word:?}, which the model's tokenizer has no tokens for"
                ))),
            }
        });
        words.collect()
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
