//! The seeds are sound: a fuzzer that begins with files which the parsers refuse finds little.

use obscura_fuzz::weights::{Parsed, TensorInfo, gguf::Header, pytorch, safetensors};
use obscura_fuzz::{check_pytorch, check_tensors};

fn check_seeds(target: &str, table: impl Fn(&[u8]) -> Vec<TensorInfo>) {
    let folder = format!("{}/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut tensors = 0;
    for entry in std::fs::read_dir(&folder).expect("run seeds.py first") {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("seed-") && name != "seed-index" {
            println!("{name}");
            let file = std::fs::read(&path).unwrap();
            let found = table(&file);
            check_tensors(&file, &found);
            tensors += found.len();
        }
    }
    assert!(tensors > 0, "no tensors in {folder}");
}

fn complete<T>(parsed: obscura_fuzz::Result<Parsed<T>>) -> T {
    match parsed.unwrap() {
        Parsed::Complete(value) => value,
        Parsed::Incomplete => panic!("incomplete"),
    }
}

#[test]
fn safetensors_seeds_are_read() {
    check_seeds("safetensors", |file| {
        complete(safetensors::parse(file, file.len() as u64))
    });
}

#[test]
fn gguf_seeds_are_read() {
    check_seeds("gguf", |file| {
        complete(Header::parse(file, file.len() as u64)).tensors
    });
}

#[test]
fn pytorch_seeds_are_read() {
    check_seeds("pytorch", |file| {
        check_pytorch(file);
        pytorch::table(&file).unwrap()
    });
}
