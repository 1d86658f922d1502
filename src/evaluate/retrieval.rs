//! Retrieval as BLIP's paper measures it (section 4.1, and `train_retrieval.py` of its code): every
//! picture against every caption by the cosine of their vectors (ITC), then the best of each by the
//! matching head (ITM), both ways.

use super::{Data, Recalls, Retrieval, share};
use crate::Result;
use crate::metrics::data::CaptionedImage;
use crate::metrics::recall::{Candidates, Ranks, recall_at};
use crate::tasks::Model;
use std::collections::HashMap;

/// Also the share of right verdicts of ITM on each picture with its first caption and with the next
/// picture's.
pub(super) async fn retrieve(
    model: &Model,
    data: &Data,
    progress: &mut impl FnMut(),
) -> Result<(Retrieval, Option<f64>)> {
    let (pictures, rerank) = (&data.folder.captions, data.rerank);
    let captions = Captions::of(pictures);
    let (texts, owners) = (&captions.texts, &captions.owners);
    let similarities = compare(model, data, texts, progress).await?;
    let ranks = Ranks::of(&similarities, pictures.len(), owners);
    let mut retrieval = Retrieval {
        count: pictures.len(),
        texts: texts.len(),
        image_to_text: recalls(&ranks.image_to_text),
        text_to_image: recalls(&ranks.text_to_image),
        reranked: None,
    };
    if !model.can_rerank() {
        pictures.iter().for_each(|_| progress());
        return Ok((retrieval, None));
    }
    let candidates = Candidates::of(&similarities, pictures.len(), texts.len(), rerank);
    let (mut scores, mut verdicts) = (HashMap::new(), Vec::new());
    for (place, picture) in pictures.iter().enumerate() {
        let [own, other] = [place, (place + 1) % pictures.len()].map(|image| captions.first[image]);
        let mut wanted = candidates.texts_of(place);
        wanted.extend([own, other]);
        wanted.sort_unstable();
        wanted.dedup();
        let names: Vec<String> = wanted.iter().map(|text| texts[*text].clone()).collect();
        let ranked = model
            .rank_texts(&data.files.decode(&picture.image)?, &names)
            .await?;
        for (text, ranked) in wanted.iter().zip(ranked) {
            scores.insert((place, *text), ranked.score);
            let Some(probability) = ranked.probability else {
                continue;
            };
            let judged = [(own, true), (other, false)].into_iter();
            let judged = judged.filter(|(one, _)| one == text && texts[own] != texts[other]);
            verdicts.extend(judged.map(|(_, truth)| (probability > 0.5) == truth));
        }
        progress();
    }
    if rerank > 0 {
        let ranks = Ranks::reranked(&similarities, pictures.len(), owners, &candidates, &scores);
        retrieval.reranked = Some(Recalls {
            candidates: rerank,
            image_to_text: recalls(&ranks.image_to_text),
            text_to_image: recalls(&ranks.text_to_image),
        });
    }
    Ok((retrieval, Some(share(verdicts.into_iter()))))
}

/// All captions, one after the other.
struct Captions {
    texts: Vec<String>,
    /// Which picture each belongs to.
    owners: Vec<usize>,
    /// Each picture's first caption.
    first: Vec<usize>,
}

impl Captions {
    fn of(pictures: &[CaptionedImage]) -> Self {
        let mut captions = Self {
            texts: Vec::new(),
            owners: Vec::new(),
            first: Vec::new(),
        };
        for (place, picture) in pictures.iter().enumerate() {
            captions.first.push(captions.texts.len());
            captions.texts.extend(picture.captions.iter().cloned());
            captions.owners.resize(captions.texts.len(), place);
        }
        captions
    }
}

/// Cosines, `[pictures, texts]`.
async fn compare(
    model: &Model,
    data: &Data,
    texts: &[String],
    progress: &mut impl FnMut(),
) -> Result<Vec<f32>> {
    let text_vectors = model.text_vectors(texts).await?;
    let pictures = &data.folder.captions;
    let mut similarities = Vec::with_capacity(pictures.len() * texts.len());
    for picture in pictures {
        let vector = model
            .embed_image(&data.files.decode(&picture.image)?, true)
            .await?;
        let products = text_vectors.iter();
        similarities
            .extend(products.map(|text| text.iter().zip(&vector).map(|(a, b)| a * b).sum::<f32>()));
        progress();
    }
    Ok(similarities)
}

fn recalls(ranks: &[usize]) -> [f64; 3] {
    [1, 5, 10].map(|k| recall_at(ranks, k))
}
