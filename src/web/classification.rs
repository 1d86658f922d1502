//! Labels in the browser: sets of them as vectors, which the worker keeps, and classification.

use super::{Model, Picture, from_object, report, to_object};
use crate::Result;
use crate::tasks::{self, LabelSet, Ranking, Scores};
use js_sys::{Function, Uint8Array};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

/// Labels in the space of one model.
#[wasm_bindgen]
pub struct LabelVectors(tasks::LabelVectors);

/// Options of `classify`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct RankingOptions {
    scores: Option<Scores>,
    top_k: Option<usize>,
}

#[wasm_bindgen]
impl Model {
    /// The vectors of `{labels, templates, name?, ids?}`. `progress` is called with the number of
    /// labels done and of all, and waited for; its rejection stops the work.
    #[wasm_bindgen(js_name = labelVectors)]
    pub async fn label_vectors(
        &self,
        labels: JsValue,
        progress: Option<Function>,
    ) -> Result<LabelVectors> {
        let set: LabelSet = from_object(&labels)?;
        let progress = async |done: usize, total: usize| {
            report(
                progress.as_ref(),
                &(done as f64).into(),
                &(total as f64).into(),
            )
            .await
        };
        self.0.label_vectors(&set, progress).await.map(LabelVectors)
    }

    /// The vectors of a file that `labelFile`, or `obscura labels`, made for this model.
    #[wasm_bindgen(js_name = openLabels)]
    pub async fn open_labels(&self, bytes: Vec<u8>) -> Result<LabelVectors> {
        self.0.open_labels(&bytes).await.map(LabelVectors)
    }

    /// Label vectors as such a file.
    #[wasm_bindgen(js_name = labelFile)]
    pub async fn label_file(&self, labels: &LabelVectors) -> Result<Uint8Array> {
        Ok(Uint8Array::from(&self.0.label_file(&labels.0).await?[..]))
    }

    /// `[{label, score}]`, best first.
    pub async fn classify(
        &self,
        picture: &Picture,
        labels: &LabelVectors,
        options: JsValue,
    ) -> Result<JsValue> {
        let RankingOptions { scores, top_k } = from_object(&options)?;
        let ranking = Ranking { scores, top_k };
        let scores = self
            .0
            .classify_among(&picture.0, &labels.0, ranking)
            .await?;
        to_object(&scores)
    }
}
