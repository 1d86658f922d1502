//! `obscura embed --write`: the vectors of many pictures as a Parquet file, for a database or for an album. It can be
//! killed and go on, and several processes can do a part each.

mod album;
mod output;

pub use album::{export, import, is_parquet};

use super::arguments::{Common, Embed, Shard};
use super::pictures::read_image;
use super::{model, progress, report};
use obscura::image::collection::pictures_under;
use obscura::search::parquet::Row;
use obscura::tasks::Model;
use obscura::{Error, Result};
use output::{Failure, Head, Output};
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
}

type Items = Box<dyn Iterator<Item = Result<Item>>>;

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
    let items = items(&command.images)?;
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
    items: Items,
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
    let image = read_image(&item.path, common).map_err(|error| fault(name(), error))?;
    let vector = block_on(model.embed_image(&image, true)).map_err(Refused::All)?;
    let path = item.path.canonicalize().unwrap_or(item.path.clone());
    Ok(Row {
        id: item.id,
        path: path.to_string_lossy().into_owned(),
        vector,
    })
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
        eprintln!("  {}: {}", failure.picture, failure.error);
    }
    let all = rows + failures.len() as u64;
    Err(Error::BadImage(format!(
        "{} of {all} pictures could not be read",
        failures.len()
    )))
}

/// What is named: pictures, the pictures in folders, and those that .jsonl files name, in order.
fn items(named: &[PathBuf]) -> Result<Items> {
    let is_only = named.len() == 1;
    let found: Result<Vec<Items>> = named.iter().map(|path| items_of(path, is_only)).collect();
    Ok(Box::new(found?.into_iter().flatten()))
}

/// With one thing named, pictures are called as they are in it; with several, the paths tell them apart.
fn items_of(path: &Path, is_only: bool) -> Result<Items> {
    if path.is_dir() {
        let folder = path.to_owned();
        return Ok(Box::new(pictures_under(path).map(move |picture| {
            let path = picture?;
            let name = match is_only {
                true => path.strip_prefix(&folder).unwrap_or(&path),
                false => &path,
            };
            let id = name.to_string_lossy().into_owned();
            Ok(Item { id, path })
        })));
    }
    let ending = path.extension().and_then(|ending| ending.to_str());
    if ending.is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl")) {
        return lines(path);
    }
    let id = path.to_string_lossy().into_owned();
    let path = path.to_owned();
    Ok(Box::new(std::iter::once(Ok(Item { id, path }))))
}

#[cfg(feature = "train")]
fn lines(file: &Path) -> Result<Items> {
    let items = obscura::metrics::data::stream(file, None)?;
    Ok(Box::new(items.map(|item| {
        let item = item?;
        Ok(Item {
            id: item.id.unwrap_or(item.name),
            path: item.image,
        })
    })))
}

#[cfg(not(feature = "train"))]
fn lines(file: &Path) -> Result<Items> {
    Err(Error::BadInput(format!(
        "{}: this build reads no lists of pictures: build it with the feature 'train'",
        file.display()
    )))
}
