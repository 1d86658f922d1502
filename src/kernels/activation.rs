//! The activations that a linear layer applies on the way out.

use crate::kernels::simd::vectorised;

/// What a linear layer does to its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `x * Φ(x)` with the exact normal distribution, `nn.GELU()` in PyTorch.
    Gelu,
    /// GELU with its distribution approximated by a hyperbolic tangent (Hendrycks and Gimpel, arXiv
    /// 1606.08415), `nn.GELU(approximate="tanh")` in PyTorch; SigLIP's.
    GeluTanh,
    /// `x * sigmoid(1.702 x)`, OpenAI CLIP's.
    QuickGelu,
}

impl Activation {
    /// The activation of one value, by definition.
    pub fn apply_exact(self, x: f64) -> f64 {
        match self {
            Activation::None => x,
            Activation::Gelu => 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2)),
            Activation::GeluTanh => {
                let root = std::f64::consts::FRAC_2_PI.sqrt();
                0.5 * x * (1.0 + (root * (x + GELU_CUBE * x * x * x)).tanh())
            }
            Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        }
    }

    /// The activation of one value in single precision, branch-free so that loops vectorise.
    #[inline(always)]
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Activation::None => x,
            Activation::Gelu => gelu(x),
            Activation::GeluTanh => x / (1.0 + exp(-gelu_tanh_logit(x))),
            Activation::QuickGelu => x / (1.0 + exp(-1.702 * x)),
        }
    }
}

/// The weight of the cube in [`Activation::GeluTanh`].
const GELU_CUBE: f64 = 0.044_715;

/// Half of one plus a hyperbolic tangent is a sigmoid of twice the value: of this one in
/// [`Activation::GeluTanh`].
#[inline(always)]
fn gelu_tanh_logit(x: f32) -> f32 {
    const DOUBLE_ROOT: f32 = 1.595_769_2; // 2 sqrt(2 / π)
    DOUBLE_ROOT * (x + GELU_CUBE as f32 * x * x * x)
}

/// `0.5 x (1 + erf(x / sqrt 2))`; Abramowitz and Stegun 7.1.26, absolute error of erf 1.5e-7.
///
/// `erfc` is used on the negative side, so that small results keep their relative accuracy.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let (half_erfc, _) = half_erfc(x);
    if x < 0.0 {
        x * half_erfc
    } else {
        x - x * half_erfc
    }
}

/// `erfc(|x| / sqrt 2) / 2` and `exp(-x² / 2)`.
#[inline(always)]
fn half_erfc(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly = t
        * (0.254_829_6
            + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152_1 + t * 1.061_405_4))));
    let bell = exp(-z * z);
    (0.5 * poly * bell, bell)
}

/// GELU around each of `values`: its slope there, and what `slope * x` lacks of its value, both as
/// long as `values`.
pub fn gelu_tangent(values: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut slopes, mut rests) = (vec![0.0; values.len()], vec![0.0; values.len()]);
    tangent(values, &mut slopes, &mut rests);
    (slopes, rests)
}

vectorised!(tangent(values: &[f32], slopes: &mut [f32], rests: &mut [f32]));

mod portable {
    use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

    /// The derivative of `x Φ(x)` is `Φ(x) + x φ(x)`, so what is left of it is `-x² φ(x)`.
    #[inline(always)]
    pub fn tangent<const FUSED: bool>(values: &[f32], slopes: &mut [f32], rests: &mut [f32]) {
        for ((x, slope), rest) in values.iter().zip(slopes).zip(rests) {
            let (half_erfc, bell) = super::half_erfc(*x);
            let cumulative = if *x < 0.0 { half_erfc } else { 1.0 - half_erfc };
            let tilt = x * bell * (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
            *slope = cumulative + tilt;
            *rest = -x * tilt;
        }
    }
}

/// `e^x` to about 1 ulp of single precision: `2^n * e^r` with a polynomial for `e^r` (Cephes).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // Adding 1.5 * 2^23 rounds to the nearest integer, which then is in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let poly = 0.5
        + r * (1.666_666_5e-1
            + r * (4.166_579_6e-2 + r * (8.333_452e-3 + r * (1.398_2e-3 + r * 1.987_569_1e-4))));
    let e = poly * r * r + r + 1.0;
    e * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tangent_has_the_value_and_the_slope() {
        let values: Vec<f32> = (-2000..=2000).map(|step| step as f32 / 200.0).collect();
        let (slopes, rests) = gelu_tangent(&values);
        let exact = |x: f64| Activation::Gelu.apply_exact(x);
        for ((x, slope), rest) in values.iter().zip(slopes).zip(rests) {
            let x = f64::from(*x);
            let value = f64::from(slope) * x + f64::from(rest);
            assert!((value - exact(x)).abs() < 1e-6, "the value at {x}");
            let expected = (exact(x + 1e-5) - exact(x - 1e-5)) / 2e-5;
            assert!(
                (f64::from(slope) - expected).abs() < 1e-6,
                "the slope at {x}"
            );
        }
    }

    #[test]
    fn single_precision_activations_agree_with_their_definitions() {
        for activation in [
            Activation::None,
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::QuickGelu,
        ] {
            for step in -2000..=2000 {
                let x = step as f32 / 200.0;
                let exact = activation.apply_exact(f64::from(x));
                let error = (f64::from(activation.apply(x)) - exact).abs();
                assert!(
                    error < 3e-7 * exact.abs().max(1.0),
                    "{activation:?}({x}) is off by {error}"
                );
            }
        }
    }
}
