//! The file of vectors while it is written: FILE.partial grows by whole groups, and FILE.journal has a line for each
//! of them. A killed run goes on behind the last line; a finished one puts the file in its place.

use super::super::arguments::{Embed, Shard};
use super::parquet_file::{Group, IDENTITY, Origin, Row, WIDTH, Writer, end_of};
use obscura::search::Identity;
use obscura::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The journal's first line: what the run was asked. One that goes on has to be asked the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    model: String,
    pictures: Vec<PathBuf>,
    /// From 0, and how many.
    shard: [u64; 2],
    identity: Identity,
}

impl Head {
    pub fn new(command: &Embed, identity: Identity, shard: Shard) -> Self {
        Self {
            model: command.model.display().to_string(),
            pictures: command.images.clone(),
            shard: [shard.index, shard.count],
            identity,
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            model: self.model.clone(),
            dtype: self.identity.dtype.clone(),
        }
    }

    /// Whether a run that was begun so can go on as `other`.
    fn check(&self, other: &Head) -> Result<()> {
        self.identity.check(&other.identity)?;
        let [index, count] = self.shard;
        if self.shard != other.shard {
            let part = format!("part {}/{count}", index + 1);
            return Err(Error::BadInput(format!("it was begun as {part}")));
        }
        match (self.pictures == other.pictures, self.model == other.model) {
            (true, true) => Ok(()),
            (false, _) => Err(Error::BadInput(format!(
                "it was begun with other pictures: {}",
                self.pictures
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect::<Vec<_>>()
                    .join(" ")
            ))),
            (_, false) => Err(Error::BadInput(format!(
                "it was begun with the model named {}",
                self.model
            ))),
        }
    }
}

/// A picture that has no row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    pub picture: String,
    pub error: String,
}

impl Failure {
    /// With the picture's name, where there is one and the error does not have it.
    pub fn line(&self) -> String {
        match self.error.contains(&self.picture) {
            true => self.error.clone(),
            false => format!("{}: {}", self.picture, self.error),
        }
    }
}

/// A further line: the pictures up to the place `next` are done.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    next: u64,
    /// None where no picture could be read.
    group: Option<Group>,
    failures: Vec<Failure>,
}

/// A file of vectors that is being written.
pub struct Output {
    name: PathBuf,
    head: Head,
    writer: Writer<File>,
    journal: File,
    next: u64,
    failures: Vec<Failure>,
}

fn beside(name: &Path, ending: &str) -> PathBuf {
    let mut path = name.as_os_str().to_os_string();
    path.push(ending);
    path.into()
}

/// Whether a run has begun to write the file, and not finished.
fn is_begun(name: &Path) -> bool {
    beside(name, ".partial").exists()
}

/// Whether a run has finished the file. One that was killed just then has left its journal, which goes away.
pub fn is_complete(name: &Path) -> bool {
    let is_complete = name.exists() && !is_begun(name);
    if is_complete {
        let _ = std::fs::remove_file(beside(name, ".journal"));
    }
    is_complete
}

impl Output {
    /// Begins a file, or goes on with one.
    pub fn open(name: &Path, head: Head, resume: bool) -> Result<Self> {
        let failed = |error: std::io::Error| cannot_write(name, &error);
        if !resume && (name.exists() || is_begun(name)) {
            return Err(Error::BadInput(format!(
                "{} is there already, or begun: --resume goes on with it",
                name.display()
            )));
        }
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.open(path).map_err(failed)
        };
        let mut journal = open(&beside(name, ".journal"))?;
        lock(&journal, name)?;
        let mut partial = open(&beside(name, ".partial"))?;
        let done = recover(&mut journal, &head, name)?;
        let groups: Vec<Group> = done.iter().filter_map(|done| done.group.clone()).collect();
        let next = done.last().map_or(0, |done| done.next);
        let failures = done.into_iter().flat_map(|done| done.failures).collect();
        let writer = match groups.is_empty() {
            true => {
                partial.set_len(0).map_err(failed)?;
                Writer::new(partial, head.origin())?
            }
            false => {
                cut_off(&mut partial, end_of(&groups), name)?;
                let written = File::open(beside(name, ".partial")).map_err(failed)?;
                Writer::go_on(&written, &groups, partial, head.origin())?
            }
        };
        let name = name.to_owned();
        Ok(Self {
            name,
            head,
            writer,
            journal,
            next,
            failures,
        })
    }

    /// The place of the first picture that is not done.
    pub fn next_place(&self) -> u64 {
        self.next
    }

    /// Rows that are written.
    pub fn rows(&self) -> u64 {
        self.writer.rows()
    }

    /// Writes a group, then the line that tells of it. Without rows the line alone.
    pub fn write(&mut self, rows: &[Row], next: u64, failures: Vec<Failure>) -> Result<()> {
        if next == self.next {
            return Ok(());
        }
        let group = match rows.is_empty() {
            true => None,
            false => Some(self.writer.write(rows)?),
        };
        let synced = self.writer.inner().sync_data();
        synced.map_err(|error| cannot_write(&self.name, &error))?;
        let done = Done {
            next,
            group,
            failures,
        };
        append(&mut self.journal, &done, &self.name)?;
        self.failures.extend(done.failures);
        self.next = next;
        Ok(())
    }

    /// Writes the file's end and puts it in its place; returns how many rows it has, and who has none.
    pub fn finish(self) -> Result<(u64, Vec<Failure>)> {
        let rows = self.writer.rows();
        let width = self.head.identity.probe.len().to_string();
        let identity = serde_json::to_string(&self.head.identity).map_err(no_json)?;
        let file = self
            .writer
            .finish(&[(WIDTH, &width), (IDENTITY, &identity)])?;
        let placed = file
            .sync_all()
            .and_then(|()| std::fs::rename(beside(&self.name, ".partial"), &self.name))
            .and_then(|()| std::fs::remove_file(beside(&self.name, ".journal")));
        placed.map_err(|error| cannot_write(&self.name, &error))?;
        Ok((rows, self.failures))
    }
}

/// Takes away what no line tells of.
fn cut_off(partial: &mut File, end: u64, name: &Path) -> Result<()> {
    let failed = |error: std::io::Error| cannot_write(name, &error);
    if partial.metadata().map_err(failed)?.len() < end {
        let name = name.display();
        return Err(Error::BadInput(format!(
            "{name}.partial is shorter than {name}.journal says: delete both to begin anew"
        )));
    }
    partial.set_len(end).map_err(failed)?;
    partial.seek(SeekFrom::Start(end)).map(drop).map_err(failed)
}

/// Two runs must not write one file.
fn lock(journal: &File, name: &Path) -> Result<()> {
    match journal.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::BadInput(format!(
            "{} is being written by another process",
            name.display()
        ))),
        _ => Ok(()), // or a file system without locks
    }
}

/// The whole lines of a journal, behind its first; begins one where there is none.
fn recover(journal: &mut File, head: &Head, name: &Path) -> Result<Vec<Done>> {
    let failed = |error: std::io::Error| cannot_write(name, &error);
    let mut reader = BufReader::new(&mut *journal);
    let (mut end, mut begun, mut done) = (0, false, Vec::new());
    loop {
        let mut line = Vec::new();
        let length = reader.read_until(b'\n', &mut line).map_err(failed)?;
        if line.last() != Some(&b'\n') {
            break; // nothing, or a torn line
        }
        if !begun {
            let before: Head = parse(&line, name)?;
            let cannot = |error| {
                Error::BadInput(format!(
                    "--resume cannot go on with {}: {error}",
                    name.display()
                ))
            };
            before.check(head).map_err(cannot)?;
            begun = true;
        } else {
            done.push(parse(&line, name)?);
        }
        end += length as u64;
    }
    drop(reader);
    journal.set_len(end).map_err(failed)?;
    journal.seek(SeekFrom::Start(end)).map_err(failed)?;
    if !begun {
        append(journal, head, name)?;
    }
    Ok(done)
}

fn parse<'l, T: Deserialize<'l>>(line: &'l [u8], name: &Path) -> Result<T> {
    serde_json::from_slice(line).map_err(|error| {
        Error::BadInput(format!(
            "{}.journal has a line that is none of ours ({error}): delete it, and {}.partial, to begin anew",
            name.display(),
            name.display()
        ))
    })
}

/// Writes a line with one call, so that a killed process leaves whole lines, but for the last.
fn append(journal: &mut File, line: &impl Serialize, name: &Path) -> Result<()> {
    let mut text = serde_json::to_string(line).map_err(no_json)?;
    text.push('\n');
    let written = journal
        .write_all(text.as_bytes())
        .and_then(|()| journal.sync_data());
    written.map_err(|error| cannot_write(name, &error))
}

fn no_json(error: serde_json::Error) -> Error {
    Error::BadInput(format!("a line has no JSON form: {error}"))
}

fn cannot_write(name: &Path, error: &std::io::Error) -> Error {
    Error::BadInput(format!("{} cannot be written: {error}", name.display()))
}
