//! What stands in front of the data of each storage, in either format.

/// Where a storage's data lie in the file.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub offset: u64,
    pub bytes: u64,
}

/// Where a storage's own header lies and where, if PyTorch wrote it, its data begin.
///
/// Only that header says where they do begin, or whether they are as many as they should be, but to
/// read all of them before the first tensor would take a request for each. So they are foretold, and
/// checked on the way to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalHeader {
    /// First byte of the header.
    pub at: u64,
    /// First byte of the data, as foretold.
    pub data: u64,
    /// The number that the header is, in the format from before PyTorch 1.6: how many numbers follow.
    pub(super) count: Option<u64>,
}

impl LocalHeader {
    /// Length of the part that is always there in a zip archive.
    const LENGTH: u64 = 30;

    /// PyTorch pads the header so that data begin at multiples of 64, with a field of at least
    /// four bytes; entries and positions beyond 4 GB take a further field.
    pub(super) fn in_archive(at: u64, name_length: u64, bytes: u64) -> Option<Self> {
        const LARGE: u64 = 0xffff_ffff;
        let large = match (bytes >= LARGE, at >= LARGE) {
            (false, false) => 0,
            (true, false) => 4 + 16,
            (false, true) => 4 + 8,
            (true, true) => 4 + 24,
        };
        let start = at.checked_add(Self::LENGTH + name_length + 4 + large)?;
        let data = start.checked_next_multiple_of(64)?;
        let count = None;
        Some(Self { at, data, count })
    }

    /// The eight bytes in front of `count` numbers.
    pub(super) fn of_count(at: u64, count: u64) -> Self {
        let (data, count) = (at.saturating_add(8), Some(count));
        Self { at, data, count }
    }

    /// How many of its bytes [`Self::agrees`] wants.
    pub fn length(&self) -> u64 {
        match self.count {
            Some(_) => self.data - self.at,
            None => Self::LENGTH,
        }
    }

    /// Whether the header, of which `bytes` is the beginning, puts the data where they were
    /// foretold.
    pub fn agrees(&self, bytes: &[u8]) -> bool {
        if let Some(count) = self.count {
            return bytes.starts_with(&count.to_le_bytes());
        }
        let length = |at: usize| {
            Some(u64::from(u16::from_le_bytes([
                *bytes.get(at)?,
                *bytes.get(at + 1)?,
            ])))
        };
        let lengths = length(26).zip(length(28));
        bytes.starts_with(b"PK\x03\x04")
            && lengths
                .is_some_and(|(name, extra)| self.at + Self::LENGTH + name + extra == self.data)
    }

    /// What a header says that does not agree.
    pub fn disagreement(&self) -> &'static str {
        match self.count {
            Some(_) => {
                "lies in a storage that has another length than the pickle says: the file is damaged"
            }
            None => {
                "lies elsewhere in the zip archive than PyTorch would have put it: load and save the \
                 checkpoint again with torch.save"
            }
        }
    }
}
