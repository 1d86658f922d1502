//! Reading pictures for every command, one after another, and `obscura pixels`, which says what was read.

use super::arguments::{Common, Pixels};
use super::found::{Found, Source, find};
use super::{progress, report, video};
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
        if video::is_video(path) {
            return video::some_frames(path, count);
        }
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

/// Does `work` with one picture after another, frames of videos among them. A picture that cannot be
/// read does not keep the others from being done; it is reported, and fails the command at the end.
pub fn each(
    found: &Found,
    common: &Common,
    mut work: impl FnMut(&Path, RgbImage) -> Result<()>,
) -> Result<()> {
    let mut run = progress::Run::over(found.sources.len());
    let mut failures = Failures::default();
    for source in &found.sources {
        let path = match source {
            Source::Picture(path) => path,
            Source::Video(path) => {
                each_frame(path, common, &mut run, &mut failures, &mut work)?;
                run.step();
                continue;
            }
            Source::Unreadable(path, message) => {
                failures.add(path, message, |print| run.suspend(print));
                run.step();
                continue;
            }
        };
        let done = read_image(path, common).and_then(|image| run.suspend(|| work(path, image)));
        failures.take(path, done, |print| run.suspend(print))?;
        run.step();
    }
    run.finish();
    failures.result()
}

/// The same with the frames of a video.
fn each_frame(
    video: &Path,
    common: &Common,
    run: &mut progress::Run,
    failures: &mut Failures,
    work: &mut impl FnMut(&Path, RgbImage) -> Result<()>,
) -> Result<()> {
    let frames = match named_frames(video, common) {
        Ok(frames) => frames,
        Err(error) => return failures.take(video, Err(error), |print| run.suspend(print)),
    };
    for (name, frame) in frames {
        run.grow();
        let done = frame.and_then(|image| run.suspend(|| work(&name, image)));
        failures.take(&name, done, |print| run.suspend(print))?;
        run.step();
    }
    Ok(())
}

/// The frames of a video, which are called as parts of media are: `clip.mp4#t=1.5`.
pub fn named_frames(
    video: &Path,
    common: &Common,
) -> Result<impl Iterator<Item = (PathBuf, Result<RgbImage>)> + use<>> {
    let (rate, video_name) = (common.fps, video.as_os_str().to_os_string());
    let frames = video::frames(video, rate)?.enumerate();
    Ok(frames.map(move |(place, frame)| {
        let seconds = place as f64 / rate;
        let mut name = video_name.clone();
        name.push(format!("#t={}", (seconds * 1000.0).round() / 1000.0));
        (PathBuf::from(name), frame)
    }))
}

/// The pictures of a run that could not be read, named again at its end.
#[derive(Default)]
pub struct Failures {
    names: Vec<PathBuf>,
    done: usize,
}

impl Failures {
    /// So many of them are named.
    const NAMED: usize = 100;

    /// Counts what became of a picture. A failure that is the picture's own is printed, another one
    /// comes back.
    pub fn take(
        &mut self,
        path: &Path,
        done: Result<()>,
        print: impl FnOnce(&dyn Fn()),
    ) -> Result<()> {
        match done {
            Ok(()) => self.done += 1,
            Err(Error::BadImage(message)) => self.add(path, &message, print),
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, message: &str, print: impl FnOnce(&dyn Fn())) {
        self.names.push(path.to_owned());
        print(&|| eprintln!("error: {message}"));
    }

    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The failure of the run, if any picture had one.
    pub fn result(&self) -> Result<()> {
        let (failed, all) = (self.names.len(), self.names.len() + self.done);
        if failed == 0 {
            return Ok(());
        }
        let noun = if all == 1 { "picture" } else { "pictures" };
        let mut text = format!("{failed} of {all} {noun} could not be done");
        if all > 1 {
            let named = self.names.iter().take(Self::NAMED);
            named.for_each(|name| text.push_str(&format!("\n  {}", name.display())));
            if failed > Self::NAMED {
                text.push_str(&format!("\n  and {} more", failed - Self::NAMED));
            }
        }
        Err(Error::BadImage(text))
    }
}

/// Prints size and SHA-256 of the upright RGB pixels of each picture, and writes them if asked.
pub fn pixels(command: &Pixels, common: &Common) -> Result<()> {
    let found = find(&command.images)?;
    let mut failures = Failures::default();
    for path in found.files()? {
        let done = read_image(&path, common).and_then(|image| {
            write_raw(command, &path, &image)?;
            print(&path, &image, common)
        });
        if let (true, Err(Error::BadImage(message))) = (common.json, &done) {
            report::print(true, &json!({ "image": path, "error": message }), "")?;
        }
        failures.take(&path, done, |print| {
            if !common.json {
                print();
            }
        })?;
    }
    failures.result()
}

fn write_raw(command: &Pixels, path: &Path, image: &RgbImage) -> Result<()> {
    let Some(folder) = &command.raw else {
        return Ok(());
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let to = folder.join(format!("{name}.rgb"));
    let written =
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&to, image.as_raw()));
    written.map_err(|error| Error::BadInput(format!("{} cannot be written: {error}", to.display())))
}

fn print(path: &Path, image: &RgbImage, common: &Common) -> Result<()> {
    let hash = Sha256::digest(image.as_raw());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let (width, height) = image.dimensions();
    let value = json!({ "image": path, "width": width, "height": height, "sha256": hash });
    let line = format!("{width}x{height} {hash} {}", path.display());
    report::print(common.json, &value, &line)
}
