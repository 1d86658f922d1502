//! The tokens that continue texts, chosen where the logits are: greedily, or by a step of a beam
//! search. What is chosen stays on the device for the next step, and a copy of it is all that is read
//! back.

pub mod cpu;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;
pub mod naive;

use burn::tensor::{Int, Tensor};

/// How tokens are chosen, with the reference's logits processors applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Texts that go on. One is continued greedily: by the largest logit, whatever token that is. More
    /// are the beams of a search: by the sum of log-probabilities, and a text that stops does not go on.
    pub beams: usize,
    /// The token that ends a text.
    pub stop: u32,
    /// Whether a text may end here.
    pub may_stop: bool,
    /// What scores of tokens that a text has are divided (if positive) or multiplied by.
    pub repetition_penalty: f32,
    /// No run of so many tokens comes twice in a text; 0 allows all.
    pub no_repeat_ngram_size: usize,
}

impl Choice {
    /// The most beams.
    pub const MOST_BEAMS: usize = 32;

    /// How many continuations of all texts are looked at: of a search's, as the reference does it, so
    /// many that enough go on even if each beam may stop.
    pub fn kept(self) -> usize {
        match self.beams {
            1 => 1,
            beams => 2 * beams,
        }
    }

    /// Whether it matters which tokens a text has.
    pub fn minds_text(self) -> bool {
        self.repetition_penalty != 1.0 || self.no_repeat_ngram_size > 0
    }
}

/// What [`crate::kernels::next_tokens()`] chose.
#[derive(Debug, Clone)]
pub struct NextTokens {
    /// `[beams + 3 * kept]`: the sums of the log-probabilities of the texts that go on; then the best
    /// continuations, best first: the text that each continues, its token, and its sum. A sum of
    /// `f32::MIN` says that there is none.
    pub state: Tensor<1>,
    /// For each text that goes on, the one that it continues: `[beams]`.
    pub parents: Tensor<1, Int>,
    /// Their new tokens: `[beams]`.
    pub ids: Tensor<1, Int>,
    /// The tokens whose logits the next choice has to know: `[beams, watched]`.
    pub watched: Tensor<2, Int>,
}
