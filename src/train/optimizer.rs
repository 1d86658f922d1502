//! One step over all parameters: AdamW (Loshchilov and Hutter, arXiv 1711.05101), or Muon (Jordan,
//! <https://kellerjordan.github.io/posts/muon/>) for the matrices inside the model, with the gradient
//! clipped by its global norm and the usual learning-rate schedule.

use super::weights::{Weights, values_of};
use crate::nn::{Trainable, is_embedding};
use crate::{Error, Result};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, AdjustLrFn, Muon, MuonConfig, Optimizer,
};
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

/// AdamW's settings, and whether Muon does part of its work.
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
    /// Matrices that are no tables or small heads take orthogonal steps, patch filters included: those
    /// are rows over all pixels of a patch, where AdamW's equal steps for all would add up.
    #[serde(default)]
    pub muon: bool,
}

/// Muon's momentum, its author's.
const MUON_MOMENTUM: f64 = 0.95;
/// Muon's rate over AdamW's, after Moonshot's scaling (arXiv 2502.16982): small models learn fastest with
/// steps of about their author's length.
const MUON_RATE: f64 = 5.0;
/// Fewer rows or columns leave too little to make orthogonal: such heads stay with AdamW.
const SMALLEST_MUON_SIDE: usize = 16;

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            weight_decay: 0.05,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            largest_norm: 1.0,
            muon: false,
        }
    }
}

/// The first and second moments of one parameter, in one row each.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Steps that they have seen.
    pub steps: usize,
    /// The average gradient; with Muon, their decaying sum.
    pub first: Tensor<1>,
    /// The average of its squares; Muon has none.
    pub second: Option<Tensor<1>>,
}

/// The optimizers of all parameters of a model.
pub struct Optimization {
    decaying: AdamW,
    plain: AdamW,
    muon: Option<Muon>,
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
        // Momentum is kept here, where a checkpoint can save it.
        let muon = MuonConfig::new()
            .with_momentum(MomentumConfig {
                momentum: 0.0,
                dampening: 0.0,
                nesterov: false,
            })
            .with_weight_decay(Some(WeightDecayConfig::new(config.weight_decay)))
            .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW);
        Self {
            decaying: adam_w(config.weight_decay),
            plain: adam_w(0.0),
            muon: config.muon.then(|| muon.build()),
            largest_norm: config.largest_norm,
            moments: (0..parameters).map(|_| None).collect(),
        }
    }

    /// Whether Muon moves this parameter, and not AdamW.
    pub fn uses_muon(&self, parameter: &Trainable) -> bool {
        self.muon.is_some() && inner_matrix(parameter).is_some()
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
        let (decaying, plain, muon) = (&self.decaying, &self.plain, self.muon.as_ref());
        let parameters = weights.all.par_iter_mut().zip(&mut self.moments);
        parameters
            .zip(gradients)
            .filter_map(|(known, gradient)| Some((known, gradient?)))
            .for_each(|((parameter, moments), gradient)| {
                let gradient = gradient.mul_scalar(scale);
                if let (Some(muon), Some(shape)) = (muon, inner_matrix(parameter)) {
                    return move_matrix(muon, parameter, shape, moments, gradient, rate);
                }
                let is_matrix = parameter.shape.iter().filter(|size| **size > 1).count() >= 2;
                let adam_w = if is_matrix { decaying } else { plain };
                move_one(adam_w, parameter, moments, gradient, rate);
            });
        Ok(norm)
    }
}

/// The shape of a parameter that Muon is made for.
fn inner_matrix(parameter: &Trainable) -> Option<[usize; 2]> {
    let rows = *parameter.shape.first()?;
    let shape = [rows, parameter.shape[1..].iter().product()];
    let is_table = is_embedding(&parameter.name) && !parameter.name.contains("patch_embedding");
    let is_inner = !is_table && shape.iter().all(|side| *side >= SMALLEST_MUON_SIDE);
    is_inner.then_some(shape)
}

fn move_matrix(
    muon: &Muon,
    parameter: &mut Trainable,
    shape: [usize; 2],
    moments: &mut Option<Moments>,
    gradient: Tensor<1>,
    rate: f64,
) {
    let (steps, velocity) = match moments.take() {
        Some(moments) => {
            let kept = moments.first.mul_scalar(MUON_MOMENTUM);
            (moments.steps + 1, kept + gradient.clone())
        }
        None => (1, gradient.clone()),
    };
    let ahead = gradient + velocity.clone().mul_scalar(MUON_MOMENTUM); // Nesterov's
    let values = parameter.values.clone();
    let rate = MUON_RATE * rate;
    let (moved, _) = muon.step(rate, values.reshape(shape), ahead.reshape(shape), None);
    parameter.values = moved.reshape([shape[0] * shape[1]]);
    *moments = Some(Moments {
        steps,
        first: velocity,
        second: None,
    });
}

fn move_one(
    adam_w: &AdamW,
    parameter: &mut Trainable,
    moments: &mut Option<Moments>,
    gradient: Tensor<1>,
    rate: f64,
) {
    let state = moments.take().and_then(|moments| {
        let mut state = AdaptiveMomentumState::new(moments.steps, moments.first, moments.second?);
        state.max_moment_2 = None;
        Some(AdamWState::new(state))
    });
    let (moved, state) = adam_w.step(rate, parameter.values.clone(), gradient, state);
    parameter.values = moved;
    *moments = state.map(|AdamWState { momentum }| Moments {
        steps: momentum.time,
        first: momentum.moment_1,
        second: Some(momentum.moment_2),
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
    use burn::tensor::Device;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn muon_moves_matrices_by_orthogonal_steps_and_leaves_tables_to_adamw() {
        let device = Device::flex();
        let side = 32;
        let parameter = |name: &str| Trainable {
            name: name.to_string(),
            shape: vec![side, side],
            values: Tensor::zeros([side * side], &device),
        };
        let mut weights = Weights {
            all: vec![
                parameter("layer.weight"),
                parameter("word_embeddings.weight"),
            ],
        };
        let mut gradients = ChaCha8Rng::seed_from_u64(1);
        let gradient: Vec<f32> = (0..side * side)
            .map(|_| gradients.random_range(-1.0..1.0))
            .collect();
        let gradient = Tensor::<1>::from_data(gradient.as_slice(), &device);
        let config = OptimizerConfig {
            muon: true,
            ..OptimizerConfig::default()
        };
        let mut optimization = Optimization::new(&config, 2);
        let rate = 0.01;
        let both = vec![Some(gradient.clone()), Some(gradient)];
        optimization.step(&mut weights, both, rate).unwrap();

        let step = weights.all[0].values.clone().reshape([side, side]);
        let step = step.div_scalar(MUON_RATE * rate * 0.2 * (side as f64).sqrt()); // Moonshot's scale
        let product = values_of((step.clone().matmul(step.transpose())).reshape([side * side]));
        for (place, value) in product.unwrap().into_iter().enumerate() {
            let is_diagonal = place / side == place % side;
            // Five iterations leave singular values between 0.7 and 1.2.
            let expected = if is_diagonal { 0.45..1.5 } else { -0.35..0.35 };
            assert!(expected.contains(&value), "{value} at {place}");
        }
        // AdamW's first step is the rate in the direction of each sign.
        for value in values_of(weights.all[1].values.clone()).unwrap() {
            assert!((value.abs() - rate as f32).abs() < 1e-5, "{value}");
        }
        assert!(optimization.moments[0].as_ref().unwrap().second.is_none());
        assert!(optimization.moments[1].as_ref().unwrap().second.is_some());
    }

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
