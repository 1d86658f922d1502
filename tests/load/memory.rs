//! Files and cache entries in memory that fail when told to, and note what they are asked for.

use obscura::device::Placement;
use obscura::load::{Event, Files, NoStore, Options, Store, Stores, load};
use obscura::tasks::Model;
use obscura::{Error, Result};
use pollster::block_on;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;

pub const NAME: &str = "a model";

/// A read: file, offset, length.
pub type Read = (String, u64, u64);

/// Files by name.
pub struct Memory {
    pub files: BTreeMap<String, Vec<u8>>,
    pub reads: RefCell<Vec<Read>>,
    /// Files that were asked for and are not there.
    pub missed: RefCell<Vec<String>>,
    /// Reads that succeed before all fail.
    pub patience: Cell<usize>,
    end: Cell<u64>,
}

impl Memory {
    pub fn of<N: Into<String>>(files: impl IntoIterator<Item = (N, Vec<u8>)>) -> Self {
        let files = files.into_iter().map(|(name, bytes)| (name.into(), bytes));
        Self {
            files: files.collect(),
            reads: RefCell::default(),
            missed: RefCell::default(),
            patience: Cell::new(usize::MAX),
            end: Cell::new(u64::MAX),
        }
    }

    pub fn of_folder(folder: &Path) -> Self {
        let entries = std::fs::read_dir(folder).expect("a folder");
        Self::of(entries.map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            (name, std::fs::read(entry.path()).expect("a file"))
        }))
    }

    /// The same with the folders in it.
    pub fn of_tree(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.expect("a name");
            if path.is_dir() {
                let inside = Self::of_tree(&path).files.into_iter();
                files.extend(inside.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
            } else {
                files.insert(name.to_string(), std::fs::read(&path).expect("a file"));
            }
        }
        Self::of(files)
    }

    /// From this offset on, files have no bytes, though they promise them.
    pub fn ends_at(&self, end: u64) {
        self.end.set(end);
    }

    /// What was asked for since the last time.
    pub fn take_reads(&self) -> Vec<Read> {
        self.reads.take()
    }
}

impl Files for &Memory {
    async fn size(&self, file: &str) -> Result<Option<u64>> {
        let found = self.files.get(file);
        if found.is_none() {
            self.missed.borrow_mut().push(file.to_string());
        }
        Ok(found.map(|bytes| bytes.len() as u64))
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        let left = self.patience.get();
        if left == 0 {
            return Err(Error::Network("the connection broke".to_string()));
        }
        self.patience.set(left - 1);
        let read = (file.to_string(), offset, length);
        self.reads.borrow_mut().push(read);
        let end = (offset + length).min(self.end.get());
        Ok(self.files[file][offset.min(end) as usize..end as usize].to_vec())
    }
}

/// Loads without a cache.
pub fn load_files<F: Files + Copy>(
    files: F,
    file: Option<&str>,
    options: &Options,
) -> Result<Model> {
    let name = file.unwrap_or(NAME);
    let no_entry: Option<Stores<NoStore>> = None;
    block_on(load(
        name,
        files,
        file,
        no_entry,
        options,
        Placement::cpu(),
        |_| {},
    ))
}

/// A file that can be written, until it is full.
pub struct Shelf {
    pub bytes: RefCell<Vec<u8>>,
    pub room: Cell<u64>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            bytes: RefCell::default(),
            room: Cell::new(u64::MAX),
        }
    }
}

impl Store for &Shelf {
    async fn size(&self) -> Result<u64> {
        Ok(self.bytes.borrow().len() as u64)
    }

    async fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let (start, end) = (offset as usize, (offset + length) as usize);
        Ok(self.bytes.borrow()[start..end].to_vec())
    }

    async fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        if end as u64 > self.room.get() {
            return Err(Error::Network("the quota is exceeded".to_string()));
        }
        let mut all = self.bytes.borrow_mut();
        if all.len() < end {
            all.resize(end, 0);
        }
        all[start..end].copy_from_slice(bytes);
        Ok(())
    }

    async fn truncate(&self, size: u64) -> Result<()> {
        self.bytes.borrow_mut().resize(size as usize, 0);
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}

/// The two files of a cache entry.
#[derive(Default)]
pub struct Kept {
    pub model: Shelf,
    pub journal: Shelf,
}

/// What a load with an entry told.
#[derive(Default, Debug)]
pub struct Told {
    pub plans: Vec<(u64, u64, Vec<Read>)>,
    pub tensors: Vec<String>,
    pub warnings: Vec<String>,
    pub uncached: Vec<String>,
}

impl Kept {
    pub fn load(
        &self,
        files: impl Files + Copy,
        file: Option<&str>,
        options: &Options,
    ) -> (Result<Model>, Told) {
        let mut told = Told::default();
        let entry = Some(Stores {
            model: &self.model,
            journal: &self.journal,
        });
        let on_event = |event: Event| match event {
            Event::Plan {
                total,
                cached,
                ranges,
            } => told.plans.push((total, cached, ranges)),
            Event::Tensor { name, .. } => told.tensors.push(name.to_string()),
            Event::Warning(message) => told.warnings.push(message.to_string()),
            Event::Uncached(message) => told.uncached.push(message.to_string()),
        };
        let name = file.unwrap_or(NAME);
        let loading = load(
            name,
            files,
            file,
            entry,
            options,
            Placement::cpu(),
            on_event,
        );
        (block_on(loading), told)
    }

    pub fn is_complete(&self) -> bool {
        obscura::load::is_complete(&self.journal.bytes.borrow())
    }
}
