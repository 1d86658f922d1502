//! The steps of a decoder. What a step chooses stays on the device for the next one; a device that
//! works ahead is asked for the next one before it is read.

use super::bad_words::BadWords;
use super::{GenerationOptions, NextLogits};
use crate::Result;
use crate::device::{flush, read};
use crate::kernels::{self, Choice, NextTokens, ids_tensor};
use burn::tensor::{Device, Tensor};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// A way to continue one of the texts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Continuation {
    /// Which text.
    pub parent: usize,
    /// Its next token.
    pub id: u32,
    /// The sum of the log-probabilities then, as the processors left them for a search.
    pub sum: f32,
}

/// The steps that continue a prompt: greedily, or by as many beams as the options say.
pub struct Steps<'a, D> {
    decoder: &'a mut D,
    prompt: &'a [u32],
    stop: u32,
    options: &'a GenerationOptions,
    bad_words: BadWords,
    /// Steps that were asked for.
    asked: usize,
    /// Steps that were read.
    read: usize,
    /// What the last step that was asked for chose.
    chosen: Option<NextTokens>,
    /// Whether the texts that go on are known to be the ones before, in the same order.
    stays: bool,
}

impl<'a, D: NextLogits> Steps<'a, D> {
    /// Nothing is asked for yet. Texts end with `stop`.
    pub fn new(
        decoder: &'a mut D,
        prompt: &'a [u32],
        stop: u32,
        options: &'a GenerationOptions,
    ) -> Self {
        Self {
            decoder,
            prompt,
            stop,
            options,
            bad_words: BadWords::new(&options.bad_words_ids, stop),
            asked: 0,
            read: 0,
            chosen: None,
            stays: false,
        }
    }

    /// The best continuations of the next step, best first. `texts` are those that go on.
    pub async fn next(&mut self, texts: &[Vec<u32>]) -> Result<Vec<Continuation>> {
        if self.asked == self.read {
            self.ask(texts);
        }
        let chosen = self.chosen.as_ref().expect("a step was asked for");
        let mut state = pin!(read(chosen.state.clone()));
        let ahead = self.decoder.works_ahead()
            && !self.bad_words.mind_text()
            && self.asked < self.options.max_new_tokens;
        let mut early = Poll::Pending;
        if ahead {
            // Reading is asked for by polling, so that the device copies before it goes on.
            early = poll_fn(|context| Poll::Ready(state.as_mut().poll(context))).await;
            self.ask(texts);
            flush(&self.device())?;
        }
        let state = match early {
            Poll::Ready(state) => state,
            Poll::Pending => state.await,
        }?;
        self.read += 1;
        let kept = state[self.options.beams()..].chunks_exact(3);
        let continuation = |numbers: &[f32]| Continuation {
            parent: numbers[0] as usize,
            id: numbers[1] as u32,
            sum: numbers[2],
        };
        Ok(kept.map(continuation).collect())
    }

    /// Tells which texts of the last step go on, as the device knows already: if they are the same as
    /// before and the next step was not asked for yet, it has nothing to move.
    pub fn continue_from(&mut self, parents: impl ExactSizeIterator<Item = usize>) {
        let same = parents.len() == self.texts() && parents.eq(0..self.texts());
        self.stays = same && self.asked == self.read;
    }

    /// Where the last step was asked for.
    fn device(&self) -> Device {
        let chosen = self.chosen.as_ref().expect("a step was asked for");
        chosen.ids.device()
    }

    /// Texts of the last step that was read.
    fn texts(&self) -> usize {
        match self.read {
            ..=1 => 1,
            _ => self.options.beams(),
        }
    }

    /// Has the device take the next step. `texts` are those that go on, as far as bad words mind them.
    pub fn ask(&mut self, texts: &[Vec<u32>]) {
        let choice = Choice {
            beams: self.options.beams(),
            stop: self.stop,
            may_stop: self.prompt.len() + self.asked >= self.options.min_length,
            repetition_penalty: self.options.repetition_penalty,
            no_repeat_ngram_size: self.options.no_repeat_ngram_size,
        };
        let (logits, watched, sums) = match self.chosen.take() {
            None => {
                let logits = self.decoder.start(self.prompt);
                let device = logits.device();
                let watched = watched_ids(self.prompt, choice);
                let count = watched.len();
                let watched = ids_tensor(watched, &device).reshape([1, count]);
                (logits, watched, Tensor::zeros([1], &device))
            }
            Some(chosen) => {
                if self.options.beams() > 1 && !self.stays {
                    self.decoder.reorder(chosen.parents);
                }
                (
                    self.decoder.follow(chosen.ids),
                    chosen.watched,
                    chosen.state,
                )
            }
        };
        let top = candidates(choice.kept(), watched.dims()[1], logits.dims()[1]);
        let best = (self.bad_words).top_logits(logits, watched.clone(), top, texts);
        let best = match self.options.adds_logits() {
            true => without_log_sum(best),
            false => best,
        };
        self.chosen = Some(kernels::next_tokens(best, watched, sums, choice));
        self.asked += 1;
        self.stays = false;
    }
}

/// Rows of [`kernels::top_logits`] that take logits for log-probabilities: the number that would be
/// subtracted, their last, is 0.
fn without_log_sum(best: Tensor<2>) -> Tensor<2> {
    let [texts, numbers] = best.dims();
    let last = Tensor::zeros([texts, 1], &best.device());
    Tensor::cat(vec![best.narrow(1, 0, numbers - 1), last], 1)
}

/// The tokens whose scores the processors change, the stop token first.
pub fn watched_ids(text: &[u32], choice: Choice) -> Vec<i32> {
    let text = if choice.minds_text() { text } else { &[] };
    let ids = [choice.stop].into_iter().chain(text.iter().copied());
    ids.map(|id| id as i32).collect()
}

/// How many of the largest logits hold the `count` best tokens: each watched one may fall out of them.
pub fn candidates(count: usize, watched: usize, vocabulary: usize) -> usize {
    (count + watched).min(vocabulary)
}
