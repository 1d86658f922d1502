//! The operations that Burn does not have, one folder each: `naive.rs` defines what it computes,
//! `cpu.rs` and `gpu.rs` (with its `.wgsl`) compute the same faster. Nothing here knows a model.
//!
//! [`Kernels`] is the dispatch point: Burn's `backend_extension` sends each call to the
//! implementation of the device that the tensors live on.

pub mod activation;
pub mod attention;
pub mod gather_rows;
pub mod linear;
pub mod matmul;
pub mod packed;
mod simd;
pub mod top_logits;
mod wgsl;

use burn::backend::{
    Backend, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};
use burn_wgpu::{CubeBackend, CubeTensor};

pub use activation::Activation;
pub use packed::{PackedFormat, PackedMatrix, PackedShape};

/// The custom operations, once per backend. The functions of this module are the typed way in.
#[backend_extension(Cube, Flex)]
pub trait Kernels: Backend {
    /// See [`linear`]. `bias` is read only if `epilogue` says so.
    fn packed_linear(
        input: FloatTensor<Self>,
        words: IntTensor<Self>,
        bias: FloatTensor<Self>,
        shape: PackedShape,
        epilogue: Epilogue,
    ) -> FloatTensor<Self>;

    /// See [`gather_rows`].
    fn packed_gather_rows(
        words: IntTensor<Self>,
        indices: IntTensor<Self>,
        shape: PackedShape,
    ) -> FloatTensor<Self>;

    /// See [`top_logits`].
    fn top_logits(
        logits: FloatTensor<Self>,
        watched: IntTensor<Self>,
        count: usize,
    ) -> FloatTensor<Self>;

    /// See [`attention`].
    fn softmax_attention(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        causal: bool,
    ) -> FloatTensor<Self>;

    /// See [`matmul`].
    fn batched_matmul(left: FloatTensor<Self>, right: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Kernels for Flex {
    fn packed_linear(
        input: FlexTensor,
        words: FlexTensor,
        bias: FlexTensor,
        shape: PackedShape,
        epilogue: Epilogue,
    ) -> FlexTensor {
        linear::cpu::packed_linear(input, words, bias, shape, epilogue)
    }

    fn packed_gather_rows(
        words: FlexTensor,
        indices: FlexTensor,
        shape: PackedShape,
    ) -> FlexTensor {
        gather_rows::cpu::packed_gather_rows(words, indices, shape)
    }

    fn top_logits(logits: FlexTensor, watched: FlexTensor, count: usize) -> FlexTensor {
        top_logits::cpu::top_logits(logits, watched, count)
    }

    fn softmax_attention(
        queries: FlexTensor,
        keys: FlexTensor,
        values: FlexTensor,
        causal: bool,
    ) -> FlexTensor {
        attention::cpu::attention(queries, keys, values, causal)
    }

    fn batched_matmul(left: FlexTensor, right: FlexTensor) -> FlexTensor {
        matmul::cpu::matmul(left, right)
    }
}

impl Kernels for CubeBackend {
    fn packed_linear(
        input: CubeTensor,
        words: CubeTensor,
        bias: CubeTensor,
        shape: PackedShape,
        epilogue: Epilogue,
    ) -> CubeTensor {
        linear::gpu::packed_linear(input, words, bias, shape, epilogue)
    }

    fn packed_gather_rows(
        words: CubeTensor,
        indices: CubeTensor,
        shape: PackedShape,
    ) -> CubeTensor {
        gather_rows::gpu::packed_gather_rows(words, indices, shape)
    }

    fn top_logits(logits: CubeTensor, watched: CubeTensor, count: usize) -> CubeTensor {
        top_logits::gpu::top_logits(logits, watched, count)
    }

    fn softmax_attention(
        queries: CubeTensor,
        keys: CubeTensor,
        values: CubeTensor,
        causal: bool,
    ) -> CubeTensor {
        attention::gpu::attention(queries, keys, values, causal)
    }

    fn batched_matmul(left: CubeTensor, right: CubeTensor) -> CubeTensor {
        matmul::gpu::matmul(left, right)
    }
}

/// What a linear layer does to its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epilogue {
    /// Whether a bias is added first.
    pub bias: bool,
    /// What follows.
    pub activation: Activation,
}

type Dispatch = burn::backend::Dispatch;

/// `activation(input · weightᵀ + bias)`.
///
/// `input` is `[rows, columns of weight]`, `bias` `[rows of weight]`; the result is
/// `[rows, rows of weight]`. `weight` is stored as PyTorch stores `nn.Linear`: `[out, in]`.
pub fn linear(
    input: Tensor<2>,
    weight: &PackedMatrix,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    let shape = weight.shape();
    assert_eq!(
        input.dims()[1],
        shape.columns,
        "input width and weight columns differ"
    );
    let epilogue = Epilogue {
        bias: bias.is_some(),
        activation,
    };
    let input = input.into_dispatch();
    // The dispatch macro knows no optional tensors; any float tensor fills the place.
    let bias = bias.map_or_else(|| input.clone(), Tensor::into_dispatch);
    let words = weight.words().into_dispatch();
    Tensor::from_dispatch(<Dispatch as Kernels>::packed_linear(
        input, words, bias, shape, epilogue,
    ))
}

/// The rows of `table` at `indices` (`[n]`, each below the table's rows), as `[n, columns]` floats.
pub fn gather_rows(table: &PackedMatrix, indices: Tensor<1, Int>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Kernels>::packed_gather_rows(
        table.words().into_dispatch(),
        indices.into_dispatch(),
        table.shape(),
    ))
}

/// What choosing a next token needs of `logits` (`[rows, vocabulary]`), so that the whole
/// vocabulary never leaves the device.
///
/// Each row of the result (`[rows, 2 * count + watched + 1]`) holds the `count` largest logits in
/// descending order (ties by lower index first), their indices as floats, the logits at the
/// `watched` indices (`[rows, watched]`), and the row's log-sum-exp.
pub fn top_logits(logits: Tensor<2>, watched: Tensor<2, Int>, count: usize) -> Tensor<2> {
    let [rows, vocabulary] = logits.dims();
    assert!(
        count <= vocabulary,
        "{count} candidates asked of {vocabulary} logits"
    );
    assert_eq!(watched.dims()[0], rows, "one list of watched ids per row");
    Tensor::from_dispatch(<Dispatch as Kernels>::top_logits(
        logits.into_dispatch(),
        watched.into_dispatch(),
        count,
    ))
}

/// `softmax(Q Kᵀ / sqrt(width)) V`, all of `[batch, heads, tokens, width]`. With `causal`, a token
/// sees itself and those before it; queries and keys are then the same tokens.
pub fn attention(
    queries: Tensor<4>,
    keys: Tensor<4>,
    values: Tensor<4>,
    causal: bool,
) -> Tensor<4> {
    let [batch, heads, tokens, width] = queries.dims();
    assert_eq!(
        [batch, heads, width],
        [keys.dims()[0], keys.dims()[1], keys.dims()[3]],
        "batch, heads, width"
    );
    assert_eq!(keys.dims(), values.dims(), "keys and values");
    assert!(
        !causal || keys.dims()[2] == tokens,
        "causal attention is among the same tokens"
    );
    Tensor::from_dispatch(<Dispatch as Kernels>::softmax_attention(
        queries.into_dispatch(),
        keys.into_dispatch(),
        values.into_dispatch(),
        causal,
    ))
}

/// Matrices times matrices: `[batch, rows, depth]` and `[batch, depth, columns]` give `[batch, rows,
/// columns]`.
pub fn matmul(left: Tensor<3>, right: Tensor<3>) -> Tensor<3> {
    let ([batch, _, depth], [right_batch, right_depth, _]) = (left.dims(), right.dims());
    assert_eq!(
        [batch, depth],
        [right_batch, right_depth],
        "batch and depth of a product"
    );
    Tensor::from_dispatch(<Dispatch as Kernels>::batched_matmul(
        left.into_dispatch(),
        right.into_dispatch(),
    ))
}

/// Token ids or row indices as the kernels take them: 32-bit on every device.
pub fn ids_tensor(ids: impl IntoIterator<Item = i32>, device: &Device) -> Tensor<1, Int> {
    let ids: Vec<i32> = ids.into_iter().collect();
    let count = ids.len();
    Tensor::from_data(TensorData::new(ids, [count]), (device, DType::I32))
}
