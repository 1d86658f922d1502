//! A model takes its tensors by name, and says which shapes it needs.

use super::checks::{missing, wrong_shape};
use super::{Origin, Parameter, Parameters, Trainable};
use crate::Result;
use crate::kernels::PackedMatrix;
use crate::nn::Weight;
use burn::tensor::{Tensor, TensorData};

impl Parameters {
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
}
