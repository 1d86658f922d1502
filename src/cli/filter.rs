//! `obscura filter`: CapFilt over any number of pictures, one after another. Each becomes a line of
//! the output, in the order of the input, so that a stopped run can go on from its last whole line.

use super::arguments::{Common, Filter, Shard};
use super::filtered_lines::{Counts, Line, Output};
use super::pictures::read_image;
use super::{model, progress};
use obscura::metrics::data::{Item, Items, stream, stream_lines};
use obscura::tasks::{Model, captioner_options};
use obscura::{Error, Result};
use pollster::block_on;
use std::io::BufReader;
use std::path::Path;

/// Writes a line for each picture. One that cannot be read does not keep the others from being done.
pub fn filter(command: &Filter, common: &Common) -> Result<()> {
    let shard = command.shard.unwrap_or(Shard::WHOLE);
    let items = open(command)?;
    let mut output = Output::open(&command.output, command.resume, shard)?;
    let model = model::load(&command.model, common)?;
    let bar = progress::uncounted_pictures();
    let next = output.next_place();
    for (place, item) in (0..).zip(items) {
        if place < next || !shard.holds(place) {
            continue;
        }
        let line = judge(&model, item, (command, common), place)?;
        if let Some(error) = &line.error {
            bar.suspend(|| eprintln!("error: {error}"));
        }
        output.write(&line)?;
        bar.set_message(output.counts().to_string());
        bar.inc(1);
    }
    bar.finish_and_clear();
    eprintln!("{}", output.counts());
    match output.counts() {
        Counts { pictures: 0, .. } => Err(Error::BadInput(format!(
            "{} has no pictures for this run",
            command.data.display()
        ))),
        counts if counts.unreadable == counts.pictures => Err(Error::BadImage(
            "none of the pictures could be read".to_string(),
        )),
        _ => Ok(()),
    }
}

fn open(command: &Filter) -> Result<Items> {
    if command.data == Path::new("-") {
        let images = command.images.as_deref().unwrap_or(Path::new(""));
        let input = BufReader::new(std::io::stdin());
        return Ok(stream_lines(Path::new("standard input"), input, images));
    }
    stream(&command.data, command.images.as_deref())
}

/// What becomes of an item. Only what says that the model or the options are unusable is an error.
fn judge(
    model: &Model,
    item: Result<Item>,
    (command, common): (&Filter, &Common),
    place: u64,
) -> Result<Line> {
    let item = match item {
        Ok(item) => item,
        Err(error) => return Ok(Line::unreadable(place, None, &error)),
    };
    let path = item.image.canonicalize().unwrap_or(item.image.clone());
    let image = match read_image(&item.image, common) {
        Ok(image) => image,
        Err(error) => return Ok(Line::unreadable(place, Some(path), &error)),
    };
    // By the name, not the place: neither order nor parts have an influence on what is written.
    let seed = command.seed ^ (u64::from(crc32fast::hash(item.name.as_bytes())) << 32);
    let options = captioner_options(seed);
    let silently = async || Ok(());
    let judged = model.filter(
        &image,
        &item.captions,
        &options,
        command.threshold,
        silently,
    );
    Ok(Line::judged(place, path, block_on(judged)?))
}
