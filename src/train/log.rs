//! What a training run measured, step by step, as `metrics.csv` in the run's folder. A resumed run
//! goes on writing where its checkpoint stands, as if it had never stopped.

use crate::{Error, Result};
use csv::{ReaderBuilder, StringRecord};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The losses that have a column, in this order.
pub const LOSSES: [&str; 7] = ["itc", "itm", "lm", "vqa", "patches", "clip", "total"];

const FILE: &str = "metrics.csv";

/// Steps that a running average goes over.
const WINDOW: usize = 50;

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Steps done, this one included.
    pub step: u64,
    /// Time spent training until now, resumed runs included.
    pub seconds: f64,
    /// Of this step.
    pub learning_rate: f64,
    /// Values of some of [`LOSSES`], by name.
    pub losses: Vec<(&'static str, f32)>,
    /// Before clipping.
    pub gradient_norm: f32,
}

/// An open log, and what its progress line needs.
pub struct Log {
    path: PathBuf,
    file: File,
    seconds: f64,
    recent: [VecDeque<f32>; LOSSES.len()],
}

impl Log {
    /// Opens the log of a run in `folder`, which exists. A new run finds none there yet; a resumed
    /// one loses the rows after `resume_at_step`, which it is about to write again.
    pub fn open(folder: &Path, resume_at_step: Option<u64>) -> Result<Self> {
        let path = folder.join(FILE);
        let kept = match resume_at_step {
            Some(step) if path.exists() => keep_until(&path, step)?,
            None if path.exists() => {
                return Err(Error::BadInput(format!(
                    "{} is there already: resume that run, or choose another folder",
                    path.display()
                )));
            }
            _ => replace(&path, &format!("{}\n", header().join(","))).map(|()| Vec::new())?,
        };
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|error| cannot("opened", &path, error))?;
        let mut log = Self {
            path,
            file,
            seconds: 0.0,
            recent: Default::default(),
        };
        kept.iter().for_each(|record| log.remember(record));
        Ok(log)
    }

    /// Appends a row; it is on its way to the disk when this returns.
    ///
    /// # Panics
    /// If a loss is not one of [`LOSSES`].
    pub fn record(&mut self, record: &Record) -> Result<()> {
        self.remember(record);
        let written = self.file.write_all(row(record).as_bytes());
        written.map_err(|error| cannot("written", &self.path, error))
    }

    /// Time spent until the last record: what a resumed run's clock starts with.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// The mean of a loss over the last records that have it, up to 50.
    ///
    /// # Panics
    /// If it is not one of [`LOSSES`].
    pub fn average(&self, loss: &str) -> Option<f32> {
        let recent = &self.recent[column(loss)];
        let count = recent.len();
        (count > 0).then(|| recent.iter().sum::<f32>() / count as f32)
    }

    /// The averages for a progress line: `itc 1.234  lm 0.567  total 1.801`.
    pub fn summary(&self) -> String {
        let averages = LOSSES
            .iter()
            .filter_map(|loss| Some(format!("{loss} {:.3}", self.average(loss)?)));
        averages.collect::<Vec<_>>().join("  ")
    }

    fn remember(&mut self, record: &Record) {
        self.seconds = record.seconds;
        for (loss, value) in &record.losses {
            let recent = &mut self.recent[column(loss)];
            if recent.len() == WINDOW {
                recent.pop_front();
            }
            recent.push_back(*value);
        }
    }
}

/// Reads a log. A last line that a stopped run did not finish is left out.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let mut text = std::fs::read_to_string(path).map_err(|error| cannot("read", path, error))?;
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
    let bad = |line: u64, what: String| {
        Error::BadInput(format!("{}, line {line}: {what}", path.display()))
    };
    let names = reader
        .headers()
        .map_err(|error| bad(1, error.to_string()))?;
    if *names != header() {
        let expected = header().join(",");
        return Err(bad(
            1,
            format!("not a training log, expected the columns {expected}"),
        ));
    }
    let rows = reader.records().enumerate().map(|(index, row)| {
        let line = index as u64 + 2;
        let row = row.map_err(|error| bad(line, error.to_string()))?;
        parse(&row).map_err(|what| bad(line, what))
    });
    rows.collect()
}

fn header() -> Vec<&'static str> {
    let mut names = vec!["step", "seconds", "learning_rate"];
    names.extend(LOSSES);
    names.push("gradient_norm");
    names
}

fn column(loss: &str) -> usize {
    let found = LOSSES.iter().position(|name| *name == loss);
    found.unwrap_or_else(|| panic!("the loss '{loss}' is none of {LOSSES:?}"))
}

fn row(record: &Record) -> String {
    let mut cells = vec![
        record.step.to_string(),
        format!("{:.3}", record.seconds),
        record.learning_rate.to_string(),
    ];
    cells.resize(cells.len() + LOSSES.len(), String::new());
    for (loss, value) in &record.losses {
        cells[3 + column(loss)] = value.to_string();
    }
    cells.push(record.gradient_norm.to_string());
    cells.join(",") + "\n"
}

fn parse(row: &StringRecord) -> std::result::Result<Record, String> {
    let losses = LOSSES.iter().zip(row.iter().skip(3));
    let losses = losses.filter(|(_, cell)| !cell.is_empty());
    Ok(Record {
        step: number(row, 0)?,
        seconds: number(row, 1)?,
        learning_rate: number(row, 2)?,
        losses: losses
            .map(|(loss, _)| Ok((*loss, number(row, 3 + column(loss))?)))
            .collect::<std::result::Result<_, String>>()?,
        gradient_norm: number(row, 3 + LOSSES.len())?,
    })
}

fn number<T: std::str::FromStr>(
    row: &StringRecord,
    index: usize,
) -> std::result::Result<T, String> {
    let cell = &row[index];
    let parsed = cell.parse();
    parsed.map_err(|_| format!("'{}' is '{cell}', expected a number", header()[index]))
}

/// Cuts the rows after a step, and returns those that stay.
fn keep_until(path: &Path, step: u64) -> Result<Vec<Record>> {
    let mut records = read(path)?;
    records.retain(|record| record.step <= step);
    let rows: String = records.iter().map(row).collect();
    replace(path, &format!("{}\n{rows}", header().join(",")))?;
    Ok(records)
}

/// Writes a file as a whole, or not at all.
fn replace(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("csv.part");
    std::fs::write(&unfinished, text)
        .and_then(|()| std::fs::rename(&unfinished, path))
        .map_err(|error| cannot("written", path, error))
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::BadInput(format!("{} cannot be {what}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64, itc: f32) -> Record {
        Record {
            step,
            seconds: step as f64 / 2.0,
            learning_rate: 1e-4 * step as f64,
            losses: vec![("itc", itc), ("total", 0.1 + itc)],
            gradient_norm: 1.0 / 3.0,
        }
    }

    /// A folder of its own for each test, deleted when done.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("obscura-log-{}-{name}", std::process::id());
            let folder = Self(std::env::temp_dir().join(name));
            std::fs::create_dir_all(&folder.0).unwrap();
            folder
        }

        fn file(&self) -> PathBuf {
            self.0.join(FILE)
        }

        fn text(&self) -> String {
            std::fs::read_to_string(self.file()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0); // a leftover is no failure
        }
    }

    #[test]
    fn a_record_is_a_row_at_once_and_reads_back_the_same() {
        let folder = Folder::new("row");
        let mut log = Log::open(&folder.0, None).unwrap();
        let records = [record(1, 2.5), record(2, f32::NAN)];
        log.record(&records[0]).unwrap();
        let header = "step,seconds,learning_rate,itc,itm,lm,vqa,patches,clip,total,gradient_norm";
        assert_eq!(
            folder.text(),
            format!("{header}\n1,0.500,0.0001,2.5,,,,,,2.6,0.33333334\n")
        );
        log.record(&records[1]).unwrap();
        let found = read(&folder.file()).unwrap();
        assert_eq!(found[0], records[0]);
        assert!(found[1].losses[0].1.is_nan());
    }

    #[test]
    fn a_resumed_log_is_that_of_a_run_that_never_stopped() {
        let (whole, resumed) = (Folder::new("whole"), Folder::new("resumed"));
        let mut log = Log::open(&whole.0, None).unwrap();
        let mut first = Log::open(&resumed.0, None).unwrap();
        for step in 1..=80 {
            log.record(&record(step, 1.0 / step as f32)).unwrap();
            let stopped = if step > 60 { 9.0 } else { 1.0 / step as f32 };
            first.record(&record(step, stopped)).unwrap();
        }
        drop(first);
        std::fs::write(resumed.file(), resumed.text() + "81,40.5,0.0").unwrap();
        let mut second = Log::open(&resumed.0, Some(60)).unwrap();
        assert_eq!(second.seconds(), 30.0);
        for step in 61..=80 {
            second.record(&record(step, 1.0 / step as f32)).unwrap();
        }
        assert_eq!(resumed.text(), whole.text());
        assert_eq!(second.summary(), log.summary());
    }

    #[test]
    fn averages_are_over_the_last_fifty() {
        let folder = Folder::new("average");
        let mut log = Log::open(&folder.0, None).unwrap();
        assert_eq!((log.average("itc"), log.summary()), (None, String::new()));
        for step in 1..=60 {
            log.record(&record(step, step as f32)).unwrap();
        }
        assert_eq!(log.average("itc"), Some(35.5));
        assert_eq!(log.average("lm"), None);
        assert_eq!(log.summary(), "itc 35.500  total 35.600");
    }

    #[test]
    fn a_new_run_does_not_overwrite_the_log_of_another() {
        let folder = Folder::new("another");
        let mut log = Log::open(&folder.0, None).unwrap();
        log.record(&record(1, 1.0)).unwrap();
        let before = folder.text();
        let error = Log::open(&folder.0, None).err().unwrap();
        assert!(error.to_string().contains("resume"), "{error}");
        assert_eq!(folder.text(), before);
        assert!(Log::open(&folder.0, Some(0)).is_ok());
        assert!(read(&folder.file()).unwrap().is_empty());
    }

    #[test]
    fn a_resumed_run_whose_log_is_gone_begins_a_new_one() {
        let folder = Folder::new("gone");
        let mut log = Log::open(&folder.0, Some(10)).unwrap();
        log.record(&record(11, 1.0)).unwrap();
        assert_eq!(read(&folder.file()).unwrap(), [record(11, 1.0)]);
    }

    #[test]
    fn broken_logs_are_named_with_their_line_and_left_alone() {
        let folder = Folder::new("broken");
        let header = header().join(",");
        let cases = [
            ("a,b\n1,2\n".to_owned(), "line 1"),
            (String::new(), "line 1"),
            (
                format!("{header}\n1,0,0,1,,,,,,1,1\nx,0,0,1,,,,,,1,1\n"),
                "line 3: 'step' is 'x'",
            ),
            (
                format!("{header}\n1,0,0,1,,z,,,,1,1\n"),
                "line 2: 'lm' is 'z'",
            ),
            (format!("{header}\n1,0,0\n2,0,0,1,,,,,,1,1\n"), "line 2"),
        ];
        for (text, expected) in cases {
            std::fs::write(folder.file(), &text).unwrap();
            let error = Log::open(&folder.0, Some(1)).err().unwrap();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(folder.text(), text);
        }
    }
}
