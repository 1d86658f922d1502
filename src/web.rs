//! The browser's way in: every `#[wasm_bindgen]` export, and nothing else.
//! `www/lib/engine/calls.js` calls these; `www/obscura.js` is what users call.

mod album;
mod classification;
mod features;
mod filter;
#[cfg(not(target_feature = "atomics"))]
mod gpu;
mod loading;
#[cfg(target_feature = "atomics")]
mod threads;

use crate::generate::{EarlyStopping, GenerationSettings};
use crate::image::{self, DecodeOptions, Grey16, RgbImage};
use crate::{Error, Result, tasks};
use js_sys::{Float32Array, Function, JSON, Promise, Reflect, Uint8Array};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;

unsafe extern "C" {
    /// Runs the static constructors of all linked crates; made by the linker.
    fn __wasm_call_ctors();
}

/// Runs when the module is instantiated. Test programs have another start and call this themselves.
#[wasm_bindgen(start)]
pub fn start() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        console_error_panic_hook::set_once();
        // SAFETY: called once, before anything that needs a static constructor. Were it called
        // nowhere, the linker would wrap every export in it, and a tensor operation would cost
        // milliseconds.
        unsafe { __wasm_call_ctors() };
    });
}

/// An upright RGB picture.
#[wasm_bindgen]
pub struct Picture(RgbImage);

#[wasm_bindgen]
impl Picture {
    /// Decodes a PNG, JPEG, WebP, GIF or BMP file. Grey of 16 bits is scaled if `grey16` is "scale".
    pub fn decode(bytes: &Uint8Array, grey16: Option<String>) -> Result<Picture> {
        let bytes = copy_of(bytes)?;
        let grey16 = match grey16.as_deref() {
            Some("scale") => Grey16::Scale,
            _ => Grey16::Clip,
        };
        image::decode_with(&bytes, &DecodeOptions { grey16 }).map(Picture)
    }

    /// Takes pixels, as in ImageData: four bytes each, not premultiplied.
    #[wasm_bindgen(js_name = fromRgba)]
    pub fn from_rgba(rgba: &Uint8Array, width: u32, height: u32) -> Result<Picture> {
        image::from_rgba(width, height, &copy_of(rgba)?).map(Picture)
    }

    /// Takes the pixels of a picture that was decoded before: three bytes each.
    #[wasm_bindgen(js_name = fromRgb)]
    pub fn from_rgb(rgb: &Uint8Array, width: u32, height: u32) -> Result<Picture> {
        image::from_rgb(width, height, copy_of(rgb)?).map(Picture)
    }

    /// In pixels.
    #[wasm_bindgen(getter)]
    pub fn width(&self) -> u32 {
        self.0.width()
    }

    /// In pixels.
    #[wasm_bindgen(getter)]
    pub fn height(&self) -> u32 {
        self.0.height()
    }

    /// The pixels, row by row, three bytes each.
    pub fn rgb(&self) -> Uint8Array {
        Uint8Array::from(&self.0.as_raw()[..])
    }
}

/// A file or pixels, or an error where there is no memory for them: what wasm-bindgen copies itself ends the
/// engine then, and with it the model.
fn copy_of(array: &Uint8Array) -> Result<Vec<u8>> {
    let mut bytes = image::buffer(array.length() as usize)?;
    array.copy_to(&mut bytes);
    Ok(bytes)
}

/// A loaded model.
#[wasm_bindgen]
pub struct Model(tasks::Model);

#[wasm_bindgen]
impl Model {
    /// `{family, tasks, device, adapter, dtype, parameters, bytes, imageSize}`.
    pub fn info(&self) -> Result<JsValue> {
        to_object(self.0.info())
    }

    /// `{text, tokens, score, alternatives?}`.
    pub async fn caption(
        &self,
        picture: &Picture,
        options: JsValue,
        on_token: Option<Function>,
    ) -> Result<JsValue> {
        let options: TextOptions = from_object(&options)?;
        let prompt = options.prompt.clone().unwrap_or_default();
        let on_token = async |text: &str, id: Option<u32>| tell(on_token.as_ref(), text, id).await;
        let generation = self.0.generation(&options.generation());
        let caption = self
            .0
            .caption(&picture.0, &prompt, &generation, on_token)
            .await;
        to_object(&caption?)
    }

    /// A picture's vector, of length one unless `normalize` is false.
    #[wasm_bindgen(js_name = embedImage)]
    pub async fn embed_image(&self, picture: &Picture, options: JsValue) -> Result<Float32Array> {
        let options: VectorOptions = from_object(&options)?;
        let vector = self.0.embed_image(&picture.0, options.normalize).await?;
        Ok(Float32Array::from(&vector[..]))
    }

    /// Texts' vectors, of length one unless `normalize` is false. `on_batch` is called between those that
    /// are encoded together.
    #[wasm_bindgen(js_name = embedTexts)]
    pub async fn embed_texts(
        &self,
        texts: Vec<String>,
        options: JsValue,
        on_batch: Option<Function>,
    ) -> Result<Vec<Float32Array>> {
        let options: VectorOptions = from_object(&options)?;
        let pause = async || report(on_batch.as_ref(), &JsValue::NULL, &JsValue::NULL).await;
        let vectors = self.0.embed_texts(&texts, options.normalize, pause).await?;
        let arrays = vectors.iter().map(|vector| Float32Array::from(&vector[..]));
        Ok(arrays.collect())
    }

    /// `[{text, probability, similarity}]`, in the given order.
    #[wasm_bindgen(js_name = match)]
    pub async fn match_texts(&self, picture: &Picture, texts: Vec<String>) -> Result<JsValue> {
        let matches = self.0.match_texts(&picture.0, &texts).await?;
        to_object(&matches)
    }

    /// `[{text, score, probability, similarity}]`, in the given order.
    #[wasm_bindgen(js_name = rank)]
    pub async fn rank_texts(&self, picture: &Picture, texts: Vec<String>) -> Result<JsValue> {
        let ranked = self.0.rank_texts(&picture.0, &texts).await?;
        to_object(&ranked)
    }

    /// How similarities are read as probabilities: `{scale, bias, null?}`.
    pub async fn gauge(&self) -> Result<JsValue> {
        to_object(&self.0.gauge().await?)
    }

    /// What an album remembers of the model whose vectors it holds.
    pub async fn identity(&self) -> Result<JsValue> {
        to_object(&self.0.identity().await?)
    }

    /// `{text, tokens, score}`, or `[{text, score}]`, best first, if `options.answers` are given.
    pub async fn answer(
        &self,
        pictures: Vec<Picture>,
        question: String,
        options: JsValue,
        on_token: Option<Function>,
    ) -> Result<JsValue> {
        let options: TextOptions = from_object(&options)?;
        let images: Vec<RgbImage> = pictures.into_iter().map(|picture| picture.0).collect();
        if let Some(answers) = &options.answers {
            let ranked = self
                .0
                .rank_answers(&images, &question, answers, options.candidates)
                .await?;
            return to_object(&ranked);
        }
        let on_token = async |text: &str, id: Option<u32>| tell(on_token.as_ref(), text, id).await;
        let generation = self.0.generation(&options.generation());
        let answer = self
            .0
            .answer(&images, &question, &generation, on_token)
            .await;
        to_object(&answer?)
    }
}

/// Options of `caption` and `answer`, by their names in JavaScript.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct TextOptions {
    prompt: Option<String>,
    answers: Option<Vec<String>>,
    candidates: usize,
    max_new_tokens: Option<usize>,
    min_length: Option<usize>,
    num_beams: Option<usize>,
    num_beam_groups: Option<usize>,
    length_penalty: Option<f32>,
    early_stopping: Option<bool>,
    do_sample: Option<bool>,
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    repetition_penalty: Option<f32>,
    no_repeat_ngram_size: Option<usize>,
    num_return_sequences: Option<usize>,
    bad_words: Option<Vec<String>>,
    seed: Option<u64>,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            prompt: None,
            answers: None,
            candidates: tasks::CANDIDATES,
            max_new_tokens: None,
            min_length: None,
            num_beams: None,
            num_beam_groups: None,
            length_penalty: None,
            early_stopping: None,
            do_sample: None,
            temperature: None,
            top_k: None,
            top_p: None,
            repetition_penalty: None,
            no_repeat_ngram_size: None,
            num_return_sequences: None,
            bad_words: None,
            seed: None,
        }
    }
}

impl TextOptions {
    /// What is asked for; the rest is the model's.
    fn generation(&self) -> GenerationSettings {
        GenerationSettings {
            max_new_tokens: self.max_new_tokens,
            min_length: self.min_length,
            num_beams: self.num_beams,
            num_beam_groups: self.num_beam_groups,
            length_penalty: self.length_penalty,
            early_stopping: self.early_stopping.map(|stops| match stops {
                true => EarlyStopping::Always,
                false => EarlyStopping::Heuristic,
            }),
            do_sample: self.do_sample,
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            repetition_penalty: self.repetition_penalty,
            no_repeat_ngram_size: self.no_repeat_ngram_size,
            num_return_sequences: self.num_return_sequences,
            bad_words: self.bad_words.clone(),
            seed: self.seed,
            ..Default::default()
        }
    }
}

/// Options of `embed`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct VectorOptions {
    normalize: bool,
}

impl Default for VectorOptions {
    fn default() -> Self {
        Self { normalize: true }
    }
}

/// Hands a piece of text to JavaScript and waits for its answer; a rejection is a wish to stop. The
/// id is undefined where there is no token to show yet.
async fn tell(on_token: Option<&Function>, text: &str, id: Option<u32>) -> Result<()> {
    report(on_token, &text.into(), &id.into()).await
}

/// Calls a function of JavaScript and waits for its answer; a rejection is a wish to stop.
async fn report(function: Option<&Function>, first: &JsValue, second: &JsValue) -> Result<()> {
    let Some(function) = function else {
        return Ok(());
    };
    let stopped = |_| Error::Aborted("the call was aborted".to_string());
    let answer = function
        .call2(&JsValue::NULL, first, second)
        .map_err(stopped)?;
    if let Some(promise) = answer.dyn_ref::<Promise>() {
        JsFuture::from(promise.clone()).await.map_err(stopped)?;
    }
    Ok(())
}

/// An options object (or undefined) by its JSON form: functions and undefined fields drop out.
fn from_object<T: DeserializeOwned + Default>(value: &JsValue) -> Result<T> {
    if value.is_undefined() || value.is_null() {
        return Ok(T::default());
    }
    let text = JSON::stringify(value)
        .ok()
        .and_then(|text| text.as_string())
        .ok_or_else(|| Error::BadInput("the options have no JSON form".to_string()))?;
    serde_json::from_str(&text)
        .map_err(|error| Error::BadInput(format!("unusable options {text}: {error}")))
}

/// A result as plain JavaScript objects.
fn to_object(value: &impl Serialize) -> Result<JsValue> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::BadInput(format!("the result has no JSON form: {error}")))?;
    Ok(JSON::parse(&text).unwrap_or(JsValue::UNDEFINED)) // what serde wrote is JSON
}

impl From<Error> for JsValue {
    /// An `Error` object with the kind as its `code`.
    fn from(error: Error) -> Self {
        let object = js_sys::Error::new(&error.to_string());
        // Setting a property of an object that was just made does not fail.
        let _ = Reflect::set(&object, &"code".into(), &error.code().into());
        object.into()
    }
}

/// A property of an object, unless it is null or missing.
fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    if !object.is_object() {
        return None;
    }
    Reflect::get(object, &name.into())
        .ok()
        .filter(|value| !value.is_null() && !value.is_undefined())
}
