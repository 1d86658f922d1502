//! What is said of many pictures in one file, a row each. While a run goes on, it is called FILE.partial.

use super::arguments::{Form, WritingArguments};
use super::found::Found;
use super::row::{Choice, Kind};
use obscura::{Error, Result};
use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file of a run.
pub struct Table {
    kind: Kind,
    form: Form,
    /// How many choices a picture has at most. Of a CSV file that is begun, that is known from its header.
    count: Option<usize>,
    output: PathBuf,
    partial: PathBuf,
    file: File,
    /// The folder that pictures are named from.
    folder: PathBuf,
    /// Pictures that have a row.
    names: HashSet<String>,
    /// Whether `partial` is a copy of a whole `output`, and no more.
    is_copy: bool,
}

impl Table {
    /// A new file, or one that an earlier run has begun.
    pub fn open(kind: Kind, form: Form, asked: &WritingArguments, found: &Found) -> Result<Self> {
        if asked.names.is_some() {
            return Err(Error::BadInput(
                "--names is for --write txt and xmp, which write a file beside each picture"
                    .to_string(),
            ));
        }
        let output = output(kind.file(form), asked, found)?;
        let mut partial = output.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let failed = |error: std::io::Error| cannot_write(&output, &error);
        let is_copy = asked.resume && output.exists() && !partial.exists();
        if is_copy {
            std::fs::copy(&output, &partial).map_err(failed)?; // stays until the run has ended
        } else if !asked.resume && !asked.overwrite {
            check_free(&output, &partial, form)?;
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
        if !asked.resume {
            file.set_len(0).map_err(failed)?;
        }
        let parent = output.parent().filter(|parent| *parent != Path::new(""));
        let folder = parent
            .unwrap_or(Path::new("."))
            .canonicalize()
            .map_err(failed)?;
        let mut table = Self {
            kind,
            form,
            count: None,
            output,
            partial,
            file,
            folder,
            names: HashSet::new(),
            is_copy,
        };
        table.recover()?;
        Ok(table)
    }

    pub fn has(&self, picture: &Path) -> bool {
        let name = self.name(picture);
        name.is_ok_and(|name| self.names.contains(&name))
    }

    /// Says how many choices a picture has at most, before the first is written.
    pub fn begin(&mut self, count: usize) -> Result<()> {
        let before = self.count.replace(count);
        if let Some(before) = before.filter(|before| *before != count) {
            return Err(Error::BadInput(format!(
                "{} was begun with room for {before} of a picture, not {count}: --resume goes on with what the same command has written",
                self.partial.display()
            )));
        }
        if self.form == Form::Csv && before.is_none() {
            let header = self.kind.header(count);
            let written = self.file.write_all(header.as_bytes());
            written.map_err(|error| cannot_write(&self.output, &error))?;
        }
        Ok(())
    }

    /// Adds a row with one call, so that a killed process leaves whole lines, but for the last.
    pub fn write(&mut self, picture: &Path, choices: &[Choice]) -> Result<()> {
        let name = self.name(picture)?;
        let count = self.count.unwrap_or(1);
        let line = self.kind.line(self.form, &name, choices, count)?;
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|error| cannot_write(&self.output, &error))?;
        self.names.insert(name);
        self.is_copy = false;
        Ok(())
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<PathBuf> {
        let renamed =
            (self.file.sync_all()).and_then(|()| std::fs::rename(&self.partial, &self.output));
        renamed.map_err(|error| cannot_write(&self.output, &error))?;
        Ok(self.output.clone())
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
            if self.form == Form::Csv && number == 1 {
                self.count = self.kind.count_in(line);
            }
            let name = match (self.form, self.count) {
                (Form::Csv, Some(_)) if number == 1 => continue,
                (Form::Csv, Some(count)) => Kind::picture_in_csv(line, self.kind.columns(count)),
                (Form::Csv, None) => None,
                _ => self.kind.picture_in_json(line),
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
        self.file.seek(SeekFrom::End(0)).map(drop).map_err(failed)
    }
}

/// A run that added nothing leaves nothing beside the table.
impl Drop for Table {
    fn drop(&mut self) {
        if self.is_copy {
            let _ = std::fs::remove_file(&self.partial); // it may have become the table
        }
    }
}

/// Where the file is: as was said, or in the one folder that was named.
fn output(name: &str, asked: &WritingArguments, found: &Found) -> Result<PathBuf> {
    let in_folder = found.folder.as_ref().map(|folder| folder.join(name));
    asked.output.clone().or(in_folder).ok_or_else(|| {
        Error::BadInput(format!(
            "--output FILE is missing: without it {name} goes into the folder, if one folder is all that is named"
        ))
    })
}

/// Nothing is replaced unasked. A run that was stopped before its first row has left nothing.
fn check_free(output: &Path, partial: &Path, form: Form) -> Result<()> {
    let lines =
        std::fs::read(partial).map_or(0, |bytes| bytes.split(|byte| *byte == b'\n').count() - 1);
    let is_begun = lines > usize::from(form == Form::Csv);
    for (file, is_there, what) in [
        (partial, is_begun, "is left of a run that was stopped"),
        (output, output.exists(), "is there already"),
    ] {
        if is_there {
            return Err(Error::BadInput(format!(
                "{} {what}: --resume goes on with it, --overwrite begins anew",
                file.display()
            )));
        }
    }
    Ok(())
}

fn cannot_write(output: &Path, error: &std::io::Error) -> Error {
    Error::BadInput(format!("{} cannot be written: {error}", output.display()))
}
