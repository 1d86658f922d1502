//! A GGUF file that arrives chunk by chunk: each tensor goes to the device once its bytes are
//! there, so the file as a whole is never in memory.

use super::{Assembly, Description};
use crate::device::Placement;
use crate::kernels::PackedFormat;
use crate::nn::{Dtype, Target};
use crate::tasks::Model;
use crate::weights::gguf::{Header, Value};
use crate::weights::{Parsed, TensorInfo};
use crate::{Error, Result};

/// Metadata key of the tokenizer.json text.
pub const TOKENIZER_KEY: &str = "tokenizer.huggingface.json";
/// Metadata key of the config.json text.
pub const CONFIG_KEY: &str = "obscura.config";
/// Metadata key of the preprocessor_config.json text.
pub const PREPROCESSOR_KEY: &str = "obscura.preprocessor";
/// Metadata key of ggml's code for a file's main number format.
pub const FILE_TYPE_KEY: &str = "general.file_type";

impl Description {
    /// The texts in a GGUF file's metadata.
    pub fn from_gguf(header: &Header) -> Result<Self> {
        let text = |key| {
            header.text(key).map(str::to_string).map_err(|error| {
                Error::BadWeights(format!("{error}; files made by `obscura convert` have it"))
            })
        };
        Ok(Self {
            config: text(CONFIG_KEY)?,
            tokenizer: text(TOKENIZER_KEY)?,
            preprocessor: text(PREPROCESSOR_KEY)?,
        })
    }
}

/// Loads a model from the bytes of a GGUF file, pushed in order.
#[derive(Debug)]
pub struct GgufLoader {
    name: String,
    placement: Placement,
    dtype: Dtype,
    length: u64,
    position: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Collecting the header.
    Header(Vec<u8>),
    /// Collecting tensors, in the order of their bytes.
    Tensors(Box<Tensors>),
}

#[derive(Debug)]
struct Tensors {
    assembly: Assembly,
    waiting: std::vec::IntoIter<TensorInfo>,
    current: Option<TensorInfo>,
    collected: Vec<u8>,
}

impl GgufLoader {
    /// A loader for the file `name` (for error messages) of `length` bytes, where known.
    pub fn new(name: &str, placement: Placement, dtype: Dtype, length: Option<u64>) -> Self {
        Self {
            name: name.to_string(),
            placement,
            dtype,
            length: length.unwrap_or(u64::MAX),
            position: 0,
            stage: Stage::Header(Vec::new()),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: &[u8]) -> Result<()> {
        self.take(chunk).map_err(|error| named(&self.name, error))
    }

    /// The model, after the last byte.
    pub fn finish(self) -> Result<Model> {
        let name = self.name;
        let Stage::Tensors(tensors) = self.stage else {
            return Err(named(&name, truncated("in its header")));
        };
        if let Some(missing) = &tensors.current {
            return Err(named(
                &name,
                truncated(&format!("in tensor '{}'", missing.name)),
            ));
        }
        tensors
            .assembly
            .finish()
            .map_err(|error| named(&name, error))
    }

    fn take(&mut self, chunk: &[u8]) -> Result<()> {
        match &mut self.stage {
            Stage::Tensors(tensors) => tensors.take(chunk, &mut self.position),
            Stage::Header(collected) => {
                collected.extend_from_slice(chunk);
                let Parsed::Complete(header) = Header::parse(collected, self.length)? else {
                    return Ok(());
                };
                let collected = std::mem::take(collected);
                let mut tensors = Tensors::new(header, self.dtype, self.placement.clone())?;
                tensors.take(&collected, &mut self.position)?;
                self.stage = Stage::Tensors(Box::new(tensors));
                Ok(())
            }
        }
    }
}

impl Tensors {
    fn new(header: Header, dtype: Dtype, placement: Placement) -> Result<Self> {
        let description = Description::from_gguf(&header)?;
        let target = match dtype.packed_format() {
            Some(format) => Target::Convert(format),
            None => Target::Keep {
                tied: main_format(&header),
            },
        };
        let assembly = Assembly::new(&description, placement, target)?;
        let mut waiting = header.tensors.into_iter();
        let current = waiting.next();
        Ok(Self {
            assembly,
            waiting,
            current,
            collected: Vec::new(),
        })
    }

    /// Consumes bytes that lie at `position` of the file.
    fn take(&mut self, mut chunk: &[u8], position: &mut u64) -> Result<()> {
        while let Some(tensor) = self.current.as_ref().filter(|_| !chunk.is_empty()) {
            if *position < tensor.offset {
                let gap = tensor.offset - *position;
                advance(&mut chunk, position, gap);
                continue;
            }
            let missing = tensor.bytes - self.collected.len() as u64;
            let part = advance(&mut chunk, position, missing);
            if (part.len() as u64) < missing {
                self.collect(part, missing)?;
                continue;
            }
            if self.collected.is_empty() {
                self.assembly.accept(tensor, part)?;
            } else {
                self.collected.extend_from_slice(part);
                self.assembly
                    .accept(tensor, &std::mem::take(&mut self.collected))?;
            }
            self.current = self.waiting.next();
        }
        Ok(())
    }

    /// Keeps a part of a tensor until the rest arrives. Room for all of it is made at once, for a
    /// growing vector would need twice the tensor's size, but only after a good part has arrived: a
    /// header may claim anything.
    fn collect(&mut self, part: &[u8], missing: u64) -> Result<()> {
        const BELIEVED: u64 = 1 << 22;
        let collected = self.collected.len() as u64;
        if missing <= BELIEVED || collected >= BELIEVED {
            let room = usize::try_from(missing.min(BELIEVED.max(16 * collected)));
            let reserved = room.map(|room| self.collected.try_reserve_exact(room));
            if !matches!(reserved, Ok(Ok(()))) {
                return Err(Error::OutOfMemory(format!(
                    "a tensor of {} bytes does not fit into memory",
                    collected + missing
                )));
            }
        }
        self.collected.extend_from_slice(part);
        Ok(())
    }
}

/// Splits up to `count` bytes off the front.
fn advance<'a>(chunk: &mut &'a [u8], position: &mut u64, count: u64) -> &'a [u8] {
    let count = count.min(chunk.len() as u64);
    let (front, rest) = chunk.split_at(count as usize);
    *chunk = rest;
    *position += count;
    front
}

/// The format of most of a file's matrices, from ggml's file type.
fn main_format(header: &Header) -> PackedFormat {
    match header.metadata.get(FILE_TYPE_KEY).and_then(Value::as_u64) {
        Some(0) => PackedFormat::F32,
        Some(1) => PackedFormat::F16,
        Some(2) => PackedFormat::Q4,
        _ => PackedFormat::Q8,
    }
}

fn truncated(place: &str) -> Error {
    Error::BadWeights(format!("the file ends {place}: it is truncated"))
}

/// Puts the file's name in front of a complaint about its contents.
pub fn named(name: &str, error: Error) -> Error {
    match error {
        Error::BadWeights(message) => Error::BadWeights(format!("{name}: {message}")),
        other => other,
    }
}
