//! The tensors of a checkpoint on their way into a model: each is converted to its final format
//! and put on the device as soon as its bytes are there, so that loading never holds two copies.

use crate::kernels::{PackedFormat, PackedMatrix, PackedShape};
use crate::weights::{Format, TensorInfo, blocks};
use crate::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::{HashMap, HashSet};
use std::str::FromStr;

/// The number format that a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dtype {
    /// A GGUF file's own formats; q8 for checkpoints in Hugging Face layout.
    #[default]
    Auto,
    /// Blocks of 4-bit values.
    Q4,
    /// Blocks of 8-bit values.
    Q8,
    /// Half precision.
    F16,
    /// Single precision: no loss, which is how parity with the reference is measured.
    F32,
}

impl Dtype {
    /// All of them, in the order of help texts.
    pub const ALL: [Dtype; 5] = [Dtype::Auto, Dtype::Q4, Dtype::Q8, Dtype::F16, Dtype::F32];

    /// The name in options and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::Auto => "auto",
            Dtype::Q4 => "q4",
            Dtype::Q8 => "q8",
            Dtype::F16 => "f16",
            Dtype::F32 => "f32",
        }
    }

    /// The format of weight matrices; `Auto` leaves it open.
    pub fn packed_format(self) -> Option<PackedFormat> {
        match self {
            Dtype::Auto => None,
            Dtype::Q4 => Some(PackedFormat::Q4),
            Dtype::Q8 => Some(PackedFormat::Q8),
            Dtype::F16 => Some(PackedFormat::F16),
            Dtype::F32 => Some(PackedFormat::F32),
        }
    }
}

impl FromStr for Dtype {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let all = Dtype::ALL;
        all.into_iter()
            .find(|dtype| dtype.name() == name)
            .ok_or_else(|| {
                let names = all.map(Dtype::name).join(", ");
                Error::BadInput(format!("unknown dtype '{name}': expected one of {names}"))
            })
    }
}

impl From<PackedFormat> for Dtype {
    fn from(format: PackedFormat) -> Self {
        match format {
            PackedFormat::F32 => Dtype::F32,
            PackedFormat::F16 => Dtype::F16,
            PackedFormat::Q8 => Dtype::Q8,
            PackedFormat::Q4 => Dtype::Q4,
        }
    }
}

/// How the formats of weight matrices are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Every matrix in this format, as far as its width allows.
    Convert(PackedFormat),
    /// As in the file. A matrix that shares a table's values (tables are never quantized) is
    /// given the format that the file's other matrices have.
    Keep {
        /// That format.
        tied: PackedFormat,
    },
}

/// One tensor on the device.
#[derive(Debug)]
enum Parameter {
    Matrix(PackedMatrix),
    Float {
        shape: Vec<usize>,
        tensor: Tensor<1>,
    },
}

/// The tensors of a checkpoint by name, until a model takes them.
#[derive(Debug)]
pub struct Parameters {
    device: Device,
    target: Target,
    entries: HashMap<String, Parameter>,
    tied: Vec<(String, String)>,
    /// Names that were asked for and found.
    asked: HashSet<String>,
    elements: usize,
    bytes: usize,
    used: HashMap<&'static str, usize>,
}

impl Parameters {
    /// None yet, to be put on `device` in the formats that `target` says.
    pub fn new(device: Device, target: Target) -> Self {
        Self {
            device,
            target,
            entries: HashMap::new(),
            tied: Vec::new(),
            asked: HashSet::new(),
            elements: 0,
            bytes: 0,
            used: HashMap::new(),
        }
    }

    /// Declares that the matrix `name` is the table `source` unless the file has its own.
    pub fn tie(&mut self, name: &str, source: &str) {
        self.tied.push((name.to_string(), source.to_string()));
    }

    /// Where the tensors are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How many numbers the model has.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Bytes of all tensors on the device.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The format that holds most of the numbers.
    pub fn main_dtype(&self) -> Dtype {
        let most = self.used.iter().max_by_key(|(_, elements)| **elements);
        most.and_then(|(name, _)| Dtype::from_str(name).ok())
            .unwrap_or(Dtype::F32)
    }

    /// Converts one tensor of a file and puts it on the device. `bytes` are exactly the tensor's.
    pub fn accept(&mut self, info: &TensorInfo, bytes: &[u8]) -> Result<()> {
        if matches!(info.format, Format::Integer { .. }) {
            return Ok(()); // position_ids and the like: indices that the models compute themselves
        }
        if info.elements() == 0 {
            return Ok(()); // a model that needs it will say that it is missing
        }
        let parameter = match role(info) {
            Role::Float => self.float(info, bytes)?,
            Role::Table => {
                let format = match self.matrix_format(info.format) {
                    PackedFormat::F32 => PackedFormat::F32,
                    _ => PackedFormat::F16,
                };
                let table = self.pack(info, bytes, format)?;
                self.add_tied(info, bytes, &table)?;
                Parameter::Matrix(table)
            }
            Role::Matrix => {
                Parameter::Matrix(self.pack(info, bytes, self.matrix_format(info.format))?)
            }
        };
        self.count(&parameter);
        self.entries.insert(info.name.clone(), parameter);
        Ok(())
    }

    /// Announces a tensor that has yet to arrive. A model made of announced tensors has sizes but
    /// no values: making one shows whether anything is missing, and what it is that it takes.
    pub fn announce(&mut self, info: &TensorInfo) {
        if info.format.is_integer() || info.elements() == 0 {
            return;
        }
        let parameter = match role(info) {
            Role::Float => Parameter::Float {
                shape: info.shape.clone(),
                tensor: Tensor::<1>::zeros([1], &self.device).expand([info.elements()]),
            },
            Role::Table | Role::Matrix => {
                let (rows, columns) = (info.shape[0], info.shape[1..].iter().product());
                Parameter::Matrix(PackedMatrix::hollow(rows, columns, &self.device))
            }
        };
        for (name, source) in &self.tied {
            if let (true, Parameter::Matrix(table)) = (*source == info.name, &parameter) {
                let entry = self.entries.entry(name.clone());
                entry.or_insert(Parameter::Matrix(table.clone()));
            }
        }
        self.entries.insert(info.name.clone(), parameter);
    }

    /// The names of all tensors that a model has taken.
    pub fn asked(&self) -> &HashSet<String> {
        &self.asked
    }

    /// Takes a float tensor; `shape` is what the model needs, and dimensions of 1 do not matter.
    pub fn tensor<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Result<Tensor<D>> {
        self.asked.insert(name.to_string());
        match self.entries.remove(name) {
            Some(Parameter::Float {
                shape: found,
                tensor,
            }) => {
                let squeezed = |shape: &[usize]| -> Vec<usize> {
                    shape.iter().copied().filter(|size| *size != 1).collect()
                };
                if squeezed(&found) != squeezed(&shape) {
                    return Err(wrong_shape(name, &shape, &found));
                }
                Ok(tensor.reshape(shape))
            }
            Some(Parameter::Matrix(matrix)) => {
                let shape_found = [matrix.shape().rows, matrix.shape().columns];
                Err(wrong_shape(name, &shape, &shape_found))
            }
            None => Err(missing(name)),
        }
    }

    /// Takes a weight matrix or table of `shape` [rows, columns].
    pub fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<PackedMatrix> {
        self.asked.insert(name.to_string());
        match self.entries.remove(name) {
            Some(Parameter::Matrix(matrix)) => {
                let found = [matrix.shape().rows, matrix.shape().columns];
                if found != shape {
                    return Err(wrong_shape(name, &shape, &found));
                }
                Ok(matrix)
            }
            Some(Parameter::Float { shape: found, .. }) => Err(wrong_shape(name, &shape, &found)),
            None => Err(missing(name)),
        }
    }

    /// Whether a tensor of this name has arrived and not been taken.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Adds a parameter to the statistics.
    fn count(&mut self, parameter: &Parameter) {
        let (elements, bytes, format) = match parameter {
            Parameter::Matrix(matrix) => {
                let shape = matrix.shape();
                (
                    shape.rows * shape.columns,
                    matrix.bytes(),
                    Dtype::from(shape.format).name(),
                )
            }
            Parameter::Float { tensor, .. } => {
                let elements = tensor.dims()[0];
                (elements, elements * 4, Dtype::F32.name())
            }
        };
        self.elements += elements;
        self.bytes += bytes;
        *self.used.entry(format).or_default() += elements;
    }

    /// The format for a matrix that is stored as `stored`.
    fn matrix_format(&self, stored: Format) -> PackedFormat {
        match self.target {
            Target::Convert(format) => format,
            Target::Keep { .. } => match stored {
                Format::F32 => PackedFormat::F32,
                Format::F16 | Format::BF16 => PackedFormat::F16,
                Format::Q4_0 => PackedFormat::Q4,
                _ => PackedFormat::Q8,
            },
        }
    }

    /// The matrices tied to `table`, unless the file's own came first. Values that both need in
    /// the same format are shared.
    fn add_tied(&mut self, info: &TensorInfo, bytes: &[u8], table: &PackedMatrix) -> Result<()> {
        let format = match self.target {
            Target::Convert(format) => format,
            Target::Keep { tied } => tied,
        };
        let ties = self
            .tied
            .iter()
            .filter(|(name, source)| *source == info.name && !self.entries.contains_key(name));
        let names: Vec<String> = ties.map(|(name, _)| name.clone()).collect();
        for name in names {
            let matrix = if format == table.shape().format {
                table.clone()
            } else {
                let matrix = self.pack(info, bytes, format)?;
                self.bytes += matrix.bytes();
                matrix
            };
            self.entries.insert(name, Parameter::Matrix(matrix));
        }
        Ok(())
    }

    fn float(&self, info: &TensorInfo, bytes: &[u8]) -> Result<Parameter> {
        finite(info, bytes)?;
        let values = blocks::dequantize(info.format, bytes, info.elements())?;
        let count = values.len();
        let tensor = Tensor::from_data(TensorData::new(values, [count]), &self.device);
        Ok(Parameter::Float {
            shape: info.shape.clone(),
            tensor,
        })
    }

    fn pack(&self, info: &TensorInfo, bytes: &[u8], format: PackedFormat) -> Result<PackedMatrix> {
        let rows = info.shape[0];
        let columns = info.shape[1..].iter().product();
        let format = if PackedShape::fits(format, columns) {
            format
        } else {
            PackedFormat::F16
        };
        let shape = PackedShape {
            rows,
            columns,
            format,
        };
        let stored = format.stored();
        finite(info, bytes)?;
        if info.format == stored {
            return Ok(PackedMatrix::from_bytes(bytes, shape, &self.device));
        }
        let converted = blocks::convert(info.format, stored, bytes, info.elements())?;
        Ok(PackedMatrix::from_bytes(&converted, shape, &self.device))
    }
}

/// What a tensor is used for, as far as its format is concerned.
enum Role {
    /// Added or multiplied as it is: norms, biases, positions, the class token, the logit scale.
    Float,
    /// An embedding: looked up by token id, or a patch's. Never quantized.
    Table,
    /// A linear layer's weight.
    Matrix,
}

/// The role, from the checkpoint's own naming.
fn role(info: &TensorInfo) -> Role {
    let name = info.name.as_str();
    if info.shape.len() < 2
        || name.contains("position_embedding")
        || name.contains("class_embedding")
    {
        Role::Float
    } else if is_embedding(name) {
        Role::Table
    } else {
        Role::Matrix
    }
}

/// Whether a checkpoint's tensor is an embedding (of tokens, positions, patches or the class
/// token), which no format quantizes.
pub fn is_embedding(name: &str) -> bool {
    name.contains("_embedding")
}

/// Damaged weights show as infinities more often than as wrong sizes, and make every answer wrong.
/// Of blocks only the scales can spoil their numbers: f16 at the start of each.
fn finite(info: &TensorInfo, bytes: &[u8]) -> Result<()> {
    let found = match info.format {
        Format::Q8_0 | Format::Q4_0 => bytes
            .chunks_exact(info.format.block_bytes())
            .map(|block| half::f16::from_le_bytes([block[0], block[1]]).to_f32())
            .enumerate()
            .find(|(_, scale)| !scale.is_finite())
            .map(|(index, scale)| (index * info.format.block_length(), scale)),
        format => blocks::first_not_finite(format, bytes, info.elements())?,
    };
    match found {
        None => Ok(()),
        Some((index, value)) => Err(Error::BadWeights(format!(
            "tensor '{}' holds {value} at position {index}: the file is damaged",
            info.name
        ))),
    }
}

fn missing(name: &str) -> Error {
    Error::BadWeights(format!("tensor '{name}' is missing from the checkpoint"))
}

fn wrong_shape(name: &str, expected: &[usize], found: &[usize]) -> Error {
    Error::BadWeights(format!(
        "tensor '{name}' has shape {found:?}, but the configuration asks for {expected:?}"
    ))
}
