//! A tensor of a file arrives: converted to its final format, put on the device, joined with others,
//! shared with those that are tied to it.

use super::checks::{Role, finite, role};
use super::{Dtype, Origin, Parameter, Parameters, Target};
use crate::Result;
use crate::kernels::{PackedFormat, PackedMatrix, PackedShape};
use crate::weights::{Format, TensorInfo, blocks};
use burn::tensor::{Tensor, TensorData};

impl Parameters {
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
                let table = self.pack(info, bytes, self.table_format(info.format))?;
                self.add_tied(info, bytes, &table)?;
                Parameter::Matrix(table)
            }
            Role::Matrix => {
                Parameter::Matrix(self.pack(info, bytes, self.matrix_format(info.format))?)
            }
        };
        self.count(&parameter);
        self.from_table.remove(&info.name);
        self.shapes.insert(info.name.clone(), info.shape.clone());
        self.insert(&info.name, parameter);
        Ok(())
    }

    /// Adds a parameter, and joins it with others if it is the last of them.
    pub(super) fn insert(&mut self, name: &str, parameter: Parameter) {
        self.entries.insert(name.to_string(), parameter);
        if let Some(names) = (self.joined)(name) {
            self.join_parts(&names);
        }
    }

    /// Joins the matrices of these names if all are there. Each then stands for the whole, so that
    /// none is held twice.
    fn join_parts(&mut self, names: &[String]) {
        let part = |name: &String| match self.entries.get(name) {
            Some(Parameter::Matrix(matrix)) => Some(matrix.clone()),
            _ => None,
        };
        let Some(parts) = names.iter().map(part).collect::<Option<Vec<_>>>() else {
            return;
        };
        let rows = parts[0].shape().rows;
        if !parts.iter().all(|part| part.shape().rows == rows) {
            return; // damage, to be found where they are taken
        }
        if let Some(joined) = PackedMatrix::join(&parts) {
            for name in names {
                let joined = Parameter::Joined(joined.clone());
                self.entries.insert(name.clone(), joined);
            }
        }
    }

    /// Adds a parameter to the statistics.
    fn count(&mut self, parameter: &Parameter) {
        let (elements, bytes, format) = match parameter {
            Parameter::Matrix(matrix) | Parameter::Joined(matrix) => {
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
    pub(super) fn matrix_format(&self, stored: Format) -> PackedFormat {
        match self.origin {
            Origin::Checkpoint(Target::Convert(format)) => format,
            _ => match stored {
                Format::F32 => PackedFormat::F32,
                Format::F16 | Format::BF16 => PackedFormat::F16,
                Format::Q4_0 => PackedFormat::Q4,
                _ => PackedFormat::Q8,
            },
        }
    }

    /// The format for a table that is stored as `stored`: one whose rows are quantized stays so.
    pub(super) fn table_format(&self, stored: Format) -> PackedFormat {
        match self.matrix_format(stored) {
            PackedFormat::F32 => PackedFormat::F32,
            PackedFormat::Q8 if stored == Format::Q8_0 => PackedFormat::Q8,
            _ => PackedFormat::F16,
        }
    }

    /// The format for a matrix that has a table's values; none in training, where it is the table.
    pub(super) fn tied_format(&self) -> Option<PackedFormat> {
        match self.origin {
            Origin::Checkpoint(Target::Convert(format)) => Some(format),
            Origin::Checkpoint(Target::Keep { tied }) => Some(tied),
            _ => None,
        }
    }

    /// The matrices tied to `table`, unless the file's own came first. Values that both need in
    /// the same format are shared.
    fn add_tied(&mut self, info: &TensorInfo, bytes: &[u8], table: &PackedMatrix) -> Result<()> {
        let Some(format) = self.tied_format() else {
            return Ok(());
        };
        for place in 0..self.tied.len() {
            let (name, source) = self.tied[place].clone();
            let taken = self.entries.contains_key(&name)
                && self
                    .from_table
                    .get(&name)
                    .is_none_or(|first| *first < place);
            if source != info.name || taken {
                continue;
            }
            let matrix = if format == table.shape().format {
                table.clone()
            } else {
                let matrix = self.pack(info, bytes, format)?;
                self.bytes += matrix.bytes();
                matrix
            };
            self.entries.insert(name.clone(), Parameter::Matrix(matrix));
            self.from_table.insert(name, place);
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
        let shape = packed_shape(info, format);
        let stored = shape.format.stored();
        finite(info, bytes)?;
        if info.format == stored {
            return Ok(self.matrix_of(bytes, shape));
        }
        let converted = blocks::convert(info.format, stored, bytes, info.elements())?;
        Ok(self.matrix_of(&converted, shape))
    }

    fn matrix_of(&self, bytes: &[u8], shape: PackedShape) -> PackedMatrix {
        PackedMatrix::from_bytes(bytes, shape, &self.device).with_precision(self.precision)
    }
}

/// Size and format of a matrix that is wanted in `format`, as far as its width allows.
pub(super) fn packed_shape(info: &TensorInfo, format: PackedFormat) -> PackedShape {
    let columns = info.shape[1..].iter().product();
    PackedShape {
        rows: info.shape[0],
        columns,
        format: match PackedShape::fits(format, columns) {
            true => format,
            false => PackedFormat::F16,
        },
    }
}
