//! A model over a data set with known captions and answers: what `obscura eval` reports. The
//! metrics themselves are in [`crate::metrics`] and [`crate::scenes`].

mod retrieval;
pub mod zero_shot;

use crate::Result;
use crate::generate::{GenerationOptions, GenerationSettings};
use crate::image::PictureFiles;
use crate::metrics::data::{CaptionedImage, Folder, Question};
use crate::metrics::{Candidate, bleu, cider, vqa};
use crate::scenes::{Facts, Objects, counts_exact, objects_exact, relation_correct};
use crate::tasks::{CANDIDATES, Model};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use zero_shot::Classification;

/// How questions are answered.
#[derive(Debug, Clone)]
pub struct Answering {
    /// Rank these instead of writing answers, if there are any: the paper's protocol.
    pub answers: Vec<String>,
    /// So many of them by full likelihood, see [`Model::rank_answers`].
    pub candidates: usize,
    /// Beams of written answers.
    pub beams: usize,
}

impl Default for Answering {
    fn default() -> Self {
        Self {
            answers: Vec::new(),
            candidates: CANDIDATES,
            beams: 1,
        }
    }
}

/// Data with the facts of drawn scenes, where known.
#[derive(Debug)]
pub struct Data {
    /// Pictures with captions, questions with answers.
    pub folder: Folder,
    /// How its pictures are read.
    pub files: PictureFiles,
    /// What is true of a picture, for scenes.
    pub facts: HashMap<PathBuf, Facts>,
    /// The kind of each question, in their order: scenes' kinds, or VQA v2's; may be empty.
    pub kinds: Vec<String>,
    /// How many candidates of ITC are looked at again by ITM; 0 for none.
    pub rerank: usize,
    /// How its questions are answered.
    pub answering: Answering,
}

/// Everything that a data set and a model allow to measure. Shares are of 1.
#[derive(Debug, Default, Serialize)]
pub struct Evaluation {
    /// Generated captions against given ones.
    pub captions: Option<CaptionScores>,
    /// Generated captions against what is true of a scene.
    pub scenes: Option<SceneScores>,
    /// Retrieval among all pictures and all their captions.
    pub retrieval: Option<Retrieval>,
    /// ITM: how often a picture's own caption is accepted and the next picture's refused.
    pub matching: Option<f64>,
    /// Answers: the share that is right, and by kind of question.
    pub answers: Option<AnswerScores>,
    /// Zero-shot classification, of a folder of pictures for each class.
    pub classification: Option<Classification>,
}

/// Captions against captions.
#[derive(Debug, Serialize)]
pub struct CaptionScores {
    /// How many.
    pub count: usize,
    /// BLEU-4.
    pub bleu_4: f64,
    /// CIDEr-D.
    pub cider: f64,
}

/// Captions against facts.
#[derive(Debug, Serialize)]
pub struct SceneScores {
    /// How many.
    pub count: usize,
    /// All objects named, and none invented.
    pub objects: f64,
    /// The same, with their numbers right.
    pub counts: f64,
    /// What is said of places is true, where there are two kinds of things to place.
    pub relations: f64,
}

/// Recall, both ways. A picture's captions are all right for it.
#[derive(Debug, Serialize)]
pub struct Retrieval {
    /// Among how many pictures.
    pub count: usize,
    /// Among how many captions.
    pub texts: usize,
    /// By vectors alone: one of the picture's own texts first, among the first 5, the first 10.
    pub image_to_text: [f64; 3],
    /// The text's own picture.
    pub text_to_image: [f64; 3],
    /// After a second look at the best, where the model has a matching head.
    pub reranked: Option<Recalls>,
}

/// The same after a second look at some.
#[derive(Debug, Serialize)]
pub struct Recalls {
    /// At how many of each picture's texts, and of each text's pictures.
    pub candidates: usize,
    /// As in [`Retrieval`].
    pub image_to_text: [f64; 3],
    /// As in [`Retrieval`].
    pub text_to_image: [f64; 3],
}

/// Answers.
#[derive(Debug, Serialize)]
pub struct AnswerScores {
    /// How many.
    pub count: usize,
    /// The share that is right, by the VQA challenge's rules.
    pub accuracy: f64,
    /// The same by kind of question, where known.
    pub by_kind: BTreeMap<String, f64>,
}

/// Runs everything. `objects` are the names that scenes speak of; `progress` hears of each picture
/// and question.
pub async fn evaluate(
    model: &Model,
    data: &Data,
    objects: &Objects,
    mut progress: impl FnMut(),
) -> Result<Evaluation> {
    let can = |task: &str| model.info().tasks.contains(&task);
    let pictures = &data.folder.captions;
    let mut evaluation = Evaluation::default();
    if can("caption") && !pictures.is_empty() {
        let mut generated = Vec::new();
        for picture in pictures {
            let image = data.files.decode(&picture.image)?;
            let options = model.generation(&GenerationSettings::default());
            generated.push(
                model
                    .caption(&image, "", &options, async |_, _| Ok(()))
                    .await?
                    .text,
            );
            progress();
        }
        evaluation.captions = Some(score_captions(pictures, &generated));
        evaluation.scenes = score_scenes(pictures, &generated, &data.facts, objects);
    }
    if can("match") && pictures.len() > 1 {
        let (retrieval, matching) = retrieval::retrieve(model, data, &mut progress).await?;
        evaluation.retrieval = Some(retrieval);
        evaluation.matching = matching;
    }
    if can("answer") && !data.folder.questions.is_empty() {
        let scores = score_answers(model, data, &mut progress).await?;
        evaluation.answers = Some(scores);
    }
    Ok(evaluation)
}

/// How often [`evaluate`] calls `progress`.
pub fn work(model: &Model, data: &Data) -> usize {
    let can = |task: &str| usize::from(model.info().tasks.contains(&task));
    let pictures = data.folder.captions.len();
    pictures * (can("caption") + 2 * can("match")) + data.folder.questions.len() * can("answer")
}

fn score_captions(pictures: &[CaptionedImage], generated: &[String]) -> CaptionScores {
    let candidates: Vec<Candidate> = pictures
        .iter()
        .zip(generated)
        .map(|(picture, text)| Candidate::new(text, &picture.captions))
        .collect();
    CaptionScores {
        count: candidates.len(),
        bleu_4: bleu(&candidates)[3],
        cider: cider(&candidates).corpus,
    }
}

fn score_scenes(
    pictures: &[CaptionedImage],
    generated: &[String],
    facts: &HashMap<PathBuf, Facts>,
    objects: &Objects,
) -> Option<SceneScores> {
    let known = pictures.iter().zip(generated);
    let known: Vec<(&Facts, &String)> = known
        .filter_map(|(picture, text)| Some((facts.get(&picture.image)?, text)))
        .collect();
    if known.is_empty() {
        return None;
    }
    let relations = known
        .iter()
        .filter_map(|(facts, text)| relation_correct(text, facts, objects));
    Some(SceneScores {
        count: known.len(),
        objects: share(
            known
                .iter()
                .map(|(facts, text)| objects_exact(text, facts, objects)),
        ),
        counts: share(
            known
                .iter()
                .map(|(facts, text)| counts_exact(text, facts, objects)),
        ),
        relations: share(relations),
    })
}

/// The share of what is true, 0 of nothing.
fn share(truths: impl Iterator<Item = bool>) -> f64 {
    let truths: Vec<bool> = truths.collect();
    truths.iter().filter(|truth| **truth).count() as f64 / truths.len().max(1) as f64
}

async fn score_answers(
    model: &Model,
    data: &Data,
    progress: &mut impl FnMut(),
) -> Result<AnswerScores> {
    let questions = &data.folder.questions;
    let mut scores = Vec::new();
    for question in questions {
        scores.push(answer(model, question, data).await?);
        progress();
    }
    let mut by_kind: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (kind, score) in data.kinds.iter().zip(&scores) {
        by_kind.entry(kind.clone()).or_default().push(*score);
    }
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    Ok(AnswerScores {
        count: scores.len(),
        accuracy: mean(&scores),
        by_kind: by_kind
            .into_iter()
            .map(|(kind, scores)| (kind, mean(&scores)))
            .collect(),
    })
}

async fn answer(model: &Model, question: &Question, data: &Data) -> Result<f64> {
    let image = [data.files.decode(&question.image)?];
    let (how, asked) = (&data.answering, &question.question);
    let text = if how.answers.is_empty() {
        let options = GenerationOptions {
            max_new_tokens: 10,
            num_beams: how.beams,
            ..Default::default()
        };
        let silently = async |_: &str, _| Ok(());
        model.answer(&image, asked, &options, silently).await?.text
    } else {
        let ranked = model.rank_answers(&image, asked, &how.answers, how.candidates);
        ranked.await?.swap_remove(0).text
    };
    Ok(vqa::accuracy(&text, &question.answers))
}
