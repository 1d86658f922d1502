//! How a text is generated, with the reference's names and defaults.

use crate::kernels::Choice;
use crate::{Error, Result};

/// When a beam search ends, once there are as many finished texts as beams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EarlyStopping {
    /// When a better text is unlikely, judged at the current length: the reference's `False`.
    #[default]
    Heuristic,
    /// At once: `True`.
    Always,
    /// When no better text is possible: `"never"`.
    Never,
}

/// Options of [`super::generate`].
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationOptions {
    /// Tokens to add at most.
    pub max_new_tokens: usize,
    /// The stop token is not allowed before the text, start token and prompt included, has this
    /// many tokens.
    pub min_length: usize,
    /// Beams; 1 is no beam search.
    pub num_beams: usize,
    /// Exponent of the length that beam scores are divided by.
    pub length_penalty: f32,
    /// When a beam search ends.
    pub early_stopping: EarlyStopping,
    /// Draw tokens instead of taking the best.
    pub do_sample: bool,
    /// Logits are divided by it before drawing.
    pub temperature: f32,
    /// Only so many of the most likely tokens are drawn from; 0 for all.
    pub top_k: usize,
    /// Only the most likely tokens that together reach this probability are drawn from.
    pub top_p: f32,
    /// Scores of tokens that are already there are divided (if positive) or multiplied by it.
    pub repetition_penalty: f32,
    /// No run of so many tokens comes twice in a text, start token and prompt included; 0 allows all.
    pub no_repeat_ngram_size: usize,
    /// Makes drawing reproducible.
    pub seed: Option<u64>,
}

impl Default for GenerationOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 20,
            min_length: 0,
            num_beams: 1,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::default(),
            do_sample: false,
            temperature: 1.0,
            top_k: 50,
            top_p: 1.0,
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            seed: None,
        }
    }
}

impl GenerationOptions {
    /// Refuses values that mean nothing, naming the option.
    pub fn check(&self) -> Result<()> {
        let refuse = |option: &str, found: String, expected: &str| {
            Err(Error::BadInput(format!(
                "{option} is {found}, expected {expected}"
            )))
        };
        if self.max_new_tokens == 0 {
            return refuse("maxNewTokens", "0".into(), "at least 1");
        }
        if !(1..=Choice::MOST_BEAMS).contains(&self.num_beams) {
            let expected = format!("1 to {}", Choice::MOST_BEAMS);
            return refuse("numBeams", self.num_beams.to_string(), &expected);
        }
        if self.do_sample && self.num_beams > 1 {
            return refuse("numBeams", self.num_beams.to_string(), "1 when sampling");
        }
        if !self.length_penalty.is_finite() {
            return refuse("lengthPenalty", self.length_penalty.to_string(), "a number");
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return refuse(
                "temperature",
                self.temperature.to_string(),
                "a number above 0",
            );
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return refuse(
                "topP",
                self.top_p.to_string(),
                "a number above 0 and at most 1",
            );
        }
        if !(self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite()) {
            return refuse(
                "repetitionPenalty",
                self.repetition_penalty.to_string(),
                "a number above 0",
            );
        }
        Ok(())
    }
}
