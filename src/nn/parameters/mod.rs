//! The tensors of a checkpoint on their way into a model: each is converted to its final format
//! and put on the device as soon as its bytes are there, so that loading never holds two copies.
//! In training they are plain tensors instead, and a new model's are made as it asks for them.
//!
//! `arriving` puts the tensors of a file on the device, `taking` hands them to a model.

mod announced;
mod arriving;
mod checks;
mod dtype;
mod taking;

pub use checks::is_embedding;
pub use dtype::Dtype;

use crate::kernels::{PackedFormat, PackedMatrix, Precision};
use burn::tensor::{Device, Tensor};
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
    precision: Precision,
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

    /// The same, whose matrices are to be computed with in this way.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Those of a model in training: matrices come out as [`Weight::Trainable`](crate::nn::Weight::Trainable). `device` is where
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
            precision: Precision::default(),
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

    /// The names of all tensors that a model has taken.
    pub fn asked(&self) -> &HashSet<String> {
        &self.asked
    }

    /// The names of all tensors that have arrived.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether a tensor of this name has arrived.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }
}
