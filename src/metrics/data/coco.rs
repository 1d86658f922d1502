//! COCO's captions format: pictures and captions in two lists, joined by the picture's id.

use super::{Entry, Place, cannot_be_read, without_byte_order_mark};
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

#[derive(Deserialize)]
struct Coco {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: i64,
    caption: String,
}

/// In the order of the pictures.
pub(super) fn captions(file: &Path) -> Result<Vec<Entry>> {
    let bytes = std::fs::read(file).map_err(|error| cannot_be_read(file, error))?;
    let coco: Coco = serde_json::from_slice(without_byte_order_mark(&bytes)).map_err(|error| {
        Error::BadInput(format!(
            "{} is not in COCO's captions format: {error}",
            file.display()
        ))
    })?;
    let order = order_of_images(file, &coco.images)?;
    let mut entries = Vec::with_capacity(coco.annotations.len());
    for (index, annotation) in coco.annotations.iter().enumerate() {
        let place = Place::entry(file, "annotations", index);
        let Some(&image) = order.get(&annotation.image_id) else {
            let id = annotation.image_id;
            return place.refuse(&format!(
                "'image_id' is {id}, which is the 'id' of no picture"
            ));
        };
        let caption = place.text("caption", &annotation.caption)?;
        entries.push((image, place, caption));
    }
    entries.sort_by_key(|(image, ..)| *image); // stable: captions stay in order
    let entry = |(image, place, caption): (usize, Place, String)| Entry {
        place,
        image: coco.images[image].file_name.clone(),
        caption,
    };
    Ok(entries.into_iter().map(entry).collect())
}

fn order_of_images(file: &Path, images: &[Image]) -> Result<HashMap<i64, usize>> {
    let mut order = HashMap::with_capacity(images.len());
    for (index, image) in images.iter().enumerate() {
        let place = Place::entry(file, "images", index);
        place.text("file_name", &image.file_name)?;
        if order.insert(image.id, index).is_some() {
            return place.refuse(&format!("'id' {} is there twice", image.id));
        }
    }
    Ok(order)
}
