//! The tests that run in a browser (`wasm-pack test --headless --chrome`): the kernels and parity
//! with the reference on both devices, and what an operation costs to issue.
#![cfg(target_arch = "wasm32")]

#[path = "eras/rows.rs"]
mod eras;
#[path = "jpeg/mod.rs"]
mod jpeg;
mod kernels;
mod parity;
#[path = "pictures/recorded.rs"]
mod recorded;
mod search;

use burn::tensor::{Device, Tensor};
use obscura::device::Placement;
use obscura::generate::GenerationOptions;
use obscura::load;
use obscura::nn::Dtype;
use obscura::tasks::Model;
use std::cell::RefCell;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// The GPU, opened once a page. `webdriver.json` makes the browser offer one, if only in software, so
/// not to find it is a failure.
async fn gpu() -> Placement {
    thread_local! {
        static GPU: RefCell<Option<Placement>> = const { RefCell::new(None) };
    }
    obscura::web::start();
    if let Some(open) = GPU.with_borrow(Clone::clone) {
        return open;
    }
    let device = Device::wgpu_options().init_async().await;
    let device = device.expect("a WebGPU adapter, as webdriver.json asks the browser for");
    let placement = Placement::gpu(device, None);
    GPU.set(Some(placement.clone()));
    placement
}

async fn check_models(placement: &Placement) {
    for name in parity::MODELS {
        parity::check(name, name, placement.clone())
            .await
            .expect("no error");
    }
    parity::looks::check(placement).await.expect("no error");
    parity::guidance::check(placement).await.expect("no error");
}

async fn check_quantized_models(placement: &Placement) {
    for name in parity::QUANTIZED_MODELS {
        parity::check_quantized(name, placement)
            .await
            .expect("no error");
    }
}

/// As tests/pictures.rs does natively.
#[wasm_bindgen_test]
fn recorded_pictures_decode_to_the_pixels_of_pillow() {
    recorded::check(include_str!("golden/pictures/orientation.json"));
    recorded::check(include_str!("golden/pictures/bmp.json"));
    recorded::check(include_str!("golden/pictures/png.json"));
    recorded::check(include_str!("golden/pictures/gif.json"));
    recorded::check(include_str!("golden/pictures/webp.json"));
}

#[wasm_bindgen_test]
fn every_kind_of_jpeg_has_the_pixels_of_the_reference() {
    jpeg::check_all();
}

#[wasm_bindgen_test]
async fn kernels_on_the_cpu_equal_their_definitions() {
    let cpu = Placement::cpu();
    kernels::check_linear(&cpu).await;
    kernels::check_linear_fast(&cpu).await;
    kernels::check_attention(&cpu).await;
    kernels::check_layer_norm(&cpu).await;
    kernels::check_gather_rows(&cpu).await;
    kernels::check_top_logits(&cpu).await;
    kernels::check_next_tokens(&cpu).await;
    kernels::check_matmul(&cpu).await;
}

#[wasm_bindgen_test]
async fn linear_layers_on_webgpu_equal_their_definition() {
    let gpu = gpu().await;
    kernels::check_linear_variants(&gpu).await;
}

#[wasm_bindgen_test]
async fn attention_and_lookups_on_webgpu_equal_their_definitions() {
    let gpu = gpu().await;
    kernels::check_attention_variants(&gpu).await;
    kernels::check_layer_norm(&gpu).await;
    kernels::check_gather_rows(&gpu).await;
    kernels::check_top_logits(&gpu).await;
    kernels::check_next_tokens(&gpu).await;
    kernels::check_matmul(&gpu).await;
}

#[wasm_bindgen_test]
async fn every_model_on_the_cpu_equals_the_reference() {
    check_models(&Placement::cpu()).await;
}

#[wasm_bindgen_test]
async fn texts_in_one_call_have_the_vectors_that_each_has_alone_on_the_cpu() {
    parity::sharing::check("clip-quick", &Placement::cpu())
        .await
        .expect("no error");
    parity::sharing::check_precision(&Placement::cpu())
        .await
        .expect("no error");
}

#[wasm_bindgen_test]
async fn checkpoints_of_every_era_and_tool_say_what_was_recorded_on_the_cpu() {
    eras::check(&parity::golden::folders("eras"), &Placement::cpu()).await;
}

#[wasm_bindgen_test]
async fn the_shipped_model_says_what_is_recorded_on_both_devices() {
    for placement in [Placement::cpu(), gpu().await] {
        parity::embedded::check(&placement).await.expect("no error");
    }
}

#[wasm_bindgen_test]
async fn open_clips_models_with_all_their_options_equal_open_clip_on_both_devices() {
    for name in parity::zoo::MODELS {
        parity::zoo::check(name, &Placement::cpu())
            .await
            .expect("no error");
    }
    let gpu = gpu().await;
    for name in ["layer-scale", "clipa"] {
        parity::zoo::check(name, &gpu).await.expect("no error");
    }
}

#[wasm_bindgen_test]
async fn zero_shot_classification_equals_the_reference_on_both_devices() {
    use parity::zero_shot::{MODELS, check, check_abort, check_files};
    let (cpu, gpu) = (Placement::cpu(), gpu().await);
    check(&MODELS, &cpu).await.expect("no error");
    check_files(&cpu).await.expect("no error");
    check_abort(&cpu).await.expect("no error");
    check(&["clip-quick"], &gpu).await.expect("no error");
}

#[wasm_bindgen_test]
async fn every_model_on_webgpu_equals_the_reference() {
    let gpu = gpu().await;
    check_models(&gpu).await;
}

#[wasm_bindgen_test]
async fn quantized_models_stay_within_their_bounds_on_both_devices() {
    check_quantized_models(&Placement::cpu()).await;
    let gpu = gpu().await;
    check_quantized_models(&gpu).await;
}

/// What the page has asked of WebGPU since [`count_requests`], Burn's own operations included.
struct Requests {
    dispatches: f64,
    pipelines: f64,
    readbacks: f64,
    /// Readbacks during which more work was asked for.
    overlapped: f64,
}

fn count_requests() {
    let script = "
        if (globalThis.requests) return;
        globalThis.requests = {};
        const count = (type, method, name) => {
            const original = type.prototype[method];
            requests[name] = 0;
            type.prototype[method] = function (...given) {
                requests[name]++;
                return original.apply(this, given);
            };
        };
        count(GPUComputePassEncoder, 'dispatchWorkgroups', 'dispatches');
        count(GPUDevice, 'createComputePipeline', 'pipelines');
        count(GPUBuffer, 'mapAsync', 'readbacks');
        requests.overlapped = 0;
        const { mapAsync } = GPUBuffer.prototype;
        GPUBuffer.prototype.mapAsync = async function (...given) {
            const { dispatches } = requests;
            await mapAsync.apply(this, given);
            if (requests.dispatches > dispatches) requests.overlapped++;
        };";
    let script = js_sys::Function::new_no_args(script);
    script.call0(&wasm_bindgen::JsValue::NULL).expect("WebGPU");
}

fn requests() -> Requests {
    let all = js_sys::Reflect::get(&js_sys::global(), &"requests".into()).expect("counted");
    let read = |name: &str| {
        let count = js_sys::Reflect::get(&all, &name.into()).expect("a property");
        count.as_f64().expect("a number")
    };
    Requests {
        dispatches: read("dispatches"),
        pipelines: read("pipelines"),
        readbacks: read("readbacks"),
        overlapped: read("overlapped"),
    }
}

/// What a caption of exactly so many tokens asks for.
async fn requests_of_caption(model: &Model, tokens: usize, beams: usize) -> Requests {
    let image = parity::golden::decode_file("pictures/photo.jpg");
    let options = GenerationOptions {
        max_new_tokens: tokens,
        min_length: tokens + 1,
        num_beams: beams,
        ..Default::default()
    };
    let before = requests();
    let caption = model.caption(&image, "", &options, async |_, _| Ok(()));
    caption.await.expect("a caption");
    let after = requests();
    Requests {
        dispatches: after.dispatches - before.dispatches,
        pipelines: after.pipelines - before.pipelines,
        readbacks: after.readbacks - before.readbacks,
        overlapped: after.overlapped - before.overlapped,
    }
}

/// Around the layers of a step are the embedding, its positions and norm (4), the head over the
/// vocabulary (3), and the choice (2).
const AROUND_LAYERS: f64 = 9.0;
const LAYERS: f64 = 3.0;

#[wasm_bindgen_test]
async fn a_token_takes_twelve_dispatches_a_layer_one_readback_and_no_new_pipeline() {
    let gpu = gpu().await;
    count_requests();
    let folder = "golden/blip-caption/model";
    let options = load::Options {
        // A format that no other test has compiled this model's kernels for.
        dtype: Dtype::F16,
        rehearse: true,
        ..Default::default()
    };
    let before = requests().pipelines;
    let mut at_first_tensor = None;
    let no_entry: Option<load::Stores<load::NoStore>> = None;
    let files = &parity::golden::Folder(folder.to_string());
    let model = load::load(folder, files, None, no_entry, &options, gpu, |event| {
        if let load::Event::Tensor { .. } = event {
            at_first_tensor.get_or_insert(requests().pipelines);
        }
    });
    let model = model.await.expect("a model");
    let loaded = requests().pipelines;
    let first = at_first_tensor.expect("a tensor");
    assert!(first > before, "kernels are compiled before tensors arrive");
    // The weights of queries, keys and values are joined, by two kernels.
    assert!(loaded <= first + 2.0, "{} for tensors", loaded - first);
    model.warm_up().await.expect("compiled kernels");
    assert_eq!(requests().pipelines, loaded, "and none is left to the end");
    let short = requests_of_caption(&model, 3, 1).await;
    assert_eq!(
        short.pipelines, 0.0,
        "nothing is compiled by the first caption"
    );
    let long = requests_of_caption(&model, 11, 1).await;
    assert_eq!(long.pipelines, 0.0, "nothing is compiled by a longer one");
    assert_eq!(long.readbacks - short.readbacks, 8.0, "a readback a token");
    let dispatches = (long.dispatches - short.dispatches) / 8.0;
    let of_layer = (dispatches - AROUND_LAYERS) / LAYERS;
    console_log!("{dispatches} dispatches a token");
    assert!(
        of_layer <= 12.0,
        "{dispatches} dispatches a token of {LAYERS} layers"
    );
    let beams = requests_of_caption(&model, 11, 3).await;
    assert_eq!(beams.pipelines, 0.0, "nor by beams");
    for caption in [long, beams] {
        // While a token is read, the next one is computed, but for the last.
        assert_eq!(caption.readbacks, 11.0, "a readback a token");
        assert_eq!(caption.overlapped, 10.0, "overlapped with the next token");
    }
}

/// Static constructors that run on every call once made this 5,800 us; see `web::start`.
#[wasm_bindgen_test]
async fn issuing_an_operation_on_webgpu_costs_less_than_half_a_millisecond() {
    let gpu = gpu().await;
    let mut sum = Tensor::<2>::ones([8, 8], &gpu.device);
    let step = Tensor::<2>::ones([8, 8], &gpu.device);
    for _ in 0..20 {
        sum = sum + step.clone(); // compiles the pipeline
    }
    sum.clone().into_data_async().await.expect("a result");
    let start = js_sys::Date::now();
    const OPERATIONS: u32 = 400;
    for _ in 0..OPERATIONS {
        sum = sum + step.clone();
    }
    let microseconds = (js_sys::Date::now() - start) * 1000.0 / f64::from(OPERATIONS);
    let result: Vec<f32> = sum
        .into_data_async()
        .await
        .expect("a result")
        .try_to_vec()
        .expect("f32");
    assert_eq!(result[0], 421.0);
    console_log!("issuing one operation: {microseconds:.0} us");
    assert!(
        microseconds < 500.0,
        "issuing one operation costs {microseconds:.0} us"
    );
}
