//! A cache entry: the GGUF file that a load makes of its source, and a journal that says which of
//! its tensors are there. Whatever breaks off, the journal is true of what it lists, for every
//! tensor is checked against its CRC-32 when it is read.

use super::options::Options;
use super::plan::Plan;
use super::reader::Hashed;
use crate::weights::TensorInfo;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A file that can be written anywhere.
#[allow(async_fn_in_trait)] // the loader itself awaits the answers, on one thread
pub trait Store {
    /// Its length in bytes.
    async fn size(&self) -> Result<u64>;
    /// Exactly `length` bytes from `offset` on.
    async fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>>;
    /// Writes `bytes` at `offset`; the file grows as needed.
    async fn write(&self, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Makes it `size` bytes long.
    async fn truncate(&self, size: u64) -> Result<()>;
    /// Waits until all that was written is safe.
    async fn flush(&self) -> Result<()>;
}

/// The two files of an entry. Both empty, they are a new one.
#[derive(Debug, Clone)]
pub struct Stores<S> {
    /// The GGUF file.
    pub model: S,
    /// The journal.
    pub journal: S,
}

/// Changes whenever the same source and options would make another file.
pub const VERSION: u32 = 2;

const MAGIC: [u8; 4] = *b"OBSJ";
/// Magic, version, and the length of the GGUF header; then three digests.
const HEAD: usize = 4 + 4 + 8 + 3 * DIGEST;
const DIGEST: usize = 32;
/// A tensor's number, its CRC-32, and the CRC-32 of these eight bytes.
const RECORD: usize = 12;
/// In place of a tensor's number: all are there.
const COMPLETE: u32 = u32::MAX;
/// In place of a tensor's number: the length of what follows, in place of the CRC-32, and then how
/// far the hash of a file has come: the file's number, the position, the state, and the CRC-32 of
/// these.
const HASHED: u32 = u32::MAX - 1;

/// What an entry was made of and for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    /// Length of the GGUF header.
    header_length: u64,
    /// Of the options of the load.
    request: [u8; DIGEST],
    /// Of the GGUF header: every tensor's name, shape and format, and the texts.
    header: [u8; DIGEST],
    /// Of the places of the tensors in the source.
    origin: [u8; DIGEST],
}

impl Identity {
    fn new(plan: &Plan, files: &[(String, u64)], request: [u8; DIGEST]) -> Self {
        let mut origin = Sha256::new();
        for (name, size) in files {
            origin.update(format!("{name:?} {size}\n"));
        }
        for tensor in &plan.sources {
            let (file, info) = (tensor.file, &tensor.info);
            origin.update(format!("{file} {} {}\n", info.offset, info.bytes));
        }
        Self {
            header_length: plan.layout.header.len() as u64,
            request,
            header: Sha256::digest(&plan.layout.header).into(),
            origin: origin.finalize().into(),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &self.header_length.to_le_bytes(),
            &self.request,
            &self.header,
            &self.origin,
        ]
        .concat()
    }

    fn from_bytes(bytes: &[u8; HEAD]) -> Option<Self> {
        let (start, digests) = bytes.split_first_chunk::<16>()?;
        let header_length = u64::from_le_bytes(*start.last_chunk()?);
        let (digests, _) = digests.as_chunks::<DIGEST>();
        let known = start[..4] == MAGIC && start[4..8] == VERSION.to_le_bytes();
        known.then_some(Self {
            header_length,
            request: digests[0],
            header: digests[1],
            origin: digests[2],
        })
    }
}

/// The digest of what a load is asked for, which an entry must have been made for.
pub(super) fn request_digest(options: &Options) -> [u8; DIGEST] {
    let Options {
        dtype,
        sha256,
        adapters,
        ..
    } = options;
    let mut tasks = options.tasks.clone();
    tasks.sort();
    tasks.dedup();
    let request = format!("{} {tasks:?} {sha256:?} {adapters:?}", dtype.name());
    Sha256::digest(request).into()
}

/// A journal as far as it can be read.
#[derive(Debug)]
struct Journal {
    identity: Identity,
    /// CRC-32 of each tensor that is there, by number. Later records count.
    records: Vec<(u32, u32)>,
    /// How far the hash of each file has come, by number.
    hashes: BTreeMap<u32, Hashed>,
    complete: bool,
    /// Length of what could be read.
    length: u64,
}

impl Journal {
    fn new(identity: Identity) -> Self {
        Self {
            identity,
            records: Vec::new(),
            hashes: BTreeMap::new(),
            complete: false,
            length: HEAD as u64,
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<HEAD>()?;
        let mut journal = Self::new(Identity::from_bytes(head)?);
        // What is torn off in the middle ends it: what follows is not known to be there.
        while let Some(left) = journal.take_record(rest) {
            journal.length += (rest.len() - left.len()) as u64;
            rest = left;
        }
        Some(journal)
    }

    /// Reads a record off the front.
    fn take_record<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (record, rest) = bytes.split_first_chunk::<RECORD>()?;
        let (start, check) = record.split_last_chunk::<4>()?;
        if crc32fast::hash(start) != u32::from_le_bytes(*check) {
            return None;
        }
        let (index, checksum) = start.split_first_chunk::<4>()?;
        let checksum = u32::from_le_bytes(*checksum.first_chunk()?);
        match u32::from_le_bytes(*index) {
            COMPLETE => self.complete = true,
            HASHED => {
                let (hashed, rest) = rest.split_at_checked(checksum as usize)?;
                let (hashed, check) = hashed.split_last_chunk::<4>()?;
                let (file, hashed) = hashed.split_first_chunk::<4>()?;
                let (position, state) = hashed.split_first_chunk::<8>()?;
                let found = crc32fast::hash(&[&file[..], position, state].concat());
                if found != u32::from_le_bytes(*check) {
                    return None;
                }
                let hashed = Hashed {
                    position: u64::from_le_bytes(*position),
                    state: state.to_vec(),
                };
                self.hashes.insert(u32::from_le_bytes(*file), hashed);
                return Some(rest);
            }
            index => self.records.push((index, checksum)),
        }
        Some(rest)
    }
}

/// Whether a journal, given whole, says that its entry is complete.
pub fn is_complete(journal: &[u8]) -> bool {
    Journal::parse(journal).is_some_and(|journal| journal.complete)
}

/// An entry in use.
pub(super) struct Entry<S> {
    stores: Stores<S>,
    request: [u8; DIGEST],
    journal: Option<Journal>,
}

impl<S: Store> Entry<S> {
    /// Reads the journal; one that makes no sense counts as none.
    pub async fn open(stores: Stores<S>, request: [u8; DIGEST]) -> Result<Self> {
        /// More than any model's tensors need.
        const LONGEST: u64 = 1 << 24;
        let size = stores.journal.size().await?;
        let journal = match size {
            0 | LONGEST.. => None,
            size => Journal::parse(&stores.journal.read(0, size).await?),
        };
        let journal = journal.filter(|journal| journal.identity.request == request);
        Ok(Self {
            stores,
            request,
            journal,
        })
    }

    /// The GGUF header of a complete entry, if it is undamaged.
    pub async fn complete_header(&self) -> Result<Option<Vec<u8>>> {
        let Some(journal) = self.journal.as_ref().filter(|journal| journal.complete) else {
            return Ok(None);
        };
        let Identity {
            header_length,
            header,
            ..
        } = &journal.identity;
        if *header_length > self.stores.model.size().await? {
            return Ok(None);
        }
        let bytes = self.stores.model.read(0, *header_length).await?;
        let intact = Sha256::digest(&bytes)[..] == header[..];
        Ok(intact.then_some(bytes))
    }

    /// Takes the entry for `plan`: what is there is kept if it was made by the very same plan, else
    /// the entry is begun anew.
    pub async fn begin(&mut self, plan: &Plan, files: &[(String, u64)]) -> Result<()> {
        let identity = Identity::new(plan, files, self.request);
        let same = self
            .journal
            .as_ref()
            .is_some_and(|journal| journal.identity == identity);
        if same && self.stores.model.size().await? >= identity.header_length {
            let header = self.stores.model.read(0, identity.header_length).await?;
            if header != plan.layout.header {
                self.stores.model.write(0, &plan.layout.header).await?;
            }
            return Ok(());
        }
        // The journal goes first and comes last: at no time does it list what is not there.
        self.stores.journal.truncate(0).await?;
        self.stores.model.truncate(0).await?;
        self.stores.model.write(0, &plan.layout.header).await?;
        self.stores.journal.write(0, &identity.to_bytes()).await?;
        self.journal = Some(Journal::new(identity));
        Ok(())
    }

    /// How far the hashes of files had come, by the files' numbers.
    pub fn hashes(&self) -> impl Iterator<Item = (usize, &Hashed)> {
        let journals = self.journal.iter();
        journals.flat_map(|journal| journal.hashes.iter().map(|(file, at)| (*file as usize, at)))
    }

    /// Whether the journal lists the tensor.
    pub fn has(&self, index: usize) -> bool {
        self.checksum(index).is_some()
    }

    /// Whether the journal lists the tensor with other bytes.
    pub fn contradicts(&self, index: usize, bytes: &[u8]) -> bool {
        self.checksum(index)
            .is_some_and(|expected| crc32fast::hash(bytes) != expected)
    }

    fn checksum(&self, index: usize) -> Option<u32> {
        let records = &self.journal.as_ref()?.records;
        let found = records
            .iter()
            .rev()
            .find(|(number, _)| *number as usize == index);
        found.map(|(_, checksum)| *checksum)
    }

    /// The bytes of a tensor, if they are there and undamaged.
    pub async fn read(&self, index: usize, tensor: &TensorInfo) -> Result<Option<Vec<u8>>> {
        let Some(expected) = self.checksum(index) else {
            return Ok(None);
        };
        let end = tensor.offset.saturating_add(tensor.bytes);
        if self.stores.model.size().await? < end {
            return Ok(None);
        }
        let bytes = self.stores.model.read(tensor.offset, tensor.bytes).await?;
        let intact = bytes.len() as u64 == tensor.bytes && crc32fast::hash(&bytes) == expected;
        Ok(intact.then_some(bytes))
    }

    /// Keeps a tensor's bytes, and how far the hash of its file has come with it.
    pub async fn write(
        &mut self,
        index: usize,
        tensor: &TensorInfo,
        bytes: &[u8],
        hashed: Option<(usize, Hashed)>,
    ) -> Result<()> {
        self.stores.model.write(tensor.offset, bytes).await?;
        let checksum = crc32fast::hash(bytes);
        let mut records = record(index as u32, checksum);
        if let Some((file, Hashed { position, state })) = hashed {
            let file = (file as u32).to_le_bytes();
            let mut payload = [&file[..], &position.to_le_bytes(), &state].concat();
            payload.extend(crc32fast::hash(&payload).to_le_bytes());
            records.extend(record(HASHED, payload.len() as u32));
            records.extend(payload);
        }
        self.append(&records).await?;
        if let Some(journal) = &mut self.journal {
            journal.records.push((index as u32, checksum));
        }
        Ok(())
    }

    /// Marks the entry as complete.
    pub async fn finish(&mut self, plan: &Plan) -> Result<()> {
        self.stores.model.truncate(plan.layout.file_length).await?;
        self.stores.model.flush().await?;
        if self
            .journal
            .as_ref()
            .is_some_and(|journal| !journal.complete)
        {
            self.append(&record(COMPLETE, 0)).await?;
        }
        self.stores.journal.flush().await
    }

    async fn append(&mut self, records: &[u8]) -> Result<()> {
        if let Some(journal) = &mut self.journal {
            self.stores.journal.write(journal.length, records).await?;
            journal.length += records.len() as u64;
        }
        Ok(())
    }

    /// Empties the entry, as far as that is possible.
    pub async fn discard(&mut self) {
        self.journal = None;
        // What failed has been told already; a journal that stays is still true.
        let _ = self.stores.journal.truncate(0).await;
        let _ = self.stores.model.truncate(0).await;
    }
}

/// A record of the journal.
fn record(index: u32, checksum: u32) -> Vec<u8> {
    let mut record = [index.to_le_bytes(), checksum.to_le_bytes()].concat();
    record.extend(crc32fast::hash(&record).to_le_bytes());
    record
}

/// The error of an entry that cannot be repaired.
pub(super) fn damaged(error: &Error) -> Error {
    Error::Integrity(format!(
        "the cached copy of the model is damaged, and it cannot be fetched again: {error}"
    ))
}
