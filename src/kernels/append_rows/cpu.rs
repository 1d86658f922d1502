//! Appending rows on the CPU. It is its own definition: rows are copied, nothing else.

use crate::kernels::AppendPlace;
use burn_flex::FlexTensor;

/// See [`crate::kernels::append_rows()`].
pub fn append_rows(
    mut cache: FlexTensor,
    keys: FlexTensor,
    values: FlexTensor,
    place: AppendPlace,
) -> FlexTensor {
    let [_, capacity, cache_row]: [usize; 3] = cache.layout().shape().dims();
    let cached = cache.storage_mut::<f32>();
    for (side, tensor) in [keys, values].into_iter().enumerate() {
        let tensor = tensor.to_contiguous();
        let [_, all_tokens, row]: [usize; 3] = tensor.layout().shape().dims();
        let rows: &[f32] = tensor.as_slice().expect("contiguous f32 rows");
        let entries = cached.chunks_exact_mut(capacity * cache_row);
        for (entry, rows) in entries.zip(rows.chunks_exact(all_tokens * row)) {
            let entry = entry.chunks_exact_mut(cache_row).skip(place.at);
            for (to, from) in entry.zip(rows.chunks_exact(row)).take(place.tokens) {
                to[side * place.width..][..place.width]
                    .copy_from_slice(&from[place.starts[side]..][..place.width]);
            }
        }
    }
    cache
}
