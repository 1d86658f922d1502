//! The states of CLIP's text encoder, as generators of pictures take them.

use super::golden::{self, Golden};
use super::tolerance::{Tolerance, relative_error};
use obscura::Result;
use obscura::device::Placement;
use obscura::kernels::PackedFormat;
use obscura::tasks::{Filling, GuidanceOptions};

/// Checks every recorded layer with and without the final norm, padded and not.
pub async fn check(placement: &Placement) -> Result<()> {
    let golden = Golden::open("golden/guidance");
    let bound = Tolerance::of(placement).encoder;
    let layers = golden.json["layers"].as_array().expect("layers");
    for name in golden.names("models") {
        let folder = format!("golden/{name}/model");
        let model = golden::load(&folder, placement.clone(), PackedFormat::F32)?;
        for (index, text) in golden.names("texts").iter().enumerate() {
            for (padding, pad) in [("plain", Filling::None), ("padded", Filling::EndToken)] {
                for layer in layers.iter().map(|layer| layer.as_i64().expect("a layer")) {
                    for (kind, norm) in [("states", false), ("normed", true)] {
                        let options = GuidanceOptions {
                            layer: layer as i32,
                            norm,
                            pad,
                        };
                        let found = model.embed_tokens(text, &options).await?;
                        let place = format!("{name}/{index}/{padding}");
                        for (key, ours) in [
                            (format!("{kind}/{place}/{layer}"), &found.states),
                            (format!("pooled/{place}"), &found.pooled),
                        ] {
                            let error = relative_error(ours, golden.values(&key));
                            println!("{key}: {error:.1e}");
                            assert!(error <= bound, "{key}: relative error {error:.1e}");
                        }
                        assert_eq!(found.states.len(), found.ids.len() * found.width);
                        assert_eq!(found.tokens.len(), found.ids.len());
                        assert_eq!(found.tokens[found.end], "<|endoftext|>");
                    }
                }
            }
        }
    }
    Ok(())
}
