//! Texts whose tokens see only those before them, as a tree: what a network makes of a token depends on
//! the tokens up to it alone, so texts that begin alike share it. Labels in one template do, and many labels
//! with one another.
//!
//! Each token of the tree is a row, and layers take all rows as one matrix: texts of different lengths
//! need no padding.

use super::{KeysValues, attend};
use crate::kernels::{Columns, ids_tensor};
use burn::tensor::{Device, Int, Tensor};
use std::collections::BTreeMap;

/// Some texts and what their tokens see.
#[derive(Debug)]
pub struct TokenTree {
    ids: Vec<u32>,
    positions: Tensor<1, Int>,
    every: Asking,
    last: Asking,
    places: Tensor<1, Int>,
}

/// Rows that attend to what is before them in their texts.
#[derive(Debug)]
pub struct Asking {
    /// Which they are; all, one after the other, if there is none.
    rows: Option<Tensor<1, Int>>,
    groups: Vec<Group>,
}

/// Texts that ask with equally many tokens, their last ones, and see equally many.
#[derive(Debug)]
struct Group {
    texts: usize,
    asking: usize,
    seen: usize,
    /// Rows of what they see: `[texts * seen]`.
    context: Tensor<1, Int>,
}

/// A text in the making: its tokens' places in the tree, of which the last ones are its own.
struct Branch {
    path: Vec<usize>,
    own: usize,
}

/// How many tokens two texts begin alike with.
pub fn common(left: &[u32], right: &[u32]) -> usize {
    let pairs = left.iter().zip(right);
    pairs.take_while(|(left, right)| left == right).count()
}

impl TokenTree {
    /// Of texts of at least one token each, in any order.
    pub fn new(texts: &[&[u32]], device: &Device) -> Self {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|text| texts[*text]);
        let (mut branches, mut tokens) = (Vec::new(), Vec::new());
        let (mut before, mut path): (&[u32], Vec<usize>) = (&[], Vec::new());
        for text in &order {
            let shared = common(before, texts[*text]);
            path.truncate(shared);
            for (position, id) in texts[*text].iter().enumerate().skip(shared) {
                path.push(tokens.len());
                tokens.push((*id, position));
            }
            branches.push(Branch {
                path: path.clone(),
                own: path.len() - shared,
            });
            before = texts[*text];
        }
        Self::arrange(&order, &tokens, &branches, device)
    }

    /// Gives the tokens rows, so that those of a group lie one after the other.
    fn arrange(
        order: &[usize],
        tokens: &[(u32, usize)],
        branches: &[Branch],
        device: &Device,
    ) -> Self {
        let mut alike: BTreeMap<[usize; 2], Vec<&Branch>> = BTreeMap::new();
        for branch in branches.iter().filter(|branch| branch.own > 0) {
            let key = [branch.own, branch.path.len()];
            alike.entry(key).or_default().push(branch);
        }
        let mut rows = vec![0; tokens.len()];
        let (mut ids, mut positions) = (Vec::new(), Vec::new());
        for branch in alike.values().flatten() {
            for token in &branch.path[branch.path.len() - branch.own..] {
                rows[*token] = ids.len();
                ids.push(tokens[*token].0);
                positions.push(tokens[*token].1 as i32);
            }
        }
        let every = alike
            .iter()
            .map(|([own, _], branches)| Group::new(*own, branches, &rows, device));
        let every = Asking {
            rows: None,
            groups: every.collect(),
        };
        let (last, places) = Self::ends(order, branches, &rows, device);
        Self {
            ids,
            positions: ids_tensor(positions, device),
            every,
            last,
            places,
        }
    }

    /// The last token of each text, and the place of each text among them.
    fn ends(
        order: &[usize],
        branches: &[Branch],
        rows: &[usize],
        device: &Device,
    ) -> (Asking, Tensor<1, Int>) {
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, branch) in branches.iter().enumerate() {
            by_length.entry(branch.path.len()).or_default().push(place);
        }
        let mut places = vec![0; order.len()];
        for (place, branch) in by_length.values().flatten().enumerate() {
            places[order[*branch]] = place as i32;
        }
        let last = by_length.values().flatten().map(|branch| {
            let path = &branches[*branch].path;
            rows[path[path.len() - 1]] as i32
        });
        let last = ids_tensor(last, device);
        let groups = by_length.values().map(|places| {
            let branches: Vec<&Branch> = places.iter().map(|place| &branches[*place]).collect();
            Group::new(1, &branches, rows, device)
        });
        let asking = Asking {
            rows: Some(last),
            groups: groups.collect(),
        };
        (asking, ids_tensor(places, device))
    }

    /// The token of each row: `[rows]`.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Its place in its texts: `[rows]`.
    pub fn positions(&self) -> Tensor<1, Int> {
        self.positions.clone()
    }

    /// All rows.
    pub fn every(&self) -> &Asking {
        &self.every
    }

    /// The last token of each text: all that a last layer need compute.
    pub fn last(&self) -> &Asking {
        &self.last
    }

    /// What was computed for [`Self::last`], `[1, texts, width]`, in the order of the texts: `[texts,
    /// width]`.
    pub fn in_order(&self, last: Tensor<3>) -> Tensor<2> {
        last.flatten::<2>(0, 1).select(0, self.places.clone())
    }
}

impl Group {
    fn new(asking: usize, branches: &[&Branch], rows: &[usize], device: &Device) -> Self {
        let context = branches.iter().flat_map(|branch| &branch.path);
        Self {
            texts: branches.len(),
            asking,
            seen: branches[0].path.len(),
            context: ids_tensor(context.map(|token| rows[*token] as i32), device),
        }
    }
}

impl Asking {
    /// Those of all rows that ask: `[1, rows, width]` to `[1, asking rows, width]`.
    pub fn of(&self, all: Tensor<3>) -> Tensor<3> {
        match &self.rows {
            None => all,
            Some(rows) => all
                .flatten::<2>(0, 1)
                .select(0, rows.clone())
                .unsqueeze::<3>(),
        }
    }

    /// [`attend`] with queries, keys and values of all rows, `[1, rows, width]` each: `[1, asking rows,
    /// width]`.
    pub fn attend(&self, [queries, keys, values]: [Columns; 3], heads: usize) -> Tensor<3> {
        let queries = self.of(queries.into_tensor()).flatten::<2>(0, 1);
        let width = queries.dims()[1];
        let context = Tensor::cat(vec![keys.into_tensor(), values.into_tensor()], 2);
        let context = context.flatten::<2>(0, 1); // [rows, 2 * width]
        let mut start = 0;
        let attended = self.groups.iter().map(|group| {
            let count = group.texts * group.asking;
            let queries = queries.clone().narrow(0, start, count);
            start += count;
            let queries = queries.reshape([group.texts, group.asking, width]);
            let seen = context.clone().select(0, group.context.clone());
            let seen = seen.reshape([group.texts, group.seen, 2 * width]);
            let [keys, values] = [0, width].map(|start| Columns::new(seen.clone(), start, width));
            let context = KeysValues::new(keys, values, None);
            attend(queries.into(), context, heads, true).reshape([count, width])
        });
        Tensor::cat(attended.collect(), 0).unsqueeze::<3>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(texts: &[&[u32]]) -> TokenTree {
        TokenTree::new(texts, &Device::flex())
    }

    fn numbers(tensor: Tensor<1, Int>) -> Vec<i32> {
        tensor.into_data().try_to_vec().expect("32-bit integers")
    }

    /// What the last row of each text sees, as ids.
    fn seen(tree: &TokenTree) -> Vec<Vec<u32>> {
        let groups = tree.last.groups.iter().flat_map(|group| {
            let rows = numbers(group.context.clone());
            let ids = rows.chunks(group.seen).map(|rows| {
                rows.iter()
                    .map(|row| tree.ids[*row as usize])
                    .collect::<Vec<_>>()
            });
            ids.collect::<Vec<_>>()
        });
        let groups: Vec<Vec<u32>> = groups.collect();
        let places = numbers(tree.places.clone());
        places
            .iter()
            .map(|place| groups[*place as usize].clone())
            .collect()
    }

    #[test]
    fn texts_that_begin_alike_share_rows_and_see_their_own_tokens() {
        let cases: [(&[&[u32]], usize); 6] = [
            (&[&[1, 2, 3]], 3),
            (&[&[1, 2, 3], &[1, 2, 3], &[1, 2, 3]], 3),
            (&[&[1, 2, 3], &[1, 2, 4, 5], &[1, 2, 3, 6]], 6),
            (&[&[1, 2, 3, 4], &[1, 2], &[1, 2, 3]], 4),
            (&[&[7, 2], &[1, 2]], 4),
            (&[&[5], &[4], &[5]], 2),
        ];
        for (texts, rows) in cases {
            let tree = tree(texts);
            assert_eq!(tree.ids().len(), rows, "{texts:?}");
            assert_eq!(seen(&tree), texts, "{texts:?}");
        }
    }

    #[test]
    fn every_row_asks_once_with_what_is_before_it() {
        let texts: [&[u32]; 4] = [&[1, 2, 3], &[1, 2, 4, 5], &[1, 6], &[1, 2, 3, 7]];
        let tree = tree(&texts);
        let positions = numbers(tree.positions());
        let mut row = 0;
        for group in &tree.every.groups {
            let context = numbers(group.context.clone());
            for path in context.chunks(group.seen) {
                let asking = path.iter().enumerate().skip(group.seen - group.asking);
                for (position, place) in asking {
                    assert_eq!(*place, row);
                    assert_eq!(positions[row as usize], position as i32);
                    row += 1;
                }
            }
        }
        assert_eq!(row as usize, tree.ids().len());
    }
}
