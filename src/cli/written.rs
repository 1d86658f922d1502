//! Captions and labels in files. Whatever breaks a run off, each file is whole or not there, and `--resume` goes on.
//!
//! A text beside each picture, the best of several, is written under another name and renamed. One table of all grows line by
//! line under the name FILE.partial, and becomes FILE at the end.

use super::arguments::{Common, Form, Names, WritingArguments};
use super::found::{Found, Source};
use super::pictures::each;
use super::report;
use super::row::{Choice, Kind};
use super::table::Table;
use obscura::image::RgbImage;
use obscura::sidecars::{Naming, beside, xmp};
use obscura::{Error, Result};
use serde_json::json;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Where what a run says of pictures goes.
pub struct Written {
    kind: Kind,
    place: Place,
    prefix: String,
    suffix: String,
    written: usize,
    left: usize,
}

enum Place {
    Beside(Beside),
    Table(Table),
}

/// How a picture's own file is called, and what is in it.
struct Beside {
    form: Form,
    ending: &'static str,
    naming: Naming,
    resume: bool,
}

impl Written {
    /// Looks at what is there already, before a model is loaded.
    ///
    /// # Errors
    /// [`Error::BadInput`] where it is not said what becomes of that, or two pictures have one file.
    pub fn open(kind: Kind, asked: &WritingArguments, found: &Found) -> Result<Option<Self>> {
        let Some(form) = asked.write else {
            return Ok(None);
        };
        let place = match form {
            Form::Xmp if kind == Kind::Label => {
                return Err(Error::BadInput(
                    "--write xmp holds descriptions, which labels are not: --write txt, jsonl or csv"
                        .to_string(),
                ));
            }
            Form::Txt | Form::Xmp => Place::Beside(Beside::open(form, asked, found)?),
            Form::Jsonl | Form::Csv => Place::Table(Table::open(kind, form, asked, found)?),
        };
        Ok(Some(Self {
            kind,
            place,
            prefix: asked.prefix.clone(),
            suffix: asked.suffix.clone(),
            written: 0,
            left: 0,
        }))
    }

    /// Does `work` with the pictures that nothing is written of yet, and brings a table to its place. It stays begun
    /// where the run stops, so that --resume can go on.
    pub fn run(
        mut self,
        mut found: Found,
        common: &Common,
        work: impl FnOnce(&Found, &mut Self) -> Result<()>,
    ) -> Result<()> {
        self.leave_out(&mut found);
        let run = match found.sources.is_empty() {
            true => Ok(()), // done already
            false => work(&found, &mut self),
        };
        match run {
            Ok(()) | Err(Error::BadImage(_)) => {
                self.finish(common)?;
                run
            }
            stopped => stopped,
        }
    }

    /// Writes what is said of each picture: at most `count` choices, the best first.
    pub fn write_each(
        &mut self,
        found: &Found,
        count: usize,
        common: &Common,
        mut choose: impl FnMut(&RgbImage) -> Result<Vec<Choice>>,
    ) -> Result<()> {
        if let Place::Table(table) = &mut self.place {
            table.begin(count)?;
        }
        each(found, common, |path, image| match self.has(path) {
            true => Ok(()), // a frame
            false => self.write(path, choose(&image)?),
        })
    }

    /// Takes those out of a run that something is written of already.
    fn leave_out(&mut self, found: &mut Found) {
        let before = found.sources.len();
        found.sources.retain(|source| match source {
            Source::Picture(path) => !self.has(path),
            _ => true,
        });
        self.left = before - found.sources.len();
    }

    /// Whether something is written of a picture, or of a video's frame, already.
    fn has(&self, picture: &Path) -> bool {
        match &self.place {
            Place::Beside(beside) => beside.resume && beside.has_text(&beside.file(picture)),
            Place::Table(table) => table.has(picture),
        }
    }

    fn write(&mut self, picture: &Path, mut choices: Vec<Choice>) -> Result<()> {
        for choice in &mut choices {
            choice.text = format!("{}{}{}", self.prefix, choice.text, self.suffix);
        }
        match (&mut self.place, &choices[..]) {
            (Place::Beside(beside), [best, ..]) => beside.write(picture, &best.text)?,
            (Place::Beside(_), []) => {}
            (Place::Table(table), _) => table.write(picture, &choices)?,
        }
        self.written += 1;
        Ok(())
    }

    /// Brings a table to its place, and says what was done.
    fn finish(self, common: &Common) -> Result<()> {
        let (written, left) = (self.written, self.left);
        let (output, to) = match self.place {
            Place::Beside(_) => (None, "beside their pictures".to_string()),
            Place::Table(table) => {
                let output = table.finish()?;
                let to = format!("to {}", output.display());
                (Some(output), to)
            }
        };
        let value = json!({ "written": written, "left": left, "output": output });
        let (noun, plural) = (self.kind.noun(), if written == 1 { "" } else { "s" });
        let mut line = format!("wrote {written} {noun}{plural} {to}");
        if left > 0 {
            line.push_str(&format!(", left {left} that were there"));
        }
        report::print(common.json, &value, &line)
    }
}

impl Beside {
    fn open(form: Form, asked: &WritingArguments, found: &Found) -> Result<Self> {
        if asked.output.is_some() {
            return Err(Error::BadInput(
                "--output is for --write jsonl and csv: the others write a file beside each picture".to_string(),
            ));
        }
        let (ending, usual) = match form {
            Form::Xmp => ("xmp", Naming::Full),
            _ => ("txt", Naming::Stem),
        };
        let naming = asked.names.map_or(usual, |names| match names {
            Names::Stem => Naming::Stem,
            Names::Full => Naming::Full,
        });
        let beside = Self {
            form,
            ending,
            naming,
            resume: asked.resume,
        };
        beside.check_names(found)?;
        if !asked.resume && !asked.overwrite {
            beside.check_free(found)?;
        }
        Ok(beside)
    }

    fn file(&self, picture: &Path) -> PathBuf {
        beside(picture, self.ending, self.naming)
    }

    /// Whether a file says something of its picture. One of XMP may hold other things alone.
    fn has_text(&self, file: &Path) -> bool {
        let has_texts = |text: String| xmp::texts(&text).map_or(true, |texts| !texts.is_empty());
        match self.form {
            Form::Xmp if file.exists() => std::fs::read_to_string(file).map_or(true, has_texts),
            _ => file.exists(),
        }
    }

    /// Each picture needs a file of its own, which frames of a video have none of.
    fn check_names(&self, found: &Found) -> Result<()> {
        let mut owners: HashMap<PathBuf, &Path> = HashMap::new();
        for source in &found.sources {
            let picture = match source {
                Source::Picture(picture) => picture,
                Source::Unreadable(..) => continue,
                Source::Video(video) => {
                    return Err(Error::BadInput(format!(
                        "{} is a video, whose frames are no files to write beside: --write jsonl or csv lists them",
                        video.display()
                    )));
                }
            };
            let file = self.file(picture);
            let shown = file.display().to_string();
            if let Some(other) = owners.insert(file, picture) {
                return Err(Error::BadInput(format!(
                    "{} and {} would both have {shown}: --names full gives each its own",
                    other.display(),
                    picture.display()
                )));
            }
        }
        Ok(())
    }

    /// Nothing is replaced unasked.
    fn check_free(&self, found: &Found) -> Result<()> {
        let pictures = found.sources.iter().filter_map(|source| match source {
            Source::Picture(picture) => Some(self.file(picture)),
            _ => None,
        });
        let taken: Vec<PathBuf> = pictures.filter(|file| self.has_text(file)).collect();
        let Some(first) = taken.first() else {
            return Ok(());
        };
        let more = match taken.len() {
            1 => String::new(),
            count => format!(", as are {} more", count - 1),
        };
        Err(Error::BadInput(format!(
            "{} is there already{more}: --resume (or --skip-existing) leaves such pictures, --overwrite writes them anew",
            first.display()
        )))
    }

    /// A failure is the picture's: others may lie where one can write.
    fn write(&self, picture: &Path, text: &str) -> Result<()> {
        let file = self.file(picture);
        let failed = |what: String| Error::BadImage(format!("{}: {what}", file.display()));
        let content = match self.form {
            Form::Xmp if file.exists() => {
                let there = std::fs::read_to_string(&file)
                    .map_err(|error| failed(format!("cannot be read: {error}")))?;
                xmp::with_text(&there, text).map_err(|error| failed(error.to_string()))?
            }
            Form::Xmp => xmp::packet(text),
            _ => format!("{text}\n"),
        };
        write_whole(&file, content.as_bytes())
            .map_err(|error| failed(format!("cannot be written: {error}")))
    }
}

/// Writes a file under a hidden name beside it, and gives it its own name once it is whole.
fn write_whole(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(".partial");
    let partial = file.with_file_name(name);
    let written = std::fs::write(&partial, content).and_then(|()| std::fs::rename(&partial, file));
    written.inspect_err(|_| drop(std::fs::remove_file(&partial)))
}
