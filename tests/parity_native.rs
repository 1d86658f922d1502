//! Parity with the reference on the host: the CPU, and the GPU where there is one.
#![cfg(not(target_arch = "wasm32"))]

mod parity;

use obscura::device::{self, DevicePreference, Placement};
use parity::{Check, MODELS, check};
use pollster::block_on;

fn check_on(placement: &Placement, name: &str) {
    let (_, class) = MODELS
        .into_iter()
        .find(|(model, _)| *model == name)
        .expect("a golden model");
    block_on(check(name, name, class, placement.clone())).expect("no error");
}

macro_rules! models {
    ($($test:ident: $name:literal),*) => {$(
        #[test]
        fn $test() {
            check_on(&Placement::cpu(), $name);
        }
    )*};
}

models! {
    clip_with_quick_gelu_and_legacy_pooling_equals_the_reference: "clip-quick",
    clip_with_gelu_and_odd_heads_equals_the_reference: "clip-gelu",
    blip_captioning_equals_the_reference: "blip-caption",
    blip_captioning_with_its_own_head_and_shards_equals_the_reference: "blip-caption-untied",
    blip_retrieval_equals_the_reference: "blip-retrieval",
    blip_question_answering_equals_the_reference: "blip-vqa"
}

#[test]
fn one_file_with_all_of_blips_heads_equals_each_of_its_parts() {
    for (part, class) in [
        ("blip-caption", Check::Caption),
        ("blip-retrieval", Check::Retrieval),
        ("blip-vqa", Check::Answer),
    ] {
        block_on(check(part, "blip-all", class, Placement::cpu())).expect("no error");
    }
}

#[test]
fn every_model_on_the_gpu_equals_the_reference() {
    let placement = match device::open(DevicePreference::Gpu) {
        Ok(placement) => placement,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    for (name, _) in MODELS {
        check_on(&placement, name);
    }
}
