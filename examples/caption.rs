//! Captions a picture, and says which of some labels fits it best.
//!
//! ```sh
//! cargo run --release --example caption -- www/models/pictograms.gguf www/samples/house-bicycle.webp house dog
//! ```
//!
//! The model is a .gguf file, or a folder in Hugging Face layout. A CLIP has no words of its own, so with
//! one only the labels are of use.

use obscura::device::{self, DevicePreference};
use obscura::generate::GenerationOptions;
use obscura::{image, load, nn::Dtype};
use pollster::block_on;
use std::io::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(picture)) = (arguments.next(), arguments.next()) else {
        return Err("expected a model, a picture, and perhaps labels".into());
    };
    let labels: Vec<String> = arguments.collect();

    let placement = device::open(DevicePreference::Cpu)?; // Gpu, or Auto: a GPU if there is one
    let model = load::open(
        Path::new(&model),
        placement,
        Dtype::Auto,
        |_loaded, _total| {},
    )?;
    let picture = image::decode(&std::fs::read(picture)?)?;

    if model.info().tasks.contains(&"caption") {
        let options = GenerationOptions::default();
        let words = model.caption(&picture, "", &options, async |word, _token| {
            print!("{word}");
            std::io::stdout().flush().ok(); // a word at a time
            Ok(())
        });
        block_on(words)?;
        println!();
    }
    if !labels.is_empty() {
        for found in block_on(model.classify(&picture, &labels, &[]))? {
            println!("{:6.2}% {}", 100.0 * found.score, found.label);
        }
    }
    Ok(())
}
