//! Row lookup on the CPU. It is its own definition: decode the row, nothing else.

use crate::kernels::{PackedShape, packed::decode};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// See [`crate::kernels::gather_rows()`].
pub fn packed_gather_rows(
    words: FlexTensor,
    indices: FlexTensor,
    shape: PackedShape,
) -> FlexTensor {
    let words: &[i32] = words.as_slice().expect("contiguous words");
    let words = bytemuck::cast_slice(words);
    let indices = indices.to_contiguous();
    let indices: &[i32] = indices.as_slice().expect("contiguous 32-bit indices");
    let mut output = vec![0.0; indices.len() * shape.columns];
    for (index, row) in indices.iter().zip(output.chunks_exact_mut(shape.columns)) {
        let index = usize::try_from(*index).expect("indices are not negative");
        assert!(
            index < shape.rows,
            "row {index} of a table with {} rows",
            shape.rows
        );
        decode(words, shape, index, 0, row);
    }
    FlexTensor::from_data(TensorData::new(output, [indices.len(), shape.columns]))
}
