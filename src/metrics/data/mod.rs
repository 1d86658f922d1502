//! Pictures with captions or questions, from files: for measuring and for training alike.
//!
//! | File | Contents |
//! |---|---|
//! | `*.jsonl` | one object a line: `{"image": "a.png", "captions": ["a cat", ...]}`, or `{"image": "a.png", "question": "what is it", "answer": "a cat"}`, or `"answers": [...]` for several |
//! | `*.csv` | the columns `image` and `caption`, by name; a picture may have several rows |
//! | `metadata.jsonl`, `metadata.csv` | the same as Hugging Face's `imagefolder` has them: `file_name` and `text` |
//! | `a.txt`, `a.png.xmp` | beside a picture, for itself alone: see [`crate::sidecars`] |
//! | `*.json` | COCO's captions format: `images` with `id` and `file_name`, `annotations` with `image_id` and `caption` |
//!
//! Besides, [`read_vqa`] reads VQA v2's two files, [`read_classes`] a folder of pictures for each
//! class, and [`stream`] collections that are larger than memory.
//!
//! Paths of pictures are relative to the file that names them. What else the files hold is ignored.

mod classes;
mod coco;
mod lines;
mod stream;
mod table;
mod vqa;

pub use classes::{Classes, read_classes};
pub use stream::{Item, Items, stream, stream_lines};
pub use vqa::{VqaQuestions, is_vqa, read_vqa};

use crate::image::collection::pictures_under;
use crate::{Error, Result, sidecars};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A picture and what people say it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionedImage {
    /// The file, which exists.
    pub image: PathBuf,
    /// At least one, in the order of the file, none of them blank.
    pub captions: Vec<String>,
}

/// A question about a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The file, which exists.
    pub image: PathBuf,
    /// Not blank.
    pub question: String,
    /// At least one, none of them blank; see [`super::vqa::accuracy`] for what several mean.
    pub answers: Vec<String>,
}

/// A folder of pictures, as training takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// From one of [`CAPTION_FILES`], or the files beside the pictures.
    pub captions: Vec<CaptionedImage>,
    /// From `questions.jsonl`; none without that file.
    pub questions: Vec<Question>,
}

/// Files in which a folder describes its pictures; of two it is not said which one counts.
pub const CAPTION_FILES: [&str; 4] = [
    "captions.jsonl",
    "captions.csv",
    "metadata.jsonl",
    "metadata.csv",
];

/// Reads a folder that holds one of [`CAPTION_FILES`], or `questions.jsonl`, or both kinds; or pictures
/// with texts in files beside them.
pub fn read_folder(folder: &Path) -> Result<Folder> {
    let existing = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
    let mut described = CAPTION_FILES.into_iter().filter_map(existing);
    let captions = described.next();
    if let (Some(one), Some(other)) = (&captions, described.next()) {
        let name = |path: &Path| path.file_name().unwrap_or_default().display().to_string();
        return Err(Error::BadInput(format!(
            "{} holds both {} and {}: keep one of them",
            folder.display(),
            name(one),
            name(&other)
        )));
    }
    let questions = existing("questions.jsonl");
    if captions.is_none() && questions.is_none() {
        return read_sidecars(folder);
    }
    Ok(Folder {
        captions: captions.map_or(Ok(Vec::new()), |path| read_captions(&path))?,
        questions: questions.map_or(Ok(Vec::new()), |path| read_questions(&path))?,
    })
}

/// The pictures in a folder and in its folders that have texts in files beside them.
fn read_sidecars(folder: &Path) -> Result<Folder> {
    let mut captions = Vec::new();
    for image in pictures_under(folder) {
        let image = image?;
        let texts = sidecars::texts_beside(&image)?;
        if !texts.is_empty() {
            captions.push(CaptionedImage {
                image,
                captions: texts,
            });
        }
    }
    if captions.is_empty() {
        return Err(Error::BadInput(format!(
            "{}: no data found, expected a folder with captions.jsonl, captions.csv, metadata.jsonl, metadata.csv or questions.jsonl, or with a .txt or .xmp file beside each picture",
            folder.display()
        )));
    }
    Ok(Folder {
        captions,
        questions: Vec::new(),
    })
}

/// Whether a folder describes its pictures: in one file, or in one beside any of them.
pub fn is_described(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    let mut pictures = pictures_under(folder).flatten();
    CAPTION_FILES.into_iter().any(has)
        || has("questions.jsonl")
        || pictures.any(|picture| sidecars::has_texts_beside(&picture))
}

/// Reads captions in any of the formats above, chosen by the file's ending. Pictures come in the
/// order in which the file first names them.
pub fn read_captions(file: &Path) -> Result<Vec<CaptionedImage>> {
    read_captions_of(file, file.parent().unwrap_or(Path::new("")))
}

/// [`read_captions`] with the pictures in another folder than the file: COCO keeps them apart.
pub fn read_captions_of(file: &Path, images: &Path) -> Result<Vec<CaptionedImage>> {
    let ending = file.extension().and_then(|ending| ending.to_str());
    let pairs = match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("jsonl") => lines::captions(file)?,
        Some("csv") => table::captions(file)?,
        Some("json") => coco::captions(file)?,
        _ => {
            return Err(Error::BadInput(format!(
                "{}: unknown kind of file, expected .jsonl, .csv, or COCO's .json",
                file.display()
            )));
        }
    };
    collect(file, images, pairs)
}

/// Reads `questions.jsonl`, of that or any other name.
pub fn read_questions(file: &Path) -> Result<Vec<Question>> {
    let images = file.parent().unwrap_or(Path::new(""));
    let mut found = Images::new(images);
    let mut questions = Vec::new();
    for entry in lines::questions(file)? {
        questions.push(Question {
            image: found.path(&entry.place, &entry.image)?,
            question: entry.question,
            answers: entry.answers,
        });
    }
    not_empty(file, "questions", questions)
}

/// One caption of a picture, and where it was read.
struct Entry {
    place: Place,
    image: String,
    caption: String,
}

/// Joins the captions of each picture.
fn collect(file: &Path, images: &Path, entries: Vec<Entry>) -> Result<Vec<CaptionedImage>> {
    let mut found = Images::new(images);
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    let mut captioned: Vec<CaptionedImage> = Vec::new();
    for entry in entries {
        let image = found.path(&entry.place, &entry.image)?;
        let place = *places.entry(image.clone()).or_insert(captioned.len());
        if place == captioned.len() {
            captioned.push(CaptionedImage {
                image,
                captions: Vec::new(),
            });
        }
        captioned[place].captions.push(entry.caption);
    }
    not_empty(file, "captions", captioned)
}

fn not_empty<T>(file: &Path, what: &str, entries: Vec<T>) -> Result<Vec<T>> {
    if entries.is_empty() {
        return Err(Error::BadInput(format!(
            "{}: the file holds no {what}",
            file.display()
        )));
    }
    Ok(entries)
}

/// Finds pictures in a folder, asking the disk once for each.
struct Images<'a> {
    folder: &'a Path,
    known: HashMap<String, PathBuf>,
}

impl<'a> Images<'a> {
    fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            known: HashMap::new(),
        }
    }

    fn path(&mut self, place: &Place, name: &str) -> Result<PathBuf> {
        self.first_of(place, &[name.to_owned()])
    }

    /// The first of several names that the picture may have.
    fn first_of(&mut self, place: &Place, names: &[String]) -> Result<PathBuf> {
        if let Some(path) = self.known.get(&names[0]) {
            return Ok(path.clone());
        }
        let mut paths = names.iter().map(|name| self.folder.join(name));
        let Some(path) = paths.find(|path| path.is_file()) else {
            let (name, folder) = (names.join("' or '"), self.folder.display());
            return place.refuse(&format!(
                "the picture '{name}' is not in the folder '{folder}'"
            ));
        };
        self.known.insert(names[0].clone(), path.clone());
        Ok(path)
    }
}

/// Where in which file something stands, for the messages.
#[derive(Clone)]
struct Place(String);

impl Place {
    fn line(file: &Path, number: u64) -> Self {
        Self(format!("{}, line {number}", file.display()))
    }

    fn entry(file: &Path, list: &str, index: usize) -> Self {
        Self(format!("{}, {list}[{index}]", file.display()))
    }

    fn refuse<T>(&self, what: &str) -> Result<T> {
        Err(Error::BadInput(format!("{}: {what}", self.0)))
    }

    /// The text, if there is more to it than spaces.
    fn text(&self, field: &str, text: &str) -> Result<String> {
        match text.trim() {
            "" => self.refuse(&format!("'{field}' is empty")),
            text => Ok(text.to_owned()),
        }
    }
}

fn cannot_be_read(file: &Path, error: impl std::fmt::Display) -> Error {
    Error::BadInput(format!("{} cannot be read: {error}", file.display()))
}

/// What editors on Windows write at the beginning of a file.
fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}
