//! The zip archive around a checkpoint. PyTorch stores its entries uncompressed, so that a tensor's
//! bytes can be read straight from the file; the `zip` crate says where they begin.

use super::header::{Entry, LocalHeader};
use crate::weights::{ReadAt, bad, printable};
use crate::{Error, Result};
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use zip::{CompressionMethod, ZipArchive, result::ZipError};

pub(super) struct Archive<'a> {
    file: &'a dyn ReadAt,
    zip: ZipArchive<Reader<'a>>,
    /// The folder all entries are in, with the slash.
    folder: String,
    /// Storages that were looked up already.
    storages: HashMap<String, Entry>,
    /// Headers of storages that were not read but foretold, if that was asked for.
    foretold: Option<Vec<LocalHeader>>,
}

impl<'a> Archive<'a> {
    pub fn open(file: &'a dyn ReadAt) -> Result<Self> {
        let zip = match ZipArchive::new(Reader::new(file)) {
            Ok(zip) => zip,
            Err(error) => {
                return bad(format!(
                    "the pytorch file is unusable or truncated: {error}"
                ));
            }
        };
        let folder = (0..zip.len())
            .filter_map(|index| zip.name_for_index(index)?.ok())
            .filter_map(|name| Some(name.strip_suffix("data.pkl")?.to_owned()))
            .filter(|folder| folder.is_empty() || folder.ends_with('/'))
            .min_by_key(String::len);
        let Some(folder) = folder else {
            return bad(
                "not a pytorch file: the zip archive holds no data.pkl (unpack it, if a model's files are in it)",
            );
        };
        let mut archive = Archive {
            file,
            zip,
            folder,
            storages: HashMap::new(),
            foretold: None,
        };
        archive.check_byte_order()?;
        Ok(archive)
    }

    /// From now on storages are located without reading their headers.
    pub fn foretell(&mut self) {
        self.foretold = Some(Vec::new());
    }

    /// The headers that were not read, in the order of the file.
    pub fn take_foretold(&mut self) -> Vec<LocalHeader> {
        let mut headers = self.foretold.take().unwrap_or_default();
        headers.sort_by_key(|header| header.at);
        headers
    }

    fn check_byte_order(&mut self) -> Result<()> {
        let Some(entry) = self.entry("byteorder")? else {
            return Ok(()); // not written before PyTorch 2.1
        };
        if entry.bytes == 3 && self.file.read_at(entry.offset, 3)? == b"big" {
            return bad("the pytorch file is big endian, only little endian is supported");
        }
        Ok(())
    }

    /// The bytes of the pickle.
    pub fn pickle(&mut self, longest: u64) -> Result<Vec<u8>> {
        let Some(entry) = self.entry("data.pkl")? else {
            return bad("not a pytorch file: the zip archive holds no data.pkl");
        };
        if entry.bytes > longest {
            return bad(format!(
                "the pytorch file's data.pkl has {} bytes, expected at most {longest}",
                entry.bytes
            ));
        }
        self.file.read_at(entry.offset, entry.bytes as usize)
    }

    /// Where the storage lies that the tensor `what` refers to.
    pub fn storage(&mut self, key: &str, what: &str) -> Result<Entry> {
        if let Some(entry) = self.storages.get(key) {
            return Ok(*entry);
        }
        match self.entry(&format!("data/{key}"))? {
            Some(entry) => {
                self.storages.insert(key.to_owned(), entry);
                Ok(entry)
            }
            None => bad(format!(
                "{what} is in storage {}, which the file lacks",
                printable(key)
            )),
        }
    }

    fn entry(&mut self, name: &str) -> Result<Option<Entry>> {
        let name = format!("{}{name}", self.folder);
        let Some(index) = self.zip.index_for_name_raw(name.as_bytes()) else {
            return Ok(None);
        };
        let unusable = |error: ZipError| {
            let name = printable(&name);
            Error::BadWeights(format!(
                "entry {name} of the pytorch file is unusable: {error}"
            ))
        };
        let entry = self.zip.by_index_data(index).map_err(unusable)?;
        if entry.encrypted() || entry.compression() != CompressionMethod::Stored {
            return bad(format!(
                "entry {} of the pytorch file is compressed or encrypted, expected plain data",
                printable(&name)
            ));
        }
        let (bytes, compressed) = (entry.size(), entry.compressed_size());
        let header = LocalHeader::in_archive(entry.header_start(), name.len() as u64, bytes);
        let offset = match (&mut self.foretold, header) {
            (Some(foretold), Some(header)) => {
                foretold.push(header);
                header.data
            }
            _ => {
                let entry = self.zip.by_index_raw(index).map_err(unusable)?;
                entry.data_start().unwrap_or(u64::MAX)
            }
        };
        let file_length = self.file.len();
        let end = offset.checked_add(bytes);
        if compressed != bytes || end.is_none_or(|end| end > file_length) {
            return bad(format!(
                "entry {} of the pytorch file takes {bytes} bytes from {offset} on, but the file has {file_length} bytes: is it truncated?",
                printable(&name)
            ));
        }
        Ok(Some(Entry { offset, bytes }))
    }
}

/// Reads a [`ReadAt`] from front to back, as the `zip` crate wants to.
struct Reader<'a> {
    file: &'a dyn ReadAt,
    position: u64,
    /// One page of the file, since headers are read a few bytes at a time.
    page: Vec<u8>,
    page_start: u64,
}

const PAGE: u64 = 8192;

impl<'a> Reader<'a> {
    fn new(file: &'a dyn ReadAt) -> Self {
        Reader {
            file,
            position: 0,
            page: Vec::new(),
            page_start: 0,
        }
    }

    /// What is in memory, or can be had, from the position on; empty at the end of the file.
    fn available(&mut self) -> std::io::Result<&[u8]> {
        let start = self.position - self.position % PAGE;
        if self.position >= self.file.len() {
            return Ok(&[]);
        }
        if self.page.is_empty() || self.page_start != start {
            let length = PAGE.min(self.file.len() - start) as usize;
            self.page = self
                .file
                .read_at(start, length)
                .map_err(std::io::Error::other)?;
            self.page_start = start;
        }
        let skipped = (self.position - start) as usize;
        Ok(self.page.get(skipped..).unwrap_or_default())
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let available = self.available()?;
        let length = available.len().min(target.len());
        target[..length].copy_from_slice(&available[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, target: SeekFrom) -> std::io::Result<u64> {
        let position = match target {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.file.len().checked_add_signed(offset),
        };
        self.position = position.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
