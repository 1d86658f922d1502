//! The tensors of a checkpoint on their way into a model: each is converted to its final format
//! and put on the device as soon as its bytes are there, so that loading never holds two copies.
//! In training they are plain tensors instead, and a new model's are made as it asks for them.

mod announced;
mod checks;
mod dtype;

pub use checks::is_embedding;
pub use dtype::Dtype;

use super::Weight;
use crate::Result;
use crate::kernels::{PackedFormat, PackedMatrix, PackedShape};
use crate::weights::{Format, TensorInfo, blocks};
use burn::tensor::{Device, Tensor, TensorData};
use checks::{Role, finite, missing, role, wrong_shape};
use std::collections::{HashMap, HashSet};
use std::str::FromStr;

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
#[derive(Debug, Clone)]
enum Parameter {
    Matrix(PackedMatrix),
    /// Rows of a matrix that several tensors were joined into, all of which have it.
    Joined(PackedMatrix),
    Float {
        shape: Vec<usize>,
        tensor: Tensor<1>,
    },
}

/// A parameter that is trained: its name in checkpoints, its shape there, its values in one row.
#[derive(Debug, Clone)]
pub struct Trainable {
    /// The name.
    pub name: String,
    /// The shape.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Tensor<1>,
}

/// Makes the first values of a parameter: `(name, shape)` to as many values.
type Initial = Box<dyn FnMut(&str, &[usize]) -> Vec<f32>>;

/// Where parameters come from.
enum Origin {
    /// A checkpoint, in the formats that a target says.
    Checkpoint(Target),
    /// A model in training.
    Training,
    /// Nowhere: each is made when it is first asked for, and kept in that order.
    New(Initial, Vec<Trainable>),
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Checkpoint(target) => target.fmt(formatter),
            Origin::Training => formatter.write_str("Training"),
            Origin::New(..) => formatter.write_str("New"),
        }
    }
}

/// The tensors of a checkpoint by name, until a model takes them.
#[derive(Debug)]
pub struct Parameters {
    device: Device,
    origin: Origin,
    entries: HashMap<String, Parameter>,
    /// The shapes that the file gives its tensors, of which a matrix keeps rows and columns alone.
    shapes: HashMap<String, Vec<usize>>,
    tied: Vec<(String, String)>,
    /// Matrices that came from the table at this place of `tied`.
    from_table: HashMap<String, usize>,
    shared: fn(&str) -> Option<String>,
    joined: fn(&str) -> Option<Vec<String>>,
    /// Names that were asked for and found.
    asked: HashSet<String>,
    elements: usize,
    bytes: usize,
    used: HashMap<&'static str, usize>,
}

impl Parameters {
    /// None yet, to be put on `device` in the formats that `target` says.
    pub fn new(device: Device, target: Target) -> Self {
        Self::empty(device, Origin::Checkpoint(target))
    }

    /// Those of a model in training: matrices come out as [`Weight::Trainable`]. `device` is where
    /// they are.
    pub fn trainable(device: Device, parameters: impl IntoIterator<Item = Trainable>) -> Self {
        let mut all = Self::empty(device, Origin::Training);
        for Trainable {
            name,
            shape,
            values: tensor,
        } in parameters
        {
            all.entries.insert(name, Parameter::Float { shape, tensor });
        }
        all
    }

    /// Those of a new model, made as the model asks for them.
    pub fn initialised(
        device: Device,
        initial: impl FnMut(&str, &[usize]) -> Vec<f32> + 'static,
    ) -> Self {
        Self::empty(device, Origin::New(Box::new(initial), Vec::new()))
    }

    /// What [`Self::initialised`] has made.
    pub fn into_created(self) -> Vec<Trainable> {
        match self.origin {
            Origin::New(_, created) => created,
            _ => Vec::new(),
        }
    }

    fn empty(device: Device, origin: Origin) -> Self {
        Self {
            device,
            origin,
            entries: HashMap::new(),
            shapes: HashMap::new(),
            tied: Vec::new(),
            from_table: HashMap::new(),
            shared: |_| None,
            joined: |_| None,
            asked: HashSet::new(),
            elements: 0,
            bytes: 0,
            used: HashMap::new(),
        }
    }

    /// Declares that the matrix `name` is the table `source` unless the file has its own. Of
    /// several sources that a file has, the first declared counts.
    pub fn tie(&mut self, name: &str, source: &str) {
        self.tied.push((name.to_string(), source.to_string()));
    }

    /// Declares whose values a tensor has that the file lacks.
    pub fn share(&mut self, shared: fn(&str) -> Option<String>) {
        self.shared = shared;
    }

    /// Declares which matrices become one as soon as all of them are there, if their formats are
    /// equal: given the name of one, their names in order.
    pub fn join(&mut self, joined: fn(&str) -> Option<Vec<String>>) {
        self.joined = joined;
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
    fn insert(&mut self, name: &str, parameter: Parameter) {
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

    /// The names of all tensors that a model has taken.
    pub fn asked(&self) -> &HashSet<String> {
        &self.asked
    }

    /// Takes a float tensor; `shape` is what the model needs, and dimensions of 1 do not matter.
    pub fn tensor<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Result<Tensor<D>> {
        match self.find(name, &shape)? {
            Parameter::Float {
                shape: found,
                tensor,
            } => {
                let squeezed = |shape: &[usize]| -> Vec<usize> {
                    shape.iter().copied().filter(|size| *size != 1).collect()
                };
                if squeezed(&found) != squeezed(&shape) {
                    return Err(wrong_shape(name, &shape, &found));
                }
                Ok(tensor.reshape(shape))
            }
            Parameter::Matrix(matrix) | Parameter::Joined(matrix) => {
                let shape_found = [matrix.shape().rows, matrix.shape().columns];
                Err(wrong_shape(name, &shape, &shape_found))
            }
        }
    }

    /// Takes a weight matrix or table of `shape` [rows, columns].
    pub fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Weight> {
        self.weight(name, shape, &shape)
    }

    /// Takes a convolution's weight, `[outputs, inputs, height, width]`, as a matrix of one row for
    /// each output. Models that were trained here are stored with such rows.
    pub fn convolution(&mut self, name: &str, shape: [usize; 4]) -> Result<Weight> {
        let [outputs, inputs, height, width] = shape;
        self.weight(name, [outputs, inputs * height * width], &shape)
    }

    /// Takes a matrix that a file may also hold in its `whole` shape, of more dimensions.
    fn weight(&mut self, name: &str, shape: [usize; 2], whole: &[usize]) -> Result<Weight> {
        let parameter = self.find(name, &shape)?;
        if let Some(found) = self.shapes.get(name)
            && found != whole
            && *found != shape
        {
            return Err(wrong_shape(name, whole, found));
        }
        match parameter {
            Parameter::Matrix(matrix) => {
                let found = [matrix.shape().rows, matrix.shape().columns];
                if found != shape {
                    return Err(wrong_shape(name, &shape, &found));
                }
                Ok(Weight::Packed(matrix))
            }
            Parameter::Joined(matrix) => {
                let found = [matrix.shape().rows, matrix.shape().columns];
                Err(wrong_shape(name, &shape, &found))
            }
            Parameter::Float {
                shape: found,
                tensor,
            } => {
                let columns = found.iter().skip(1).product::<usize>();
                let is_checkpoint = matches!(self.origin, Origin::Checkpoint(_));
                if is_checkpoint || found.first() != Some(&shape[0]) || columns != shape[1] {
                    return Err(wrong_shape(name, &shape, &found));
                }
                Ok(Weight::Trainable(tensor.reshape(shape)))
            }
        }
    }

    /// Takes the matrices `names`, of `shape` [rows, columns] each, as one of all their rows; `None`
    /// if they were not joined.
    pub fn joined(&mut self, names: &[String], shape: [usize; 2]) -> Result<Option<PackedMatrix>> {
        let [rows, columns] = shape;
        let mut whole = None;
        for name in names {
            let parameter = self.find(name, &shape)?;
            if let Some(found) = self.shapes.get(name)
                && *found != shape
            {
                return Err(wrong_shape(name, &shape, found));
            }
            match parameter {
                Parameter::Joined(matrix) => {
                    let found = [matrix.shape().rows / names.len(), matrix.shape().columns];
                    if found != [rows, columns] {
                        return Err(wrong_shape(name, &shape, &found));
                    }
                    whole = Some(matrix);
                }
                _ => return Ok(None),
            }
        }
        Ok(whole)
    }

    /// The tensor `name`, or the one that it shares its values with, or a new one.
    fn find(&mut self, name: &str, shape: &[usize]) -> Result<Parameter> {
        let mut wanted = name.to_string();
        loop {
            if let Some(found) = self.entries.get(&wanted) {
                let found = found.clone();
                self.asked.insert(wanted);
                return Ok(found);
            }
            match self.source(&wanted) {
                Some(source) => wanted = source,
                None => break,
            }
        }
        self.create(name, shape).ok_or_else(|| missing(name))
    }

    /// Whose values a missing tensor has. A packed matrix cannot stand in for its table or the
    /// other way round, so ties are followed in training alone.
    fn source(&self, name: &str) -> Option<String> {
        let is_training = !matches!(self.origin, Origin::Checkpoint(_));
        let tie = self
            .tied
            .iter()
            .find(|(tied, _)| is_training && tied == name);
        tie.map(|(_, source)| source.clone())
            .or_else(|| (self.shared)(name))
    }

    /// A new model's tensor.
    fn create(&mut self, name: &str, shape: &[usize]) -> Option<Parameter> {
        let Origin::New(initial, created) = &mut self.origin else {
            return None;
        };
        let data = TensorData::new(initial(name, shape), [shape.iter().product::<usize>()]);
        let values: Tensor<1> = Tensor::from_data(data, &self.device);
        created.push(Trainable {
            name: name.to_string(),
            shape: shape.to_vec(),
            values: values.clone(),
        });
        let parameter = Parameter::Float {
            shape: shape.to_vec(),
            tensor: values,
        };
        self.entries.insert(name.to_string(), parameter.clone());
        Some(parameter)
    }

    /// The names of all tensors that have arrived.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether a tensor of this name has arrived.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
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
    fn matrix_format(&self, stored: Format) -> PackedFormat {
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

    /// The format for a table that is stored as `stored`.
    fn table_format(&self, stored: Format) -> PackedFormat {
        match self.matrix_format(stored) {
            PackedFormat::F32 => PackedFormat::F32,
            _ => PackedFormat::F16,
        }
    }

    /// The format for a matrix that has a table's values; none in training, where it is the table.
    fn tied_format(&self) -> Option<PackedFormat> {
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
            return Ok(PackedMatrix::from_bytes(bytes, shape, &self.device));
        }
        let converted = blocks::convert(info.format, stored, bytes, info.elements())?;
        Ok(PackedMatrix::from_bytes(&converted, shape, &self.device))
    }
}

/// Size and format of a matrix that is wanted in `format`, as far as its width allows.
fn packed_shape(info: &TensorInfo, format: PackedFormat) -> PackedShape {
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
