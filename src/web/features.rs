//! What is seen inside the models, and videos: attention maps, the states of tokens, frames.

use super::{Model, Picture, TextOptions, VectorOptions, from_object, tell, to_object};
use crate::image::RgbImage;
use crate::tasks::{Filling, GuidanceOptions, MatchAttention, TokenMap};
use crate::{Error, Result};
use js_sys::{Array, Float32Array, Function, Reflect};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Model {
    /// `{text, tokens, score, attention: {rows, columns, tokens: [{id, text, map}]}}`.
    #[wasm_bindgen(js_name = captionWithAttention)]
    pub async fn caption_with_attention(
        &self,
        picture: &Picture,
        options: JsValue,
        on_token: Option<Function>,
    ) -> Result<JsValue> {
        let options: TextOptions = from_object(&options)?;
        let prompt = options.prompt.clone().unwrap_or_default();
        let on_token = async |text: &str, id: Option<u32>| tell(on_token.as_ref(), text, id).await;
        let generation = self.0.generation(&options.generation());
        let attended = self
            .0
            .caption_with_attention(&picture.0, &prompt, &generation, on_token);
        let (caption, attention) = attended.await?;
        let grid = Grid {
            rows: attention.rows,
            columns: attention.columns,
        };
        let maps = to_object(&grid)?;
        set(&maps, "tokens", &token_maps(&attention.tokens)?);
        let found = to_object(&caption)?;
        set(&found, "attention", &maps);
        Ok(found)
    }

    /// `[{text, probability, similarity, attention: {rows, columns, map, tokens}}]`.
    #[wasm_bindgen(js_name = matchWithAttention)]
    pub async fn match_with_attention(
        &self,
        picture: &Picture,
        texts: Vec<String>,
    ) -> Result<JsValue> {
        let matches = self
            .0
            .match_texts_with_attention(&picture.0, &texts)
            .await?;
        let objects = Array::new();
        for (found, attention) in matches {
            let object = to_object(&found)?;
            set(&object, "attention", &match_maps(&attention)?);
            objects.push(&object);
        }
        Ok(objects.into())
    }

    /// A video's vector, of length one unless `normalize` is false.
    #[wasm_bindgen(js_name = embedFrames)]
    pub async fn embed_frames(
        &self,
        pictures: Vec<Picture>,
        options: JsValue,
    ) -> Result<Float32Array> {
        let options: VectorOptions = from_object(&options)?;
        let frames: Vec<RgbImage> = pictures.into_iter().map(|picture| picture.0).collect();
        let vector = self.0.embed_frames(&frames, options.normalize).await?;
        Ok(Float32Array::from(&vector[..]))
    }

    /// `{ids, tokens, end, width, states, pooled}`.
    #[wasm_bindgen(js_name = embedTokens)]
    pub async fn embed_tokens(&self, text: String, options: JsValue) -> Result<JsValue> {
        let options: TokenOptions = from_object(&options)?;
        let found = self.0.embed_tokens(&text, &options.guidance()?).await?;
        let object = to_object(&Tokens {
            ids: &found.ids,
            tokens: &found.tokens,
            end: found.end,
            width: found.width,
        })?;
        set(&object, "states", &numbers(&found.states));
        set(&object, "pooled", &numbers(&found.pooled));
        Ok(object)
    }
}

#[derive(Serialize)]
struct Grid {
    rows: usize,
    columns: usize,
}

/// What is few of a text's states.
#[derive(Serialize)]
struct Tokens<'t> {
    ids: &'t [u32],
    tokens: &'t [String],
    end: usize,
    width: usize,
}

/// Options of `embedTokens`. `pad` is true, or a token's id.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct TokenOptions {
    layer: Option<i32>,
    norm: Option<bool>,
    pad: serde_json::Value,
}

impl TokenOptions {
    fn guidance(&self) -> Result<GuidanceOptions> {
        let default = GuidanceOptions::default();
        let token = self.pad.as_u64().and_then(|id| u32::try_from(id).ok());
        let pad = match (&self.pad, token) {
            (_, Some(token)) => Filling::Token(token),
            (serde_json::Value::Bool(true), _) => Filling::EndToken,
            (serde_json::Value::Bool(false) | serde_json::Value::Null, _) => Filling::None,
            (other, _) => {
                return Err(Error::BadInput(format!(
                    "pad is {other}, expected true, false or a token's number"
                )));
            }
        };
        Ok(GuidanceOptions {
            layer: self.layer.unwrap_or(default.layer),
            norm: self.norm.unwrap_or(default.norm),
            pad,
        })
    }
}

fn match_maps(attention: &MatchAttention) -> Result<JsValue> {
    let maps = to_object(&Grid {
        rows: attention.rows,
        columns: attention.columns,
    })?;
    set(&maps, "map", &numbers(&attention.map));
    set(&maps, "tokens", &token_maps(&attention.tokens)?);
    Ok(maps)
}

fn token_maps(tokens: &[TokenMap]) -> Result<JsValue> {
    #[derive(Serialize)]
    struct Token<'t> {
        id: u32,
        text: &'t str,
    }
    let objects = Array::new();
    for TokenMap { id, text, map } in tokens {
        let object = to_object(&Token { id: *id, text })?;
        set(&object, "map", &numbers(map));
        objects.push(&object);
    }
    Ok(objects.into())
}

fn numbers(values: &[f32]) -> JsValue {
    Float32Array::from(values).into()
}

/// Sets a property of an object of our own, which does not fail.
fn set(object: &JsValue, name: &str, value: &JsValue) {
    let _ = Reflect::set(object, &name.into(), value);
}
