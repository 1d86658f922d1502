//! The codes of many vectors, laid out for the scan, and the scan: sums of table entries, 32
//! vectors at a time.
//!
//! A block holds 32 vectors: for each nibble of their codes 16 bytes, the low halves of vectors 0 to
//! 15, the high halves of vectors 16 to 31 (the layout of André et al.'s "Quick ADC", which faiss
//! calls FastScan). One instruction then looks up 16 entries of a table. [`naive`] defines the sums;
//! `fast` computes the same with the vector instructions of wasm and of x86-64.

use super::codes::{POINTS, Tables};

/// Vectors in a block.
pub const BLOCK: usize = 32;

/// The sums of a block, one a vector.
pub type Sums = [u16; BLOCK];

/// Codes and factors of vectors with one centre.
#[derive(Debug, Clone)]
pub struct Blocks {
    /// Nibbles of a code, an even number.
    runs: usize,
    count: usize,
    segments: Vec<Segment>,
}

/// Blocks in one piece of memory. Growing by doubling would take twice the memory, or three times
/// while it happens.
#[derive(Debug, Clone, Default)]
struct Segment {
    /// `[blocks, runs, 16]` bytes.
    codes: Vec<u8>,
    /// `[blocks, BLOCK]`; NaN where there is no vector, or not any more.
    factors: Vec<f32>,
}

/// Vectors in a segment.
const SEGMENT: usize = 256 * BLOCK;

impl Blocks {
    /// No vectors yet.
    pub fn new(runs: usize) -> Self {
        assert!(runs.is_multiple_of(2), "codes are whole bytes");
        Self {
            runs,
            count: 0,
            segments: Vec::new(),
        }
    }

    /// How many vectors were added.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What codes and factors take in memory.
    pub fn bytes(&self) -> usize {
        let bytes = |segment: &Segment| segment.codes.len() + 4 * segment.factors.len();
        self.segments.iter().map(bytes).sum()
    }

    /// Adds a vector by its code and its factor.
    pub fn push(&mut self, code: &[u8], factor: f32) {
        debug_assert_eq!(code.len(), self.runs / 2);
        if self.count.is_multiple_of(SEGMENT) {
            self.segments.push(Segment::default());
        }
        let last = self.segments.len() - 1;
        let segment = &mut self.segments[last];
        let lane = self.count % BLOCK;
        if lane == 0 {
            let codes = segment.codes.len() + self.runs * POINTS;
            segment.codes.resize(codes, 0);
            segment
                .factors
                .resize(segment.factors.len() + BLOCK, f32::NAN);
        }
        let start = segment.codes.len() - self.runs * POINTS;
        let (byte, shift) = place_of(lane);
        for (index, pair) in code.iter().enumerate() {
            let at = start + 2 * index * POINTS + byte;
            segment.codes[at] |= (pair & 15) << shift;
            segment.codes[at + POINTS] |= (pair >> 4) << shift;
        }
        segment.factors[self.count % SEGMENT] = factor;
        self.count += 1;
    }

    /// The code and the factor of a vector; the factor is NaN if it was removed.
    pub fn get(&self, place: usize) -> (Vec<u8>, f32) {
        let (segment, place) = (&self.segments[place / SEGMENT], place % SEGMENT);
        let start = place / BLOCK * self.runs * POINTS;
        let (byte, shift) = place_of(place % BLOCK);
        let nibble = |run: usize| (segment.codes[start + run * POINTS + byte] >> shift) & 15;
        let pairs = (0..self.runs / 2).map(|pair| nibble(2 * pair) | nibble(2 * pair + 1) << 4);
        (pairs.collect(), segment.factors[place])
    }

    /// Takes a vector out of all further scans.
    pub fn remove(&mut self, place: usize) {
        self.segments[place / SEGMENT].factors[place % SEGMENT] = f32::NAN;
    }

    /// Calls `found(place, estimate)` for every vector whose estimate is above `threshold`, which
    /// `found` may raise. The estimate is `base + factor * (bias + step * sum)`.
    pub fn scan(
        &self,
        tables: &Tables,
        base: f32,
        mut threshold: f32,
        mut found: impl FnMut(usize, f32) -> f32,
    ) {
        let sums_of = fast::choose();
        for (segment, blocks) in self.segments.iter().enumerate() {
            let codes = blocks.codes.chunks_exact(self.runs * POINTS);
            let factors = blocks.factors.as_chunks::<BLOCK>().0;
            for (block, (codes, factors)) in codes.zip(factors).enumerate() {
                let sums = sums_of(codes, &tables.entries);
                let (estimates, any) = estimates(&sums, factors, tables, base, threshold);
                if !any {
                    continue;
                }
                for (lane, estimate) in estimates.into_iter().enumerate() {
                    if estimate > threshold {
                        threshold = found(segment * SEGMENT + block * BLOCK + lane, estimate);
                    }
                }
            }
        }
    }
}

/// The estimates of a block, and whether any is above the threshold.
fn estimates(
    sums: &Sums,
    factors: &[f32; BLOCK],
    tables: &Tables,
    base: f32,
    threshold: f32,
) -> ([f32; BLOCK], bool) {
    let mut estimates = [0.0; BLOCK];
    let mut any = false;
    for lane in 0..BLOCK {
        let product = tables.bias + tables.step * f32::from(sums[lane]);
        estimates[lane] = base + factors[lane] * product;
        any |= estimates[lane] > threshold;
    }
    (estimates, any)
}

/// The byte within each 16 that holds a vector's nibble, and how far the nibble is shifted.
fn place_of(lane: usize) -> (usize, usize) {
    (lane % POINTS, lane / POINTS * 4)
}

/// What the sums of a block are: `codes` is `[runs, 16]`, `entries` one table a run.
pub fn naive(codes: &[u8], entries: &[[u8; POINTS]]) -> Sums {
    let mut sums = [0; BLOCK];
    for (nibbles, table) in codes.chunks_exact(POINTS).zip(entries) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            let (byte, shift) = place_of(lane);
            *sum += u16::from(table[usize::from(nibbles[byte] >> shift & 15)]);
        }
    }
    sums
}

/// Sums by the machine's vector instructions. Tables come by threes whose entries sum up in a byte.
pub mod fast {
    use super::{POINTS, Sums};

    /// A way to compute what [`super::naive`] computes.
    pub type SumsOf = fn(&[u8], &[[u8; POINTS]]) -> Sums;

    /// The best way on this machine.
    pub fn choose() -> SumsOf {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return x86_64::sums;
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        return wasm32::sums;
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        super::naive
    }

    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    mod wasm32 {
        use super::{POINTS, Sums};
        use std::arch::wasm32::*;

        pub fn sums(codes: &[u8], entries: &[[u8; POINTS]]) -> Sums {
            let low_half = u8x16_splat(15);
            let mut sums = [u16x8_splat(0); 4];
            for (codes, entries) in codes.chunks_exact(3 * POINTS).zip(entries.chunks_exact(3)) {
                let (mut first, mut second) = (u8x16_splat(0), u8x16_splat(0));
                for (codes, table) in codes.chunks_exact(POINTS).zip(entries) {
                    let (codes, table) = (load(codes), load(table));
                    first = u8x16_add(first, u8x16_swizzle(table, v128_and(codes, low_half)));
                    second = u8x16_add(second, u8x16_swizzle(table, u8x16_shr(codes, 4)));
                }
                sums[0] = u16x8_add(sums[0], u16x8_extend_low_u8x16(first));
                sums[1] = u16x8_add(sums[1], u16x8_extend_high_u8x16(first));
                sums[2] = u16x8_add(sums[2], u16x8_extend_low_u8x16(second));
                sums[3] = u16x8_add(sums[3], u16x8_extend_high_u8x16(second));
            }
            bytemuck::cast(sums.map(bytes_of))
        }

        fn load(bytes: &[u8]) -> v128 {
            assert!(bytes.len() == POINTS);
            // SAFETY: there are 16 bytes to read; wasm has no alignment to keep.
            unsafe { v128_load(bytes.as_ptr().cast()) }
        }

        fn bytes_of(vector: v128) -> [u8; POINTS] {
            let mut bytes = [0; POINTS];
            // SAFETY: there are 16 bytes to write to; wasm has no alignment to keep.
            unsafe { v128_store(bytes.as_mut_ptr().cast(), vector) };
            bytes
        }
    }

    #[cfg(target_arch = "x86_64")]
    mod x86_64 {
        use super::{POINTS, Sums};
        use std::arch::x86_64::*;

        pub fn sums(codes: &[u8], entries: &[[u8; POINTS]]) -> Sums {
            // SAFETY: `choose` has found AVX2.
            unsafe { avx2(codes, entries) }
        }

        /// Two nibbles of 16 vectors at a time: the lower half of a register sums the even ones, the
        /// upper half the odd ones.
        #[target_feature(enable = "avx2")]
        fn avx2(codes: &[u8], entries: &[[u8; POINTS]]) -> Sums {
            let low_half = _mm256_set1_epi8(15);
            let zero = _mm256_setzero_si256();
            let mut sums = [zero; 4];
            for (codes, entries) in codes.chunks_exact(6 * POINTS).zip(entries.chunks_exact(6)) {
                let (mut first, mut second) = (zero, zero);
                let pairs = codes.chunks_exact(2 * POINTS).zip(entries.chunks_exact(2));
                for (codes, tables) in pairs {
                    let (codes, tables) = (load(codes), load(tables.as_flattened()));
                    let low = _mm256_and_si256(codes, low_half);
                    let high = _mm256_and_si256(_mm256_srli_epi16(codes, 4), low_half);
                    first = _mm256_add_epi8(first, _mm256_shuffle_epi8(tables, low));
                    second = _mm256_add_epi8(second, _mm256_shuffle_epi8(tables, high));
                }
                sums[0] = _mm256_add_epi16(sums[0], _mm256_unpacklo_epi8(first, zero));
                sums[1] = _mm256_add_epi16(sums[1], _mm256_unpackhi_epi8(first, zero));
                sums[2] = _mm256_add_epi16(sums[2], _mm256_unpacklo_epi8(second, zero));
                sums[3] = _mm256_add_epi16(sums[3], _mm256_unpackhi_epi8(second, zero));
            }
            bytemuck::cast(sums.map(|sums| {
                let halves = [
                    _mm256_castsi256_si128(sums),
                    _mm256_extracti128_si256(sums, 1),
                ];
                let sum = _mm_add_epi16(halves[0], halves[1]);
                let words: [u64; 2] = [
                    _mm_cvtsi128_si64(sum) as u64,
                    _mm_extract_epi64(sum, 1) as u64,
                ];
                words
            }))
        }

        #[target_feature(enable = "avx2")]
        fn load(bytes: &[u8]) -> __m256i {
            assert!(bytes.len() == 2 * POINTS);
            // SAFETY: there are 32 bytes to read, and this instruction takes them unaligned.
            unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
        }
    }
}
