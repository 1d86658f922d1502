//! Labels of patches: which thing covers how much of each. With them every patch of a drawn scene
//! teaches the image encoder something, not only the picture as a whole (token labeling, Jiang et al.,
//! arXiv 2104.10858). BLIP's own encoder comes from supervised training too, on ImageNet.

use super::examples::Example;
pub use super::examples::Region;
use super::losses::shares_cross_entropy;
use burn::tensor::{Device, Tensor, TensorData};

/// The parameter of the head that tells a patch's class from its state: `[classes + 1, width]`. It
/// lives in checkpoints; a finished model does without.
pub const PATCH_HEAD: &str = "patch_head.weight";

/// How pictures are cut and what may lie in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchGrid {
    /// Patches in a column.
    pub rows: usize,
    /// Patches in a row.
    pub columns: usize,
    /// Classes, without the ground's, which is the last.
    pub classes: usize,
}

impl PatchGrid {
    /// The share of each patch that each class covers, `[batch, patches, classes + 1]`; nothing at all
    /// for examples that do not say. `None` if none says.
    pub fn targets(&self, examples: &[Example], device: &Device) -> Option<Tensor<3>> {
        if examples.iter().all(|example| example.regions.is_none()) {
            return None;
        }
        let shares = examples
            .iter()
            .flat_map(|example| self.shares(example.regions.as_deref()));
        let shape = [examples.len(), self.rows * self.columns, self.classes + 1];
        Some(Tensor::from_data(
            TensorData::new(shares.collect(), shape),
            device,
        ))
    }

    fn shares(&self, regions: Option<&[Region]>) -> Vec<f32> {
        let width = self.classes + 1;
        let mut shares = vec![0.0; self.rows * self.columns * width];
        let Some(regions) = regions else {
            return shares;
        };
        for (patch, shares) in shares.chunks_exact_mut(width).enumerate() {
            let (row, column) = (patch / self.columns, patch % self.columns);
            for region in regions {
                let bounds = &region.bounds;
                let across = common(bounds.left, bounds.right(), column, self.columns);
                let down = common(bounds.top, bounds.bottom(), row, self.rows);
                shares[region.class] += across * down;
            }
            let covered: f32 = shares.iter().sum();
            shares[self.classes] = (1.0 - covered).max(0.0);
        }
        shares
    }
}

/// How much of cell `place` of `count` between 0 and 1 lies within `start..end`.
fn common(start: f32, end: f32, place: usize, count: usize) -> f32 {
    let count = count as f32;
    let (start, end) = (start * count - place as f32, end * count - place as f32);
    (end.min(1.0) - start.max(0.0)).max(0.0)
}

/// The loss: cross-entropy between what the head (`[classes + 1, width]`) says of the patches' states
/// (`[batch, 1 + patches, width]`, the class token first) and [`PatchGrid::targets`].
pub fn patch_loss(states: Tensor<3>, head: Tensor<2>, targets: Tensor<3>) -> Tensor<1> {
    let [batch, patches, classes] = targets.dims();
    let width = states.dims()[2];
    let rows = states
        .narrow(1, 1, patches)
        .reshape([batch * patches, width]);
    let logits = rows.matmul(head.transpose());
    shares_cross_entropy(logits, targets.reshape([batch * patches, classes]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes::facts::Bounds;
    use image::RgbImage;

    fn example(regions: Option<Vec<Region>>) -> Example {
        Example {
            image: RgbImage::new(4, 4),
            caption: String::new(),
            questions: Vec::new(),
            regions,
            truth: None,
        }
    }

    #[test]
    fn patches_are_shared_by_what_covers_them() {
        let region = Region {
            class: 1,
            bounds: Bounds {
                left: 0.25,
                top: 0.0,
                width: 0.5,
                height: 0.75,
            },
        };
        let grid = PatchGrid {
            rows: 2,
            columns: 2,
            classes: 2,
        };
        let examples = [example(None), example(Some(vec![region]))];
        let targets = grid.targets(&examples, &Device::flex()).unwrap();
        assert_eq!(targets.dims(), [2, 4, 3]);
        let shares: Vec<f32> = targets.into_data().try_to_vec().unwrap();
        let (unknown, known) = shares.split_at(12);
        assert_eq!(unknown, [0.0; 12]);
        let upper = [0.0, 0.5, 0.5];
        let lower = [0.0, 0.25, 0.75];
        assert_eq!(known, [upper, upper, lower, lower].concat());
        assert!(grid.targets(&examples[..1], &Device::flex()).is_none());
    }
}
