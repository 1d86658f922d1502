//! Scans in arithmetic coding (T.81, annex D and sections F.1.4, G.1.3): every coefficient is a
//! series of yes and no, each with an estimate of its own of how probable it is.

use super::definitions::Definitions;
use super::scan::{Block, Coder, Reached, Scan, Source};
use super::tables::{EVEN, STATES};

pub(super) struct Arithmetic<'a> {
    decisions: Decisions<'a>,
    parts: Vec<Part>,
    dc_estimates: Vec<[u8; 64]>,
    ac_estimates: Vec<[u8; 256]>,
    pass: Pass,
}

/// What is remembered of a colour.
struct Part {
    dc: usize,
    ac: usize,
    small: (i32, i32),
    low_frequencies: usize,
    last_dc: i32,
    context: usize,
}

#[derive(Clone, Copy)]
enum Pass {
    Sequential,
    Dc { low: u8 },
    DcBit { low: u8 },
    Ac { band: (usize, usize), low: u8 },
    AcBit { band: (usize, usize), low: u8 },
}

impl<'a> Arithmetic<'a> {
    pub(super) fn new(
        data: &'a [u8],
        at: usize,
        scan: &Scan,
        definitions: &Definitions,
        progressive: bool,
    ) -> Self {
        let conditioning = &definitions.conditioning;
        let part = |part: &super::scan::Part| {
            let (dc, ac) = (usize::from(part.dc & 15), usize::from(part.ac & 15));
            let bound = |exponent: u8| (1 << exponent) >> 1;
            let (lower, upper) = conditioning.dc[dc];
            Part {
                dc,
                ac,
                small: (bound(lower), bound(upper)),
                low_frequencies: usize::from(conditioning.ac[ac]),
                last_dc: 0,
                context: 0,
            }
        };
        let band = (usize::from(scan.first), usize::from(scan.last));
        let low = scan.low;
        let pass = match (progressive, scan.first, scan.high) {
            (false, ..) => Pass::Sequential,
            (_, 0, 0) => Pass::Dc { low },
            (_, 0, _) => Pass::DcBit { low },
            (_, _, 0) => Pass::Ac { band, low },
            _ => Pass::AcBit { band, low },
        };
        Arithmetic {
            decisions: Decisions::new(data, at),
            parts: scan.parts.iter().map(part).collect(),
            dc_estimates: vec![[0; 64]; 16],
            ac_estimates: vec![[0; 256]; 16],
            pass,
        }
    }

    /// The next DC coefficient of a part, by its difference from the one before.
    fn dc(&mut self, part: usize) -> Option<i32> {
        let part = &mut self.parts[part];
        let estimates = &mut self.dc_estimates[part.dc];
        let decisions = &mut self.decisions;
        let start = part.context;
        if !decisions.next(&mut estimates[start]) {
            part.context = 0;
            return Some(part.last_dc);
        }
        let negative = decisions.next(&mut estimates[start + 1]);
        let mut at = start + 2 + usize::from(negative);
        let mut size = i32::from(decisions.next(&mut estimates[at]));
        if size != 0 {
            at = 20;
            while decisions.next(&mut estimates[at]) {
                size <<= 1;
                if size == 0x8000 {
                    return None;
                }
                at += 1;
            }
        }
        part.context = match size {
            size if size < part.small.0 => 0,
            size if size > part.small.1 => 12 + 4 * usize::from(negative),
            _ => 4 + 4 * usize::from(negative),
        };
        let number = decisions.number(size, negative, &mut estimates[at + 14]);
        part.last_dc = (part.last_dc + number) & 0xffff;
        Some(part.last_dc)
    }

    /// The coefficients of a band, shifted left by `low`.
    fn ac(&mut self, part: usize, band: (usize, usize), low: u8, block: &mut Block) -> Option<()> {
        let part = &self.parts[part];
        let estimates = &mut self.ac_estimates[part.ac];
        let decisions = &mut self.decisions;
        let (mut k, last) = band;
        while k <= last {
            let mut at = 3 * (k - 1);
            if decisions.next(&mut estimates[at]) {
                break; // the end of the block
            }
            while !decisions.next(&mut estimates[at + 1]) {
                at += 3;
                k += 1;
                if k > last {
                    return None;
                }
            }
            let negative = decisions.even();
            at += 2;
            let mut size = i32::from(decisions.next(&mut estimates[at]));
            if size != 0 && decisions.next(&mut estimates[at]) {
                size <<= 1;
                at = if k <= part.low_frequencies { 189 } else { 217 };
                while decisions.next(&mut estimates[at]) {
                    size <<= 1;
                    if size == 0x8000 {
                        return None;
                    }
                    at += 1;
                }
            }
            let number = decisions.number(size, negative, &mut estimates[at + 14]);
            block.set(k, number << low)?;
            k += 1;
        }
        Some(())
    }

    /// One more bit of the coefficients of a band.
    fn ac_bit(
        &mut self,
        part: usize,
        band: (usize, usize),
        low: u8,
        block: &mut Block,
    ) -> Option<()> {
        let estimates = &mut self.ac_estimates[self.parts[part].ac];
        let decisions = &mut self.decisions;
        let bit = 1i16 << low;
        let (mut k, last) = band;
        let nonzero_before = *block.nonzero & (u64::MAX >> (63 - last)) & !1;
        let end_before = nonzero_before.checked_ilog2().unwrap_or(0) as usize;
        while k <= last {
            let mut at = 3 * (k - 1);
            if k > end_before && decisions.next(&mut estimates[at]) {
                break;
            }
            loop {
                let coefficient = &mut block.coefficients[k];
                if *coefficient != 0 {
                    if decisions.next(&mut estimates[at + 2]) {
                        let step = if *coefficient < 0 { -bit } else { bit };
                        *coefficient = coefficient.wrapping_add(step);
                    }
                    break;
                }
                if decisions.next(&mut estimates[at + 1]) {
                    let bit = i32::from(bit);
                    block.set(k, if decisions.even() { -bit } else { bit })?;
                    break;
                }
                at += 3;
                k += 1;
                if k > last {
                    return None;
                }
            }
            k += 1;
        }
        Some(())
    }
}

impl Coder for Arithmetic<'_> {
    fn decode(&mut self, part: usize, mut block: Block) -> Option<()> {
        match self.pass {
            Pass::Sequential => {
                block.set(0, self.dc(part)?)?;
                self.ac(part, (1, 63), 0, &mut block)?;
            }
            Pass::Dc { low } => block.set(0, self.dc(part)? << low)?,
            Pass::DcBit { low } => {
                block.coefficients[0] |= i16::from(self.decisions.even()) << low;
            }
            Pass::Ac { band, low } => self.ac(part, band, low, &mut block)?,
            Pass::AcBit { band, low } => self.ac_bit(part, band, low, &mut block)?,
        }
        Some(())
    }
}

impl Source for Arithmetic<'_> {
    fn restart(&mut self, at: usize) {
        self.decisions = Decisions::new(self.decisions.data, at);
        for part in &mut self.parts {
            part.last_dc = 0;
            part.context = 0;
        }
        self.dc_estimates.fill([0; 64]);
        self.ac_estimates.fill([0; 256]);
    }

    /// Never too far: zeros at the end may be left out, so that there is no telling what is missing.
    fn reached(&self) -> Reached {
        let at = self.decisions.at;
        Reached {
            overran: false,
            at,
            bytes_left: self.decisions.data.len() - at,
        }
    }
}

/// The arithmetic decoder: a number inside an interval that narrows with each decision.
struct Decisions<'a> {
    data: &'a [u8],
    at: usize,
    /// Whether a marker was met: from there on there are zeros.
    ended: bool,
    number: u64,
    interval: u32,
    /// How many bits below the interval the number has.
    spare: i32,
}

impl<'a> Decisions<'a> {
    fn new(data: &'a [u8], at: usize) -> Self {
        Decisions {
            data,
            at,
            ended: false,
            number: 0,
            interval: 0,
            spare: -16, // two bytes are to be read first
        }
    }

    /// The next decision, whose estimate has the number of its state below the probable answer.
    fn next(&mut self, estimate: &mut u8) -> bool {
        while self.interval < 0x8000 {
            self.spare -= 1;
            if self.spare < 0 {
                self.number = self.number << 8 | u64::from(self.next_byte());
                self.spare += 8;
                if self.spare < 0 {
                    self.spare += 1;
                    if self.spare == 0 {
                        self.interval = 0x8000; // doubled below
                    }
                }
            }
            self.interval <<= 1;
        }
        let state = &STATES[usize::from(*estimate & 0x7f)];
        let probable = *estimate & 0x80;
        let width = u32::from(state.width);
        self.interval -= width;
        let bound = u64::from(self.interval) << self.spare;
        // Where the "less probable" part is the wider one, the two answers change places.
        let narrower = self.interval < width;
        let lower = self.number < bound;
        if !lower {
            self.number -= bound;
            self.interval = width;
        } else if self.interval >= 0x8000 {
            return probable != 0;
        }
        if lower != narrower {
            *estimate = probable ^ state.after_more_probable;
            return probable != 0;
        }
        *estimate = probable ^ state.after_less_probable ^ u8::from(state.exchanges) << 7;
        probable == 0
    }

    /// A decision between equals.
    fn even(&mut self) -> bool {
        self.next(&mut { EVEN })
    }

    /// The bits of a number below its highest, `size`.
    fn number(&mut self, size: i32, negative: bool, estimate: &mut u8) -> i32 {
        let mut number = size;
        let mut bit = size >> 1;
        while bit != 0 {
            if self.next(estimate) {
                number |= bit;
            }
            bit >>= 1;
        }
        if negative { -number - 1 } else { number + 1 }
    }

    /// The next byte of data, or 0 at a marker and beyond.
    fn next_byte(&mut self) -> u8 {
        let byte = self.data.get(self.at).copied();
        let Some(byte) = byte.filter(|_| !self.ended) else {
            return 0;
        };
        if byte != 0xff {
            self.at += 1;
            return byte;
        }
        let fill = self.data[self.at..].iter().take_while(|&&b| b == 0xff);
        let after = self.at + fill.count();
        if self.data.get(after) != Some(&0) {
            self.ended = true;
            return 0;
        }
        self.at = after + 1;
        0xff
    }
}
