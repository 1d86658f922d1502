//! Launching WGSL text on a CubeCL device.

use crate::kernels::{PackedFormat, PackedShape};
use burn::tensor::Shape;
use burn_wgpu::{CubeTensor, KernelSource, SourceKernel, SourceTemplate};
use cubecl::{prelude::*, server::KernelArguments};

/// A WGSL file with its `{{name}}` placeholders filled in. The filled-in pairs key the pipeline
/// cache, so `K` and `values` must determine the text.
pub struct Wgsl<K> {
    text: &'static str,
    values: Vec<(&'static str, String)>,
    marker: std::marker::PhantomData<fn() -> K>,
}

impl<K: 'static> Wgsl<K> {
    /// `K` is any type that stands for the file.
    pub fn new(text: &'static str, values: Vec<(&'static str, String)>) -> Self {
        Self {
            text,
            values,
            marker: std::marker::PhantomData,
        }
    }

    /// Runs the kernel over `groups` workgroups of `group_size` invocations; `buffers` are bound
    /// in order as read-write storage.
    pub fn launch(self, groups: [usize; 3], group_size: [usize; 2], buffers: &[&CubeTensor]) {
        let client = buffers[0].client.clone();
        let dim = CubeDim::new_2d(group_size[0] as u32, group_size[1] as u32);
        let [x, y, z] =
            groups.map(|count| u32::try_from(count).expect("a workgroup count fits 32 bits"));
        assert!(
            x.max(y).max(z) <= 65_535,
            "{groups:?} workgroups are beyond WebGPU's limit"
        );
        let arguments = buffers
            .iter()
            .fold(KernelArguments::new(), |arguments, buffer| {
                arguments.with_buffer((*buffer).clone().handle.binding())
            });
        let kernel = Box::new(SourceKernel::new(self, dim));
        client.launch(kernel, CubeCount::Static(x, y, z), arguments);
    }
}

impl<K: 'static> KernelSource for Wgsl<K> {
    fn source(&self) -> SourceTemplate {
        self.values
            .iter()
            .fold(SourceTemplate::new(self.text), |template, (name, value)| {
                template.register(*name, value.clone())
            })
    }

    fn id(&self) -> KernelId {
        KernelId::new::<K>().info(self.values.clone())
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// A fresh, contiguous float tensor beside `like`.
pub fn empty_like(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let shape = shape.into();
    let handle = like.client.empty(shape.num_elements() * size_of::<f32>());
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        shape,
        handle,
        burn::tensor::DType::F32,
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

/// The body of the WGSL function `load_weight(row: u32, vector: u32) -> vec4<f32>`: four values of a row, decoded.
pub fn load_vector(shape: PackedShape) -> String {
    let vectors = shape.padded_columns() / 4;
    let words = shape.words_per_row();
    let blocks = shape.blocks_per_row();
    let scales = shape.rows * words;
    match shape.format {
        PackedFormat::F32 => format!("return weight[row * {vectors}u + vector];"),
        PackedFormat::F16 => format!(
            "let pair = weight[row * {vectors}u + vector];
             return vec4<f32>(unpack2x16float(pair.x), unpack2x16float(pair.y));"
        ),
        PackedFormat::Q8 => format!(
            "let word = bitcast<i32>(weight[row * {words}u + vector]);
             let scale = bitcast<f32>(weight[{scales}u + row * {blocks}u + vector / 8u]);
             return scale * vec4<f32>(
                 f32(extractBits(word, 0u, 8u)), f32(extractBits(word, 8u, 8u)),
                 f32(extractBits(word, 16u, 8u)), f32(extractBits(word, 24u, 8u)));"
        ),
        // Vectors 0..4 of a block are the low nibbles of its four words, 4..8 the high ones.
        PackedFormat::Q4 => format!(
            "let block = vector / 8u;
             let word = weight[row * {words}u + block * 4u + vector % 4u] >> (vector % 8u / 4u * 4u);
             let scale = bitcast<f32>(weight[{scales}u + row * {blocks}u + block]);
             return scale * (vec4<f32>(
                 f32(word & 15u), f32((word >> 8u) & 15u),
                 f32((word >> 16u) & 15u), f32((word >> 24u) & 15u)) - 8.0);"
        ),
    }
}
