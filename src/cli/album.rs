//! `obscura album` and `obscura search`: the browser's index of vectors over a file on disk.

use super::album_file::{ROWS, open};
use super::arguments::{
    AddToAlbum, AlbumCommand, Common, ExportAlbum, ImportToAlbum, RemoveFromAlbum, Search,
};
use super::found::find;
use super::pictures::{Failures, read_image};
use super::{model, progress, report, vectors};
use obscura::image::RgbImage;
use obscura::search::{Album, FileStore, Found, npy};
use obscura::tasks::Model;
use obscura::{Error, Result};
use pollster::block_on;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Pictures that are written, and lost by a crash, together.
const BATCH: usize = 64;
/// Longest header of an .npy file that is looked for.
const HEADER_BYTES: u64 = 1 << 16;

/// Runs a command of `obscura album`.
pub fn album(command: &AlbumCommand, common: &Common) -> Result<()> {
    match command {
        AlbumCommand::Add(command) => add(command, common),
        AlbumCommand::Remove(command) => remove(command, common),
        AlbumCommand::List(command) => {
            let album = open(&command.album, None)?;
            album
                .keys()
                .try_for_each(|key| report::print(common.json, &json!(key), key))
        }
        AlbumCommand::Export(command) => export(command),
        AlbumCommand::Import(command) => import(command, common),
    }
}

fn add(command: &AddToAlbum, common: &Common) -> Result<()> {
    let pictures = find(&command.pictures)?.files()?;
    let pictures = BTreeSet::from_iter(pictures); // in the order of their names
    let model = model::load(&command.model, common)?;
    let mut album = open(&command.album, Some(block_on(model.identity())?))?;
    let (mut new, mut there) = (Vec::new(), 0);
    let mut failures = Failures::default();
    for path in pictures {
        let key = match key_of(&path) {
            Ok(key) => key,
            Err(error) => {
                failures.take(&path, Err(error), |print| print())?;
                continue;
            }
        };
        match album.contains(&key) && !command.again {
            true => there += 1,
            false => new.push((key, path)),
        }
    }
    let mut run = progress::Run::over(new.len());
    let mut added = 0;
    for batch in new.chunks(BATCH) {
        let (mut keys, mut vectors) = (Vec::new(), Vec::new());
        for (key, path) in batch {
            let embedded = read_image(path, common)
                .and_then(|image| block_on(model.embed_image(&image, true)));
            let done = embedded.map(|vector| {
                keys.push(key.clone());
                vectors.extend(vector);
                added += 1;
            });
            failures.take(path, done, |print| run.suspend(print))?;
            run.step();
        }
        album.add(&keys, &vectors)?;
    }
    run.finish();
    let (failed, size) = (failures.count(), album.len());
    let text = format!("added {added}, left {there} as they were, {size} in all");
    let value = json!({ "added": added, "there": there, "failed": failed, "size": size });
    report::print(common.json, &value, &text)?;
    failures.result()
}

/// A picture's name in albums: its whole path, so that a search can open it from anywhere.
fn key_of(path: &Path) -> Result<String> {
    let whole = path.canonicalize();
    let whole = whole
        .map_err(|error| Error::BadImage(format!("{} cannot be read: {error}", path.display())))?;
    whole
        .into_os_string()
        .into_string()
        .map_err(|path| Error::BadInput(format!("the path {} is not Unicode", path.display())))
}

fn remove(command: &RemoveFromAlbum, common: &Common) -> Result<()> {
    let mut album = open(&command.album, None)?;
    let named = command.pictures.iter().map(|path| {
        let name = path.to_string_lossy().into_owned();
        match album.contains(&name) {
            true => name,
            false => key_of(path).unwrap_or(name),
        }
    });
    let mut keys: Vec<String> = named.collect();
    if command.missing {
        keys.extend(
            album
                .keys()
                .filter(|key| !Path::new(key).exists())
                .map(str::to_string),
        );
    }
    keys.sort_unstable();
    keys.dedup();
    if let Some(unknown) = keys.iter().find(|key| !album.contains(key)) {
        return Err(Error::BadInput(format!(
            "'{unknown}' is not in the album: nothing was removed"
        )));
    }
    let removed = album.delete(&keys)?;
    let size = album.len();
    if album.wants_compaction() {
        compact(&album, &command.album)?;
    }
    let text = format!("removed {removed}, {size} in all");
    report::print(
        common.json,
        &json!({ "removed": removed, "size": size }),
        &text,
    )
}

/// Writes the album anew beside itself, then puts that in its place.
fn compact(album: &Album<FileStore>, path: &Path) -> Result<()> {
    let mut beside = path.as_os_str().to_os_string();
    beside.push(".smaller");
    let beside = PathBuf::from(beside);
    let failed = |error: std::io::Error| {
        Error::BadInput(format!("{} cannot be replaced: {error}", path.display()))
    };
    if beside.exists() {
        std::fs::remove_file(&beside).map_err(failed)?; // left by a run that was stopped
    }
    let compacted = FileStore::open(&beside, true).and_then(|store| album.compact_into(store));
    if let Err(error) = compacted {
        let _ = std::fs::remove_file(&beside); // the album itself is as it was
        return Err(error);
    }
    std::fs::rename(&beside, path).map_err(failed)
}

fn export(command: &ExportAlbum) -> Result<()> {
    if vectors::is_parquet(&command.vectors) {
        return vectors::export(command);
    }
    let keys_file = names_of(command.keys.as_deref())?;
    let album = open(&command.album, None)?;
    let failed = |error: std::io::Error| {
        Error::BadInput(format!(
            "{} cannot be written: {error}",
            command.vectors.display()
        ))
    };
    let mut file = BufWriter::new(File::create(&command.vectors).map_err(failed)?);
    let header = npy::header(album.len(), album.width().unwrap_or(1));
    file.write_all(&header).map_err(failed)?;
    for start in (0..album.len()).step_by(ROWS) {
        let vectors = album.vectors(start, ROWS)?;
        let bytes: Vec<u8> = vectors
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        file.write_all(&bytes).map_err(failed)?;
    }
    file.flush().map_err(failed)?;
    let keys = json!(album.keys().collect::<Vec<&str>>()).to_string();
    std::fs::write(keys_file, keys).map_err(|error| {
        Error::BadInput(format!(
            "{} cannot be written: {error}",
            keys_file.display()
        ))
    })
}

/// The file of names, which NumPy's has none of.
fn names_of(keys: Option<&Path>) -> Result<&Path> {
    keys.ok_or_else(|| {
        Error::BadInput(
            "an .npy file holds no names: give a .json file for them, too, or a .parquet file for both"
                .to_string(),
        )
    })
}

fn import(command: &ImportToAlbum, common: &Common) -> Result<()> {
    if vectors::is_parquet(&command.vectors) {
        return vectors::import(command, common);
    }
    let keys_file = names_of(command.keys.as_deref())?;
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
        Error::BadInput(format!("{} cannot be read: {error}", path.display()))
    };
    let vectors_failed = |error: std::io::Error| unreadable(&command.vectors, &error);
    let keys = std::fs::read(keys_file).map_err(|error| unreadable(keys_file, &error))?;
    let keys: Vec<String> =
        serde_json::from_slice(&keys).map_err(|error| unreadable(keys_file, &error))?;
    let mut file = File::open(&command.vectors).map_err(vectors_failed)?;
    let mut start = Vec::new();
    (&mut file)
        .take(HEADER_BYTES)
        .read_to_end(&mut start)
        .map_err(vectors_failed)?;
    let header = npy::Header::parse(&start)?;
    if header.rows != keys.len() {
        return Err(Error::BadInput(format!(
            "there are {} names for {} vectors",
            keys.len(),
            header.rows
        )));
    }
    let model = model::load(&command.model, common)?;
    let mut album = open(&command.album, Some(block_on(model.identity())?))?;
    file.seek(SeekFrom::Start(header.offset as u64))
        .map_err(vectors_failed)?;
    for keys in keys.chunks(ROWS) {
        let mut bytes = vec![0; keys.len() * header.row_bytes()];
        file.read_exact(&mut bytes).map_err(vectors_failed)?;
        album.add(keys, &header.decode(&bytes))?;
    }
    let (added, size) = (keys.len(), album.len());
    let text = format!("added {added}, {size} in all");
    report::print(common.json, &json!({ "added": added, "size": size }), &text)
}

/// Finds pictures by a text or a picture.
pub fn search(command: &Search, common: &Common) -> Result<()> {
    let image = command
        .image
        .as_deref()
        .map(|path| read_image(path, common))
        .transpose()?;
    let model = model::load(&command.model, common)?;
    let query = Query {
        album: &command.album,
        text: command.text.as_deref(),
        image: image.as_ref(),
        limit: command.limit,
        rerank: command.rerank,
        min_score: command.min_score,
    };
    let results = found(&model, &query, common)?;
    let lines: Vec<String> = results.iter().map(line).collect();
    let value = match &command.text {
        Some(text) => json!({ "text": text, "found": results }),
        None => json!({ "image": command.image, "found": results }),
    };
    report::print(common.json, &value, &lines.join("\n"))
}

/// What is looked for in an album: what a text describes, or else what resembles a picture.
pub struct Query<'a> {
    pub album: &'a Path,
    pub text: Option<&'a str>,
    pub image: Option<&'a RgbImage>,
    pub limit: usize,
    pub rerank: usize,
    pub min_score: Option<f32>,
}

/// The best pictures of an album, as JSON objects with their `key` and `similarity`.
pub fn found(model: &Model, query: &Query, common: &Common) -> Result<Vec<Value>> {
    if !query.album.exists() {
        return Err(Error::BadInput(format!(
            "{} does not exist: make it with `obscura album add`",
            query.album.display()
        )));
    }
    let album = open(query.album, Some(block_on(model.identity())?))?;
    let vector = match (query.image, query.text) {
        (Some(image), _) => block_on(model.embed_image(image, true))?,
        (None, text) => block_on(model.embed_text(text.unwrap_or_default(), true))?,
    };
    let again = match query.text {
        Some(_) if model.can_rerank() => query.rerank,
        _ => 0,
    };
    if let Some(least) = query.min_score
        && !(0.0..=1.0).contains(&least)
    {
        return Err(Error::BadInput(format!(
            "--min-score is {least}, expected a probability, 0 to 1"
        )));
    }
    let mut found = album.search(&vector, query.limit.max(again))?;
    let others = found.split_off(again.min(found.len()));
    let mut results = match query.text {
        Some(text) if again > 0 => rerank(model, text, found, common)?,
        _ => Vec::new(),
    };
    results.extend(others.iter().map(|found| json!(found)));
    if let Some(least) = query.min_score {
        results = fitting(model, &album, results, least)?;
    }
    results.truncate(query.limit);
    Ok(results)
}

/// The candidates in the order of BLIP's score; those whose files are gone follow.
fn rerank(
    model: &Model,
    text: &str,
    candidates: Vec<Found>,
    common: &Common,
) -> Result<Vec<Value>> {
    let (mut ranked, mut others) = (Vec::new(), Vec::new());
    let texts = [text.to_string()];
    for found in candidates {
        let Ok(image) = read_image(Path::new(&found.key), common) else {
            others.push(json!(found));
            continue;
        };
        for again in block_on(model.rank_texts(&image, &texts))? {
            let value = json!({
                "key": found.key, "similarity": found.similarity, "probability": again.probability,
            });
            ranked.push((again.score, value));
        }
    }
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    Ok(ranked
        .into_iter()
        .map(|(_, value)| value)
        .chain(others)
        .collect())
}

/// What belongs to the text with a probability of at least `least`, by the vectors: a matching head orders, but
/// takes a text for all that is to be said of a picture. The probability is added where there is none.
fn fitting(
    model: &Model,
    album: &Album<FileStore>,
    mut results: Vec<Value>,
    least: f32,
) -> Result<Vec<Value>> {
    let gauge = block_on(model.gauge())?;
    let key = |found: &Value| found["key"].as_str().unwrap_or_default().to_string();
    let keys: Vec<String> = results.iter().map(key).collect();
    let nulls = match &gauge.null {
        Some(null) => album.similarities(&keys, null)?,
        None => vec![None; keys.len()],
    };
    let mut nulls = nulls.into_iter();
    results.retain_mut(|found| {
        let similarity = found["similarity"].as_f64().unwrap_or_default() as f32;
        let null = nulls.next().flatten().unwrap_or(0.0);
        let probability = gauge.probability(similarity, null);
        if found["probability"].is_null() {
            found["probability"] = json!(probability);
        }
        probability >= least
    });
    Ok(results)
}

fn line(found: &Value) -> String {
    let share = found["probability"]
        .as_f64()
        .map(|share| format!("match {:5.1}%  ", 100.0 * share));
    let similarity = found["similarity"].as_f64().unwrap_or_default();
    let key = found["key"].as_str().unwrap_or_default();
    format!(
        "{}similarity {similarity:6.3}  {key}",
        share.unwrap_or_default()
    )
}
