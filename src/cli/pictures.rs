//! Reading pictures for every command, and `obscura pixels`, which says what was read.

use super::arguments::{Common, Pixels};
use super::report;
use obscura::image::{PictureFiles, RgbImage, decode_frames};
use obscura::{Error, Result};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Reads and decodes a picture.
pub fn read_image(path: &Path, common: &Common) -> Result<RgbImage> {
    picture_files(common).decode(path)
}

/// The frames of a video: the pictures that are given, or `count` of a single animated one.
pub fn read_frames(paths: &[PathBuf], count: usize, common: &Common) -> Result<Vec<RgbImage>> {
    if let [path] = paths {
        let frames = |bytes: &[u8], options: &_| decode_frames(bytes, count, options);
        return picture_files(common).decode_by(path, frames);
    }
    paths.iter().map(|path| read_image(path, common)).collect()
}

/// How all commands read pictures.
pub fn picture_files(common: &Common) -> PictureFiles {
    PictureFiles {
        grey16: common.grey16(),
        note_grey16: Some(warn_of_grey16),
    }
}

/// Once, for the first such picture: a folder may hold thousands.
fn warn_of_grey16(path: &Path) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        eprintln!(
            "note: {} is grey of 16 bits. As in the reference, all above level 255 becomes white; \
             --grey16 scale shows it as people see it, --grey16 clip leaves out this note",
            path.display()
        );
    });
}

/// Prints size and SHA-256 of the upright RGB pixels of each picture, and writes them if asked.
pub fn pixels(command: &Pixels, common: &Common) -> Result<()> {
    let mut failures = 0;
    for path in &command.images {
        match read_image(path, common) {
            Ok(image) => {
                if let Some(folder) = &command.raw {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    let to = folder.join(format!("{name}.rgb"));
                    let written = std::fs::create_dir_all(folder)
                        .and_then(|()| std::fs::write(&to, image.as_raw()));
                    written.map_err(|error| {
                        Error::BadInput(format!("{} cannot be written: {error}", to.display()))
                    })?;
                }
                print(path, &image, common)?;
            }
            Err(error) if common.json => {
                failures += 1;
                let value = json!({ "image": path, "error": error.to_string() });
                report::print(true, &value, "")?;
            }
            Err(error) => {
                failures += 1;
                eprintln!("error: {error}");
            }
        }
    }
    match failures {
        0 => Ok(()),
        _ => Err(Error::BadImage(format!(
            "{failures} of {} pictures could not be read",
            command.images.len()
        ))),
    }
}

fn print(path: &Path, image: &RgbImage, common: &Common) -> Result<()> {
    let hash = Sha256::digest(image.as_raw());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let (width, height) = image.dimensions();
    let value = json!({ "image": path, "width": width, "height": height, "sha256": hash });
    let line = format!("{width}x{height} {hash} {}", path.display());
    report::print(common.json, &value, &line)
}
