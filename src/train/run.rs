//! The loop: examples to batches to steps, with checkpoints on the way.

use super::{Examples, Report, Trainer};
use crate::Result;
use std::path::{Path, PathBuf};

/// The files of a run, in one folder.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The run in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_path_buf())
    }

    /// The state to go on from.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint.gguf")
    }

    /// The model, unquantized.
    pub fn model(&self) -> PathBuf {
        self.0.join("model.gguf")
    }

    /// Where [`super::log::Log`] writes.
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

/// Trains until the schedule's last step. `save_every` steps, and at the end, the state and the
/// model are written. `on_step` hears of each step, and ends the run early by returning false.
pub fn run(
    trainer: &mut Trainer,
    examples: &dyn Examples,
    folder: &RunFolder,
    save_every: u64,
    mut on_step: impl FnMut(&Report) -> Result<bool>,
) -> Result<()> {
    let steps = trainer.recipe.schedule.steps;
    while trainer.step < steps {
        let batch = examples.batch(trainer.step, trainer.recipe.batch)?;
        let batch = trainer.prepare(&batch)?;
        let report = trainer.learn(&batch)?;
        let goes_on = on_step(&report)?;
        let is_due = trainer.step.is_multiple_of(save_every.max(1));
        if is_due || !goes_on || trainer.step == steps {
            save(trainer, folder)?;
        }
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

fn save(trainer: &Trainer, folder: &RunFolder) -> Result<()> {
    trainer.save_checkpoint(&folder.checkpoint())?;
    trainer.weights.save(
        &folder.model(),
        &trainer.description,
        trainer.config().family(),
    )
}
