//! CapFilt (section 3.3 of BLIP's paper): a captioner writes what a picture shows, a filter keeps
//! of the given and the written texts those that match it.

use super::Model;
use crate::generate::GenerationOptions;
use crate::image::RgbImage;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// A text about a picture, and whether it was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filtered {
    /// The text.
    pub text: String,
    /// Whether the model wrote it.
    pub generated: bool,
    /// The probability that it belongs to the picture, by ITM.
    pub probability: f32,
    /// Whether that is at least the threshold, and the text not there already.
    pub kept: bool,
    /// Why it was kept, or was not.
    pub reason: Reason,
}

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Kept, and of the kept ones the most likely.
    Best,
    /// Kept, but another one is better.
    Matches,
    /// Below the threshold: it is about something else.
    Unlikely,
    /// The same words as a text before it.
    Duplicate,
}

/// The verdict on all the texts of a picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Judgement {
    /// The given texts in their order, then the written one.
    pub texts: Vec<Filtered>,
    /// The text to use, if any was kept.
    pub best: Option<String>,
}

/// What is kept: the paper's filter takes the matching head's verdict.
pub const THRESHOLD: f32 = 0.5;

/// How the paper's captioner writes: nucleus sampling with p = 0.9, for variety.
pub fn captioner_options(seed: u64) -> GenerationOptions {
    GenerationOptions {
        do_sample: true,
        top_p: 0.9,
        top_k: 0,
        seed: Some(seed),
        ..Default::default()
    }
}

impl Model {
    /// Writes a caption and judges it together with the given texts; blank ones are left out. A model
    /// needs both heads, a captioner's and a filter's. `on_token` is heard between tokens and texts:
    /// its error stops the work.
    pub async fn filter(
        &self,
        image: &RgbImage,
        given: &[String],
        options: &GenerationOptions,
        threshold: f32,
        mut on_token: impl AsyncFnMut() -> Result<()>,
    ) -> Result<Judgement> {
        options.check()?;
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::BadInput(format!(
                "threshold is {threshold}, expected a probability, 0 to 1"
            )));
        }
        let blip = self.grounded("caption")?;
        self.grounded("match")?;
        let start = [blip.config().start_token];
        self.check_room(start.len(), options)?;
        let states = blip.encode_image(self.pixels(image)); // once, for both
        let grounding = blip.grounding(states.clone())?;
        let mut decoding = self.decoding(states)?;
        let written = self
            .write(&mut decoding, &start, options, async |_, _| {
                on_token().await
            })
            .await?;
        let texts = given.iter().map(|text| (text.as_str(), false));
        let texts = texts.chain([(written.text.as_str(), true)]);
        let mut judged: Vec<Filtered> = Vec::new();
        for (text, generated) in texts.filter(|(text, _)| !text.trim().is_empty()) {
            let earlier = judged.iter().find(|one| same_words(&one.text, text));
            let probability = match earlier {
                Some(same) => same.probability,
                None => self.matching(blip, text, &grounding).await?,
            };
            let reason = match (earlier, probability >= threshold) {
                (Some(_), _) => Reason::Duplicate,
                (None, true) => Reason::Matches,
                (None, false) => Reason::Unlikely,
            };
            judged.push(Filtered {
                text: text.to_string(),
                generated,
                probability,
                kept: reason == Reason::Matches,
                reason,
            });
            on_token().await?;
        }
        Ok(Judgement::of(judged))
    }
}

impl Judgement {
    /// Finds the best of the kept texts; the first, where several are equally likely.
    fn of(mut texts: Vec<Filtered>) -> Self {
        let kept = texts.iter_mut().filter(|text| text.kept);
        let best = kept.reduce(|best, text| match text.probability > best.probability {
            true => text,
            false => best,
        });
        let best = best.map(|text| {
            text.reason = Reason::Best;
            text.text.clone()
        });
        Self { texts, best }
    }
}

fn same_words(left: &str, right: &str) -> bool {
    let words = |text: &str| {
        let words = text.split_whitespace().map(str::to_lowercase);
        words.collect::<Vec<_>>()
    };
    words(left) == words(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, probability: f32, reason: Reason) -> Filtered {
        Filtered {
            text: text.to_string(),
            generated: false,
            probability,
            kept: reason == Reason::Matches,
            reason,
        }
    }

    #[test]
    fn the_likeliest_of_the_kept_texts_is_the_best() {
        let judgement = Judgement::of(vec![
            text("far off", 0.1, Reason::Unlikely),
            text("good", 0.7, Reason::Matches),
            text("better", 0.9, Reason::Matches),
            text("Better", 0.9, Reason::Duplicate),
        ]);
        let reasons: Vec<Reason> = judgement.texts.iter().map(|one| one.reason).collect();
        let expected = [
            Reason::Unlikely,
            Reason::Matches,
            Reason::Best,
            Reason::Duplicate,
        ];
        assert_eq!(reasons, expected);
        assert_eq!(judgement.best.as_deref(), Some("better"));
    }

    #[test]
    fn nothing_kept_is_no_best() {
        let judgement = Judgement::of(vec![text("far off", 0.1, Reason::Unlikely)]);
        assert_eq!(judgement.best, None);
        assert_eq!(Judgement::of(Vec::new()), Judgement::default());
    }
}
