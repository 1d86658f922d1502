//! Attention on the CPU, a head at a time and a few queries at a time: their scores with all keys
//! fit the first-level cache, so the matrix of all scores never exists.

mod head;
mod rows;
mod tiles;

use crate::kernels::AttentionShape;
use crate::kernels::simd::{Output, for_each, thread_count};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;
use head::{Head, Rows};

/// Up to here, dot products beat filling the register tile with padding.
const FEW_ROWS: usize = 3;

/// See [`crate::kernels::attention()`].
pub fn attention(
    queries: FlexTensor,
    keys: FlexTensor,
    values: FlexTensor,
    shape: AttentionShape,
) -> FlexTensor {
    let [batch, count, _]: [usize; 3] = queries.layout().shape().dims();
    let AttentionShape { heads, width, .. } = shape;
    let operands = [queries, keys, values].map(|tensor| tensor.to_contiguous());
    let rows = |operand: usize, entry: usize, head: usize, count: usize| -> Rows<'_> {
        let tensor = &operands[operand];
        let [_, all, stride]: [usize; 3] = tensor.layout().shape().dims();
        let values: &[f32] = tensor.as_slice().expect("contiguous f32 operands");
        let start = entry * all * stride + shape.starts[operand] + head * width;
        Rows {
            values: &values[start..],
            stride,
            count,
            width,
        }
    };
    let mut values = vec![0.0; batch * count * heads * width];
    let output = Output::new(&mut values, heads * width);
    let head = |entry: usize, head: usize| Head {
        queries: rows(0, entry, head, count),
        keys: rows(1, entry, head, shape.context),
        values: rows(2, entry, head, shape.context),
        causal: shape.causal,
        row: entry * count,
        column: head * width,
    };
    // All entries at once: they may be many and small.
    if count <= FEW_ROWS {
        // As many heads in one task as leave one for each thread.
        let together = heads.div_ceil(thread_count().div_ceil(batch));
        let tasks = heads.div_ceil(together);
        let attend = |task: usize| {
            let those = (task % tasks * together..heads).take(together);
            let all: Vec<Head> = those.map(|index| head(task / tasks, index)).collect();
            rows::attend(&all, &output);
        };
        for_each(batch * tasks, || (), |(), task| attend(task));
    } else {
        for_each(batch * heads, tiles::Scratch::default, |scratch, index| {
            tiles::attend(&head(index / heads, index % heads), scratch, &output);
        });
    }
    FlexTensor::from_data(TensorData::new(values, [batch, count, heads * width]))
}
