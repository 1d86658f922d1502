//! The model that ships with the page says exactly what it said when it was made: captions and
//! answers about fixed pictures, id by id, as shipped and computed in single precision. The same
//! check runs natively and in a browser, on both devices.
//!
//! `tests/golden/pictograms/` holds the pictures and, in `expected.json`, what the model said;
//! its README says how both were made.

use super::golden::{SHIPPED, numbers, read};
use obscura::Result;
use obscura::device::Placement;
use obscura::generate::GenerationOptions;
use obscura::image::decode;
use obscura::kernels::PackedFormat;
use obscura::load::{Assembly, Description};
use obscura::nn::Target;
use obscura::tasks::Model;
use obscura::weights::Parsed;
use obscura::weights::gguf::Header;
use serde_json::Value;

/// The two forms by their names in `expected.json`.
pub const FORMS: [(&str, Target); 2] = [
    (
        "shipped",
        Target::Keep {
            tied: PackedFormat::Q8_0,
        },
    ),
    ("f32", Target::Convert(PackedFormat::F32)),
];

/// Compares everything that is recorded of one form.
pub async fn check(placement: &Placement) -> Result<()> {
    let expected = read("golden/pictograms/expected.json").expect("what the model said");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    for (form, target) in FORMS {
        let model = load(placement.clone(), target)?;
        let pictures = expected[form].as_array().expect("a list of pictures");
        assert!(!pictures.is_empty(), "nothing is recorded for {form}");
        for picture in pictures {
            check_picture(&model, form, picture).await?;
        }
    }
    Ok(())
}

async fn check_picture(model: &Model, form: &str, expected: &Value) -> Result<()> {
    let name = expected["image"].as_str().expect("a picture's name");
    let bytes = read(&format!("golden/pictograms/{name}")).expect("a picture");
    let image = decode(&bytes)?;
    let options = GenerationOptions::default();
    let caption = model
        .caption(&image, "", &options, async |_, _| Ok(()))
        .await?;
    let what = format!("{form}, {name}: {}", caption.text);
    assert_eq!(caption.tokens, numbers(&expected["tokens"]), "{what}");
    assert_eq!(caption.text, expected["text"], "{what}");
    let question = expected["question"].as_str().expect("a question");
    let answer = model
        .answer(&[image], question, &options, async |_, _| Ok(()))
        .await?;
    assert_eq!(answer.text, expected["answer"], "{what}; {question}");
    Ok(())
}

/// Loads the shipped file through the pieces that every loader is made of.
fn load(placement: Placement, target: Target) -> Result<Model> {
    let file = read(SHIPPED).expect("the shipped model");
    let Parsed::Complete(header) = Header::parse(&file, file.len() as u64)? else {
        panic!("the shipped model is truncated");
    };
    let description = Description::from_gguf(&header)?;
    let mut assembly = Assembly::new(&description, placement, target)?;
    for info in &header.tensors {
        let data = &file[info.offset as usize..(info.offset + info.bytes) as usize];
        assembly.accept(info, data)?;
    }
    assembly.finish()
}
