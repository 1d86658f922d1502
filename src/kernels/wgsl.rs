//! Launching WGSL text on a CubeCL device.

use crate::kernels::packed::BLOCK;
use crate::kernels::{PackedFormat, PackedShape};
use burn::tensor::{DType, Shape};
use burn_wgpu::{CubeTensor, KernelSource, SourceKernel, SourceTemplate};
use cubecl::{
    prelude::*,
    server::{KernelArguments, MetadataBindingInfo},
};
use std::fmt::Debug;
use std::hash::Hash;

/// A WGSL file and what it needs to know. What implements it keys the pipelines and is looked up at
/// each launch, so it is small; its text is made when a pipeline is.
pub trait Template: Clone + Debug + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// The file, with `{{name}}` placeholders.
    fn file(&self) -> &'static str;

    /// What they stand for.
    fn values(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Placeholders that stand for all numbers below one: a line that says one of them stands for as
    /// many lines. Software adapters unroll no loops, and index arrays slowly.
    fn repeats(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// Runs the kernel over `groups` workgroups of `group_size` invocations; `buffers` are bound
    /// in order as read-write storage, `sizes` behind them as a uniform of 32-bit numbers, if there
    /// are any. Unlike the text's values, these may differ from launch to launch.
    fn launch(
        self,
        groups: [usize; 3],
        group_size: [usize; 2],
        buffers: &[&CubeTensor],
        sizes: &[usize],
    ) {
        let client = buffers[0].client.clone();
        let dim = CubeDim::new_2d(group_size[0] as u32, group_size[1] as u32);
        let [x, y, z] =
            groups.map(|count| u32::try_from(count).expect("a workgroup count fits 32 bits"));
        assert!(
            x.max(y).max(z) <= 65_535,
            "{groups:?} workgroups are beyond WebGPU's limit"
        );
        for (index, buffer) in buffers.iter().enumerate() {
            let mut others = buffers[..index].iter();
            assert!(
                !others.any(|other| overlap(other, buffer)),
                "WebGPU binds a buffer once"
            );
        }
        let mut arguments = buffers
            .iter()
            .fold(KernelArguments::new(), |arguments, buffer| {
                arguments.with_buffer((*buffer).clone().handle.binding())
            });
        arguments.info = MetadataBindingInfo::custom(uniform(sizes));
        let kernel = Box::new(SourceKernel::new(Wgsl(self), dim));
        client.launch(kernel, CubeCount::Static(x, y, z), arguments);
    }
}

/// A template as CubeCL takes it.
struct Wgsl<T>(T);

impl<T: Template> KernelSource for Wgsl<T> {
    fn source(&self) -> SourceTemplate {
        let repeats = self.0.repeats().into_iter();
        let text = repeats.fold(self.0.file().to_string(), |text, (name, count)| {
            let lines = text.lines().flat_map(|line| match line.contains(name) {
                true => (0..count)
                    .map(|number| line.replace(name, &number.to_string()))
                    .collect(),
                false => vec![line.to_string()],
            });
            lines.flat_map(|line| [line, "\n".to_string()]).collect()
        });
        let template = SourceTemplate::new(text);
        let values = self.0.values().into_iter();
        values.fold(template, |template, (name, value)| {
            template.register(name, value)
        })
    }

    fn id(&self) -> KernelId {
        KernelId::new::<T>().info(self.0.clone())
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// Numbers as a uniform of whole vectors of four, two in each word.
fn uniform(sizes: &[usize]) -> Vec<u64> {
    let narrow = |size: &usize| u64::from(u32::try_from(*size).expect("a size fits 32 bits"));
    let vectors = sizes.chunks(4);
    vectors
        .flat_map(|vector| {
            let [x, y, z, w] = [0, 1, 2, 3].map(|place| vector.get(place).map_or(0, narrow));
            [x | y << 32, z | w << 32]
        })
        .collect()
}

/// Whether two tensors are the same part of the same buffer.
pub fn is_same_memory(one: &CubeTensor, other: &CubeTensor) -> bool {
    is_same_buffer(one, other) && part(one) == part(other)
}

/// A tensor that is bound beside `others`: itself, or a copy if it shares only some of its memory with one of
/// them, as views of a tensor's rows do. WebGPU refuses to bind both.
pub fn bindable_beside(tensor: CubeTensor, others: &[&CubeTensor]) -> CubeTensor {
    let in_part = |other: &&CubeTensor| overlap(other, &tensor) && !is_same_memory(other, &tensor);
    match others.iter().any(in_part) {
        true => tensor.copy(),
        false => tensor,
    }
}

fn overlap(one: &CubeTensor, other: &CubeTensor) -> bool {
    let ([start, end], [other_start, other_end]) = (part(one), part(other));
    is_same_buffer(one, other) && start < other_end && other_start < end
}

fn is_same_buffer(one: &CubeTensor, other: &CubeTensor) -> bool {
    one.handle.memory.descriptor() == other.handle.memory.descriptor()
}

/// The bytes of the buffer that the tensor is bound with: the first one and the one behind the last.
fn part(tensor: &CubeTensor) -> [u64; 2] {
    let start = tensor.handle.offset_start.unwrap_or(0);
    [start, start + tensor.handle.size_in_used()]
}

/// A fresh, contiguous float tensor beside `like`.
pub fn empty_like(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    empty(like, shape.into(), DType::F32)
}

/// The same of 32-bit integers.
pub fn empty_ids_like(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    empty(like, shape.into(), DType::I32)
}

/// `dtype` is of 32 bits.
fn empty(like: &CubeTensor, shape: Shape, dtype: DType) -> CubeTensor {
    let handle = like.client.empty(shape.num_elements() * size_of::<u32>());
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        shape,
        handle,
        dtype,
    )
}

/// The WGSL type of an element of the weight buffer.
pub fn weight_element(format: PackedFormat) -> &'static str {
    match format {
        PackedFormat::F32 => "vec4<f32>",
        PackedFormat::F16 => "vec2<u32>",
        PackedFormat::Q8 | PackedFormat::Q4 => "u32",
    }
}

/// Vectors of four values that have one scale: of a block, or of a whole row of floats.
pub fn block_vectors(shape: PackedShape) -> usize {
    match shape.format {
        PackedFormat::F32 | PackedFormat::F16 => shape.padded_columns() / 4,
        PackedFormat::Q8 | PackedFormat::Q4 => BLOCK / 4,
    }
}

/// The WGSL functions `load_unscaled(row: u32, vector: u32) -> vec4<f32>`, four values of a row times
/// some number, `load_scale(row: u32, block: u32) -> f32`, what those of a block are to be multiplied
/// with, and `load_weight(row: u32, vector: u32) -> vec4<f32>`, the values themselves.
pub fn load_functions(shape: PackedShape) -> String {
    let vectors = shape.padded_columns() / 4;
    let words = shape.words_per_row();
    let unscaled = match shape.format {
        PackedFormat::F32 => format!("return weight[row * {vectors}u + vector];"),
        PackedFormat::F16 => format!(
            "let pair = weight[row * {vectors}u + vector];
             return vec4<f32>(unpack2x16float(pair.x), unpack2x16float(pair.y));"
        ),
        PackedFormat::Q8 => format!(
            "let word = weight[row * {words}u + vector];
             return {};",
            bytes_of("word")
        ),
        // Vectors 0..4 of a block are the low nibbles of its four words, 4..8 the high ones.
        PackedFormat::Q4 => format!(
            "let word = weight[row * {words}u + vector / 8u * 4u + vector % 4u] * {};
             return {};",
            raise_nibbles("vector % 8u"),
            high_nibbles_of("word")
        ),
    };
    let (scale, scaled) = match shape.blocks_per_row() {
        0 => ("return 1.0;".to_string(), ""),
        blocks => (
            format!(
                "return bitcast<f32>(weight[{}u + row * {blocks}u + block]) * {};",
                shape.rows * words,
                unpacked_unit(shape.format)
            ),
            " * load_scale(row, vector / 8u)",
        ),
    };
    format!(
        "fn load_unscaled(row: u32, vector: u32) -> vec4<f32> {{
            {unscaled}
        }}
        fn load_scale(row: u32, block: u32) -> f32 {{
            {scale}
        }}
        fn load_weight(row: u32, vector: u32) -> vec4<f32> {{
            return load_unscaled(row, vector){scaled};
        }}"
    )
}

/// Whether all words of a matrix can be read four at a time, no row sharing a read with another.
pub fn fits_wide_reads(shape: PackedShape) -> bool {
    shape.words_per_row().is_multiple_of(4) && shape.total_words().is_multiple_of(4)
}

/// The same as [`load_functions`] for a buffer of `vec4<u32>`: `load_scale`, and `unpack_vector(words:
/// vec4<u32>, vector: u32) -> vec4<f32>`, one of the vectors in 16 bytes.
pub fn wide_load_functions(shape: PackedShape) -> String {
    let unpack = match shape.format {
        PackedFormat::F32 => "return bitcast<vec4<f32>>(words);".to_string(),
        PackedFormat::F16 => "let first = vector * 2u;
            return vec4<f32>(unpack2x16float(words[first]), unpack2x16float(words[first + 1u]));"
            .to_string(),
        PackedFormat::Q8 => format!(
            "let word = words[vector];
             return {};",
            bytes_of("word")
        ),
        PackedFormat::Q4 => format!(
            "let word = words[vector % 4u] * {};
             return {};",
            raise_nibbles("vector"),
            high_nibbles_of("word")
        ),
    };
    let scale = match shape.blocks_per_row() {
        0 => "return 1.0;".to_string(),
        blocks => format!(
            "let at = {}u + row * {blocks}u + block;
             return bitcast<f32>(weight[at / 4u][at % 4u]) * {};",
            shape.rows * shape.words_per_row(),
            unpacked_unit(shape.format)
        ),
    };
    format!(
        "fn load_scale(row: u32, block: u32) -> f32 {{
            {scale}
        }}
        fn unpack_vector(words: vec4<u32>, vector: u32) -> vec4<f32> {{
            {unpack}
        }}"
    )
}

/// The four signed bytes of a word, each moved to the top, where its sign is one. By multiplications, not
/// by shifts or `extractBits`: software adapters take many instructions for those.
fn bytes_of(word: &str) -> String {
    format!(
        "vec4<f32>(bitcast<vec4<i32>>({} & vec4<u32>(0xff000000u)))",
        bytes_on_top(word)
    )
}

/// The high halves of a word's bytes less 8, each moved to the top: 8 less is the highest bit turned.
fn high_nibbles_of(word: &str) -> String {
    format!(
        "vec4<f32>(bitcast<vec4<i32>>(({} & vec4<u32>(0xf0000000u)) ^ vec4<u32>(0x80000000u)))",
        bytes_on_top(word)
    )
}

/// What makes high halves of the bytes that a vector of a [`PackedFormat::Q4`] block is in.
fn raise_nibbles(vector: &str) -> String {
    format!("(16u - {vector} / 4u * 15u)")
}

fn bytes_on_top(word: &str) -> String {
    format!("(vec4<u32>({word}) * vec4<u32>(0x1000000u, 0x10000u, 0x100u, 1u))")
}

/// What a 1 comes out of [`bytes_of`] or [`high_nibbles_of`] as, inverted; scales make up for it.
fn unpacked_unit(format: PackedFormat) -> &'static str {
    match format {
        PackedFormat::F32 | PackedFormat::F16 => "1.0",
        PackedFormat::Q8 => "(1.0 / 16777216.0)",
        PackedFormat::Q4 => "(1.0 / 268435456.0)",
    }
}
