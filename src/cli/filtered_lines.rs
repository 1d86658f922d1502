//! The output of `obscura filter`: a JSON object in each line, which training reads as captions.
//!
//! `{"place", "image", "captions": [kept], "best", "judged": [{text, generated, probability, kept, reason}]}`,
//! or `{"place", "image", "error"}`. `place` counts the input's pictures from 0: the last line's says
//! where a stopped run goes on. Lines are written whole, and a torn one at the end is cut off.

use super::arguments::Shard;
use obscura::tasks::{Filtered, Judgement};
use obscura::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What became of one picture.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    place: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<PathBuf>,
    #[serde(flatten)]
    judgement: Option<Judged>,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Judged {
    captions: Vec<String>,
    best: Option<String>,
    judged: Vec<Filtered>,
}

impl Line {
    /// A picture's texts, and which were kept.
    pub fn judged(place: u64, image: PathBuf, judgement: Judgement) -> Self {
        let kept = judgement.texts.iter().filter(|text| text.kept);
        Self {
            place,
            image: Some(image),
            judgement: Some(Judged {
                captions: kept.map(|text| text.text.clone()).collect(),
                best: judgement.best,
                judged: judgement.texts,
            }),
            error: None,
        }
    }

    /// A picture, or a line of the input, that could not be read.
    pub fn unreadable(place: u64, image: Option<PathBuf>, error: &Error) -> Self {
        Self {
            place,
            image,
            judgement: None,
            error: Some(error.to_string()),
        }
    }
}

/// How many pictures and texts there were, and were kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub pictures: u64,
    pub unreadable: u64,
    given: [u64; 2],
    written: [u64; 2],
}

impl Counts {
    fn add(&mut self, line: &Line) {
        self.pictures += 1;
        self.unreadable += u64::from(line.error.is_some());
        for text in line.judgement.iter().flat_map(|found| &found.judged) {
            let counts = match text.generated {
                true => &mut self.written,
                false => &mut self.given,
            };
            counts[0] += 1;
            counts[1] += u64::from(text.kept);
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let [given, written] = [self.given, self.written];
        write!(
            to,
            "kept {} of {} given and {} of {} written texts",
            given[1], given[0], written[1], written[0]
        )?;
        match self.unreadable {
            0 => Ok(()),
            count => write!(to, "; {count} of {} pictures unreadable", self.pictures),
        }
    }
}

/// Where lines go.
pub struct Output {
    to: Box<dyn Write>,
    name: PathBuf,
    next: u64,
    counts: Counts,
}

impl Output {
    /// Makes a new file, or goes on with one. `-` is standard output.
    pub fn open(path: &Path, resume: bool, shard: Shard) -> Result<Self> {
        let mut output = Self {
            to: Box::new(std::io::stdout()),
            name: path.to_owned(),
            next: 0,
            counts: Counts::default(),
        };
        if path == Path::new("-") {
            return match resume {
                true => Err(Error::BadInput(
                    "--resume needs a file: standard output forgets what was written".to_string(),
                )),
                false => Ok(output),
            };
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(resume);
        let opened = match resume {
            true => options.open(path),
            false => options.create_new(true).open(path),
        };
        let mut file = opened.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::BadInput(format!(
                "{} is there already: --resume goes on with it",
                path.display()
            )),
            _ => output.failed(&error),
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                return Err(Error::BadInput(format!(
                    "{path} is being written by another process"
                )));
            }
            Err(TryLockError::Error(_)) => {} // a file system without locks
        }
        output.recover(&mut file, shard)?;
        output.to = Box::new(file);
        Ok(output)
    }

    /// The place of the first picture that the file has no line about.
    pub fn next_place(&self) -> u64 {
        self.next
    }

    /// Of all lines, those of earlier runs included.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Writes a line with one call, so that a killed process leaves whole lines, but for the last.
    pub fn write(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_string(line)
            .map_err(|error| Error::BadInput(format!("a line has no JSON form: {error}")))?;
        text.push('\n');
        let written = self.to.write_all(text.as_bytes());
        written
            .and_then(|()| self.to.flush())
            .map_err(|error| self.failed(&error))?;
        self.counts.add(line);
        self.next = line.place + 1;
        Ok(())
    }

    /// Counts the lines that are there, and cuts off one that is not whole.
    fn recover(&mut self, file: &mut File, shard: Shard) -> Result<()> {
        let mut reader = BufReader::new(&mut *file);
        let (mut whole, mut number) = (0, 0);
        let mut text = Vec::new();
        loop {
            text.clear();
            let length = reader
                .read_until(b'\n', &mut text)
                .map_err(|error| self.failed(&error))?;
            if length == 0 || text.last() != Some(&b'\n') {
                break; // nothing, or a torn line
            }
            number += 1;
            let line: Line = match serde_json::from_slice(&text) {
                Ok(line) => line,
                Err(_) if self.is_last(&mut reader)? => break,
                Err(error) => return self.foreign(number, &format!("no line of ours: {error}")),
            };
            if !shard.holds(line.place) || line.place < self.next {
                let place = line.place;
                return self.foreign(number, &format!("picture {place} belongs to another part"));
            }
            self.counts.add(&line);
            self.next = line.place + 1;
            whole += length as u64;
        }
        drop(reader);
        file.set_len(whole)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map(drop)
            .map_err(|error| self.failed(&error))
    }

    fn is_last(&self, reader: &mut impl BufRead) -> Result<bool> {
        let rest = reader.fill_buf().map_err(|error| self.failed(&error))?;
        Ok(rest.is_empty())
    }

    fn foreign<T>(&self, line: u64, what: &str) -> Result<T> {
        let name = self.name.display();
        Err(Error::BadInput(format!(
            "{name}, line {line}: {what}; --resume goes on with what the same command has written"
        )))
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::BadInput(format!(
            "{} cannot be written: {error}",
            self.name.display()
        ))
    }
}
