//! Compiling before the first call what a GPU runs for it.

use super::{Decoding, Model, Network, read};
use crate::kernels::{self, ids_tensor};
use crate::models::{Blip, Clip, normalize};
use crate::{Result, generate::NextLogits};
use burn::tensor::Tensor;
#[cfg(not(target_feature = "atomics"))]
use cubecl::dry_run::DryRun;

/// A text longer than the few rows that kernels for a decoding step take.
const TEXT: usize = 8;

impl Model {
    /// Has the device compile the kernels of the usual calls, without running them, and waits until
    /// it has: a first call then takes hardly longer than the next. On the CPU there is nothing to
    /// compile.
    pub async fn warm_up(&self) -> Result<()> {
        if self.placement.name == "cpu" {
            return Ok(());
        }
        {
            #[cfg(not(target_feature = "atomics"))]
            let _dry_run = DryRun::new(); // of all launches until the end of the block
            match &self.network {
                Network::Clip(clip) => self.rehearse_clip(clip),
                Network::Blip(blip) => self.rehearse_blip(blip)?,
            }
        }
        // Answered in order, so after all that was asked for before.
        let answer = Tensor::<1>::zeros([1], &self.placement.device);
        read(answer).await.map(drop)
    }

    fn no_pixels(&self) -> Tensor<4> {
        let (height, width) = self.preprocessor.output_size();
        Tensor::zeros([1, 3, height, width], &self.placement.device)
    }

    fn rehearse_clip(&self, clip: &Clip) {
        let encoders = clip.config().encoders;
        if encoders.image {
            normalize(clip.encode_image(self.no_pixels()));
        }
        if encoders.text {
            normalize(clip.encode_text(&[vec![0; TEXT]]));
        }
    }

    fn rehearse_blip(&self, blip: &Blip) -> Result<()> {
        let mut states = blip.encode_image(self.no_pixels());
        let text = [vec![0; TEXT]];
        let tasks = &self.info.tasks;
        if tasks.contains(&"match") {
            normalize(blip.project_image(states.clone())?);
            normalize(blip.encode_text(&text)?);
            blip.matching_logits(blip.ground_text(&text, &blip.grounding(states.clone())?)?)?;
        }
        if tasks.contains(&"answer") {
            let grounding = blip.grounding(states.clone())?;
            let asked = blip.ground_text(&text, &grounding)?;
            if !tasks.contains(&"caption") {
                states = asked;
            }
        }
        let Ok(decoder) = blip.text_decoder() else {
            return Ok(());
        };
        let mut decoding = Decoding::new(decoder, states);
        for _ in 0..3 {
            // The cache is made with the second token and added to with the third.
            let logits = decoding.next(&[vec![0]]);
            let watched = ids_tensor([0], &self.placement.device).reshape([1, 1]);
            kernels::top_logits(logits, watched, 2);
        }
        Ok(())
    }
}
