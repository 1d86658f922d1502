//! What scans refer to: codes and conditions, as segments before them define them.

/// The codes and conditions that scans refer to.
#[derive(Default)]
pub(super) struct Definitions {
    pub dc_codes: [Option<Definition>; 4],
    pub ac_codes: [Option<Definition>; 4],
    pub conditioning: Conditioning,
}

/// A code as a file defines it: how many codes there are of each length, and what they stand for.
#[derive(Clone)]
pub(super) struct Definition {
    pub counts: [u8; 16],
    pub symbols: [u8; 256],
}

impl Definition {
    pub(super) fn new(counts: [u8; 16], given: &[u8]) -> Self {
        let mut symbols = [0; 256];
        symbols[..given.len()].copy_from_slice(given);
        Definition { counts, symbols }
    }
}

/// How an encoder sorts what it has seen, by table.
#[derive(Clone)]
pub(super) struct Conditioning {
    /// The bounds of small differences between DC coefficients.
    pub dc: [(u8, u8); 16],
    /// The last coefficient of low frequency.
    pub ac: [u8; 16],
}

impl Default for Conditioning {
    fn default() -> Self {
        Conditioning {
            dc: [(0, 1); 16],
            ac: [5; 16],
        }
    }
}
