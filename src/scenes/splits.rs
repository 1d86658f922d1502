//! What training never sees: some pairs of objects together, one artist's hand, some objects. Which
//! pairs those are depends on their names alone, so that it stays the same whatever the number of
//! objects.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// One pair of names in so many is kept from training.
const HELD_OUT_ONE_IN: u64 = 10;

/// Which scenes to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Known objects in familiar hands, and no pair that is held out.
    Train,
    /// In every scene a pair of known objects that training never shows together.
    Compositions,
    /// As in training, but by an artist whom training never shows.
    Style,
    /// In every scene an object that training never shows.
    Objects,
}

impl Split {
    pub const ALL: [Split; 4] = [
        Split::Train,
        Split::Compositions,
        Split::Style,
        Split::Objects,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Compositions => "compositions",
            Split::Style => "style",
            Split::Objects => "objects",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = Error;

    fn from_str(name: &str) -> Result<Split> {
        Split::ALL
            .into_iter()
            .find(|split| split.name() == name)
            .ok_or_else(|| {
                let names = Split::ALL.map(Split::name).join(", ");
                Error::BadInput(format!("there is no split '{name}', only {names}"))
            })
    }
}

/// Whether training never shows the two together. The order of the names does not matter.
pub fn held_out(a: &str, b: &str) -> bool {
    let (first, second) = if a < b { (a, b) } else { (b, a) };
    a != b && fingerprint(&format!("{first}+{second}")).is_multiple_of(HELD_OUT_ONE_IN)
}

/// FNV-1a of 64 bits, with its high bits folded down: the lowest alone are too regular.
fn fingerprint(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3_u64)
    });
    hash ^ (hash >> 32)
}
