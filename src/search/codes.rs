//! Twelve bits for eight numbers: what the scan looks at instead of a vector.
//!
//! A rotated vector, relative to a centre and scaled to one per number, is taken apart into runs of
//! 3, 3 and 2 numbers, and each run is replaced by the nearest of 16 points (product quantization;
//! Jégou et al., 2011): 512 numbers give 192 nibbles, 96 bytes. With a factor of 4 bytes per
//! vector, products with a query are estimated without bias, as RaBitQ does it (Gao and Long, arXiv
//! 2405.12497). Their error is about that of a Gaussian with [`RELATIVE_ERROR`] of the length, two
//! thirds of that of one bit per number.
//!
//! A query becomes a table of 16 small numbers per run, so that a vector costs one look-up and one
//! addition per run, 16 or 32 vectors at once ([`super::scan`]).

use super::rotation::Rotation;

/// Numbers that make a unit of code: padding goes up to a multiple of these.
const UNIT: usize = 16;
/// Runs of numbers in a unit.
const RUNS: [usize; 6] = [3, 3, 2, 3, 3, 2];
/// Points that a run of numbers is replaced by.
pub const POINTS: usize = 16;
/// Largest entry of a table: three of them sum up in a byte.
const LARGEST_ENTRY: usize = u8::MAX as usize / 3;

/// The error of an estimated product with a unit vector orthogonal to the coded one, as a standard
/// deviation, for vectors of length one and times the square root of the width.
pub const RELATIVE_ERROR: f32 = 0.503;
/// The factor of a coded vector of length one, times the square root of the width.
pub const MEAN_FACTOR: f32 = 1.253;

/// The 16 points with the least mean squared error for three numbers of a standard Gaussian
/// (0.234 per number), found by Lloyd's algorithm.
const THREE: [[f32; POINTS]; 3] = [
    [
        0.6541, -0.9893, -0.5510, 1.0092, 1.7233, -0.6529, 0.7501, 0.5846, 0.8827, 0.4353, 0.3754,
        -0.4488, -1.7714, -0.9319, -0.7980, -0.4179,
    ],
    [
        1.0872, 1.3777, -1.4291, -1.3358, 0.2824, 0.2579, -0.9822, 0.5909, -0.2860, 1.4967,
        -0.0639, 0.0811, -0.2802, 0.9404, -0.3999, -1.1899,
    ],
    [
        0.9710, 0.5500, -0.3436, 0.2535, -0.1487, 1.6647, -1.2352, -1.5803, 1.2676, -0.3619,
        -0.2586, 0.2790, 0.1481, -0.9032, -1.3688, 1.0672,
    ],
];
/// The same for two numbers (0.107 per number).
const TWO: [[f32; POINTS]; 2] = [
    [
        0.4397, 0.9599, 1.4531, -0.4393, -1.0295, -0.4783, -1.7163, 0.4833, 1.4537, 2.0016,
        -0.8775, 0.2954, -1.7326, 0.2948, 0.0144, -0.9936,
    ],
    [
        -0.8085, -0.0393, -1.2023, 0.8201, -1.7417, -0.8369, -0.6508, 0.7467, 1.1819, 0.0079,
        0.0141, -1.8748, 0.6608, 1.8117, -0.0194, 1.7210,
    ],
];

/// Turns vectors of one width into codes, and queries into tables.
#[derive(Debug, Clone)]
pub struct Coder {
    width: usize,
    padded: usize,
    rotation: Rotation,
}

/// What the scan adds up: `factor * (bias + step * sum of entries)` estimates the product of the
/// query and a vector relative to its centre.
#[derive(Debug, Clone)]
pub struct Tables {
    /// One a run of numbers, each entry small enough for three to sum up in a byte.
    pub entries: Vec<[u8; POINTS]>,
    /// What the smallest entries stand for, in sum.
    pub bias: f32,
    /// What an entry of 1 adds to that.
    pub step: f32,
}

impl Coder {
    /// For vectors of `width` numbers.
    pub fn new(width: usize) -> Self {
        let padded = width.next_multiple_of(UNIT);
        Self {
            width,
            padded,
            rotation: Rotation::new(padded),
        }
    }

    /// Nibbles of a code: an even number.
    pub fn runs(&self) -> usize {
        self.padded / UNIT * RUNS.len()
    }

    /// Bytes of a code, two nibbles each, the first one low.
    pub fn bytes(&self) -> usize {
        self.runs() / 2
    }

    /// What [`RELATIVE_ERROR`] and [`MEAN_FACTOR`] are relative to.
    pub fn root_of_width(&self) -> f32 {
        (self.padded as f32).sqrt()
    }

    fn rotated(&self, values: impl Iterator<Item = f32>) -> Vec<f32> {
        let mut rotated: Vec<f32> = values.collect();
        debug_assert_eq!(rotated.len(), self.width);
        rotated.resize(self.padded, 0.0);
        self.rotation.apply(&mut rotated);
        rotated
    }

    /// Writes the code of `vector - centre` and returns its factor.
    pub fn encode(&self, vector: &[f32], centre: &[f32], code: &mut [u8]) -> f32 {
        let relative = self.rotated(vector.iter().zip(centre).map(|(a, b)| a - b));
        let squared: f32 = relative.iter().map(|value| value * value).sum();
        code.fill(0);
        if squared <= f32::MIN_POSITIVE {
            return 0.0; // the centre itself
        }
        let scale = (self.padded as f32 / squared).sqrt();
        let mut product = 0.0; // of the vector and its code's points
        for (run, (points, values)) in runs_of(&relative).enumerate() {
            let nearest = nearest(points, values, scale);
            code[run / 2] |= (nearest as u8) << (4 * (run % 2));
            let along = points.iter().zip(values);
            product += along
                .map(|(point, value)| point[nearest] * value)
                .sum::<f32>();
        }
        squared / product
    }

    /// The tables of a query, which need not be of length one.
    pub fn tables(&self, query: &[f32]) -> Tables {
        let query = self.rotated(query.iter().copied());
        let products: Vec<[f32; POINTS]> = runs_of(&query)
            .map(|(points, values)| products(points, values))
            .collect();
        let smallest = |run: &[f32; POINTS]| run.iter().copied().fold(f32::INFINITY, f32::min);
        let largest = |run: &[f32; POINTS]| run.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let range = products.iter().map(|run| largest(run) - smallest(run));
        let range = range.fold(f32::MIN_POSITIVE, f32::max);
        let largest_entry = LARGEST_ENTRY.min(usize::from(u16::MAX) / self.runs());
        let step = range / largest_entry as f32;
        let entries = products.iter().map(|run| {
            let from = smallest(run);
            run.map(|product| ((product - from) / step).round() as u8) // at most `largest_entry`
        });
        Tables {
            entries: entries.collect(),
            bias: products.iter().map(smallest).sum(),
            step,
        }
    }
}

/// A rotated vector's runs of numbers, each with its codebook, `[numbers, POINTS]`.
fn runs_of(values: &[f32]) -> impl Iterator<Item = (&'static [[f32; POINTS]], &[f32])> {
    values.chunks_exact(UNIT).flat_map(|unit| {
        let mut rest = unit;
        RUNS.iter().map(move |length| {
            let (run, after) = rest.split_at(*length);
            rest = after;
            let points: &'static [[f32; POINTS]] = if *length == 3 { &THREE } else { &TWO };
            (points, run)
        })
    })
}

/// The point that is nearest to `values * scale`.
fn nearest(points: &[[f32; POINTS]], values: &[f32], scale: f32) -> usize {
    let mut distances = [0.0_f32; POINTS];
    for (points, value) in points.iter().zip(values) {
        let value = value * scale;
        for (distance, point) in distances.iter_mut().zip(points) {
            *distance += (point - value) * (point - value);
        }
    }
    let mut best = 0;
    for place in 1..POINTS {
        if distances[place] < distances[best] {
            best = place;
        }
    }
    best
}

/// The products of `values` with every point.
fn products(points: &[[f32; POINTS]], values: &[f32]) -> [f32; POINTS] {
    let mut products = [0.0; POINTS];
    for (points, value) in points.iter().zip(values) {
        for (product, point) in products.iter_mut().zip(points) {
            *product += point * value;
        }
    }
    products
}
