//! Every kernel against its naive definition: shapes around each tile's edges, all formats and
//! epilogues. The same checks run natively and in a browser, on both devices.

use burn::tensor::{Int, Tensor, TensorData};
use obscura::device::Placement;
use obscura::kernels::adapter::{Adapter, pretend};
use obscura::kernels::{
    self, Activation, Choice, Columns, PackedFormat, PackedMatrix, PackedShape, Precision,
};

const FORMATS: [PackedFormat; 4] = [
    PackedFormat::F32,
    PackedFormat::F16,
    PackedFormat::Q8,
    PackedFormat::Q4,
];
const ACTIVATIONS: [Activation; 4] = [
    Activation::None,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::QuickGelu,
];

/// (rows of the input, inputs, outputs): odd ones, edges of tiles and blocks, sizes of real models.
const SHAPES: [(usize, usize, usize); 34] = [
    (1, 1, 1),
    (1, 3, 2),
    (2, 4, 3),
    (3, 7, 31),
    (4, 31, 8),
    (5, 32, 33),
    (6, 33, 16),
    (7, 64, 17),
    (8, 96, 4),
    (31, 32, 7),
    (33, 160, 65),
    (1, 768, 768),
    (2, 256, 50),
    (3, 320, 100),
    (4, 288, 66),
    (50, 257, 15),
    (50, 768, 64),
    (197, 64, 48),
    (577, 32, 24),
    (1, 3072, 33),
    (9, 3072, 40),
    (1, 64, 3001),
    (1, 31, 197),
    (2, 383, 31),
    (2, 800, 4),
    (3, 385, 50),
    (3, 96, 577),
    (4, 384, 33),
    (7, 3072, 8),
    (8, 1, 768),
    (31, 416, 2),
    (50, 33, 197),
    (197, 7, 31),
    (577, 3, 4),
];

/// Around the edges of the CPU's tiles, panels and strips, in rows, inputs and outputs; of these so many
/// that a sum which cancels out does not decide about the whole.
#[cfg(not(target_arch = "wasm32"))]
const EDGES: [&[usize]; 3] = [
    &[1, 2, 3, 4, 6, 7, 8, 31, 33],
    &[1, 2, 31, 32, 64, 383, 384, 416, 768],
    &[15, 16, 17, 31, 33, 63, 64, 65],
];

/// Numbers that look random and are the same everywhere.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], placement: &Placement) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &placement.device)
}

async fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data_async()
        .await
        .expect("a result")
        .try_to_vec()
        .expect("f32 values")
}

async fn words(matrix: &PackedMatrix) -> Vec<u32> {
    let words: Tensor<1, Int> = matrix.words();
    let words: Vec<i32> = words
        .into_data_async()
        .await
        .expect("words")
        .try_to_vec()
        .expect("i32");
    words.into_iter().map(|word| word as u32).collect()
}

/// Linear layers, with and without bias.
pub async fn check_linear(placement: &Placement) {
    check_linear_formats(placement, &FORMATS, Precision::Exact).await;
}

async fn check_linear_formats(
    placement: &Placement,
    formats: &[PackedFormat],
    precision: Precision,
) {
    for (rows, inputs, outputs) in SHAPES {
        for format in formats.iter().copied() {
            if PackedShape::fits(format, inputs) {
                let shape = PackedShape {
                    rows: outputs,
                    columns: inputs,
                    format,
                };
                check_linear_shape(placement, rows, shape, precision).await;
            }
        }
    }
}

/// Linear layers with inputs of 8 bits, by each way in which this machine multiplies bytes.
pub async fn check_linear_fast(placement: &Placement) {
    for is_pretended in [false, true] {
        kernels::linear::pretend_pairs(is_pretended);
        let formats = [PackedFormat::Q8, PackedFormat::Q4];
        check_linear_formats(placement, &formats, Precision::Fast).await;
        #[cfg(not(target_arch = "wasm32"))]
        check_edges(placement, &formats, Precision::Fast).await;
    }
    kernels::linear::pretend_pairs(false);
}

/// Linear layers of every combination of [`EDGES`].
#[cfg(not(target_arch = "wasm32"))]
pub async fn check_linear_edges(placement: &Placement) {
    check_edges(placement, &FORMATS, Precision::Exact).await;
}

#[cfg(not(target_arch = "wasm32"))]
async fn check_edges(placement: &Placement, formats: &[PackedFormat], precision: Precision) {
    let [all_rows, all_inputs, all_outputs] = EDGES;
    for format in formats.iter().copied() {
        for columns in all_inputs.iter().copied() {
            for outputs in all_outputs.iter().copied() {
                let shape = PackedShape {
                    rows: outputs,
                    columns,
                    format,
                };
                for rows in all_rows.iter().copied() {
                    if PackedShape::fits(format, columns) {
                        check_linear_shape(placement, rows, shape, precision).await;
                    }
                }
            }
        }
    }
}

async fn check_linear_shape(
    placement: &Placement,
    rows: usize,
    shape: PackedShape,
    precision: Precision,
) {
    let seed = (rows * 31 + shape.columns * 7 + shape.rows) as u32;
    let input = noise(rows * shape.columns, seed);
    let weight = noise(shape.rows * shape.columns, seed + 1);
    let bias = noise(shape.rows, seed + 2);
    let matrix = PackedMatrix::from_f32(&weight, shape, &placement.device);
    let matrix = matrix.with_precision(precision);
    let words = words(&matrix).await;
    // All epilogues with a few shapes, one with each other: compiling is most of the test's time.
    let all = rows == 5 || shape.columns == 256;
    for (index, activation) in ACTIVATIONS.into_iter().enumerate() {
        if !all && index != seed as usize % ACTIVATIONS.len() {
            continue;
        }
        let with_bias = index != 1;
        let bias = with_bias.then_some(bias.as_slice());
        let expect = |input: &[f32]| {
            kernels::linear::naive::packed_linear(input, &words, bias, shape, activation)
        };
        let mut expected = expect(&input);
        if let Some(levels) = rounds_to_bytes(placement, rows, shape, precision) {
            let bytes = kernels::linear::naive::rounded_to_bytes(&input, levels);
            let rounded = expect(&bytes);
            // What lies between two levels is off by a twelfth of its square, the inputs' own is a third.
            let bound = 2.0 / f64::from(levels);
            compare("what rounding to bytes changes", &rounded, &expected, bound);
            expected = rounded;
        } else if rounds_to_shorts(placement, shape) {
            let shorts = kernels::linear::naive::rounded_to_shorts(&input, shape.columns);
            let rounded = expect(&shorts);
            compare("what rounding changes", &rounded, &expected, 4e-5);
            expected = rounded;
        }
        let device_input = tensor(input.clone(), [rows, shape.columns], placement);
        let device_bias = bias.map(|bias| tensor(bias.to_vec(), [shape.rows], placement));
        let residual = (index != 0).then(|| noise(rows * shape.rows, seed + 3));
        let found = to_vec(kernels::linear(
            device_input,
            &matrix,
            device_bias,
            activation,
            residual
                .clone()
                .map(|residual| tensor(residual, [rows, shape.rows], placement)),
        ))
        .await;
        let what = format!("{rows} rows, {shape:?}, {activation:?}, bias {with_bias}");
        let added = residual.unwrap_or_else(|| vec![0.0; expected.len()]);
        let expected: Vec<f32> = expected.iter().zip(added).map(|(a, b)| a + b).collect();
        compare(&what, &found, &expected, 2e-6);
    }
}

/// Whether the input of this layer is rounded: by the CPU, which multiplies weights in quantized blocks
/// as integers.
fn rounds_to_shorts(placement: &Placement, shape: PackedShape) -> bool {
    let quantized = matches!(shape.format, PackedFormat::Q8 | PackedFormat::Q4);
    placement.name == "cpu" && quantized
}

/// Whether it is rounded to bytes, and to how many levels.
fn rounds_to_bytes(
    placement: &Placement,
    rows: usize,
    shape: PackedShape,
    precision: Precision,
) -> Option<u8> {
    let is_fast = precision == Precision::Fast && placement.name == "cpu";
    let levels = kernels::linear::fast_levels(shape.format);
    levels.filter(|_| is_fast && rows >= kernels::linear::FAST_ROWS)
}

/// What is not a number is not lost among integers.
#[cfg(not(target_arch = "wasm32"))]
pub async fn check_linear_without_numbers(placement: &Placement) {
    for format in [PackedFormat::Q8, PackedFormat::Q4] {
        // In the first block of a row and in the last one.
        for (wrong, place) in [f32::NAN, f32::INFINITY]
            .map(|wrong| [(wrong, 3), (wrong, 40)])
            .concat()
        {
            let shape = PackedShape {
                rows: 5,
                columns: 64,
                format,
            };
            let weight = noise(5 * 64, 1);
            let matrix = PackedMatrix::from_f32(&weight, shape, &placement.device);
            let matrix = matrix.with_precision(Precision::Fast);
            for rows in [1, 3, 6, 9] {
                let mut input = noise(rows * 64, 2);
                let last = rows - 1;
                input[last * 64 + place] = wrong;
                let input = tensor(input, [rows, 64], placement);
                let found = kernels::linear(input, &matrix, None, Activation::None, None);
                for (row, values) in to_vec(found).await.chunks(5).enumerate() {
                    let finite = values.iter().all(|value| value.is_finite());
                    let what =
                        format!("{format:?}, {wrong} at {place}, row {row} of {rows}: {values:?}");
                    assert_eq!(finite, row != last, "{what}");
                }
            }
        }
    }
}

/// Relative to the size of the whole result: single sums may cancel out.
#[track_caller]
fn compare(what: &str, found: &[f32], expected: &[f32], bound: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    let square = |value: f32| f64::from(value) * f64::from(value);
    let length: f64 = expected.iter().map(|value| square(*value)).sum();
    let difference: f64 = found.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    let error = (difference / length.max(1e-12)).sqrt();
    assert!(error <= bound, "{what}: relative error {error:e}");
}

/// Row lookup.
pub async fn check_gather_rows(placement: &Placement) {
    for columns in [1, 3, 4, 7, 32, 64, 768] {
        for format in FORMATS
            .into_iter()
            .filter(|format| PackedShape::fits(*format, columns))
        {
            let shape = PackedShape {
                rows: 11,
                columns,
                format,
            };
            let matrix = PackedMatrix::from_f32(&noise(11 * columns, 5), shape, &placement.device);
            let words = words(&matrix).await;
            let indices = [10, 0, 3, 3];
            let mut expected = vec![0.0; indices.len() * columns];
            for (index, row) in indices.iter().zip(expected.chunks_exact_mut(columns)) {
                kernels::packed::decode(&words, shape, *index as usize, 0, row);
            }
            let indices = kernels::ids_tensor(indices, &placement.device);
            let found = to_vec(kernels::gather_rows(&matrix, indices)).await;
            compare(&format!("{shape:?}"), &found, &expected, 1e-7);
        }
    }
}

const ADAPTERS: [Adapter; 2] = [Adapter::Software, Adapter::Hardware];

/// Linear layers by the kernels for software and by those for hardware: each device runs them all.
pub async fn check_linear_variants(placement: &Placement) {
    for adapter in ADAPTERS {
        pretend(Some(adapter));
        check_linear(placement).await;
    }
    pretend(None);
}

/// Attention in the same way.
pub async fn check_attention_variants(placement: &Placement) {
    for adapter in ADAPTERS {
        pretend(Some(adapter));
        check_attention(placement).await;
    }
    pretend(None);
}

/// Attention, causal and not, with tokens and head widths around the tiles' edges; queries, keys and
/// values on their own and as columns of the same rows, with more rows than count.
pub async fn check_attention(placement: &Placement) {
    for (rows, tokens, width) in [
        (1, 1, 1),
        (1, 577, 64),
        (1, 1030, 80),
        (2, 2, 20),
        (3, 50, 12),
        (3, 9, 260),
        (4, 7, 8),
        (5, 5, 80),
        (6, 33, 32),
        (9, 40, 132),
        (13, 13, 17),
        (50, 50, 64),
        (77, 197, 64),
        (130, 70, 32),
        (1, 20, 80),
        (3, 31, 64),
        (9, 50, 80),
    ] {
        for causal in [false, true] {
            if causal && rows > tokens {
                continue;
            }
            check_attention_shape(placement, [rows, tokens, width], causal).await;
        }
    }
}

async fn check_attention_shape(
    placement: &Placement,
    [rows, tokens, width]: [usize; 3],
    causal: bool,
) {
    let (batch, heads) = (2, 3);
    let all = heads * width;
    let make = |tokens: usize, seed| noise(batch * tokens * all, seed);
    let (queries, keys, values) = (make(rows, 1), make(tokens, 2), make(tokens, 3));
    let mut expected = vec![0.0; queries.len()];
    for (entry, head) in (0..batch).flat_map(|entry| (0..heads).map(move |head| (entry, head))) {
        let part = |values: &[f32], tokens: usize| -> Vec<f32> {
            let rows = values[entry * tokens * all..(entry + 1) * tokens * all].chunks(all);
            rows.flat_map(|row| &row[head * width..(head + 1) * width])
                .copied()
                .collect()
        };
        let attended = kernels::attention::naive::attend_head(
            &part(&queries, rows),
            &part(&keys, tokens),
            &part(&values, tokens),
            width,
            causal,
        );
        for (row, attended) in attended.chunks(width).enumerate() {
            let at = (entry * rows + row) * all + head * width;
            expected[at..at + width].copy_from_slice(attended);
        }
    }
    let what = format!("{rows} queries, {tokens} keys of {width}, causal {causal}");
    let own = |values: &[f32], tokens: usize| -> Columns {
        tensor(values.to_vec(), [batch, tokens, all], placement).into()
    };
    let (alone, keys_alone, values_alone) = (
        own(&queries, rows),
        own(&keys, tokens),
        own(&values, tokens),
    );
    let found = kernels::attention(
        alone.clone(),
        keys_alone.clone(),
        values_alone.clone(),
        heads,
        tokens,
        causal,
    );
    compare(&what, &to_vec(found).await, &expected, 2e-6);
    // A cache with room for more, into which the rows come in two steps.
    let capacity = tokens + 3;
    let unread = vec![f32::NAN; batch * capacity * 2 * all];
    let mut cache = tensor(unread, [batch, capacity, 2 * all], placement);
    let first = tokens / 2;
    for (at, count) in [(0, first), (first, tokens - first)] {
        if count > 0 {
            let part = |columns: &Columns| -> Columns {
                let rows = columns.clone().into_tensor();
                rows.narrow(1, at, count).into()
            };
            cache = kernels::append_rows(cache, part(&keys_alone), part(&values_alone), at);
        }
    }
    let columns = |part: usize| Columns::new(cache.clone(), part * all, all);
    let found = kernels::attention(alone, columns(0), columns(1), heads, tokens, causal);
    compare(
        &format!("{what}, cached"),
        &to_vec(found).await,
        &expected,
        2e-6,
    );
    if rows != tokens {
        return;
    }
    let row = |index: usize| {
        let part = |values: &[f32]| values[index * all..(index + 1) * all].to_vec();
        [part(&queries), part(&keys), part(&values)].concat()
    };
    let joined: Vec<f32> = (0..batch * tokens).flat_map(row).collect();
    let joined = tensor(joined, [batch, tokens, 3 * all], placement);
    let columns = |part: usize| Columns::new(joined.clone(), part * all, all);
    let found = kernels::attention(columns(0), columns(1), columns(2), heads, tokens, causal);
    compare(
        &format!("{what}, joined"),
        &to_vec(found).await,
        &expected,
        2e-6,
    );
    // Queries that are some rows of the tensor that keys and values are all rows of.
    let fewer = rows.div_ceil(2);
    let firsts = [Some(rows - fewer), (!causal).then_some(0)];
    for first in firsts.into_iter().flatten() {
        let some = Columns::new(joined.clone().narrow(1, first, fewer), 0, all);
        let found = kernels::attention(some, columns(1), columns(2), heads, tokens, causal);
        let of_entry = |entry: usize| &expected[(entry * rows + first) * all..][..fewer * all];
        let expected: Vec<f32> = (0..batch).flat_map(of_entry).copied().collect();
        let what = format!("{what}, {fewer} rows from {first} on");
        compare(&what, &to_vec(found).await, &expected, 2e-6);
    }
}

/// Layer norms of rows of any width, far from zero, too.
pub async fn check_layer_norm(placement: &Placement) {
    for (rows, width) in [
        (1, 1),
        (1, 768),
        (2, 3),
        (5, 64),
        (7, 66),
        (577, 32),
        (50, 1000),
    ] {
        for offset in [0.0, 10.0] {
            let input: Vec<f32> = noise(rows * width, 7).iter().map(|x| x + offset).collect();
            let (weight, bias) = (noise(width, 8), noise(width, 9));
            let expected = kernels::layer_norm::naive::layer_norm(&input, &weight, &bias, 1e-5);
            let found = kernels::layer_norm(
                tensor(input, [rows, width], placement),
                tensor(weight, [width], placement),
                tensor(bias, [width], placement),
                1e-5,
            );
            let what = format!("{rows} rows of {width} around {offset}");
            let bound = if offset == 0.0 { 2e-6 } else { 2e-5 }; // digits that the offset takes
            compare(&what, &to_vec(found).await, &expected, bound);
        }
    }
}

/// Products of computed matrices, in batches.
pub async fn check_matmul(placement: &Placement) {
    for [batch, rows, depth, columns] in
        [[1, 1, 1, 1], [3, 5, 7, 9], [2, 33, 8, 17], [12, 20, 64, 37]]
    {
        let left = noise(batch * rows * depth, 1);
        let right = noise(batch * depth * columns, 2);
        let naive = kernels::matmul::naive::matmul;
        let pairs = left
            .chunks_exact(rows * depth)
            .zip(right.chunks_exact(depth * columns));
        let expected: Vec<f32> = pairs
            .flat_map(|(left, right)| naive(left, right, depth, columns))
            .collect();
        let found = kernels::matmul(
            tensor(left, [batch, rows, depth], placement),
            tensor(right, [batch, depth, columns], placement),
        );
        let what = format!("{batch} products of {rows} x {depth} and {depth} x {columns}");
        compare(&what, &to_vec(found).await, &expected, 2e-6);
    }
}

/// The best logits of each row, ties and watched ones included.
pub async fn check_top_logits(placement: &Placement) {
    for (rows, vocabulary, count) in [
        (1, 1, 1),
        (1, 5, 5),
        (1, 200, 150),
        (1, 257, 128),
        (2, 300, 1),
        (3, 1000, 7),
        (2, 30_524, 12),
    ] {
        let mut logits = noise(rows * vocabulary, vocabulary as u32);
        for value in &mut logits {
            *value = (*value * 200.0).round() / 8.0; // many equal ones
        }
        let watched: Vec<i32> = (0..rows * 2)
            .map(|i| (i * 37 % vocabulary) as i32)
            .collect();
        let mut expected = Vec::new();
        for (row, watched) in logits.chunks_exact(vocabulary).zip(watched.chunks_exact(2)) {
            expected.extend(kernels::top_logits::naive::top_logits_row(
                row, watched, count,
            ));
        }
        let device_logits = tensor(logits, [rows, vocabulary], placement);
        let watched = kernels::ids_tensor(watched, &placement.device).reshape([rows, 2]);
        let found = to_vec(kernels::top_logits(device_logits, watched, count)).await;
        let width = 2 * count + 2 + 1;
        for (found, expected) in found.chunks_exact(width).zip(expected.chunks_exact(width)) {
            let (found_sum, found) = found.split_last().expect("not empty");
            let (expected_sum, expected) = expected.split_last().expect("not empty");
            assert_eq!(found, expected, "{vocabulary} logits, {count} best");
            assert!(
                (found_sum - expected_sum).abs() < 1e-4,
                "{found_sum} for {expected_sum}"
            );
        }
    }
}

/// The tokens that continue texts: greedily and by beams, with repetition penalised and without, and
/// where a text must not stop.
pub async fn check_next_tokens(placement: &Placement) {
    let vocabulary = 120;
    let stop = 5;
    for (texts, beams) in [(1, 1), (1, 2), (1, 32), (2, 2), (3, 3), (32, 32)] {
        for (repetition_penalty, no_repeat_ngram_size, tokens) in [
            (1.0, 0, 0),
            (1.4, 0, 1),
            (0.7, 0, 6),
            (1.0, 1, 6),
            (1.0, 2, 1),
            (1.0, 2, 30),
            (1.2, 3, 40),
        ] {
            for may_stop in [true, false] {
                let choice = Choice {
                    beams,
                    stop,
                    may_stop,
                    repetition_penalty,
                    no_repeat_ngram_size,
                };
                let seed = (texts + tokens) as u32;
                let mut logits = noise(texts * vocabulary, seed);
                for (place, value) in logits.iter_mut().enumerate() {
                    // Many equal ones, and the token that stops among the best.
                    let stops = place % vocabulary == stop as usize;
                    *value = (*value * 100.0).round() / 8.0 + if stops { 20.0 } else { 0.0 };
                }
                let watched = 1 + tokens;
                let ids: Vec<i32> = (0..texts * watched)
                    .map(|place| match place % watched {
                        0 => stop as i32,
                        // A third of them alike, so that runs come again.
                        other => ((place * 31 + other) % 9).saturating_sub(3) as i32,
                    })
                    .collect();
                let sums: Vec<f32> = (0..texts).map(|text| -(text as f32) / 4.0).collect();
                let top = choice.kept() + watched;
                let rows = logits
                    .chunks_exact(vocabulary)
                    .zip(ids.chunks_exact(watched));
                let rows: Vec<Vec<f32>> = rows
                    .map(|(row, ids)| kernels::top_logits::naive::top_logits_row(row, ids, top))
                    .collect();
                let flat = rows.concat();
                let rows = rows.iter().map(Vec::as_slice);
                let expected = kernels::next_tokens::naive::next_tokens(rows, &ids, &sums, choice);
                let width = flat.len() / texts;
                let found = kernels::next_tokens(
                    tensor(flat, [texts, width], placement),
                    kernels::ids_tensor(ids, &placement.device).reshape([texts, watched]),
                    tensor(sums, [texts], placement),
                    choice,
                );
                let what = format!("{texts} texts and {tokens} watched tokens, {choice:?}");
                assert_eq!(
                    ids_of(found.parents).await,
                    expected.parents,
                    "{what}: parents"
                );
                assert_eq!(ids_of(found.ids).await, expected.ids, "{what}: ids");
                assert_eq!(
                    ids_of(found.watched).await,
                    expected.watched,
                    "{what}: watched"
                );
                compare(&what, &to_vec(found.state).await, &expected.state, 1e-6);
            }
        }
    }
}

async fn ids_of<const D: usize>(ids: Tensor<D, Int>) -> Vec<i32> {
    let data = ids.into_data_async().await.expect("ids are read back");
    data.try_to_vec().expect("32-bit ids")
}
