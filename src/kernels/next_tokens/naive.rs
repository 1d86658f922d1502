//! What `next_tokens` computes, text by text.

use super::Choice;

/// A possible next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The token.
    pub id: u32,
    /// What candidates of a text are ordered by, after the processors: a logit, or a search's
    /// log-probability.
    pub score: f32,
    /// Its log-probability by the model alone.
    pub log_probability: f32,
}

/// The `count` best candidates, best first, out of a row of [`crate::kernels::top_logits()`] for
/// these `watched` ids: the stop token, and all of the text in its order if the choice minds it.
pub fn best_candidates(
    row: &[f32],
    watched: &[i32],
    count: usize,
    choice: Choice,
) -> Vec<Candidate> {
    let top = (row.len() - watched.len() - 1) / 2;
    let log_sum_exp = row[row.len() - 1];
    let (largest, rest) = row.split_at(top);
    let (indices, logits_of_watched) = rest.split_at(top);
    let (stop, text) = watched
        .split_first()
        .expect("the stop token is watched, at least");
    let largest = indices.iter().map(|index| *index as i32).zip(largest);
    // Those of the text count with their penalty, and no second time without it.
    let others = largest
        .chain([(*stop, &logits_of_watched[0])])
        .filter(|(id, _)| !text.contains(id))
        .map(|(id, logit)| (id, *logit, 1.0));
    let repeated = text.iter().zip(&logits_of_watched[1..]);
    let repeated = repeated.map(|(id, logit)| (*id, *logit, choice.repetition_penalty));
    let mut candidates: Vec<Candidate> = others
        .chain(repeated)
        .filter(|(id, ..)| choice.may_stop || *id as u32 != choice.stop)
        .filter(|(id, ..)| !completes_repetition(text, *id, choice.no_repeat_ngram_size))
        .map(|(id, logit, penalty)| {
            let log_probability = logit - log_sum_exp;
            let score = match choice.beams {
                1 => logit,
                _ => log_probability,
            };
            Candidate {
                id: id as u32,
                score: match score < 0.0 {
                    true => score * penalty,
                    false => score / penalty,
                },
                log_probability,
            }
        })
        .collect();
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    candidates.dedup_by_key(|candidate| candidate.id);
    candidates.truncate(count);
    candidates
}

/// Whether `text` has the `size` tokens already that would be its last ones with `id` behind it. None
/// are if `size` is 0.
fn completes_repetition(text: &[i32], id: i32, size: usize) -> bool {
    if size == 0 || text.len() < size {
        return false;
    }
    let end = &text[text.len() + 1 - size..];
    let mut runs = text.windows(size);
    runs.any(|run| run[..size - 1] == *end && run[size - 1] == id)
}

/// The fields of [`super::NextTokens`].
#[derive(Debug, PartialEq)]
pub struct Chosen {
    pub state: Vec<f32>,
    pub parents: Vec<i32>,
    pub ids: Vec<i32>,
    pub watched: Vec<i32>,
}

/// See [`crate::kernels::next_tokens()`]; `rows` and `watched` are those of one text after another.
pub fn next_tokens<'a>(
    rows: impl Iterator<Item = &'a [f32]>,
    watched: &[i32],
    sums: &[f32],
    choice: Choice,
) -> Chosen {
    let Choice { beams, stop, .. } = choice;
    let rows: Vec<&[f32]> = rows.collect();
    let watched: Vec<&[i32]> = watched.chunks_exact(watched.len() / rows.len()).collect();
    let mut best: Vec<(usize, i32, f32)> = Vec::new();
    for (text, (row, watched)) in rows.iter().zip(&watched).enumerate() {
        for candidate in best_candidates(row, watched, choice.kept(), choice) {
            let added = match beams {
                1 => candidate.log_probability,
                _ => candidate.score,
            };
            best.push((text, candidate.id as i32, sums[text] + added));
        }
    }
    best.sort_by(|(.., a), (.., b)| b.total_cmp(a));
    best.resize(choice.kept(), (0, 0, f32::MIN));
    let goes_on =
        |(_, id, sum): &&(usize, i32, f32)| beams == 1 || *id as u32 != stop || *sum == f32::MIN;
    let running: Vec<_> = best.iter().filter(goes_on).take(beams).collect();
    let numbers = |(parent, id, sum): &(usize, i32, f32)| [*parent as f32, *id as f32, *sum];
    Chosen {
        state: (running.iter().map(|(.., sum)| *sum))
            .chain(best.iter().flat_map(numbers))
            .collect(),
        parents: running.iter().map(|(parent, ..)| *parent as i32).collect(),
        ids: running.iter().map(|(_, id, _)| *id).collect(),
        watched: match choice.minds_text() {
            true => (running.iter())
                .flat_map(|(parent, id, _)| watched[*parent].iter().chain([id]))
                .copied()
                .collect(),
            false => vec![stop as i32; beams],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::completes_repetition;

    #[test]
    fn only_the_token_that_ends_an_earlier_run_completes_a_repetition() {
        let text = [7, 1, 2, 3, 7, 1];
        let forbidden = |size| -> Vec<i32> {
            let ids = 0..9;
            ids.filter(|id| completes_repetition(&text, *id, size))
                .collect()
        };
        assert!(forbidden(0).is_empty());
        assert_eq!(forbidden(1), [1, 2, 3, 7]);
        assert_eq!(forbidden(2), [2], "1 was followed by 2");
        assert_eq!(forbidden(3), [2], "7 1 was followed by 2");
        assert!(forbidden(4).is_empty(), "3 7 1 comes once");
        assert!(forbidden(7).is_empty(), "longer than the text");
    }
}
