//! How long picture files take, and how much memory: decoding, and preparing for a model of 224 pixels.
//!
//! ```sh
//! cargo run --release --example picture_speed -- 9 photo.jpg other.jpg    # runs, files
//! ```
//!
//! A line of JSON for each file: the least of all runs in milliseconds, and the most memory that the
//! process has held so far in bytes, the file itself included. `scripts/benchmark/pictures.py` calls it once
//! a file, beside Pillow.

use obscura::image::{Preprocessor, decode};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let runs: usize = arguments.next().ok_or("how many runs?")?.parse()?;
    let clip = Preprocessor::from_json(r#"{"image_processor_type": "CLIPImageProcessor"}"#)?;
    for path in arguments {
        let file = std::fs::read(&path)?;
        let (mut decoding, mut both) = (f64::MAX, f64::MAX);
        for _ in 0..runs {
            let began = Instant::now();
            let image = decode(&file)?;
            decoding = decoding.min(began.elapsed().as_secs_f64());
            std::hint::black_box(clip.prepare(&image));
            both = both.min(began.elapsed().as_secs_f64());
        }
        println!(
            "{}",
            serde_json::json!({
                "file": path,
                "decode_ms": decoding * 1e3,
                "decode_and_prepare_ms": both * 1e3,
                "peak_bytes": peak_memory(),
            })
        );
    }
    Ok(())
}

/// The most memory that this process has held, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}
