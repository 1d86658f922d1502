//! The activations that a linear layer applies on the way out.

/// What a linear layer does to its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `x * Φ(x)` with the exact normal distribution, `nn.GELU()` in PyTorch.
    Gelu,
    /// `x * sigmoid(1.702 x)`, OpenAI CLIP's.
    QuickGelu,
}

impl Activation {
    /// The activation of one value, by definition.
    pub fn apply_exact(self, x: f64) -> f64 {
        match self {
            Activation::None => x,
            Activation::Gelu => 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2)),
            Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        }
    }

    /// The activation of one value in single precision, branch-free so that loops vectorise.
    #[inline(always)]
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Activation::None => x,
            Activation::Gelu => gelu(x),
            Activation::QuickGelu => x / (1.0 + exp(-1.702 * x)),
        }
    }
}

/// `0.5 x (1 + erf(x / sqrt 2))`; Abramowitz and Stegun 7.1.26, absolute error of erf 1.5e-7.
///
/// `erfc` is used on the negative side, so that small results keep their relative accuracy.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly = t
        * (0.254_829_6
            + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152_1 + t * 1.061_405_4))));
    let half_erfc = 0.5 * poly * exp(-z * z);
    if x < 0.0 {
        x * half_erfc
    } else {
        x - x * half_erfc
    }
}

/// `e^x` to about 1 ulp of single precision: `2^n * e^r` with a polynomial for `e^r` (Cephes).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer without a call.
    const ROUND: f32 = 12_582_912.0;
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let poly = 0.5
        + r * (1.666_666_5e-1
            + r * (4.166_579_6e-2 + r * (8.333_452e-3 + r * (1.398_2e-3 + r * 1.987_569_1e-4))));
    let e = poly * r * r + r + 1.0;
    e * f32::from_bits((((n as i32) + 127) << 23) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_activations_agree_with_their_definitions() {
        for activation in [Activation::None, Activation::Gelu, Activation::QuickGelu] {
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
