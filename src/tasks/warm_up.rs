//! Compiling before the first call what a GPU runs for it.

use super::{Decoding, Model, Network, read};
use crate::Result;
use crate::device::Placement;
use crate::generate::{GenerationOptions, Steps};
use crate::image::Preprocessor;
use crate::models::{Blip, normalize};
use burn::tensor::Tensor;
#[cfg(not(target_feature = "atomics"))]
use cubecl::dry_run::DryRun;

/// Texts and tokens of each: within the few rows that kernels for a decoding step take, and beyond.
const TEXTS: [[usize; 2]; 3] = [[1, 4], [1, 8], [3, 8]];

impl Model {
    /// Has the device compile the kernels of the usual calls, without running them, and waits until
    /// it has: a first call then takes hardly longer than the next. On the CPU there is nothing to
    /// compile.
    pub async fn warm_up(&self) -> Result<()> {
        if self.placement.name == "cpu" {
            return Ok(());
        }
        let tasks = &self.info.tasks;
        rehearse(tasks, self.preprocessor.as_ref(), &self.placement, || {
            Ok(self.network.clone())
        })?;
        // Answered in order, so after all that was asked for before.
        let answer = Tensor::<1>::from_data([0.0_f32], &self.placement.device);
        read(answer).await.map(drop)
    }
}

/// Has a GPU compile what the network that `make` makes runs in the usual calls for `tasks`. Nothing is
/// run, so its weights need no values.
pub fn rehearse(
    tasks: &[&str],
    preprocessor: Option<&Preprocessor>,
    placement: &Placement,
    make: impl FnOnce() -> Result<Network>,
) -> Result<()> {
    if placement.name == "cpu" {
        return Ok(());
    }
    #[cfg(not(target_feature = "atomics"))]
    let _dry_run = DryRun::new(); // of all launches until the end of the function
    let pixels = preprocessor.map(|preprocessor| {
        let (height, width) = preprocessor.output_size();
        Tensor::zeros([1, 3, height, width], &placement.device)
    });
    let network = make()?;
    match (network.grounded(), pixels) {
        (None, pixels) => {
            rehearse_encoders(&network, pixels.clone())?;
            match pixels.filter(|_| network.captions().is_some()) {
                Some(pixels) => rehearse_writing(&network, network.states_to_describe(pixels)?),
                None => Ok(()),
            }
        }
        (Some(blip), Some(pixels)) => {
            let states = rehearse_grounded(blip, tasks, pixels)?;
            match network.captions() {
                Some(_) => rehearse_writing(&network, states),
                None => Ok(()),
            }
        }
        (Some(_), None) => Ok(()), // all of them take pictures
    }
}

fn rehearse_encoders(network: &Network, pixels: Option<Tensor<4>>) -> Result<()> {
    if network.takes_pictures()
        && let Some(pixels) = pixels
    {
        normalize(network.image_vectors(pixels)?);
    }
    if network.takes_texts() {
        for [texts, tokens] in TEXTS {
            let ids = network.completed(vec![0; tokens]);
            normalize(network.text_vectors(&vec![ids; texts])?);
        }
    }
    Ok(())
}

/// Gives the states that texts are then written from.
fn rehearse_grounded(blip: &Blip, tasks: &[&str], pixels: Tensor<4>) -> Result<Tensor<3>> {
    let mut states = blip.encode_image(pixels);
    if tasks.contains(&"match") {
        normalize(blip.project_image(states.clone())?);
        for [texts, tokens] in TEXTS {
            normalize(blip.encode_text(&vec![vec![0; tokens]; texts])?);
            if !blip.has_matching() {
                continue;
            }
            let grounding = blip.grounding(states.clone())?;
            blip.matching_logits(blip.ground_text(&[vec![0; tokens]], &grounding)?)?;
        }
    }
    if tasks.contains(&"answer") {
        for [_, tokens] in TEXTS {
            let grounding = blip.grounding(states.clone())?;
            let asked = blip.ground_text(&[vec![0; tokens]], &grounding)?;
            if !tasks.contains(&"caption") {
                states = asked;
            }
        }
    }
    Ok(states)
}

fn rehearse_writing(network: &Network, states: Tensor<3>) -> Result<()> {
    for num_beams in [1, 3] {
        let options = GenerationOptions {
            num_beams,
            ..GenerationOptions::default()
        };
        // A prompt, with which the cache is made, and tokens that are added to it.
        let device = states.device();
        let mut decoding = Decoding::new(network, states.clone(), &device)?;
        let mut steps = Steps::new(&mut decoding, &[0; 4], 0, &options);
        (0..3).for_each(|_| steps.ask(&[]));
    }
    Ok(())
}
