//! The tables by which SentencePiece normalises texts, as XLM-RoBERTa's tokenizers have them
//! (MetaCLIP 2's are of that kind). The `spm_precompiled` crate follows their offsets without a check,
//! so all that can be reached are checked here first.
//!
//! The format is that of darts-clone: the length of a trie in bytes, its units of 32 bits, and the
//! replacements, to which the trie's values point.

use crate::{Error, Result};

/// Checks the base64 text of a `precompiled_charsmap`.
pub(super) fn check(base64: &str) -> Result<()> {
    let damaged = || {
        Error::BadWeights("tokenizer.json has a `precompiled_charsmap` that is damaged".to_string())
    };
    let bytes = decode(base64).ok_or_else(damaged)?;
    let (length, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    let length = u32::from_le_bytes(*length) as usize;
    if !length.is_multiple_of(4) || length > rest.len() {
        return Err(damaged());
    }
    let (trie, replacements) = rest.split_at(length);
    let (units, _) = trie.as_chunks();
    let units = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
    let replacements = std::str::from_utf8(replacements).map_err(|_| damaged())?;
    match is_sound(&Trie(units), replacements) {
        true => Ok(()),
        false => Err(damaged()),
    }
}

/// Units of a double array.
struct Trie(Vec<u32>);

impl Trie {
    /// From which place the children of the unit at `place`, which belong to `from`, are counted.
    fn children(&self, from: usize, place: usize) -> usize {
        let unit = self.0[place] as usize;
        from ^ ((unit >> 10) << ((unit & (1 << 9)) >> 6))
    }
}

/// Whether every unit that a text can lead to is there, and every replacement begins at a letter.
fn is_sound(trie: &Trie, replacements: &str) -> bool {
    let units = &trie.0;
    // Units come in blocks of 256, so that all children of a place are there or none.
    if units.is_empty() || !units.len().is_multiple_of(256) {
        return false;
    }
    let mut seen = vec![false; units.len()];
    let mut waiting = vec![trie.children(0, 0)];
    while let Some(start) = waiting.pop() {
        if start >= units.len() {
            return false;
        }
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        for byte in 1..=255 {
            let place = start ^ byte;
            if units[place] as usize & (1 << 31 | 0xff) != byte {
                continue;
            }
            let next = trie.children(place, place);
            let is_leaf = units[place] >> 8 & 1 == 1;
            let value = units.get(next).map(|unit| (unit & !(1 << 31)) as usize);
            if is_leaf && !value.is_some_and(|value| replacements.is_char_boundary(value)) {
                return false;
            }
            waiting.push(next);
        }
    }
    true
}

/// The bytes of a base64 text, unless it is written otherwise than any encoder writes it.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    let is_rest_zero = bits & ((1 << count) - 1) == 0;
    is_rest_zero.then_some(bytes)
}

/// Bytes as base64.
pub(super) fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, place| {
            bits << 8 | u32::from(chunk.get(place).copied().unwrap_or(0))
        });
        for place in 0..4 {
            text.push(match place <= chunk.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]),
                false => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of units whose root's children begin at 0, with one child that is a leaf.
    fn small() -> Vec<u32> {
        let mut units = vec![0; 256];
        units[usize::from(b'a')] = u32::from(b'a') | 1 << 8 | 0x10 << 10;
        units[usize::from(b'a') ^ 0x10] = 1 << 31 | 2;
        units
    }

    #[test]
    fn offsets_that_lead_outside_are_found() {
        assert!(is_sound(&Trie(small()), "b\0ä"));
        assert!(!is_sound(&Trie(small()), "b"), "a value behind the end");
        assert!(!is_sound(&Trie(small()), "bä"), "a value inside a letter");
        assert!(!is_sound(&Trie(Vec::new()), ""));
        assert!(!is_sound(&Trie(vec![0; 255]), ""));
        let mut far = small();
        far[0] = 1 << 20;
        assert!(!is_sound(&Trie(far), "b\0ä"));
        let mut far = small();
        far[usize::from(b'a')] |= 1 << 9;
        assert!(!is_sound(&Trie(far), "b\0ä"));
    }

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("+/8=", &[0xfb, 0xff]),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes));
            assert_eq!(encode(bytes), text);
        }
        for wrong in ["Zm9v!", "Zg", "Zg=", "Z===", "Zh==", "Zg==Zg=="] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
        for damaged in ["", "AAA=", "BAAAAA==", "AAQAAA=="] {
            assert!(check(damaged).is_err(), "{damaged}");
        }
    }
}
