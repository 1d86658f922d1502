//! Parity with the reference, stage by stage, on the golden data of `tests/golden` (its README
//! says what each key holds). The same checks run natively and in a browser, on both devices.
//!
//! Every picture's pixels are compared first; the network is then fed the reference's pixels, so
//! that each stage answers for itself.

mod blip;
mod clip;
mod golden;
mod tolerance;

use obscura::Result;
use obscura::device::Placement;
use tolerance::Tolerance;

/// Golden models, and the check that each is for.
pub const MODELS: [(&str, Check); 6] = [
    ("clip-quick", Check::Clip),
    ("clip-gelu", Check::Clip),
    ("blip-caption", Check::Caption),
    ("blip-caption-untied", Check::Caption),
    ("blip-retrieval", Check::Retrieval),
    ("blip-vqa", Check::Answer),
];

/// One class of the reference.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    Clip,
    Caption,
    Retrieval,
    Answer,
}

/// Checks everything that is recorded of the golden model `name`, which may be run as another
/// model's weights: `blip-all` is the union of three.
pub async fn check(expected: &str, model: &str, check: Check, placement: Placement) -> Result<()> {
    let tolerance = Tolerance::of(&placement);
    let golden = golden::Golden::open(expected);
    let model = golden::load(model, placement)?;
    match check {
        Check::Clip => clip::check(&golden, &model, tolerance).await,
        Check::Caption => blip::check_captions(&golden, &model, tolerance).await,
        Check::Retrieval => blip::check_retrieval(&golden, &model, tolerance).await,
        Check::Answer => blip::check_answers(&golden, &model, tolerance).await,
    }
}
