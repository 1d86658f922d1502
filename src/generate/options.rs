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

/// Whose `generate` is followed where the two differ: a network's own, so not a user's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rules {
    /// `GenerationMixin.generate` of transformers.
    #[default]
    Transformers,
    /// `CoCa.generate` of open_clip:
    ///
    /// - A beam search sums up logits, not log-probabilities. The length that sums are divided by counts the
    ///   start. Groups of beams know nothing of one another, so that all find the same texts: one is
    ///   computed.
    /// - Without a search, a text of full length ends with the stop token, and token 0, which fills up,
    ///   ends a text, too. `top_p` counts before `temperature`.
    OpenClip,
}

/// Options of [`super::generate`].
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationOptions {
    /// Tokens to add at most.
    pub max_new_tokens: usize,
    /// Tokens in all at most, start token and prompt included, in place of `max_new_tokens`: only a
    /// checkpoint's own settings say so.
    pub max_length: Option<usize>,
    /// The stop token is not allowed before the text, start token and prompt included, has this
    /// many tokens.
    pub min_length: usize,
    /// Beams; 1 is no beam search.
    pub num_beams: usize,
    /// Groups that the beams are divided into, by [`Rules::OpenClip`] alone.
    pub num_beam_groups: usize,
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
    /// How many texts are wanted: of a beam search, the best of those that it finished; of sampling, so
    /// many drawn one after the other. None is all of a search, and one otherwise.
    pub num_return_sequences: Option<usize>,
    /// Words that are not written.
    pub bad_words: Vec<String>,
    /// The same as tokens: each run of them is not written.
    pub bad_words_ids: Vec<Vec<u32>>,
    /// Makes drawing reproducible.
    pub seed: Option<u64>,
    /// Whose `generate` is followed: [`GenerationOptions::of`].
    pub rules: Rules,
}

impl Default for GenerationOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 20,
            max_length: None,
            min_length: 0,
            num_beams: 1,
            num_beam_groups: 1,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::default(),
            do_sample: false,
            temperature: 1.0,
            top_k: 50,
            top_p: 1.0,
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            num_return_sequences: None,
            bad_words: Vec::new(),
            bad_words_ids: Vec::new(),
            seed: None,
            rules: Rules::default(),
        }
    }
}

impl GenerationOptions {
    /// The same options by these rules.
    pub fn of(&self, rules: Rules) -> Self {
        let options = self.clone();
        Self { rules, ..options }
    }

    /// Beams that a step follows: those of one group.
    pub fn beams(&self) -> usize {
        self.num_beams / self.num_beam_groups
    }

    /// Whether a search adds up logits.
    pub(super) fn adds_logits(&self) -> bool {
        self.rules == Rules::OpenClip && self.num_beams > 1
    }

    /// Tokens that end a text beside the stop token.
    pub(super) fn also_ends(&self, id: u32) -> bool {
        const FILLING: u32 = 0;
        self.rules == Rules::OpenClip && self.num_beams == 1 && id == FILLING
    }

    /// Whether a text of full length ends with the stop token, whatever the network says.
    pub(super) fn forces_stop(&self) -> bool {
        self.rules == Rules::OpenClip && self.num_beams == 1
    }

    /// Refuses groups where there are none, or of unequal size.
    fn check_groups(&self) -> Result<()> {
        let expected = match self.rules {
            _ if self.num_beam_groups == 1 => return Ok(()),
            Rules::Transformers => "1: the beams of this model are one group".to_string(),
            Rules::OpenClip => {
                let groups = self.num_beam_groups;
                if groups > 0 && self.num_beams.is_multiple_of(groups) && self.num_beams > 1 {
                    return Ok(());
                }
                format!(
                    "a divisor of {}, the beams (open_clip's default is 3), or 1",
                    self.num_beams
                )
            }
        };
        Err(Error::BadInput(format!(
            "numBeamGroups is {}, expected {expected}",
            self.num_beam_groups
        )))
    }

    /// The most texts that are drawn for one call.
    pub const MOST_DRAWN: usize = 1000;

    /// The same with `max_length` turned into tokens to add to a prompt of this length.
    pub fn after(&self, prompt: usize) -> Self {
        let max_new_tokens = match self.max_length {
            Some(length) => length.saturating_sub(prompt).max(1),
            None => self.max_new_tokens,
        };
        Self {
            max_new_tokens,
            max_length: None,
            ..self.clone()
        }
    }

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
        self.check_groups()?;
        if self.do_sample && self.num_beams > 1 {
            return refuse("numBeams", self.num_beams.to_string(), "1 when sampling");
        }
        if let Some(count) = self.num_return_sequences {
            let most = match self.do_sample {
                true => Self::MOST_DRAWN,
                false => self.num_beams,
            };
            if !(1..=most).contains(&count) {
                let expected = match most {
                    1 => "1, or more than one beam, or sampling".to_string(),
                    most if self.do_sample => format!("1 to {most}"),
                    most => format!("1 to {most}, as many as there are beams"),
                };
                return refuse("numReturnSequences", count.to_string(), &expected);
            }
        }
        let empty = |word: &String| word.trim().is_empty();
        if self.bad_words.iter().any(empty) || self.bad_words_ids.iter().any(Vec::is_empty) {
            return refuse("badWords", "with an empty word".into(), "words");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(rules: Rules, num_beams: usize, num_beam_groups: usize) -> Result<()> {
        let options = GenerationOptions {
            num_beams,
            num_beam_groups,
            rules,
            ..GenerationOptions::default()
        };
        options.check()
    }

    #[test]
    fn beams_are_grouped_in_equal_parts_and_by_the_rules_that_have_groups() {
        grouped(Rules::OpenClip, 6, 3).expect("three groups of two");
        grouped(Rules::OpenClip, 1, 1).expect("no search");
        for (rules, beams, groups) in [
            (Rules::OpenClip, 4, 3),
            (Rules::OpenClip, 2, 0),
            (Rules::OpenClip, 2, 4),
            (Rules::Transformers, 6, 3),
        ] {
            let error = grouped(rules, beams, groups).expect_err("refused");
            assert!(error.to_string().starts_with("numBeamGroups"), "{error}");
        }
    }
}
