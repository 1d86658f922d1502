//! Parity with the reference on the host: the CPU, and the GPU where there is one. Every test prints
//! its worst errors (`cargo test --test parity_native -- --nocapture`).
#![cfg(not(target_arch = "wasm32"))]

mod parity;

use obscura::device::{self, DevicePreference, Placement};
use obscura::load::{self, convert};
use obscura::nn::{Dtype, token_ids};
use obscura::tasks::{Model, Network};
use parity::golden::{decode_picture, to_vec};
use parity::tolerance::relative_error;
use parity::{
    MODELS, QUANTIZED_MODELS, check, check_quantized, embedded, guidance, looks, sharing,
    zero_shot, zoo,
};
use pollster::block_on;
use std::path::Path;

macro_rules! models {
    ($($test:ident: $name:literal),*) => {$(
        #[test]
        fn $test() {
            block_on(check($name, $name, Placement::cpu())).expect("no error");
        }
    )*};
}

models! {
    clip_with_quick_gelu_and_legacy_pooling_equals_the_reference: "clip-quick",
    clip_with_gelu_and_odd_heads_equals_the_reference: "clip-gelu",
    clip_with_a_resnet_equals_the_reference: "clip-resnet",
    chinese_clip_equals_the_reference: "chinese-clip",
    siglip_equals_the_reference: "siglip",
    siglip_2_equals_the_reference: "siglip2",
    blip_captioning_equals_the_reference: "blip-caption",
    blip_captioning_with_its_own_head_and_shards_equals_the_reference: "blip-caption-untied",
    blip_retrieval_equals_the_reference: "blip-retrieval",
    blip_question_answering_equals_the_reference: "blip-vqa",
    coca_equals_the_reference: "coca",
    coca_without_a_pooler_and_with_other_options_equals_the_reference: "coca-bare"
}

#[test]
fn one_file_with_all_of_blips_heads_equals_each_of_its_parts() {
    for part in ["blip-caption", "blip-retrieval", "blip-vqa"] {
        block_on(check(part, "blip-all", Placement::cpu())).expect("no error");
    }
}

#[test]
fn siglip_under_the_names_of_open_clip_and_timm_equals_the_reference() {
    block_on(check("siglip", "siglip-timm", Placement::cpu())).expect("no error");
}

#[test]
fn open_clips_models_with_all_their_options_equal_open_clip() {
    for name in zoo::MODELS {
        block_on(zoo::check(name, &Placement::cpu())).expect("no error");
    }
}

#[test]
fn texts_in_one_call_have_the_vectors_that_each_has_alone() {
    for name in ["clip-quick", "clip-gelu", "clip-resnet"] {
        block_on(sharing::check(name, &Placement::cpu())).expect("no error");
    }
}

#[test]
fn inputs_of_8_bits_are_said_and_turn_vectors_little() {
    block_on(sharing::check_precision(&Placement::cpu())).expect("no error");
}

#[test]
fn maps_of_where_blip_looks_equal_the_reference() {
    block_on(looks::check(&Placement::cpu())).expect("no error");
}

#[test]
fn states_of_a_texts_tokens_equal_the_reference() {
    block_on(guidance::check(&Placement::cpu())).expect("no error");
}

#[test]
fn the_shipped_model_says_what_is_recorded() {
    block_on(embedded::check(&Placement::cpu())).expect("no error");
}

#[test]
fn the_shipped_model_says_the_same_on_the_gpu() {
    match device::open(DevicePreference::Gpu) {
        Ok(placement) => block_on(embedded::check(&placement)).expect("no error"),
        Err(error) => skipped(&error.to_string()),
    }
}

#[test]
fn quantized_models_stay_within_their_bounds() {
    for name in QUANTIZED_MODELS {
        block_on(check_quantized(name, &Placement::cpu())).expect("no error");
    }
}

#[test]
fn zero_shot_classification_by_the_papers_protocol_equals_the_reference() {
    block_on(zero_shot::check(&zero_shot::MODELS, &Placement::cpu())).expect("no error");
}

#[test]
fn label_files_are_for_the_model_that_made_them() {
    block_on(zero_shot::check_files(&Placement::cpu())).expect("no error");
}

#[test]
fn encoding_labels_can_be_stopped_and_goes_on() {
    block_on(zero_shot::check_abort(&Placement::cpu())).expect("no error");
}

#[test]
fn every_model_on_the_gpu_equals_the_reference() {
    let placement = match device::open(DevicePreference::Gpu) {
        Ok(placement) => placement,
        Err(error) => return skipped(&error.to_string()),
    };
    for name in MODELS {
        block_on(check(name, name, placement.clone())).expect("no error");
    }
    for name in QUANTIZED_MODELS {
        block_on(check_quantized(name, &placement)).expect("no error");
    }
    block_on(looks::check(&placement)).expect("no error");
    block_on(guidance::check(&placement)).expect("no error");
}

#[test]
fn zero_shot_classification_on_the_gpu_equals_the_reference() {
    match device::open(DevicePreference::Gpu) {
        Ok(gpu) => block_on(zero_shot::check(&["clip-quick"], &gpu)).expect("no error"),
        Err(error) => skipped(&error.to_string()),
    }
}

/// A converted file holds position embeddings in half precision; a folder's are not rounded.
#[test]
fn a_converted_file_gives_what_converting_on_load_gives() {
    for name in [
        "clip-quick",
        "clip-resnet",
        "siglip2",
        "blip-caption-untied",
        "blip-all",
        "coca",
    ] {
        let folder = format!("{}/tests/golden/{name}/model", env!("CARGO_MANIFEST_DIR"));
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Q8, Dtype::Q4] {
            let what = format!("{name} as {}", dtype.name());
            let file = format!(
                "{}/parity-{name}-{}.gguf",
                env!("CARGO_TARGET_TMPDIR"),
                dtype.name()
            );
            let mut source = convert::Source::open(folder.as_ref()).expect("a model folder");
            let output = std::fs::File::create(&file).expect("a writable folder");
            convert::convert(&mut source, output, dtype, |_| {}).expect("a written file");
            let open = |path: &str, dtype| {
                load::open(Path::new(path), Placement::cpu(), dtype, |_, _| {}).expect("a model")
            };
            let (converted, loaded) = (open(&file, Dtype::Auto), open(&folder, dtype));
            std::fs::remove_file(&file).expect("a file of our own");
            assert_eq!(converted.info().dtype, loaded.info().dtype, "{what}");
            for (ours, reference) in results(&converted).iter().zip(&results(&loaded)) {
                let error = relative_error(ours, reference);
                println!("{what}: {error:.1e}");
                let is_exact = dtype == Dtype::F32 || !name.starts_with("clip");
                let bound = if is_exact { 0.0 } else { 5e-4 }; // measured: 1.3e-4
                assert!(error <= bound, "{what}: relative error {error:.1e}");
            }
        }
    }
}

/// Something that every weight has a part in.
fn results(model: &Model) -> [Vec<f32>; 2] {
    let pixels = model.pixels(&decode_picture("landscape.png"));
    match model.network() {
        Network::Clip(clip) => {
            let ids = model.text_ids("a hut under a yellow sun").expect("ids");
            [
                block_on(to_vec(clip.encode_image(pixels))),
                block_on(to_vec(clip.encode_text(&[ids]))),
            ]
        }
        Network::Blip(blip) => {
            let states = blip.encode_image(pixels);
            let decoder = blip.text_decoder().expect("a decoder");
            let context = decoder.context(states.clone());
            let logits = decoder.all_logits(&[vec![798, 41, 271, 653, 206]], &context);
            [block_on(to_vec(states)), block_on(to_vec(logits))]
        }
        Network::Coca(coca) => {
            let states = coca.image_states(pixels);
            let ids = token_ids(&[vec![558, 41, 271, 0, 206]], &states.device());
            let logits = coca.writer(states.clone()).all_logits(ids);
            let image = coca.project_image(states);
            [block_on(to_vec(image)), block_on(to_vec(logits))]
        }
    }
}

/// Says so past the test harness, which hides what a passing test prints.
fn skipped(why: &str) {
    use std::io::Write;
    let line = format!("skipped the GPU tests: {why}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error");
}
