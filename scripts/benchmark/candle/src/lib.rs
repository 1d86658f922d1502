//! candle's BLIP for captions, behind the few calls that `scripts/benchmark/page/candle.js` makes.

use candle_core::{D, Device, Module, Tensor};
use candle_nn::{Activation, VarBuilder};
use candle_transformers::models::{blip, blip_text, quantized_blip};
use candle_transformers::quantized_var_builder;
use wasm_bindgen::prelude::*;

const START: u32 = 30522;
const STOP: usize = 102;
const SIDE: usize = 384;

enum Network {
    Float(blip::BlipForConditionalGeneration),
    Quantized(quantized_blip::BlipForConditionalGeneration),
}

#[wasm_bindgen]
pub struct Model {
    network: Network,
    /// What the decoder attends to: `[1, 577, 768]`.
    states: Option<Tensor>,
    ids: Vec<u32>,
}

#[wasm_bindgen]
impl Model {
    /// From a safetensors file, or a GGUF file if `quantized`.
    #[wasm_bindgen(constructor)]
    pub fn new(file: Vec<u8>, quantized: bool) -> Result<Model, JsError> {
        let config = base();
        let device = Device::Cpu;
        let network = if quantized {
            let weights = quantized_var_builder::VarBuilder::from_gguf_buffer(&file, &device)?;
            Network::Quantized(quantized_blip::BlipForConditionalGeneration::new(
                &config, weights,
            )?)
        } else {
            let weights =
                VarBuilder::from_buffered_safetensors(file, candle_core::DType::F32, &device)?;
            Network::Float(blip::BlipForConditionalGeneration::new(&config, weights)?)
        };
        Ok(Model {
            network,
            states: None,
            ids: Vec::new(),
        })
    }

    /// Encodes a picture's pixels, `[3, 384, 384]`; gives the class token's state.
    pub fn see(&mut self, pixels: Vec<f32>) -> Result<Vec<f32>, JsError> {
        let pixels = Tensor::from_vec(pixels, (1, 3, SIDE, SIDE), &Device::Cpu)?;
        let states = match &self.network {
            Network::Float(network) => network.vision_model().forward(&pixels)?,
            Network::Quantized(network) => network.vision_model().forward(&pixels)?,
        };
        let class = states.narrow(1, 0, 1)?.flatten_all()?.to_vec1()?;
        self.states = Some(states);
        match &mut self.network {
            Network::Float(network) => network.reset_kv_cache(),
            Network::Quantized(network) => network.reset_kv_cache(),
        }
        self.ids = vec![START];
        Ok(class)
    }

    /// The next token by the largest logit; the stop token only if `may_stop`.
    pub fn next(&mut self, may_stop: bool) -> Result<u32, JsError> {
        let states = self.states.as_ref().ok_or(JsError::new("no picture"))?;
        let last = &self.ids[self.ids.len() - 1..];
        let ids = Tensor::new(last, &Device::Cpu)?.unsqueeze(0)?;
        let logits = match &mut self.network {
            Network::Float(network) => network.text_decoder().forward(&ids, states)?,
            Network::Quantized(network) => network.text_decoder().forward(&ids, states)?,
        };
        let width = logits.dim(D::Minus1)?;
        let mut logits = logits.flatten_all()?.to_vec1::<f32>()?;
        let mut logits = logits.split_off(logits.len() - width);
        if !may_stop {
            logits[STOP] = f32::NEG_INFINITY;
        }
        let largest = (0..width).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
        let id = largest.ok_or(JsError::new("no logits"))? as u32;
        self.ids.push(id);
        Ok(id)
    }
}

/// Salesforce/blip-image-captioning-base.
fn base() -> blip::Config {
    blip::Config {
        text_config: blip_text::Config {
            vocab_size: 30524,
            hidden_size: 768,
            encoder_hidden_size: 768,
            intermediate_size: 3072,
            projection_dim: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 512,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-12,
            is_decoder: true,
        },
        vision_config: blip::VisionConfig {
            hidden_size: 768,
            intermediate_size: 3072,
            projection_dim: 512,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: SIDE,
            patch_size: 16,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-5,
        },
        projection_dim: 512,
        image_text_hidden_size: 256,
    }
}
