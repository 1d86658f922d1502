//! Picture files on disk: every command reads them by this one rule.

use std::path::Path;

use ::image::RgbImage;

use super::decode::{DecodeOptions, decode_with, is_grey16};
use super::rgb::Grey16;
use crate::{Error, Result};

/// How the pictures of a run are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct PictureFiles {
    /// None where nobody said: as the reference does, and [`Self::note_grey16`] hears of each such picture.
    pub grey16: Option<Grey16>,
    pub note_grey16: Option<fn(&Path)>,
}

impl PictureFiles {
    /// # Errors
    /// Those of [`super::decode()`], with the file's name; [`Error::BadImage`] where it cannot be read.
    pub fn decode(&self, path: &Path) -> Result<RgbImage> {
        self.decode_by(path, decode_with)
    }

    /// The bytes of a file, decoded by `decode`.
    ///
    /// # Errors
    /// Those of `decode`, with the file's name; [`Error::BadImage`] where it cannot be read.
    pub fn decode_by<T>(
        &self,
        path: &Path,
        decode: impl FnOnce(&[u8], &DecodeOptions) -> Result<T>,
    ) -> Result<T> {
        let name = path.display();
        let bytes = std::fs::read(path)
            .map_err(|error| Error::BadImage(format!("{name} cannot be read: {error}")))?;
        if let (None, Some(note)) = (self.grey16, self.note_grey16)
            && is_grey16(&bytes)
        {
            note(path);
        }
        let grey16 = self.grey16.unwrap_or_default();
        decode(&bytes, &DecodeOptions { grey16 })
            .map_err(|error| Error::BadImage(format!("{name}: {error}")))
    }
}
