//! The model that is compiled into the program: a file of weights without a place on the disk.

use std::path::Path;

/// What it is called where a model is wanted. A file or folder of this name is `./pictograms`.
pub const EMBEDDED: &str = "pictograms";

static PICTOGRAMS: &[u8] = include_bytes!("../../www/models/pictograms.gguf");

/// Its bytes, if that is what a path means.
pub fn embedded(path: &Path) -> Option<&'static [u8]> {
    (path == Path::new(EMBEDDED)).then_some(PICTOGRAMS)
}
