//! Tensors that are known by name, shape and format before their bytes are there.

use super::arriving::packed_shape;
use super::checks::{Role, role};
use super::{Origin, Parameter, Parameters};
use crate::kernels::{PackedFormat, PackedMatrix};
use crate::weights::TensorInfo;
use burn::tensor::Tensor;

impl Parameters {
    /// Announces a tensor that has yet to arrive. A model made of announced tensors has sizes and
    /// formats but no values: making one shows whether anything is missing, what it is that it takes,
    /// and what it will run.
    pub fn announce(&mut self, info: &TensorInfo) {
        let none = Tensor::<1>::zeros([1], &self.device);
        self.announce_with(info, |elements| none.expand([elements]));
    }

    /// The same, with what stands for the numbers of a tensor that is no matrix.
    fn announce_with(&mut self, info: &TensorInfo, floats: impl FnOnce(usize) -> Tensor<1>) {
        if info.format.is_integer() || info.elements() == 0 {
            return;
        }
        let parameter = match role(info) {
            Role::Float => Parameter::Float {
                shape: info.shape.clone(),
                tensor: floats(info.elements()),
            },
            Role::Table => {
                let format = self.tied_format().unwrap_or(PackedFormat::F32);
                let tied = PackedMatrix::hollow(packed_shape(info, format), &self.device);
                for (name, source) in &self.tied {
                    if *source == info.name {
                        let entry = self.entries.entry(name.clone());
                        entry.or_insert(Parameter::Matrix(tied.clone()));
                    }
                }
                let shape = packed_shape(info, self.table_format(info.format));
                Parameter::Matrix(PackedMatrix::hollow(shape, &self.device))
            }
            Role::Matrix => {
                let shape = packed_shape(info, self.matrix_format(info.format));
                Parameter::Matrix(PackedMatrix::hollow(shape, &self.device))
            }
        };
        self.shapes.insert(info.name.clone(), info.shape.clone());
        self.insert(&info.name, parameter);
    }

    /// The same parameters with nothing but the announced `tensors`. Those that are no matrices, the small
    /// ones, take their memory: what is computed with them depends on how they lie there.
    pub fn announced(&self, tensors: &[TensorInfo]) -> Self {
        let origin = match self.origin {
            Origin::Checkpoint(target) => Origin::Checkpoint(target),
            _ => Origin::Training,
        };
        let mut announced = Self {
            tied: self.tied.clone(),
            shared: self.shared,
            joined: self.joined,
            ..Self::empty(self.device.clone(), origin)
        };
        for tensor in tensors {
            let device = &self.device;
            announced.announce_with(tensor, |elements| Tensor::zeros([elements], device));
        }
        announced
    }
}
