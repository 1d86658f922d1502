//! How fast and how right a search among many vectors is: recall of the ten nearest against exact
//! search, and the time of a query on one thread.
//!
//! ```sh
//! cargo run --release --example search_speed -- clusters 1000000 100    # kind, vectors, queries
//! ```
//!
//! `random` are seeded random unit vectors, the hardest case: nothing is near anything. `clusters`
//! are like a model's: all within a cone, in clusters of very different sizes within clusters, and
//! with ever less in each further direction; queries are others of the same kind. `texts` are the
//! same vectors with queries from elsewhere, as texts' vectors lie apart from pictures'. With a fourth
//! argument, a folder, vectors, queries and the exact results are written there for
//! `scripts/benchmark/search`.

use obscura::search::{Album, FileStore, npy};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const WIDTH: usize = 512;
const NEAREST: usize = 10;
const BATCH: usize = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument =
        |place: usize, default: &str| arguments.get(place).cloned().unwrap_or(default.to_string());
    let kind = argument(0, "clusters");
    let (count, queries): (usize, usize) =
        (argument(1, "100000").parse()?, argument(2, "100").parse()?);
    let mut source = Source::new(&kind);
    let queries = source.queries(queries);
    let folder = std::env::temp_dir().join(format!("obscura-search-speed-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("album");
    let mut album = Album::open(FileStore::open(&file, true)?, None)?;
    let mut exact = vec![Vec::new(); queries.len() / WIDTH];
    let mut written = arguments
        .get(3)
        .map(|folder| Written::new(Path::new(folder), count))
        .transpose()?;
    let mut adding = 0.0;
    for start in (0..count).step_by(BATCH) {
        let vectors = source.vectors(BATCH.min(count - start));
        for (query, nearest) in queries.chunks_exact(WIDTH).zip(&mut exact) {
            merge(nearest, query, &vectors, start);
        }
        if let Some(written) = &mut written {
            written.vectors.write_all(bytemuck::cast_slice(&vectors))?;
        }
        let keys: Vec<String> = (start..start + vectors.len() / WIDTH)
            .map(|key| key.to_string())
            .collect();
        let began = Instant::now();
        album.add(&keys, &vectors)?;
        adding += began.elapsed().as_secs_f64();
    }
    if let Some(written) = written {
        written.finish(&queries, &exact)?;
    }
    drop(album);
    let began = Instant::now();
    let album = Album::open(FileStore::open(&file, false)?, None)?;
    let opening = began.elapsed().as_secs_f64();
    let (codes, _) = album.bytes();
    let mut times = Vec::new();
    let mut right = 0;
    for (query, exact) in queries.chunks_exact(WIDTH).zip(&exact) {
        let began = Instant::now();
        let found = album.search(query, NEAREST)?;
        times.push(1e3 * began.elapsed().as_secs_f64());
        let exact: HashSet<String> = exact
            .iter()
            .map(|(_, row): &(f32, usize)| row.to_string())
            .collect();
        right += found
            .iter()
            .filter(|found| exact.contains(&found.key))
            .count();
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{kind}: {count} vectors, {} bytes of codes each, added in {adding:.1} s, opened in {opening:.2} s; {} queries: recall@{NEAREST} {:.4}, median {:.1} ms, slowest {:.1} ms",
        codes / count,
        times.len(),
        right as f64 / (times.len() * NEAREST) as f64,
        times[times.len() / 2],
        times[times.len() - 1],
    );
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Keeps the nearest of what was there and of `vectors`.
fn merge(nearest: &mut Vec<(f32, usize)>, query: &[f32], vectors: &[f32], first: usize) {
    for (place, vector) in vectors.chunks_exact(WIDTH).enumerate() {
        let mut sums = [0.0_f32; 16];
        for (a, b) in query
            .as_chunks::<16>()
            .0
            .iter()
            .zip(vector.as_chunks::<16>().0)
        {
            for lane in 0..16 {
                sums[lane] += a[lane] * b[lane];
            }
        }
        let similarity: f32 = sums.iter().sum();
        if nearest.len() < NEAREST || similarity > nearest[NEAREST - 1].0 {
            let at = nearest.partition_point(|(other, _)| *other >= similarity);
            nearest.insert(at, (similarity, first + place));
            nearest.truncate(NEAREST);
        }
    }
}

/// Where vectors come from.
struct Source {
    random: ChaCha8Rng,
    kind: String,
    mean: Vec<f32>,
    text_mean: Vec<f32>,
    clusters: Vec<Vec<f32>>,
}

/// Clusters of clusters.
const COARSE: usize = 200;
const FINE: usize = 20_000;

impl Source {
    fn new(kind: &str) -> Self {
        let mut source = Self {
            random: ChaCha8Rng::seed_from_u64(7),
            kind: kind.to_string(),
            mean: Vec::new(),
            text_mean: Vec::new(),
            clusters: Vec::new(),
        };
        source.mean = source.gaussian(|_| 0.7);
        source.text_mean = source.gaussian(|_| 0.7);
        let coarse: Vec<Vec<f32>> = (0..COARSE).map(|_| source.gaussian(spectrum)).collect();
        for _ in 0..FINE {
            let parent = skewed(&mut source.random, COARSE);
            let own = source.gaussian(|place| 0.7 * spectrum(place));
            source.clusters.push(sum(&coarse[parent], &own));
        }
        source
    }

    /// A random vector of about that length in each direction, were it the only one.
    fn gaussian(&mut self, length: impl Fn(usize) -> f32) -> Vec<f32> {
        let scale = 1.0 / (WIDTH as f32).sqrt();
        (0..WIDTH)
            .map(|place| length(place) * scale * normal(&mut self.random))
            .collect()
    }

    fn one(&mut self, is_query: bool) -> Vec<f32> {
        let vector = match self.kind.as_str() {
            "random" => self.gaussian(|_| 1.0),
            "texts" if is_query => {
                let cluster = skewed(&mut self.random, FINE);
                let toward: Vec<f32> = self.clusters[cluster]
                    .iter()
                    .map(|value| 0.3 * value)
                    .collect();
                let own = self.gaussian(|place| 0.7 * spectrum(place));
                sum(&sum(&self.text_mean.clone(), &toward), &own)
            }
            _ => {
                let cluster = skewed(&mut self.random, FINE);
                let own = self.gaussian(|place| 0.6 * spectrum(place));
                sum(&sum(&self.mean.clone(), &self.clusters[cluster]), &own)
            }
        };
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter().map(|value| value / length).collect()
    }

    fn vectors(&mut self, count: usize) -> Vec<f32> {
        (0..count).flat_map(|_| self.one(false)).collect()
    }

    fn queries(&mut self, count: usize) -> Vec<f32> {
        (0..count).flat_map(|_| self.one(true)).collect()
    }
}

/// What a direction carries: ever less, as in the vectors of models.
fn spectrum(place: usize) -> f32 {
    3.0 / (1.0 + place as f32 / 16.0).sqrt()
}

/// Small numbers more often than large ones.
fn skewed(random: &mut ChaCha8Rng, below: usize) -> usize {
    let share: f32 = random.random();
    ((share * share * below as f32) as usize).min(below - 1)
}

/// The sum of twelve uniform numbers, less their mean: a Gaussian for what is asked here.
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let mut sum = 0;
    for _ in 0..3 {
        let bits: u64 = random.random();
        sum += (0..4)
            .map(|part| (bits >> (16 * part)) & 0xffff)
            .sum::<u64>();
    }
    sum as f32 / 65_535.0 - 6.0
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Files for the same measurement in a browser.
struct Written {
    folder: std::path::PathBuf,
    vectors: std::io::BufWriter<std::fs::File>,
}

impl Written {
    fn new(folder: &Path, count: usize) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut vectors =
            std::io::BufWriter::new(std::fs::File::create(folder.join("vectors.npy"))?);
        vectors.write_all(&npy::header(count, WIDTH))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            vectors,
        })
    }

    fn finish(mut self, queries: &[f32], exact: &[Vec<(f32, usize)>]) -> std::io::Result<()> {
        self.vectors.flush()?;
        let header = npy::header(queries.len() / WIDTH, WIDTH);
        let bytes = [&header, bytemuck::cast_slice(queries)].concat();
        std::fs::write(self.folder.join("queries.npy"), bytes)?;
        let rows: Vec<Vec<String>> = exact
            .iter()
            .map(|nearest| nearest.iter().map(|(_, row)| row.to_string()).collect())
            .collect();
        std::fs::write(
            self.folder.join("exact.json"),
            serde_json::to_string(&rows)?,
        )
    }
}
