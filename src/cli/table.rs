//! Captions of many pictures in one file, a line each: Hugging Face's `metadata.jsonl`, or a CSV file with
//! the columns `image` and `caption`. While a run goes on, it is called FILE.partial.

use super::arguments::{Form, WritingArguments};
use super::found::Found;
use obscura::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The columns of a CSV file.
const HEADER: &str = "image,caption\n";

/// The file of a run.
pub struct Table {
    form: Form,
    output: PathBuf,
    partial: PathBuf,
    file: File,
    /// The folder that pictures are named from.
    folder: PathBuf,
    /// Pictures that have a line.
    names: HashSet<String>,
}

/// A line, as Hugging Face's `imagefolder` reads them.
#[derive(Serialize, Deserialize)]
struct Line {
    file_name: String,
    text: String,
}

impl Table {
    /// A new file, or one that an earlier run has begun.
    pub fn open(form: Form, asked: &WritingArguments, found: &Found) -> Result<Self> {
        if asked.names.is_some() {
            return Err(Error::BadInput(
                "--names is for --write txt and xmp, which write a file beside each picture"
                    .to_string(),
            ));
        }
        let output = output(form, asked, found)?;
        let mut partial = output.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let failed = |error: std::io::Error| cannot_write(&output, &error);
        if asked.overwrite {
            remove(&partial).map_err(failed)?;
        } else if !asked.resume {
            check_free(&output, &partial)?;
        } else if output.exists() && !partial.exists() {
            std::fs::copy(&output, &partial).map_err(failed)?; // stays until the run has ended
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&partial).map_err(failed)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let output = output.display();
            return Err(Error::BadInput(format!(
                "{output} is being written by another process"
            )));
        }
        let parent = output.parent().filter(|parent| *parent != Path::new(""));
        let folder = parent
            .unwrap_or(Path::new("."))
            .canonicalize()
            .map_err(failed)?;
        let mut table = Self {
            form,
            output,
            partial,
            file,
            folder,
            names: HashSet::new(),
        };
        table.recover()?;
        Ok(table)
    }

    pub fn has(&self, picture: &Path) -> bool {
        let name = self.name(picture);
        name.is_ok_and(|name| self.names.contains(&name))
    }

    /// Adds a line with one call, so that a killed process leaves whole lines, but for the last.
    pub fn write(&mut self, picture: &Path, text: &str) -> Result<()> {
        let name = self.name(picture)?;
        let line = self.line(&name, text)?;
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|error| cannot_write(&self.output, &error))?;
        self.names.insert(name);
        Ok(())
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<PathBuf> {
        let renamed =
            (self.file.sync_all()).and_then(|()| std::fs::rename(&self.partial, &self.output));
        renamed.map_err(|error| cannot_write(&self.output, &error))?;
        Ok(self.output)
    }

    /// A picture from the file's folder, with slashes; one that lies elsewhere with its whole path.
    fn name(&self, picture: &Path) -> Result<String> {
        let parent = picture.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new(".")).canonicalize();
        let parent = parent.map_err(|error| {
            Error::BadImage(format!("{} cannot be read: {error}", picture.display()))
        })?;
        let whole = parent.join(picture.file_name().unwrap_or_default());
        let name = whole.strip_prefix(&self.folder).unwrap_or(&whole);
        let name = name.to_str().ok_or_else(|| {
            let picture = picture.display();
            Error::BadImage(format!(
                "{picture}: the name is not Unicode, which a table cannot hold"
            ))
        })?;
        Ok(match std::path::MAIN_SEPARATOR {
            '/' => name.to_string(),
            separator => name.replace(separator, "/"),
        })
    }

    fn line(&self, name: &str, text: &str) -> Result<String> {
        let unwritable = |error: &dyn std::fmt::Display| {
            Error::BadInput(format!("a caption has no form in a file: {error}"))
        };
        if self.form == Form::Jsonl {
            let line = Line {
                file_name: name.to_string(),
                text: text.to_string(),
            };
            let line = serde_json::to_string(&line).map_err(|error| unwritable(&error))?;
            return Ok(line + "\n");
        }
        let one_line = |text: &str| text.replace(['\r', '\n'], " ");
        let mut writer = csv::Writer::from_writer(Vec::new());
        let record = [one_line(name), one_line(text)];
        writer
            .write_record(record)
            .map_err(|error| unwritable(&error))?;
        let bytes = writer.into_inner().map_err(|error| unwritable(&error))?;
        String::from_utf8(bytes).map_err(|error| unwritable(&error))
    }

    /// Takes in the lines that are there, and cuts off one that is not whole.
    fn recover(&mut self) -> Result<()> {
        let failed = |error: std::io::Error| cannot_write(&self.partial, &error);
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let lines = std::str::from_utf8(&bytes[..whole])
            .unwrap_or("\u{fffd}\n")
            .lines();
        for (number, line) in (1..).zip(lines) {
            let name = match self.form {
                Form::Csv if number == 1 => match line == HEADER.trim_end() {
                    true => continue,
                    false => None,
                },
                Form::Csv => first_column(line),
                _ => serde_json::from_str(line)
                    .ok()
                    .map(|line: Line| line.file_name),
            };
            let Some(name) = name else {
                return Err(Error::BadInput(format!(
                    "{}, line {number}: no line of ours; --resume goes on with what the same command has written",
                    self.partial.display()
                )));
            };
            self.names.insert(name);
        }
        self.file.set_len(whole as u64).map_err(failed)?;
        self.file.seek(SeekFrom::End(0)).map_err(failed)?;
        if self.form == Form::Csv && whole == 0 {
            self.file.write_all(HEADER.as_bytes()).map_err(failed)?;
        }
        Ok(())
    }
}

/// Where the file is: as was said, or in the one folder that was named.
fn output(form: Form, asked: &WritingArguments, found: &Found) -> Result<PathBuf> {
    let name = match form {
        Form::Csv => "captions.csv",
        _ => "metadata.jsonl",
    };
    let in_folder = found.folder.as_ref().map(|folder| folder.join(name));
    asked.output.clone().or(in_folder).ok_or_else(|| {
        Error::BadInput(format!(
            "--output FILE is missing: without it {name} goes into the folder, if one folder is all that is named"
        ))
    })
}

fn check_free(output: &Path, partial: &Path) -> Result<()> {
    for (file, what) in [
        (partial, "is left of a run that was stopped"),
        (output, "is there already"),
    ] {
        let length = file.metadata().map(|metadata| metadata.len());
        let is_begun = |length| file == output || length > HEADER.len() as u64;
        if length.is_ok_and(is_begun) {
            return Err(Error::BadInput(format!(
                "{} {what}: --resume goes on with it, --overwrite begins anew",
                file.display()
            )));
        }
    }
    Ok(())
}

fn first_column(line: &str) -> Option<String> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).from_reader(line.as_bytes());
    let record = reader
        .records()
        .next()?
        .ok()
        .filter(|record| record.len() == 2)?;
    Some(record[0].to_string())
}

fn remove(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn cannot_write(output: &Path, error: &std::io::Error) -> Error {
    Error::BadInput(format!("{} cannot be written: {error}", output.display()))
}
