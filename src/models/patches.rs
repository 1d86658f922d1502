//! What the families want of the patches that a picture is cut into.

use crate::{Error, Result};

/// Checks that there is a patch at least, of which whole ones need not fill the picture.
pub fn check_image_size(image_size: usize, patch_size: usize) -> Result<()> {
    if (patch_size..=4096).contains(&image_size) {
        return Ok(());
    }
    Err(Error::BadWeights(format!(
        "config.json: vision_config.image_size is {image_size} and patch_size {patch_size}, expected a patch at least and at most 4096 pixels"
    )))
}

/// Checks that whole patches fill the picture.
pub fn check_patches(image_size: usize, patch_size: usize) -> Result<()> {
    if image_size.is_multiple_of(patch_size) && image_size <= 4096 {
        return Ok(());
    }
    Err(Error::BadWeights(format!(
        "config.json: vision_config.image_size is {image_size} and patch_size {patch_size}, expected whole patches and at most 4096 pixels"
    )))
}
