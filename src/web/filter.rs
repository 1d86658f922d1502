//! CapFilt in the browser, a picture at a time.

use super::{Model, Picture, from_object, report, to_object};
use crate::Result;
use crate::tasks::{THRESHOLD, captioner_options};
use js_sys::Function;
use serde::Deserialize;
use wasm_bindgen::prelude::*;

/// Options of `filter`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FilterOptions {
    threshold: f32,
    seed: u64,
}

impl Default for FilterOptions {
    fn default() -> Self {
        Self {
            threshold: THRESHOLD,
            seed: 1,
        }
    }
}

#[wasm_bindgen]
impl Model {
    /// `{texts: [{text, generated, probability, kept, reason}], best}`. `between` is called between
    /// tokens and texts, and waited for; its rejection stops the work.
    pub async fn filter(
        &self,
        picture: &Picture,
        texts: Vec<String>,
        options: JsValue,
        between: Option<Function>,
    ) -> Result<JsValue> {
        let FilterOptions { threshold, seed } = from_object(&options)?;
        let nothing = JsValue::UNDEFINED;
        let between = async || report(between.as_ref(), &nothing, &nothing).await;
        let judgement = self
            .0
            .filter(
                &picture.0,
                &texts,
                &captioner_options(seed),
                threshold,
                between,
            )
            .await?;
        to_object(&judgement)
    }
}
