//! Texts that are encoded in one call have the vectors that each has alone, whatever they begin alike with;
//! and inputs of 8 bits turn them little.

use super::clip::network;
use super::golden::{load_in_any_form, to_vec};
use super::tolerance::{relative_error, turned};
use obscura::Result;
use obscura::device::Placement;
use obscura::kernels::{PackedFormat, Precision, linear};

/// Sums in another order, and with quantized weights inputs that are then rounded to the other of two
/// neighbours among 65,535.
const BOUNDS: [(PackedFormat, f64); 2] = [(PackedFormat::F32, 1e-5), (PackedFormat::Q8, 1e-4)];

/// Calls, each with other texts: one; the same one several times; of all lengths, with nothing in common and
/// with much; cut off, and alike up to there; more than are encoded at once.
fn calls() -> Vec<Vec<String>> {
    let long = "a photo of a zebra ".repeat(40);
    let lists = [
        vec!["a"],
        vec!["a photo of a cat"; 3],
        vec![
            "a photo of a cat",
            "a",
            "a photo",
            "cat",
            "a photo of a cat that sleeps",
            "a photo of a dog",
        ],
        vec![&long, "a photo of a zebra", "zebra"],
    ];
    let mut calls: Vec<Vec<String>> = lists
        .iter()
        .map(|texts| texts.iter().map(|text| text.to_string()).collect())
        .collect();
    calls.push(vec![format!("{long}one"), format!("{long}two")]);
    calls.push(
        (0..200)
            .map(|number| format!("a photo of a cat, {}", number * 7919 % 1009))
            .collect(),
    );
    calls
}

pub async fn check(name: &str, placement: &Placement) -> Result<()> {
    for (format, bound) in BOUNDS {
        let folder = format!("golden/{name}/model");
        let model = load_in_any_form(&folder, placement.clone(), format).await?;
        let clip = network(&model);
        assert!(clip.texts_share(), "{name}");
        for texts in calls() {
            let together = model.embed_texts(&texts, false, async || Ok(())).await?;
            assert_eq!(together.len(), texts.len());
            for (text, found) in texts.iter().zip(together) {
                let alone = to_vec(clip.encode_text(&[model.text_ids(text)?])).await;
                let error = relative_error(&found, &alone);
                assert!(error <= bound, "{name}, {format:?}, {text}: {error:.1e}");
            }
        }
    }
    Ok(())
}

/// What 8 bits turn a small model's vector by at most: a few times what they do to CLIP B/32's (docs/parity.md),
/// whose layers are wider, so that more errors cancel out.
const FAST_BOUND: f64 = 2e-3;

/// The precision that was asked for is used and said, where there is a faster way.
pub async fn check_precision(placement: &Placement) -> Result<()> {
    let texts = ["a photo of a cat that sleeps on a red chair by the window".to_string()];
    for format in [PackedFormat::Q8, PackedFormat::Q4, PackedFormat::F32] {
        let mut vectors = Vec::new();
        for precision in Precision::ALL {
            let placement = placement.clone().with_precision(precision);
            let model = load_in_any_form("golden/clip-quick/model", placement, format).await?;
            let has_fast = linear::fast_levels(format).is_some();
            let expected = if has_fast {
                precision
            } else {
                Precision::Exact
            };
            assert_eq!(model.info().precision, expected.name(), "{format:?}");
            vectors.extend(model.embed_texts(&texts, false, async || Ok(())).await?);
        }
        let (exact, fast) = (&vectors[0], &vectors[1]);
        assert_eq!(
            exact != fast,
            linear::fast_levels(format).is_some(),
            "{format:?}"
        );
        let turn = turned(fast, exact);
        assert!(turn <= FAST_BOUND, "{format:?}: turned by {turn:.1e}");
    }
    Ok(())
}
