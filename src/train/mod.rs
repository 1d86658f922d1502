//! Training: the losses of BLIP's paper and CLIP's, labels of patches, and the loop around them, over
//! the very models that serve inference.
//!
//! ```text
//! Examples -Batch-> pixels, ids -objectives-> ITC + ITM + LM (+ answers, patches) -optimizer-> Weights
//! ```
//!
//! [`Weights`] are the parameters by their checkpoint names. For each step a [`crate::models::Blip`]
//! is assembled from them as leaves of a gradient computation, exactly as it is assembled from a
//! file. What is written is a checkpoint like any other.

pub mod batch;
mod blueprint;
mod checkpoint;
mod examples;
pub mod log;
pub mod losses;
pub mod momentum;
pub mod negatives;
pub mod objectives;
pub mod optimizer;
pub mod patch_labels;
pub mod plot;
mod run;
mod scene_examples;
mod trainer;
pub mod weights;

pub use blueprint::Blueprint;
pub use examples::{Captioned, Example, Examples, rng_of};
pub use optimizer::{OptimizerConfig, Schedule};
pub use run::{RunFolder, run};
pub use scene_examples::SceneExamples;
pub use trainer::{Recipe, Report, Trainer};
pub use weights::Weights;
