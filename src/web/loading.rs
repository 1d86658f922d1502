//! `Loader`: what JavaScript offers of files and of a place to keep them, as the loader wants it.

use super::{Model, from_object, property, to_object};
use crate::device::DevicePreference;
use crate::kernels::Precision;
use crate::{Error, Result, load};
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;

#[cfg(not(target_feature = "atomics"))]
use super::gpu::open_device;

/// Opens the device asked for: with threads there is but the CPU.
#[cfg(target_feature = "atomics")]
async fn open_device(preference: DevicePreference) -> Result<crate::device::Placement> {
    use crate::device::{Placement, no_gpu};
    match preference {
        DevicePreference::Gpu => Err(no_gpu("the engine with threads has none")),
        _ => Ok(Placement::cpu()),
    }
}

/// Loads models; it holds nothing but the options of its loads.
#[wasm_bindgen]
pub struct Loader {
    preference: DevicePreference,
    precision: Precision,
    options: load::Options,
}

#[wasm_bindgen]
impl Loader {
    /// `{device, dtype, precision, tasks, sha256, adapters}`, all of which may be missing; `adapters` are names of
    /// adapters, whose files the source has in folders of those names.
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue) -> Result<Loader> {
        let options: LoaderOptions = from_object(&options)?;
        Ok(Self {
            preference: options.device.parse()?,
            precision: options.precision.parse()?,
            options: load::Options {
                dtype: options.dtype.parse()?,
                tasks: options.tasks.unwrap_or_default(),
                sha256: options.sha256.unwrap_or_default(),
                adapters: options.adapters.into_iter().map(place).collect(),
                rehearse: true,
            },
        })
    }

    /// Loads a model.
    ///
    /// `source` is `{name, file, size(file), read(file, offset, length)}`; `entry`, if there is
    /// one, `{model, journal}` of `{size(), read(offset, length), write(offset, bytes),
    /// truncate(size), flush()}`. These functions may return promises. What `source` throws comes
    /// out of here as it is.
    pub async fn load(
        &self,
        source: JsValue,
        entry: JsValue,
        on_event: Option<Function>,
    ) -> std::result::Result<Model, JsValue> {
        let placement = open_device(self.preference).await?;
        let placement = placement.with_precision(self.precision);
        let text = |name: &str| property(&source, name).and_then(|value| value.as_string());
        let (name, file) = (text("name").unwrap_or_default(), text("file"));
        let entry = property(&entry, "model").zip(property(&entry, "journal"));
        let entry = entry.map(|(model, journal)| load::Stores {
            model: Object(model),
            journal: Object(journal),
        });
        let files = Source {
            object: Rc::new(Object(source)),
            thrown: Rc::default(),
        };
        let thrown = files.thrown.clone();
        let on_event = |event: load::Event| {
            if let (Some(function), Ok(event)) = (&on_event, to_object(&LoadEvent::from(event))) {
                // A listener that fails is its author's business and no reason to stop.
                let _ = function.call1(&JsValue::NULL, &event);
            }
        };
        let (file, options) = (file.as_deref(), &self.options);
        match load::load(&name, files, file, entry, options, placement, on_event).await {
            Ok(model) => {
                model.warm_up().await?;
                Ok(Model(model))
            }
            Err(error @ Error::Integrity(_)) => Err(error.into()),
            Err(error) => Err(thrown.take().unwrap_or_else(|| error.into())),
        }
    }
}

/// The version of cache entries: entries of another one are made anew.
#[wasm_bindgen(js_name = entryVersion)]
pub fn entry_version() -> u32 {
    load::ENTRY_VERSION
}

/// Whether a cache entry is complete, from the whole of its journal.
#[wasm_bindgen(js_name = entryComplete)]
pub fn entry_complete(journal: &[u8]) -> bool {
    load::is_complete(journal)
}

/// Options of [`Loader`].
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LoaderOptions {
    device: String,
    dtype: String,
    precision: String,
    tasks: Option<Vec<String>>,
    sha256: Option<load::Promises>,
    adapters: Vec<String>,
}

/// The folder of an adapter's files is what the adapter is called.
fn place(name: String) -> load::AdapterPlace {
    load::AdapterPlace {
        folder: name.clone(),
        name,
    }
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self {
            device: "auto".to_string(),
            dtype: "auto".to_string(),
            precision: Precision::Fast.name().to_string(),
            tasks: None,
            sha256: None,
            adapters: Vec::new(),
        }
    }
}

/// What a load tells JavaScript.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum LoadEvent<'e> {
    Plan {
        total: u64,
        cached: u64,
        ranges: Vec<(String, u64, u64)>,
    },
    Tensor {
        name: &'e str,
        loaded: u64,
        total: u64,
    },
    Warning {
        message: &'e str,
    },
    Uncached {
        message: &'e str,
    },
}

impl<'e> From<load::Event<'e>> for LoadEvent<'e> {
    fn from(event: load::Event<'e>) -> Self {
        match event {
            load::Event::Plan {
                total,
                cached,
                ranges,
            } => LoadEvent::Plan {
                total,
                cached,
                ranges,
            },
            load::Event::Tensor {
                name,
                loaded,
                total,
            } => LoadEvent::Tensor {
                name,
                loaded,
                total,
            },
            load::Event::Warning(message) => LoadEvent::Warning { message },
            load::Event::Uncached(message) => LoadEvent::Uncached { message },
        }
    }
}

/// An object of JavaScript whose functions are called.
struct Object(JsValue);

impl Object {
    /// Calls a function of the object and waits for its answer.
    async fn call(
        &self,
        name: &str,
        arguments: &[JsValue],
    ) -> std::result::Result<JsValue, JsValue> {
        let function: Function = Reflect::get(&self.0, &name.into())?
            .dyn_into()
            .map_err(|_| Error::BadInput(format!("'{name}' is not a function")))?;
        let arguments: Array = arguments.iter().collect();
        let answer = function.apply(&self.0, &arguments)?;
        match answer.dyn_ref::<Promise>() {
            Some(promise) => JsFuture::from(promise.clone()).await,
            None => Ok(answer),
        }
    }
}

/// A length that JavaScript gave.
fn length(value: &JsValue) -> Result<u64> {
    match value.as_f64() {
        Some(length) if length >= 0.0 && length.fract() == 0.0 => Ok(length as u64),
        _ => Err(Error::BadInput("a size is not a whole number".to_string())),
    }
}

/// Bytes that JavaScript gave.
fn bytes(value: &JsValue) -> Result<Vec<u8>> {
    match value.dyn_ref::<Uint8Array>() {
        Some(bytes) => Ok(bytes.to_vec()),
        None => Err(Error::BadInput("a read gave no Uint8Array".to_string())),
    }
}

/// A model's files, which JavaScript reads.
#[derive(Clone)]
struct Source {
    object: Rc<Object>,
    /// What JavaScript threw, to be thrown again.
    thrown: Rc<RefCell<Option<JsValue>>>,
}

impl Source {
    async fn call(&self, name: &str, arguments: &[JsValue]) -> Result<JsValue> {
        let answer = self.object.call(name, arguments).await;
        answer.map_err(|thrown| {
            let error = error_of(&thrown);
            self.thrown.replace(Some(thrown));
            error
        })
    }
}

impl load::Files for Source {
    async fn size(&self, file: &str) -> Result<Option<u64>> {
        let size = self.call("size", &[file.into()]).await?;
        match size.is_null() || size.is_undefined() {
            true => Ok(None),
            false => length(&size).map(Some),
        }
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        let arguments = [file.into(), (offset as f64).into(), (length as f64).into()];
        bytes(&self.call("read", &arguments).await?)
    }
}

impl load::Store for Object {
    async fn size(&self) -> Result<u64> {
        let size = self.call("size", &[]).await;
        length(&size.map_err(|thrown| error_of(&thrown))?)
    }

    async fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let arguments = [(offset as f64).into(), (length as f64).into()];
        let read = self.call("read", &arguments).await;
        bytes(&read.map_err(|thrown| error_of(&thrown))?)
    }

    async fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        /// Bytes that are copied for JavaScript at a time.
        const PIECE: usize = 1 << 22;
        for (index, piece) in bytes.chunks(PIECE).enumerate() {
            let place = offset as f64 + (index * PIECE) as f64;
            let arguments = [place.into(), Uint8Array::from(piece).into()];
            let written = self.call("write", &arguments).await;
            written.map_err(|thrown| error_of(&thrown))?;
        }
        Ok(())
    }

    async fn truncate(&self, size: u64) -> Result<()> {
        let truncated = self.call("truncate", &[(size as f64).into()]).await;
        truncated.map(drop).map_err(|thrown| error_of(&thrown))
    }

    async fn flush(&self) -> Result<()> {
        let flushed = self.call("flush", &[]).await;
        flushed.map(drop).map_err(|thrown| error_of(&thrown))
    }
}

/// What was thrown, as far as the loader needs to know.
fn error_of(thrown: &JsValue) -> Error {
    let text = |name: &str| property(thrown, name).and_then(|value| value.as_string());
    let message = text("message").unwrap_or_else(|| format!("{thrown:?}"));
    match text("code").as_deref() {
        Some("aborted") => Error::Aborted(message),
        _ => Error::Network(message),
    }
}
