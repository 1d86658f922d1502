//! One step of AdamW (Loshchilov and Hutter, arXiv 1711.05101) over all parameters, with the
//! gradient clipped by its global norm and the usual learning-rate schedule.

use super::weights::{Weights, values_of};
use crate::nn::Trainable;
use crate::{Error, Result};
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer};
use burn::tensor::Tensor;
use rayon::prelude::*;

/// Linear warm-up from nothing, then a cosine's fall to `last`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// The lowest, at the end.
    pub last: f64,
    /// Steps until the highest.
    pub warm_up: u64,
    /// Steps in all.
    pub steps: u64,
}

impl Schedule {
    /// The learning rate of a step, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.peak * (step + 1) as f64 / self.warm_up as f64;
        }
        let falling = self.steps.saturating_sub(self.warm_up).max(1);
        let done = ((step - self.warm_up) as f64 / falling as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.last + (self.peak - self.last) * cosine
    }
}

/// AdamW's settings.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OptimizerConfig {
    /// Decay of matrices and tables; biases, norms and other rows have none.
    pub weight_decay: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second.
    pub beta_2: f32,
    /// Added to the second moment's root.
    pub epsilon: f32,
    /// The gradient's largest norm over all parameters.
    pub largest_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            weight_decay: 0.05,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            largest_norm: 1.0,
        }
    }
}

/// The first and second moments of one parameter, in one row each.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Steps that they have seen.
    pub steps: usize,
    /// The average gradient.
    pub first: Tensor<1>,
    /// The average of its squares.
    pub second: Tensor<1>,
}

/// AdamW over all parameters of a model.
pub struct Optimization {
    decaying: AdamW,
    plain: AdamW,
    largest_norm: f64,
    /// Moments of each parameter, in the order of the weights; none before its first gradient.
    pub moments: Vec<Option<Moments>>,
}

impl Optimization {
    /// For `parameters` parameters that have not moved yet.
    pub fn new(config: &OptimizerConfig, parameters: usize) -> Self {
        let adam_w = |decay: f32| {
            AdamWConfig::new()
                .with_beta_1(config.beta_1)
                .with_beta_2(config.beta_2)
                .with_epsilon(config.epsilon)
                .with_weight_decay(decay)
                .build()
        };
        Self {
            decaying: adam_w(config.weight_decay),
            plain: adam_w(0.0),
            largest_norm: config.largest_norm,
            moments: (0..parameters).map(|_| None).collect(),
        }
    }

    /// Moves `weights` against their gradients. Returns the gradient's norm before clipping. A
    /// parameter that no loss used stays where it is.
    pub fn step(
        &mut self,
        weights: &mut Weights,
        gradients: Vec<Option<Tensor<1>>>,
        rate: f64,
    ) -> Result<f64> {
        let norm = global_norm(&gradients)?;
        if !norm.is_finite() {
            return Err(Error::BadInput(format!(
                "the gradient's norm is {norm}: training has diverged; try a lower learning rate"
            )));
        }
        let scale = (self.largest_norm / (norm + 1e-6)).min(1.0);
        let (decaying, plain) = (&self.decaying, &self.plain);
        let parameters = weights.all.par_iter_mut().zip(&mut self.moments);
        parameters
            .zip(gradients)
            .filter_map(|(known, gradient)| Some((known, gradient?)))
            .for_each(|((parameter, moments), gradient)| {
                let is_matrix = parameter.shape.iter().filter(|size| **size > 1).count() >= 2;
                let adam_w = if is_matrix { decaying } else { plain };
                move_one(adam_w, parameter, moments, gradient.mul_scalar(scale), rate);
            });
        Ok(norm)
    }
}

fn move_one(
    adam_w: &AdamW,
    parameter: &mut Trainable,
    moments: &mut Option<Moments>,
    gradient: Tensor<1>,
    rate: f64,
) {
    let state = moments.take().map(|moments| {
        let mut state = AdaptiveMomentumState::new(moments.steps, moments.first, moments.second);
        state.max_moment_2 = None;
        AdamWState::new(state)
    });
    let (moved, state) = adam_w.step(rate, parameter.values.clone(), gradient, state);
    parameter.values = moved;
    *moments = state.map(|AdamWState { momentum }| Moments {
        steps: momentum.time,
        first: momentum.moment_1,
        second: momentum.moment_2,
    });
}

/// The length of all gradients as one vector.
fn global_norm(gradients: &[Option<Tensor<1>>]) -> Result<f64> {
    let squares = gradients
        .iter()
        .flatten()
        .map(|gradient| (gradient.clone() * gradient.clone()).sum());
    let squares: Vec<Tensor<1>> = squares.collect();
    if squares.is_empty() {
        return Ok(0.0);
    }
    let squares = values_of(Tensor::cat(squares, 0))?;
    Ok(squares
        .iter()
        .map(|square| f64::from(*square))
        .sum::<f64>()
        .sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_rises_then_falls_to_its_last() {
        let schedule = Schedule {
            peak: 1.0,
            last: 0.1,
            warm_up: 4,
            steps: 104,
        };
        assert_eq!(schedule.rate(0), 0.25);
        assert_eq!(schedule.rate(3), 1.0);
        assert_eq!(schedule.rate(4), 1.0);
        assert!((schedule.rate(54) - 0.55).abs() < 1e-9);
        assert!((schedule.rate(104) - 0.1).abs() < 1e-9);
        assert!((schedule.rate(1000) - 0.1).abs() < 1e-9);
    }
}
