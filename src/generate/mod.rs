//! From logits to a text: greedy, beam search and sampling, as `generate` of the `transformers`
//! package does them, or that of open_clip's CoCa ([`Rules`]). This folder sees a model only through [`NextLogits`].

mod bad_words;
mod beam;
mod options;
mod sequence;
mod settings;
mod steps;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

pub use options::{EarlyStopping, GenerationOptions, Rules};
pub use settings::GenerationSettings;
pub use steps::Steps;

use crate::Result;
use burn::tensor::{Int, Tensor};

/// A decoder that keeps what it has read.
pub trait NextLogits {
    /// Forgets what it has read, reads a prompt and gives the logits after it: `[1, vocabulary]`.
    fn start(&mut self, prompt: &[u32]) -> Tensor<2>;

    /// Reads one more token of each text, `[texts]`, and gives the logits after it: `[texts,
    /// vocabulary]`.
    fn follow(&mut self, ids: Tensor<1, Int>) -> Tensor<2>;

    /// Makes text `i` continue what text `parents[i]` was, of as many as `parents` are.
    fn reorder(&mut self, parents: Tensor<1, Int>);

    /// Whether the logits are computed after they were given, so that more can be asked for meanwhile.
    fn works_ahead(&self) -> bool;
}

/// A generated text.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The prompt and the generated tokens, the stop token last where it was reached.
    pub ids: Vec<u32>,
    /// Beam search: the sum of log-probabilities (of logits, by [`Rules::OpenClip`]) over `length ^
    /// length_penalty`. Else the mean log-probability of the generated tokens.
    pub score: f32,
}

/// Continues `prompt` until `stop` or the limit: one text; those that a beam search finished, best
/// first and at most one for each beam; or those that were drawn. No more than were asked for. `on_token` is called with each token once it is
/// final, and with none after each step of a beam search, in which no token is final before the
/// end; then with those of the best text. Its error ends the generation.
pub async fn generate(
    decoder: &mut impl NextLogits,
    prompt: &[u32],
    stop: u32,
    options: &GenerationOptions,
    mut on_token: impl AsyncFnMut(Option<u32>) -> Result<()>,
) -> Result<Vec<Generated>> {
    options.check()?;
    assert!(
        !prompt.is_empty(),
        "a prompt holds at least the start token"
    );
    if options.beams() == 1 {
        return sequence::generate(decoder, prompt, stop, options, on_token).await;
    }
    let mut finished = beam::generate(decoder, prompt, stop, options, &mut on_token).await?;
    finished.truncate(options.num_return_sequences.unwrap_or(options.num_beams));
    for id in &finished[0].ids[prompt.len()..] {
        on_token(Some(*id)).await?;
    }
    Ok(finished)
}
