//! JPEG files of every kind, made by scripts/reference/jpegs.py, against the pixels that the reference
//! sees in them. The files lie one after the other in one archive.

use obscura::image;
use serde_json::Value;
use sha2::{Digest, Sha256};

const FILES: &[u8] = include_bytes!("../golden/jpeg/files.bin");
const CASES: &str = include_str!("../golden/jpeg/cases.json");

/// Every file, with its name, its length, and what the reference sees in it.
pub fn all() -> Vec<(&'static [u8], Value)> {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let mut rest = FILES;
    let with_file = |case: Value| {
        let (file, after) = rest.split_at(case[1].as_u64().unwrap() as usize);
        rest = after;
        (file, case)
    };
    cases.into_iter().map(with_file).collect()
}

/// Decodes each file and compares size and digest. A file that the reference refuses is refused.
pub fn check_all() {
    let cases = all();
    let mut wrong = Vec::new();
    for (file, case) in &cases {
        if let Err(found) = check(file, case) {
            wrong.push(format!("{}: {found}", case[0]));
        }
    }
    assert!(cases.len() > 400);
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        cases.len()
    );
}

fn check(file: &[u8], case: &Value) -> Result<(), String> {
    match (image::decode(file), case[2].is_null()) {
        (Err(error), false) => Err(error.to_string()),
        (Err(_), true) => Ok(()),
        (Ok(_), true) => Err("the reference refuses it".into()),
        (Ok(image), false) => {
            let digest = Sha256::digest(image.as_raw());
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let equal = case[2] == image.width() && case[3] == image.height() && case[4] == digest;
            equal.then_some(()).ok_or_else(|| "other pixels".into())
        }
    }
}
