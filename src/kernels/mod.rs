//! The operations that Burn does not have, one folder each: `naive.rs` defines what it computes,
//! `cpu.rs` and `gpu.rs` (with its `.wgsl`) compute the same faster. Nothing here knows a model.
//!
//! [`Kernels`] is the dispatch point: Burn's `backend_extension` sends each call to the
//! implementation of the device that the tensors live on. Wasm with threads has no GPU device.

pub mod activation;
#[cfg(not(target_feature = "atomics"))]
pub mod adapter;
pub mod append_rows;
pub mod attention;
pub mod gather_rows;
pub mod layer_norm;
mod layout;
pub mod linear;
pub mod matmul;
pub mod next_tokens;
pub mod packed;
mod simd;
pub mod top_logits;
#[cfg(not(target_feature = "atomics"))]
mod wgsl;

use burn::backend::{
    Backend, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_flex::Flex;
#[cfg(not(target_feature = "atomics"))]
use burn_wgpu::CubeBackend;

pub use activation::Activation;
pub use append_rows::AppendPlace;
pub use attention::{AttentionShape, Columns};
pub use next_tokens::{Choice, NextTokens};
pub use packed::{PackedFormat, PackedMatrix, PackedShape, Precision};

/// Writes out what Burn wants to be told three times: the trait of all operations, which its macro makes
/// the dispatch of, and the trait's implementation for each backend. `fn MODULE::NAME(...)` is computed by
/// the functions `MODULE::cpu::NAME` and `MODULE::gpu::NAME`.
macro_rules! operations {
    ($(
        $(#[$documentation:meta])*
        fn $module:ident::$name:ident($($argument:ident: $type:ident $(<$backend:ident>)?),+ $(,)?)
            -> $($result:ident<Self>)? $(($($part:ident<Self>),+ $(,)?))?;
    )+) => {
        /// The custom operations, once per backend. The functions of this module are the typed way in.
        #[cfg_attr(not(target_feature = "atomics"), backend_extension(Cube, Flex))]
        #[cfg_attr(target_feature = "atomics", backend_extension(Flex))]
        pub trait Kernels: Backend {$(
            $(#[$documentation])*
            fn $name($($argument: $type $(<$backend>)?),+)
                -> $($result<Self>)? $(($($part<Self>),+))?;
        )+}

        impl Kernels for Flex {$(
            fn $name($($argument: $type $(<$backend>)?),+)
                -> $($result<Self>)? $(($($part<Self>),+))?
            {
                $module::cpu::$name($($argument),+)
            }
        )+}

        #[cfg(not(target_feature = "atomics"))]
        impl Kernels for CubeBackend {$(
            fn $name($($argument: $type $(<$backend>)?),+)
                -> $($result<Self>)? $(($($part<Self>),+))?
            {
                $module::gpu::$name($($argument),+)
            }
        )+}
    };
}

operations! {
    /// See [`linear()`]. `bias` and `residual` are read only if `epilogue` says so.
    fn linear::packed_linear(
        input: FloatTensor<Self>,
        words: IntTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        shape: PackedShape,
        epilogue: Epilogue,
    ) -> FloatTensor<Self>;

    /// See [`gather_rows()`].
    fn gather_rows::packed_gather_rows(
        words: IntTensor<Self>,
        indices: IntTensor<Self>,
        shape: PackedShape,
    ) -> FloatTensor<Self>;

    /// See [`top_logits()`].
    fn top_logits::top_logits(
        logits: FloatTensor<Self>,
        watched: IntTensor<Self>,
        count: usize,
    ) -> FloatTensor<Self>;

    /// See [`next_tokens()`].
    fn next_tokens::next_tokens(
        best: FloatTensor<Self>,
        watched: IntTensor<Self>,
        sums: FloatTensor<Self>,
        choice: Choice,
    ) -> (
        FloatTensor<Self>,
        IntTensor<Self>,
        IntTensor<Self>,
        IntTensor<Self>,
    );

    /// See [`attention()`].
    fn attention::attention(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self>;

    /// See [`append_rows()`].
    fn append_rows::append_rows(
        cache: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        place: AppendPlace,
    ) -> FloatTensor<Self>;

    /// See [`layer_norm()`].
    fn layer_norm::layer_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    /// See [`matmul()`].
    fn matmul::matmul(left: FloatTensor<Self>, right: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Whether [`attention()`], [`append_rows()`] and [`layer_norm()`] can take this tensor, or Burn's own
/// operations have to: those that have gradients, and those for devices that run no WGSL.
pub fn suit<const D: usize>(tensor: &Tensor<D>) -> bool {
    // A model for the browser is not trained there, and need not bring the code for it.
    if !cfg!(feature = "train") {
        return true;
    }
    #[cfg(feature = "cuda")]
    if tensor.device().without_autodiff() == Device::cuda(0) {
        return false;
    }
    !tensor.is_autodiff()
}

/// What a linear layer does to its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epilogue {
    /// Whether a bias is added first.
    pub bias: bool,
    /// What follows.
    pub activation: Activation,
    /// Whether a residual is added last.
    pub residual: bool,
    /// How exactly the sums are computed.
    pub precision: Precision,
}

type Dispatch = burn::backend::Dispatch;

/// `activation(input · weightᵀ + bias) + residual`.
///
/// `input` is `[rows, columns of weight]`, `bias` `[rows of weight]`; `residual` and the result are
/// `[rows, rows of weight]`. `weight` is stored as PyTorch stores `nn.Linear`: `[out, in]`.
pub fn linear(
    input: Tensor<2>,
    weight: &PackedMatrix,
    bias: Option<Tensor<1>>,
    activation: Activation,
    residual: Option<Tensor<2>>,
) -> Tensor<2> {
    let shape = weight.shape();
    let [rows, columns] = input.dims();
    assert_eq!(
        columns, shape.columns,
        "input width and weight columns differ"
    );
    if let Some(residual) = &residual {
        assert_eq!(residual.dims(), [rows, shape.rows], "residual and result");
    }
    let epilogue = Epilogue {
        bias: bias.is_some(),
        activation,
        residual: residual.is_some(),
        precision: weight.precision(),
    };
    let input = input.into_dispatch();
    // The dispatch macro knows no optional tensors; any float tensor fills the place.
    let bias = bias.map_or_else(|| input.clone(), Tensor::into_dispatch);
    let residual = residual.map_or_else(|| input.clone(), Tensor::into_dispatch);
    let words = weight.words().into_dispatch();
    Tensor::from_dispatch(<Dispatch as Kernels>::packed_linear(
        input, words, bias, residual, shape, epilogue,
    ))
}

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias` of each row of `input`, `[rows, width]`
/// to the same shape; `weight` and `bias` are `[width]`.
pub fn layer_norm(input: Tensor<2>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let width = input.dims()[1];
    assert_eq!(
        [weight.dims(), bias.dims()],
        [[width]; 2],
        "one weight and bias a column"
    );
    Tensor::from_dispatch(<Dispatch as Kernels>::layer_norm(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
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

/// The tokens that continue texts, out of the rows of [`top_logits()`] that are `best`.
///
/// `watched`, `[texts, n]`, is what those were made with: of each text the stop token and, if repetition
/// is penalised, all its tokens. Of the best logits there are as many as are [kept](Choice::kept) and
/// watched. `sums` begins with the sum of the log-probabilities of each text so far.
pub fn next_tokens(
    best: Tensor<2>,
    watched: Tensor<2, Int>,
    sums: Tensor<1>,
    choice: Choice,
) -> NextTokens {
    let ([texts, row], [of_texts, ids]) = (best.dims(), watched.dims());
    assert_eq!(texts, of_texts, "rows of logits and of watched ids");
    assert!(row > ids + 1, "rows of {row} numbers with {ids} watched");
    assert!(texts <= sums.dims()[0], "a sum for each of {texts} texts");
    assert!(
        texts.max(choice.beams) <= Choice::MOST_BEAMS,
        "{texts} texts, then {}",
        choice.beams
    );
    let (state, parents, ids, watched) = <Dispatch as Kernels>::next_tokens(
        best.into_dispatch(),
        watched.into_dispatch(),
        sums.into_dispatch(),
        choice,
    );
    NextTokens {
        state: Tensor::from_dispatch(state),
        parents: Tensor::from_dispatch(parents),
        ids: Tensor::from_dispatch(ids),
        watched: Tensor::from_dispatch(watched),
    }
}

/// `softmax(Q Kᵀ / sqrt(width / heads)) V`, head by head: `[batch, tokens, width]` queries give
/// as many rows.
///
/// The first `context` rows of `keys` and `values` count. With `causal`, the queries are the last of
/// the context's tokens, and a token sees itself and those before it.
pub fn attention(
    queries: Columns,
    keys: Columns,
    values: Columns,
    heads: usize,
    context: usize,
    causal: bool,
) -> Tensor<3> {
    let [batch, tokens, width] = queries.dims();
    let [_, capacity, _] = keys.dims();
    assert_eq!(keys.dims(), values.dims(), "keys and values");
    assert_eq!(
        keys.dims(),
        [batch, capacity, width],
        "batch and width of keys and of queries"
    );
    assert_eq!(width % heads, 0, "heads of equal width");
    assert!(
        context <= capacity && context > 0,
        "{context} rows of context out of {capacity}"
    );
    assert!(
        !causal || tokens <= context,
        "{tokens} queries are the last of {context} tokens"
    );
    let shape = AttentionShape {
        heads,
        width: width / heads,
        context,
        starts: [queries.start(), keys.start(), values.start()],
        causal: causal && tokens > 1, // a single new token sees all before it
    };
    Tensor::from_dispatch(<Dispatch as Kernels>::attention(
        queries.into_rows().into_dispatch(),
        keys.into_rows().into_dispatch(),
        values.into_rows().into_dispatch(),
        shape,
    ))
}

/// Writes keys and values, `[batch, tokens, width]` each, side by side into the rows of `cache`,
/// `[batch, capacity, 2 * width]`, from row `at` on.
///
/// In place: `cache` is the only one left that is used of its tensor.
pub fn append_rows(cache: Tensor<3>, keys: Columns, values: Columns, at: usize) -> Tensor<3> {
    let [batch, capacity, row] = cache.dims();
    let [_, tokens, width] = keys.dims();
    assert_eq!(keys.dims(), values.dims(), "keys and values");
    assert_eq!([batch, row], [keys.dims()[0], 2 * width], "cache and rows");
    assert!(
        at + tokens <= capacity,
        "{at} + {tokens} of {capacity} rows"
    );
    let place = AppendPlace {
        at,
        tokens,
        width,
        starts: [keys.start(), values.start()],
    };
    Tensor::from_dispatch(<Dispatch as Kernels>::append_rows(
        cache.into_dispatch(),
        keys.into_rows().into_dispatch(),
        values.into_rows().into_dispatch(),
        place,
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
    Tensor::from_dispatch(<Dispatch as Kernels>::matmul(
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
