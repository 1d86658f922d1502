//! Opening the browser's GPU.

use super::property;
use crate::Result;
use crate::device::{DevicePreference, Placement, no_gpu};
use burn::tensor::Device;
use js_sys::{Function, Promise, Reflect, Symbol};
use std::cell::RefCell;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Opens the device asked for. The GPU is opened once; every model shares it.
pub async fn open_device(preference: DevicePreference) -> Result<Placement> {
    thread_local! {
        static GPU: RefCell<Option<Placement>> = const { RefCell::new(None) };
    }
    if preference == DevicePreference::Cpu {
        return Ok(Placement::cpu());
    }
    let adapter = find_adapter().await;
    match (preference, adapter) {
        (DevicePreference::Auto, None | Some(Adapter { software: true, .. })) => {
            Ok(Placement::cpu())
        }
        (_, None) => Err(no_gpu("no WebGPU adapter was found")),
        (_, Some(adapter)) => {
            if let Some(open) = GPU.with_borrow(Clone::clone) {
                return Ok(open);
            }
            let device = Device::wgpu_options().init_async().await;
            let device = device.map_err(|error| no_gpu(&error.to_string()))?;
            let placement = Placement::gpu(device, adapter.description);
            GPU.set(Some(placement.clone()));
            Ok(placement)
        }
    }
}

fn is_window_or_worker() -> bool {
    let global = js_sys::global();
    let is_instance_of = |name| {
        let class = property(&global, name)?;
        let test = Reflect::get(&class, &Symbol::has_instance()).ok()?;
        let answer = test.dyn_into::<Function>().ok()?.call1(&class, &global);
        answer.ok().map(|is_instance| is_instance.is_truthy())
    };
    ["Window", "WorkerGlobalScope"]
        .into_iter()
        .any(|name| is_instance_of(name) == Some(true))
}

/// What the browser tells of its GPU.
struct Adapter {
    description: Option<String>,
    software: bool,
}

/// Asks `navigator.gpu`; web-sys has it only behind an unstable flag. wgpu looks for it in windows and
/// workers only, and panics elsewhere.
async fn find_adapter() -> Option<Adapter> {
    if !is_window_or_worker() {
        return None;
    }
    let gpu = property(&property(&js_sys::global(), "navigator")?, "gpu")?;
    let request: Function = property(&gpu, "requestAdapter")?.dyn_into().ok()?;
    let promise: Promise = request.call0(&gpu).ok()?.dyn_into().ok()?;
    let adapter = JsFuture::from(promise)
        .await
        .ok()
        .filter(|adapter| !adapter.is_null())?;
    let info = property(&adapter, "info").unwrap_or(JsValue::UNDEFINED);
    let text = |name: &str| property(&info, name).and_then(|value| value.as_string());
    let words: Vec<String> = ["vendor", "architecture", "device", "description"]
        .into_iter()
        .filter_map(text)
        .filter(|word| !word.is_empty())
        .collect();
    let software = [&info, &adapter]
        .into_iter()
        .any(|object| property(object, "isFallbackAdapter").is_some_and(|value| value.is_truthy()));
    Some(Adapter {
        description: (!words.is_empty()).then(|| words.join(" ")),
        software,
    })
}
