//! Parity with the reference, stage by stage, on the golden data of `tests/golden` (its README
//! says what each key holds). The same checks run natively and in a browser, on both devices.
//!
//! Every picture's pixels are compared first; the network is then fed the reference's pixels, so
//! that each stage answers for itself.

mod blip;
pub mod clip;
pub mod coca;
mod comparison;
pub mod embedded;
mod generated;
pub mod golden;
pub mod guidance;
pub mod looks;
pub mod quality;
pub mod report;
pub mod sharing;
pub mod tolerance;
pub mod zero_shot;
pub mod zoo;

use comparison::Comparison;
use golden::Golden;
use obscura::Result;
use obscura::device::Placement;
use obscura::kernels::PackedFormat;
use obscura::tasks::Model;
use report::Report;

/// The golden models that have expectations.
pub const MODELS: [&str; 12] = [
    "clip-quick",
    "clip-gelu",
    "clip-resnet",
    "chinese-clip",
    "siglip",
    "siglip2",
    "blip-caption",
    "blip-caption-untied",
    "blip-retrieval",
    "blip-vqa",
    "coca",
    "coca-bare",
];

/// Golden models whose widths are whole blocks of every format.
pub const QUANTIZED_MODELS: [&str; 3] = ["clip-quick", "siglip2", "blip-caption-untied"];

/// Checks all that is recorded of the golden model `expected` on the weights of `model`, which may
/// be another's: `blip-all` is the union of three.
pub async fn check(expected: &str, model: &str, placement: Placement) -> Result<()> {
    let golden = Golden::open(&format!("golden/{expected}"));
    let model = golden::load_in_any_form(
        &format!("golden/{model}/model"),
        placement,
        PackedFormat::F32,
    )
    .await?;
    let report = compare(&golden, &model).await?;
    println!("{expected}\n{report}");
    report.assert_within_bounds(expected);
    Ok(())
}

/// Compares every stage of a model in single precision.
pub async fn compare(golden: &Golden, model: &Model) -> Result<Report> {
    let with = Comparison::new(golden, model);
    match golden.class() {
        "CLIPModel" | "ChineseCLIPModel" | "SiglipModel" | "open_clip.CLIP" => {
            clip::compare(&with).await?
        }
        "open_clip.CoCa" => coca::compare(&with).await?,
        "BlipForConditionalGeneration" => blip::compare_captions(&with).await?,
        "BlipForImageTextRetrieval" => blip::compare_retrieval(&with).await?,
        "BlipForQuestionAnswering" => blip::compare_answers(&with).await?,
        other => panic!("expected.json: unknown class {other}"),
    }
    Ok(with.into_report())
}

/// Checks that weights of lower precision turn results no further than stated.
pub async fn check_quantized(name: &str, placement: &Placement) -> Result<()> {
    let golden = Golden::open(&format!("golden/{name}"));
    for quality in quality::SMALL {
        let folder = format!("golden/{name}/model");
        let model = golden::load_in_any_form(&folder, placement.clone(), quality.format).await?;
        let report = quality::compare(&golden, &model, quality).await?;
        println!("{name} as {:?}\n{report}", quality.format);
        report.assert_within_bounds(&format!("{name} as {:?}", quality.format));
    }
    Ok(())
}
