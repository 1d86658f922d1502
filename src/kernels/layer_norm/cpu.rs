//! Layer normalisation on the CPU: Burn's own, which is vectorised.

use burn::backend::ops::ModuleOps;
use burn_flex::{Flex, FlexTensor};

/// See [`crate::kernels::layer_norm()`].
pub fn layer_norm(
    input: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    epsilon: f64,
) -> FlexTensor {
    <Flex as ModuleOps<Flex>>::layer_norm(input, weight, Some(bias), epsilon)
}
