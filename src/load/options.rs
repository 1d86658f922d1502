//! What is asked of a load, and what it tells on the way.

use super::adapter::AdapterPlace;
use super::weight_file::Promises;
use crate::nn::Dtype;

/// What is asked of a load.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How the weights are held.
    pub dtype: Dtype,
    /// The tasks that the model is wanted for; none named: all that it can do.
    pub tasks: Vec<String>,
    /// The SHA-256 of its files, in hexadecimal. Empty, or with every file that holds weights.
    pub sha256: Promises,
    /// Adapters that are merged into the model while it is loaded, in this order. One that lies beside
    /// the model is merged before them, unasked.
    pub adapters: Vec<AdapterPlace>,
    /// Whether a GPU compiles what the tasks run while the weights arrive.
    pub rehearse: bool,
}

/// What is told on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'e> {
    /// What will be read of the source, in this order.
    Plan {
        /// Bytes of all tensors that the model takes, as they are in the source.
        total: u64,
        /// How many of them the cache entry has.
        cached: u64,
        /// File, offset and length of what the entry has not.
        ranges: Vec<(String, u64, u64)>,
    },
    /// A tensor is on the device.
    Tensor {
        /// Its name.
        name: &'e str,
        /// Bytes of the tensors so far.
        loaded: u64,
        /// Bytes of all tensors.
        total: u64,
    },
    /// Something went wrong that does not stop the load.
    Warning(&'e str),
    /// The cache entry could not be written, and is empty now.
    Uncached(&'e str),
}
