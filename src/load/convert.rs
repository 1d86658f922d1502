//! From any readable model to a GGUF file, tensor by tensor.

use super::files::Folder;
use super::plan::Plan;
pub use super::source::Source;
use crate::Result;
use crate::at_once::at_once;
use crate::nn::Dtype;
use crate::weights::gguf::Writer;
use std::collections::BTreeMap;
use std::io::Write;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of tensors in each format.
    pub formats: BTreeMap<&'static str, usize>,
}

/// Writes `source` as a GGUF file whose matrices are in `dtype` (`Auto`: q8). Embeddings stay F16
/// (F32 with `f32`); norms, biases and whatever does not fill whole blocks stay float, too.
/// Tensors that the model does not take are left out. `progress` is told the bytes read.
pub fn convert(
    source: &mut Source<Folder>,
    output: impl Write,
    dtype: Dtype,
    mut progress: impl FnMut(u64),
) -> Result<Written> {
    let dtype = match dtype {
        Dtype::Auto => Dtype::Q8,
        dtype => dtype,
    };
    let plan = Plan::new(source, dtype, &[])?;
    let mut formats = BTreeMap::new();
    for tensor in &plan.layout.tensors {
        *formats.entry(tensor.format.name()).or_default() += 1;
    }
    let written = Written {
        bytes: plan.layout.file_length,
        tensors: plan.layout.tensors.len(),
        formats,
    };
    let mut writer = Writer::with_layout(output, plan.layout.clone())?;
    for (tensor, located) in plan.layout.tensors.iter().zip(&plan.sources) {
        let bytes = at_once(source.fetch(located, tensor.format))?;
        writer.write(&tensor.name, &bytes)?;
        progress(located.info.bytes);
    }
    writer.finish()?;
    Ok(written)
}
