//! `obscura embed --write`: the vectors of many pictures as a Parquet file, for a database or for an album. It can be
//! killed and go on, and several processes can do a part each.

mod album;
mod output;
mod parquet_file;

pub use album::{export, import, is_parquet};

use super::arguments::{Common, Embed, Shard};
use super::found::{Source, find};
use super::pictures::{named_frames, read_image};
use super::{model, progress, report};
use obscura::image::RgbImage;
use obscura::tasks::Model;
use obscura::{Error, Result};
use output::{Failure, Head, Output};
use parquet_file::Row;
use pollster::block_on;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Pictures that are written together: as many, those that cannot be read included, whether a run was stopped in
/// between or not, so that the file is the same.
const GROUP: usize = 256;

/// A picture to embed.
struct Item {
    id: String,
    path: PathBuf,
    /// What a video's frame shows; a file is read when it is its turn.
    frame: Option<RgbImage>,
}

type Items<'a> = Box<dyn Iterator<Item = Result<Item>> + 'a>;

/// Writes a row for each picture. One that cannot be read does not keep the others from being done.
pub fn write(command: &Embed, file: &Path, common: &Common) -> Result<()> {
    let shard = command.file.shard.unwrap_or(Shard::WHOLE);
    if command.file.resume && output::is_complete(file) {
        let words = format!("{} is complete already", file.display());
        return report::print(
            common.json,
            &json!({ "output": file, "complete": true }),
            &words,
        );
    }
    let items = items(&command.images, common)?;
    let model = model::load(&command.model, common)?;
    let head = Head::new(command, block_on(model.identity())?, shard);
    let mut output = Output::open(file, head, command.file.resume)?;
    let started = Instant::now();
    let before = output.rows();
    work_through(items, &model, &mut output, shard, common)?;
    let (rows, failures) = output.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    let rate = (rows - before) as f64 / seconds;
    let text = format!("{}: {rows} vectors, {rate:.1} a second", file.display());
    let value =
        json!({ "output": file, "rows": rows, "failed": failures.len(), "perSecond": rate });
    report::print(common.json, &value, &text)?;
    say_failures(&failures, rows)
}

/// Embeds what is not done yet, and writes it in groups.
fn work_through(
    items: Items<'_>,
    model: &Model,
    output: &mut Output,
    shard: Shard,
    common: &Common,
) -> Result<()> {
    let bar = progress::uncounted_pictures();
    let next = output.next_place();
    let (mut rows, mut failures, mut taken) = (Vec::new(), Vec::new(), 0);
    let mut place = 0;
    for item in items {
        let is_ours = place >= next && shard.holds(place);
        place += 1;
        if !is_ours {
            continue;
        }
        match row(model, item, common) {
            Ok(row) => rows.push(row),
            Err(Refused::Picture(failure)) => {
                bar.suspend(|| eprintln!("error: {}", failure.error));
                failures.push(failure);
            }
            Err(Refused::All(error)) => return Err(error),
        }
        taken += 1;
        bar.inc(1);
        if taken == GROUP {
            output.write(&rows, place, std::mem::take(&mut failures))?;
            rows.clear();
            taken = 0;
        }
    }
    bar.finish_and_clear();
    output.write(&rows, place, failures)
}

/// Why there is no row: the picture's own fault, or one that all will meet.
enum Refused {
    Picture(Failure),
    All(Error),
}

fn row(model: &Model, item: Result<Item>, common: &Common) -> std::result::Result<Row, Refused> {
    let fault = |name: String, error: Error| {
        Refused::Picture(Failure {
            picture: name,
            error: error.to_string(),
        })
    };
    let item = item.map_err(|error| fault(String::new(), error))?;
    let name = || item.path.display().to_string();
    let image = match item.frame {
        Some(image) => image,
        None => read_image(&item.path, common).map_err(|error| fault(name(), error))?,
    };
    let vector = block_on(model.embed_image(&image, true)).map_err(Refused::All)?;
    Ok(Row {
        id: item.id,
        path: whole(&item.path).to_string_lossy().into_owned(),
        vector,
    })
}

/// A path from the root on; that of a frame is no file's.
fn whole(path: &Path) -> PathBuf {
    let in_folder = || {
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(parent.join(path.file_name()?))
    };
    let whole = path.canonicalize().ok().or_else(in_folder);
    whole.unwrap_or_else(|| path.to_owned())
}

/// The list at the end; without any failure nothing.
fn say_failures(failures: &[Failure], rows: u64) -> Result<()> {
    if failures.is_empty() {
        return match rows {
            0 => Err(Error::BadInput(
                "there are no pictures in this part".to_string(),
            )),
            _ => Ok(()),
        };
    }
    eprintln!("these have no vector:");
    for failure in failures {
        eprintln!("  {}", failure.line());
    }
    let all = rows + failures.len() as u64;
    Err(Error::BadImage(format!(
        "{} of {all} pictures could not be read",
        failures.len()
    )))
}

impl Item {
    /// Called as in `folder`, if it lies there.
    fn new(folder: &Path, path: PathBuf, frame: Option<RgbImage>) -> Self {
        let name = path.strip_prefix(folder).unwrap_or(&path);
        let id = name.to_string_lossy().into_owned();
        Self { id, path, frame }
    }
}

/// What is named, in order: what all commands take for pictures, and those that .jsonl files name.
fn items<'a>(named: &[PathBuf], common: &'a Common) -> Result<Items<'a>> {
    let mut all: Vec<Items> = Vec::new();
    for word in named {
        if is_list(word) {
            all.push(lines(word)?);
            continue;
        }
        let found = find(std::slice::from_ref(word))?;
        // Where a folder is all that is named, pictures are called as in it; else their paths tell them apart.
        let folder = found.folder.filter(|_| named.len() == 1);
        let folder = folder.unwrap_or_default();
        let sources = found.sources.into_iter();
        all.push(Box::new(
            sources.flat_map(move |source| items_of(source, &folder, common)),
        ));
    }
    Ok(Box::new(all.into_iter().flatten()))
}

fn is_list(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    !path.is_dir() && ending.is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl"))
}

fn items_of<'a>(source: Source, folder: &Path, common: &'a Common) -> Items<'a> {
    let one = |item| -> Items<'a> { Box::new(std::iter::once(item)) };
    match source {
        Source::Picture(path) => one(Ok(Item::new(folder, path, None))),
        Source::Unreadable(_, message) => one(Err(Error::BadImage(message))),
        Source::Video(video) => match named_frames(&video, common) {
            Err(error) => one(Err(error)),
            Ok(frames) => {
                let folder = folder.to_owned();
                let item = move |(name, frame): (PathBuf, Result<RgbImage>)| {
                    frame.map(|image| Item::new(&folder, name, Some(image)))
                };
                Box::new(frames.map(item))
            }
        },
    }
}

#[cfg(feature = "train")]
fn lines<'a>(file: &Path) -> Result<Items<'a>> {
    let items = obscura::metrics::data::stream(file, None)?;
    Ok(Box::new(items.map(|item| {
        let item = item?;
        Ok(Item {
            id: item.id.unwrap_or(item.name),
            path: item.image,
            frame: None,
        })
    })))
}

#[cfg(not(feature = "train"))]
fn lines<'a>(file: &Path) -> Result<Items<'a>> {
    Err(Error::BadInput(format!(
        "{}: this build reads no lists of pictures: build it with the feature 'train'",
        file.display()
    )))
}
