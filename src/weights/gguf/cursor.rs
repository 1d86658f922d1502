//! Takes numbers and text from the beginning of a file. Whatever is asked for is checked against the
//! whole file's length first, then against what is there, and only then copied.

use super::LARGEST_HEADER;
use crate::Error;
use crate::weights::bad;

/// Why reading ended early.
pub(super) enum Stop {
    /// The prefix ends here, the file does not.
    TooShort,
    Bad(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Bad(error)
    }
}

pub(super) type Step<T> = std::result::Result<T, Stop>;

/// A place in the prefix, which knows how long the whole file is.
pub(super) struct Cursor<'a> {
    pub prefix: &'a [u8],
    pub file_length: u64,
    pub position: u64,
}

impl<'a> Cursor<'a> {
    pub fn new(prefix: &'a [u8], file_length: u64) -> Self {
        Cursor {
            prefix,
            file_length,
            position: 0,
        }
    }

    /// Fails if `length` more bytes cannot be in the header, or are not in the prefix.
    fn check(&self, length: u64, what: &str) -> Step<usize> {
        let end = self.position.checked_add(length);
        let limit = self.file_length.min(LARGEST_HEADER);
        match end {
            Some(end) if end <= self.prefix.len() as u64 && end <= limit => Ok(end as usize),
            Some(end) if end <= limit => Err(Stop::TooShort),
            _ => Ok(bad(self.out_of_reach(length, what))?),
        }
    }

    fn out_of_reach(&self, length: u64, what: &str) -> String {
        let position = self.position;
        if self.file_length <= LARGEST_HEADER {
            let file_length = self.file_length;
            format!(
                "{what} needs {length} bytes at offset {position}, but the file has {file_length} bytes: is it truncated?"
            )
        } else {
            format!(
                "{what} needs {length} bytes at offset {position}, but a gguf header has at most {LARGEST_HEADER}"
            )
        }
    }

    /// Fails if `count` things of at least `each` bytes cannot be there, so that nothing is done
    /// for a count that the file cannot back.
    pub fn check_count(&self, count: u64, each: u64, what: &str) -> Step<()> {
        let length = count.saturating_mul(each);
        self.check(length, &format!("{what} of {count} entries"))?;
        Ok(())
    }

    pub fn take(&mut self, length: u64, what: &str) -> Step<&'a [u8]> {
        let end = self.check(length, what)?;
        let bytes = &self.prefix[self.position as usize..end];
        self.position = end as u64;
        Ok(bytes)
    }

    pub fn number<const N: usize, T>(&mut self, decode: fn([u8; N]) -> T, what: &str) -> Step<T> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N as u64, what)?);
        Ok(decode(bytes))
    }

    pub fn numbers<const N: usize, T>(
        &mut self,
        count: u64,
        decode: fn([u8; N]) -> T,
        what: &str,
    ) -> Step<Vec<T>> {
        let bytes = self.take(count.saturating_mul(N as u64), what)?;
        Ok(bytes
            .as_chunks::<N>()
            .0
            .iter()
            .map(|bytes| decode(*bytes))
            .collect())
    }

    pub fn u32(&mut self, what: &str) -> Step<u32> {
        self.number(u32::from_le_bytes, what)
    }

    pub fn u64(&mut self, what: &str) -> Step<u64> {
        self.number(u64::from_le_bytes, what)
    }

    pub fn string(&mut self, longest: usize, what: impl FnOnce() -> String) -> Step<String> {
        let what = what();
        let length = self.u64(&what)?;
        if length > longest as u64 {
            bad(format!(
                "{what} is {length} bytes long, expected at most {longest}"
            ))?;
        }
        let bytes = self.take(length, &what)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Ok(bad(format!("{what} is not UTF-8: {error}"))?),
        }
    }
}
