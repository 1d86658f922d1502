//! Words that must not be written: `bad_words_ids` of the reference (`NoBadWordsLogitsProcessor`).

use crate::kernels;
use burn::tensor::{Int, Tensor, TensorData};

/// What a forbidden token's logit is lowered by. Finite, since GPUs need not know infinity.
const PENALTY: f32 = -1e30;

/// Runs of tokens that must not come.
#[derive(Debug, Clone, Default)]
pub struct BadWords {
    /// Tokens that are words by themselves.
    tokens: Vec<u32>,
    /// Longer runs, of which the last token is forbidden behind the others.
    runs: Vec<Vec<u32>>,
}

impl BadWords {
    /// As the reference, a text may always end: the stop token alone is no bad word.
    pub fn new(words: &[Vec<u32>], stop: u32) -> Self {
        let words = words.iter().filter(|word| **word != [stop]);
        let (single, runs): (Vec<_>, Vec<_>) = words.cloned().partition(|word| word.len() == 1);
        Self {
            tokens: single.concat(),
            runs,
        }
    }

    /// Whether what is forbidden hangs on the text before.
    pub fn mind_text(&self) -> bool {
        !self.runs.is_empty()
    }

    /// What must not follow a text.
    fn after<'a>(&'a self, text: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
        let completes = |run: &&Vec<u32>| {
            // The reference looks at runs that are no longer than the text.
            run.len() <= text.len() && text.ends_with(&run[..run.len() - 1])
        };
        let last = |run: &Vec<u32>| run[run.len() - 1];
        let completed = self.runs.iter().filter(completes).map(last);
        self.tokens.iter().copied().chain(completed)
    }

    /// [`kernels::top_logits()`] among the tokens that may follow `texts`, one for each row of
    /// `logits`, `[texts, vocabulary]`. Log-probabilities stay those among all tokens, as in the reference,
    /// which forbids tokens after it has computed them.
    pub fn top_logits(
        &self,
        logits: Tensor<2>,
        watched: Tensor<2, Int>,
        top: usize,
        texts: &[Vec<u32>],
    ) -> Tensor<2> {
        if self.tokens.is_empty() && self.runs.is_empty() {
            return kernels::top_logits(logits, watched, top);
        }
        let [rows, vocabulary] = logits.dims();
        let among_all = kernels::top_logits(logits.clone(), watched.clone(), 1);
        let mut penalties = vec![0.0; rows * vocabulary];
        for (row, penalties) in penalties.chunks_exact_mut(vocabulary).enumerate() {
            let text = texts.get(row).map_or(&[][..], Vec::as_slice); // rows beyond are no texts
            for token in self.after(text).map(|token| token as usize) {
                if let Some(penalty) = penalties.get_mut(token) {
                    *penalty = PENALTY;
                }
            }
        }
        let penalties = TensorData::new(penalties, [rows, vocabulary]);
        let penalties = Tensor::from_data(penalties, &logits.device());
        let best = kernels::top_logits(logits + penalties, watched, top);
        // The last number of a row is what its log-probabilities are relative to.
        let (of_all, of_best) = (among_all.dims()[1], best.dims()[1]);
        let relative_to = among_all.slice([0..rows, of_all - 1..of_all]);
        best.slice_assign([0..rows, of_best - 1..of_best], relative_to)
    }
}

#[cfg(test)]
mod tests {
    use super::BadWords;

    #[test]
    fn a_longer_word_forbids_its_last_token_behind_the_others_alone() {
        let words = BadWords::new(&[vec![4], vec![7, 8], vec![1, 2, 3], vec![9]], 9);
        let after = |text: &[u32]| words.after(text).collect::<Vec<_>>();
        assert_eq!(after(&[]), [4], "9 ends a text, and may");
        assert_eq!(after(&[5, 7]), [4, 8]);
        assert_eq!(after(&[7, 5]), [4]);
        assert_eq!(after(&[0, 1, 2]), [4, 3]);
        assert_eq!(after(&[1, 2]), [4], "no longer run than the text");
        assert!(words.mind_text() && !BadWords::new(&[vec![4]], 9).mind_text());
    }
}
