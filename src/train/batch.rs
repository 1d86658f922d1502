//! Pictures and texts of one training step, as tensors and padded ids.

use super::examples::Example;
use super::patch_labels::PatchGrid;
use crate::image::Preprocessor;
use crate::nn::Padding;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::HashMap;

/// Texts of different lengths, padded at the end to the longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextBatch {
    /// Ids, rows of equal length.
    pub ids: Vec<Vec<u32>>,
    /// How many ids of each row are its text's own.
    pub lengths: Vec<usize>,
}

/// `[PAD]` in every BERT vocabulary. What stands there is never looked at.
const PAD: u32 = 0;

impl TextBatch {
    /// Pads `texts`.
    pub fn new(texts: Vec<Vec<u32>>) -> Self {
        let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let pad = |mut ids: Vec<u32>| {
            ids.resize(longest, PAD);
            ids
        };
        Self {
            ids: texts.into_iter().map(pad).collect(),
            lengths,
        }
    }

    /// The rows at `places`, in that order.
    pub fn select(&self, places: &[usize]) -> Self {
        Self {
            ids: places
                .iter()
                .map(|place| self.ids[*place].clone())
                .collect(),
            lengths: places.iter().map(|place| self.lengths[*place]).collect(),
        }
    }

    /// The same texts with another first token, `[DEC]` for the decoder.
    pub fn starting_with(&self, token: u32) -> Self {
        let mut changed = self.clone();
        for ids in &mut changed.ids {
            ids[0] = token;
        }
        changed
    }

    /// What hides the padding from attention.
    pub fn padding(&self, device: &Device) -> Option<Padding> {
        Padding::new(&self.lengths, device)
    }

    /// For each position of each row the token that follows, if it is the text's own:
    /// `rows * (tokens - 1)` of them.
    pub fn next_tokens(&self) -> Vec<Option<u32>> {
        let rows = self.ids.iter().zip(&self.lengths);
        rows.flat_map(|(ids, length)| {
            (1..ids.len()).map(move |place| (place < *length).then_some(ids[place]))
        })
        .collect()
    }

    /// The ids without each row's last, which predicts nothing.
    pub fn inputs(&self) -> Vec<Vec<u32>> {
        self.ids
            .iter()
            .map(|ids| ids[..ids.len().saturating_sub(1)].to_vec())
            .collect()
    }
}

/// One step's pictures and texts.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[batch, 3, height, width]`.
    pub pixels: Tensor<4>,
    /// A caption of each picture: `[CLS] ... [SEP]`.
    pub captions: TextBatch,
    /// Pictures with equal numbers have the same caption: none is the other's negative.
    pub groups: Vec<usize>,
    /// Which captions belong to which pictures, `[pictures, captions]`: each to its own, to those of the
    /// same group, and to those of which it is known to be true. None of these is a negative.
    pub belongs: Vec<bool>,
    /// Questions about some of the pictures.
    pub questions: Option<Questions>,
    /// What covers each patch, [`PatchGrid::targets`], if any picture says.
    pub patches: Option<Tensor<3>>,
}

/// Questions with their answers.
#[derive(Debug, Clone)]
pub struct Questions {
    /// Which picture of the batch each is about.
    pub pictures: Vec<usize>,
    /// `[CLS] ... [SEP]`.
    pub questions: TextBatch,
    /// `[CLS] ... [SEP]`.
    pub answers: TextBatch,
}

impl Batch {
    /// Prepares examples as a model sees them; texts are cut at `longest` tokens. Patches get labels
    /// where there is a `grid`.
    pub fn new(
        examples: &[Example],
        preprocessor: &Preprocessor,
        tokenizer: &Tokenizer,
        longest: usize,
        grid: Option<PatchGrid>,
        device: &Device,
    ) -> Result<Self> {
        if examples.is_empty() {
            return Err(Error::BadInput("a batch needs examples".to_string()));
        }
        let encode = |text: &str| tokenizer.encode(text, longest);
        let captions = examples.iter().map(|example| encode(&example.caption));
        let captions: Vec<Vec<u32>> = captions.collect::<Result<_>>()?;
        let groups = groups(&captions);
        Ok(Self {
            pixels: pixels(examples, preprocessor, device),
            belongs: belongs(examples, &groups),
            groups,
            captions: TextBatch::new(captions),
            questions: questions(examples, encode)?,
            patches: grid.and_then(|grid| grid.targets(examples, device)),
        })
    }
}

fn pixels(examples: &[Example], preprocessor: &Preprocessor, device: &Device) -> Tensor<4> {
    let (height, width) = preprocessor.output_size();
    let values = examples
        .iter()
        .flat_map(|example| preprocessor.prepare(&example.image));
    let shape = [examples.len(), 3, height, width];
    Tensor::from_data(TensorData::new(values.collect(), shape), device)
}

/// Equal numbers for equal texts.
fn groups(texts: &[Vec<u32>]) -> Vec<usize> {
    let mut known = HashMap::new();
    texts
        .iter()
        .map(|text| {
            let next = known.len();
            *known.entry(text).or_insert(next)
        })
        .collect()
}

fn belongs(examples: &[Example], groups: &[usize]) -> Vec<bool> {
    let pictures = examples.iter().zip(groups);
    pictures
        .flat_map(|(picture, group)| {
            let captions = examples.iter().zip(groups);
            captions.map(move |(caption, other)| group == other || caption.is_true_of(picture))
        })
        .collect()
}

fn questions(
    examples: &[Example],
    encode: impl Fn(&str) -> Result<Vec<u32>>,
) -> Result<Option<Questions>> {
    let (mut pictures, mut questions, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for (place, example) in examples.iter().enumerate() {
        for (question, answer) in &example.questions {
            pictures.push(place);
            questions.push(encode(question)?);
            answers.push(encode(answer)?);
        }
    }
    Ok((!pictures.is_empty()).then(|| Questions {
        pictures,
        questions: TextBatch::new(questions),
        answers: TextBatch::new(answers),
    }))
}
