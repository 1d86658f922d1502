//! Attention in WGSL, with the softmax computed as the keys go by (Milakov and Gimelshein, arXiv
//! 1805.02867; Dao et al., arXiv 2205.14135): `row.wgsl` for the few queries of a decoding step,
//! `blocks.wgsl` (hardware) and `tiles.wgsl` (software) for many.

use crate::kernels::AttentionShape;
use crate::kernels::adapter::{self, Adapter};
use crate::kernels::wgsl::{Template, bindable_beside, empty_like, is_same_memory};
use burn_wgpu::CubeTensor;

/// Queries up to which `row.wgsl` is used, a workgroup for each.
const FEW_ROWS: usize = 4;
/// Invocations of a workgroup.
const LANES: usize = 64;
/// Queries of one invocation of `tiles.wgsl`.
const TILE_ROWS: usize = 4;
/// Vectors of a head up to which a block of keys and values fits the workgroup memory that every
/// adapter has.
const BLOCK_VECTORS: usize = 32;

/// Which kernel computes attention, and how its operands are bound: each buffer once, however many of
/// them lie in it, for WebGPU allows no second binding of a buffer that is bound for writing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AttentionKernel {
    variant: Variant,
    /// Of a head.
    width: usize,
    /// The first operand that lies in the same buffer as this one.
    owners: [usize; 3],
    /// Whether all rows begin at whole vectors of four and consist of them.
    is_vectors: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Variant {
    /// `row.wgsl`.
    Row,
    /// `blocks.wgsl`.
    Blocks,
    /// `tiles.wgsl`.
    Tiles,
}

/// A kernel's text in front of what all of them share.
macro_rules! with_rows {
    ($file:literal) => {
        concat!(include_str!($file), include_str!("rows.wgsl"))
    };
}

/// See [`crate::kernels::attention()`].
pub fn attention(
    queries: CubeTensor,
    keys: CubeTensor,
    values: CubeTensor,
    shape: AttentionShape,
) -> CubeTensor {
    let [queries, keys, values] = [queries, keys, values].map(with_plain_rows);
    let keys = bindable_beside(keys, &[&queries]);
    let values = bindable_beside(values, &[&queries, &keys]);
    let operands = [queries, keys, values];
    let AttentionShape { heads, width, .. } = shape;
    let [batch, rows] = [0, 1].map(|dimension| operands[0].meta.shape()[dimension]);
    let output = empty_like(&operands[0], [batch, rows, heads * width]);
    let vectors = width.div_ceil(4);
    let groups = batch * heads;
    let (variant, groups, lanes) = match adapter::of(&output) {
        _ if rows <= FEW_ROWS && vectors <= LANES => (Variant::Row, [rows, groups, 1], LANES),
        Adapter::Hardware if vectors <= BLOCK_VECTORS => {
            (Variant::Blocks, [rows.div_ceil(LANES), groups, 1], LANES)
        }
        _ => {
            let groups = [rows.div_ceil(TILE_ROWS * 16), groups, 1];
            (Variant::Tiles, groups, 16)
        }
    };
    let kernel = AttentionKernel::new(variant, &operands, shape);
    let mut buffers = kernel.buffers(&operands);
    buffers.push(&output);
    let sizes = sizes(&operands, rows, shape);
    kernel.launch(groups, [lanes, 1], &buffers, &sizes);
    output
}

/// Rows whose numbers are next to each other, at any distance of rows and batch entries.
fn with_plain_rows(tensor: CubeTensor) -> CubeTensor {
    match tensor.meta.strides()[2] {
        1 => tensor,
        _ => burn_wgpu::into_contiguous(tensor),
    }
}

/// The `Sizes` of `rows.wgsl`.
fn sizes(operands: &[CubeTensor; 3], rows: usize, shape: AttentionShape) -> Vec<usize> {
    let mut sizes = vec![rows, shape.context, shape.heads, usize::from(shape.causal)];
    for (tensor, start) in operands.iter().zip(shape.starts) {
        let strides = tensor.meta.strides();
        sizes.extend([start, strides[0], strides[1]]);
    }
    sizes
}

const NAMES: [&str; 3] = ["queries", "keys", "values"];

impl AttentionKernel {
    fn new(variant: Variant, operands: &[CubeTensor; 3], shape: AttentionShape) -> Self {
        let owners = [0, 1, 2].map(|operand| {
            let same = |other: &usize| is_same_memory(&operands[*other], &operands[operand]);
            (0..operand).find(same).unwrap_or(operand)
        });
        let of_vectors = |(tensor, start): (&CubeTensor, &usize)| {
            let strides = tensor.meta.strides();
            [*start, strides[0], strides[1]]
                .iter()
                .all(|offset| offset.is_multiple_of(4))
        };
        Self {
            variant,
            width: shape.width,
            owners,
            is_vectors: shape.width.is_multiple_of(4)
                && operands.iter().zip(&shape.starts).all(of_vectors),
        }
    }

    /// The operands' buffers, in the order of their bindings.
    fn buffers<'a>(&self, operands: &'a [CubeTensor; 3]) -> Vec<&'a CubeTensor> {
        let owned = (0..3).filter(|operand| self.owners[*operand] == *operand);
        owned.map(|operand| &operands[operand]).collect()
    }
}

impl Template for AttentionKernel {
    fn file(&self) -> &'static str {
        match self.variant {
            Variant::Row => with_rows!("row.wgsl"),
            Variant::Blocks => with_rows!("blocks.wgsl"),
            Variant::Tiles => with_rows!("tiles.wgsl"),
        }
    }

    fn values(&self) -> Vec<(&'static str, String)> {
        let element = if self.is_vectors { "vec4<f32>" } else { "f32" };
        let mut bound = 0;
        let mut bindings = String::new();
        for (operand, name) in NAMES.iter().enumerate() {
            if self.owners[operand] == operand {
                bindings += &format!(
                    "@group(0) @binding({bound}) var<storage, read_write> {name}: array<{element}>;\n"
                );
                bound += 1;
            }
        }
        bindings += &format!(
            "@group(0) @binding({}) var<storage, read_write> output: array<{element}>;\n\
             @group(0) @binding({}) var<uniform> sizes: Sizes;",
            bound,
            bound + 1
        );
        let load = |operand: usize| {
            let buffer = NAMES[self.owners[operand]];
            match self.is_vectors {
                true => format!("return {buffer}[at / 4u + vector];"),
                false => format!(
                    "let first = vector * 4u;
                     var loaded = vec4<f32>();
                     for (var i = 0u; i < min(4u, WIDTH - first); i++) {{
                         loaded[i] = {buffer}[at + first + i];
                     }}
                     return loaded;"
                ),
            }
        };
        let store = match self.is_vectors {
            true => "output[at / 4u + vector] = stored;",
            false => {
                "let first = vector * 4u;
                 for (var i = 0u; i < min(4u, WIDTH - first); i++) {
                     output[at + first + i] = stored[i];
                 }"
            }
        };
        vec![
            ("width", self.width.to_string()),
            ("scale", format!("{:e}", 1.0 / (self.width as f32).sqrt())),
            ("bindings", bindings),
            ("load_query", load(0)),
            ("load_key", load(1)),
            ("load_value", load(2)),
            ("store", store.to_string()),
        ]
    }
}
