//! BLIP's objectives over a batch: which parts of the model a loss looks at, and how it is put
//! together from `losses`. Follows the reference's pre-training and question-answering code.

use super::batch::{Batch, Questions, TextBatch};
use super::losses::{self, Queue, Vectors};
use super::negatives::{self, Negatives, Similarities};
use super::patch_labels::patch_loss;
use super::weights::values_of;
use crate::Result;
use crate::kernels::ids_tensor;
use crate::models::{Blip, Clip, normalize};
use burn::tensor::{Tensor, TensorData};
use rand::Rng;

/// How much each loss counts; 0 leaves it out.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Objectives {
    /// Image-text contrastive.
    pub itc: f32,
    /// Image-text matching.
    pub itm: f32,
    /// Language modelling: captions.
    pub lm: f32,
    /// Language modelling: answers.
    pub vqa: f32,
    /// What lies in each patch ([`super::patch_labels`]); not one of BLIP's.
    #[serde(default)]
    pub patches: f32,
    /// Label smoothing of the language-modelling losses.
    pub smoothing: f32,
    /// The share of the momentum encoders in the contrastive targets.
    pub alpha: f32,
}

impl Default for Objectives {
    fn default() -> Self {
        Self {
            itc: 1.0,
            itm: 1.0,
            lm: 1.0,
            vqa: 1.0,
            patches: 0.0,
            smoothing: 0.1,
            alpha: 0.4,
        }
    }
}

/// What the momentum encoders have to say about a batch.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Their vectors of the batch.
    pub vectors: Vectors,
    /// Their vectors of earlier batches.
    pub queue: Option<Queue>,
}

/// The losses of a batch, `[1]` each; `None` for those left out.
#[derive(Debug, Default)]
pub struct Losses {
    /// Image-text contrastive.
    pub itc: Option<Tensor<1>>,
    /// Image-text matching.
    pub itm: Option<Tensor<1>>,
    /// Captions.
    pub lm: Option<Tensor<1>>,
    /// Answers.
    pub vqa: Option<Tensor<1>>,
    /// What lies in each patch.
    pub patches: Option<Tensor<1>>,
    /// CLIP's.
    pub clip: Option<Tensor<1>>,
}

impl Losses {
    /// Names and values of those that are there.
    pub fn named(&self) -> Vec<(&'static str, Tensor<1>)> {
        let all = [
            ("itc", &self.itc),
            ("itm", &self.itm),
            ("lm", &self.lm),
            ("vqa", &self.vqa),
            ("patches", &self.patches),
            ("clip", &self.clip),
        ];
        all.into_iter()
            .filter_map(|(name, loss)| Some((name, loss.clone()?)))
            .collect()
    }

    /// Their weighted sum; `None` without any.
    pub fn total(&self, objectives: &Objectives) -> Option<Tensor<1>> {
        let weight = |name| match name {
            "itc" => objectives.itc,
            "itm" => objectives.itm,
            "lm" => objectives.lm,
            "vqa" => objectives.vqa,
            "patches" => objectives.patches,
            _ => 1.0,
        };
        let terms = self.named().into_iter();
        terms
            .map(|(name, loss)| loss * weight(name))
            .reduce(|sum, term| sum + term)
    }
}

/// The image's and the texts' vectors, of length one.
pub fn vectors(blip: &Blip, states: Tensor<3>, texts: &TextBatch) -> Result<Vectors> {
    let padding = texts.padding(&states.device());
    let encoded = blip
        .text_encoder()?
        .encode_padded(&texts.ids, padding.as_ref(), None);
    Ok(Vectors {
        images: normalize(blip.project_image(states)?),
        texts: normalize(blip.project_text(encoded)?),
    })
}

/// What training has besides the model's own parameters.
pub struct Extras {
    /// The contrastive loss divides by it, `[1]`.
    pub temperature: Tensor<1>,
    /// Tells what lies in a patch, `[classes + 1, width]`.
    pub patch_head: Option<Tensor<2>>,
}

/// All losses of `objectives` for a batch.
pub fn blip_losses(
    blip: &Blip,
    batch: &Batch,
    objectives: &Objectives,
    extras: Extras,
    targets: Option<&Targets>,
    rng: &mut impl Rng,
) -> Result<Losses> {
    let states = blip.encode_image(batch.pixels.clone()); // [batch, tokens, width]
    let mut losses = Losses::default();
    let mut similarities = Similarities::none(batch.groups.len());
    if objectives.itc > 0.0 {
        let vectors = vectors(blip, states.clone(), &batch.captions)?;
        let (momentum, queue) = match targets {
            Some(targets) => (&targets.vectors, targets.queue.as_ref()),
            None => (&vectors, None),
        };
        let contrast = losses::contrastive(
            &vectors,
            momentum,
            queue,
            extras.temperature,
            objectives.alpha,
            &batch.groups,
        );
        similarities = Similarities {
            to_texts: values_of(contrast.to_texts)?,
            to_images: values_of(contrast.to_images)?,
        };
        losses.itc = Some(contrast.loss);
    }
    if objectives.itm > 0.0
        && let Some(negatives) = negatives::draw(&similarities, &batch.belongs, rng)
    {
        losses.itm = Some(matching(blip, &states, &batch.captions, &negatives)?);
    }
    if objectives.lm > 0.0 {
        let smoothing = objectives.smoothing;
        losses.lm = Some(captioning(
            blip,
            states.clone(),
            &batch.captions,
            smoothing,
        )?);
    }
    if objectives.vqa > 0.0
        && let Some(questions) = &batch.questions
    {
        losses.vqa = Some(answering(blip, &states, questions, objectives.smoothing)?);
    }
    if objectives.patches > 0.0
        && let (Some(head), Some(targets)) = (extras.patch_head, &batch.patches)
    {
        losses.patches = Some(patch_loss(states, head, targets.clone()));
    }
    Ok(losses)
}

/// ITM: each picture with its own text, with a wrong text, and each text with a wrong picture.
pub fn matching(
    blip: &Blip,
    states: &Tensor<3>,
    texts: &TextBatch,
    negatives: &Negatives,
) -> Result<Tensor<1>> {
    let own: Vec<usize> = (0..texts.ids.len()).collect();
    let pictures = [own.as_slice(), &own, &negatives.images].concat();
    let texts = texts.select(&[own.as_slice(), &negatives.texts, &own].concat());
    let padding = texts.padding(&states.device());
    let grounding = blip.grounding(select(states, &pictures))?;
    let grounded =
        blip.text_encoder()?
            .encode_padded(&texts.ids, padding.as_ref(), Some(&grounding));
    let logits = blip.matching_logits(grounded)?; // [3 * batch, 2]
    let classes = (0..pictures.len()).map(|place| Some(u32::from(place < own.len())));
    Ok(losses::cross_entropy(
        logits,
        &classes.collect::<Vec<_>>(),
        0.0,
    ))
}

/// LM: the caption, token by token, in view of the picture.
pub fn captioning(
    blip: &Blip,
    states: Tensor<3>,
    texts: &TextBatch,
    smoothing: f32,
) -> Result<Tensor<1>> {
    let decoder = blip.text_decoder()?;
    let texts = texts.starting_with(blip.config().start_token);
    let logits = decoder.all_logits(&texts.inputs(), &decoder.context(states));
    Ok(next_token_loss(logits, &texts, smoothing))
}

/// LM of answers, in view of the question's states, which are in view of the picture.
pub fn answering(
    blip: &Blip,
    states: &Tensor<3>,
    questions: &Questions,
    smoothing: f32,
) -> Result<Tensor<1>> {
    let texts = &questions.questions;
    let padding = texts.padding(&states.device());
    let grounding = blip.grounding(select(states, &questions.pictures))?;
    let asked = blip
        .text_encoder()?
        .encode_padded(&texts.ids, padding.as_ref(), Some(&grounding));
    let decoder = blip.text_decoder()?;
    let answers = questions.answers.starting_with(blip.config().start_token);
    let context = decoder.padded_context(asked, padding.as_ref());
    let logits = decoder.all_logits(&answers.inputs(), &context);
    Ok(next_token_loss(logits, &answers, smoothing))
}

fn next_token_loss(logits: Tensor<3>, texts: &TextBatch, smoothing: f32) -> Tensor<1> {
    let [batch, tokens, vocabulary] = logits.dims();
    let rows = logits.reshape([batch * tokens, vocabulary]);
    losses::cross_entropy(rows, &texts.next_tokens(), smoothing)
}

/// CLIP's loss for a batch, or SigLIP's.
pub fn clip_losses(clip: &Clip, batch: &Batch) -> Losses {
    let images = normalize(clip.encode_image(batch.pixels.clone()));
    let text = &clip.config().text;
    let captions = batch.captions.ids.iter().zip(&batch.captions.lengths);
    let ids = captions.map(|(ids, length)| match text.filling {
        Some(_) => text.completed(ids[..*length].to_vec()),
        // Padding at the end is behind the end-of-text token, which no token before it sees.
        None => text.completed(ids.clone()),
    });
    let texts = normalize(clip.encode_text(&ids.collect::<Vec<_>>()));
    let vectors = Vectors { images, texts };
    let scale = clip.logit_scale();
    Losses {
        clip: Some(match clip.logit_bias() {
            Some(bias) => losses::pairwise_sigmoid(&vectors, scale, bias),
            None => losses::symmetric_contrastive(&vectors, scale),
        }),
        ..Losses::default()
    }
}

/// Batch entries at `places`: `[places, tokens, width]`.
fn select(states: &Tensor<3>, places: &[usize]) -> Tensor<3> {
    let device = states.device();
    let in_order = places.len() == states.dims()[0]
        && places
            .iter()
            .enumerate()
            .all(|(place, other)| place == *other);
    if in_order {
        return states.clone();
    }
    let indices = ids_tensor(places.iter().map(|place| *place as i32), &device);
    states.clone().select(0, indices)
}

/// A number as a `[1]` tensor.
pub fn constant(value: f32, device: &burn::tensor::Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(vec![value], [1]), device)
}
