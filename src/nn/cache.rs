//! The keys and values that a decoder keeps between its calls.

use super::KeysValues;
use crate::kernels::{self, Columns};
use burn::tensor::{Int, Tensor};

/// The least rows that are reserved; more are reserved by doubling.
const ROWS: usize = 32;

/// The keys and values of the tokens so far, of one self-attention layer. There is no copy of one:
/// rows are added in place.
#[derive(Debug, Default)]
pub struct SelfCache(Option<Cached>);

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each layer of a decoder"
)]
enum Cached {
    /// Those of the first tokens, as they were projected: there may be no others.
    First(KeysValues),
    /// `[batch, capacity, 2 * width]`: keys and values side by side, as far as `tokens`.
    Rows { rows: Tensor<3>, tokens: usize },
}

impl SelfCache {
    /// Tokens so far.
    pub fn tokens(&self) -> usize {
        match &self.0 {
            None => 0,
            Some(Cached::First(first)) => first.tokens,
            Some(Cached::Rows { tokens, .. }) => *tokens,
        }
    }

    /// Appends the keys and values of new tokens and returns those of all tokens, for use before the
    /// next ones are appended.
    pub fn append(&mut self, new: KeysValues) -> KeysValues {
        let Some(cached) = self.0.take() else {
            self.0 = Some(Cached::First(new.clone()));
            return new;
        };
        if let (Cached::First(first), false) = (&cached, new.keys.suit()) {
            let all = first.clone().followed_by(new);
            self.0 = Some(Cached::First(all.clone()));
            return all;
        }
        let total = cached.tokens() + new.tokens;
        let width = new.keys.dims()[2];
        let (rows, tokens) = cached.with_room(total);
        let rows = kernels::append_rows(rows, new.keys, new.values, tokens);
        self.0 = Some(Cached::Rows {
            rows: rows.clone(),
            tokens: total,
        });
        KeysValues {
            tokens: total,
            ..halves(rows, width)
        }
    }

    /// Makes batch entry `i` continue what entry `parents[i]` was, of as many as `parents` are.
    pub fn reorder(&mut self, parents: Tensor<1, Int>) {
        let Some(cached) = self.0.take() else {
            return;
        };
        self.0 = Some(match cached {
            Cached::First(first) => Cached::First(KeysValues {
                keys: first.keys.select(parents.clone()),
                values: first.values.select(parents),
                ..first
            }),
            Cached::Rows { rows, tokens } => Cached::Rows {
                rows: rows.select(0, parents),
                tokens,
            },
        });
    }
}

impl Cached {
    fn tokens(&self) -> usize {
        match self {
            Cached::First(first) => first.tokens,
            Cached::Rows { tokens, .. } => *tokens,
        }
    }

    /// The rows, of at least `total` tokens, and how many of them are taken.
    fn with_room(self, total: usize) -> (Tensor<3>, usize) {
        let (first, tokens) = match self {
            Cached::Rows { rows, tokens } if rows.dims()[1] >= total => return (rows, tokens),
            Cached::Rows { rows, tokens } => {
                let width = rows.dims()[2] / 2;
                (halves(rows.narrow(1, 0, tokens), width), tokens)
            }
            Cached::First(first) => {
                let tokens = first.tokens;
                (first, tokens)
            }
        };
        let [batch, _, width] = first.keys.dims();
        let capacity = total.next_power_of_two().max(ROWS);
        let device = first.keys.clone().into_rows().device();
        let rows = Tensor::empty([batch, capacity, 2 * width], &device);
        (
            kernels::append_rows(rows, first.keys, first.values, 0),
            tokens,
        )
    }
}

/// Rows of keys and values side by side.
fn halves(rows: Tensor<3>, width: usize) -> KeysValues {
    let keys = Columns::new(rows.clone(), 0, width);
    KeysValues::new(keys, Columns::new(rows, width, width), None)
}
