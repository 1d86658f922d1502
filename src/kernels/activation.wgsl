fn identity(x: f32) -> f32 {
    return x;
}

// 0.5 x (1 + erf(x / sqrt 2)), Abramowitz and Stegun 7.1.26; see activation.rs.
fn gelu(x: f32) -> f32 {
    let z = abs(x) * 0.70710678;
    let t = 1.0 / (1.0 + 0.3275911 * z);
    let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    let half_erfc = 0.5 * poly * exp(-z * z);
    return select(x - x * half_erfc, x * half_erfc, x < 0.0);
}

// Half of one plus a hyperbolic tangent, as a sigmoid; see activation.rs.
fn gelu_tanh(x: f32) -> f32 {
    return x / (1.0 + exp(-1.5957691 * (x + 0.044715 * x * x * x)));
}

fn quick_gelu(x: f32) -> f32 {
    return x / (1.0 + exp(-1.702 * x));
}
