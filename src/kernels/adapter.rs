//! What kernels run on, as far as it decides between their variants: software adapters (lavapipe,
//! SwiftShader) run an invocation's instructions on a CPU, where barriers cost more than they save,
//! while a GPU wants neighbours to share what they read in workgroup memory.

use burn_wgpu::CubeTensor;
use std::sync::atomic::{AtomicU8, Ordering};

/// A kind of adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// A program that computes on the CPU.
    Software,
    /// A GPU.
    Hardware,
}

static PRETENDED: AtomicU8 = AtomicU8::new(0);

/// Runs the kernels that are meant for `adapter`, whatever the adapter is, until it is called with
/// `None`: every variant is tested wherever tests run.
pub fn pretend(adapter: Option<Adapter>) {
    let code = match adapter {
        None => 0,
        Some(Adapter::Software) => 1,
        Some(Adapter::Hardware) => 2,
    };
    PRETENDED.store(code, Ordering::Relaxed);
}

/// What the device of `tensor` is, or what it is said to be by [`pretend`].
pub(super) fn of(tensor: &CubeTensor) -> Adapter {
    match PRETENDED.load(Ordering::Relaxed) {
        1 => Adapter::Software,
        2 => Adapter::Hardware,
        _ => match tensor.client.properties().identity.physical {
            None => Adapter::Software, // no card is behind it
            Some(_) => Adapter::Hardware,
        },
    }
}
