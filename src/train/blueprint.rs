//! The texts of a new model: its configuration from a few sizes, its vocabulary from a corpus, and
//! what its pictures are brought to.

use crate::load::Description;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};
use serde_json::json;
use std::collections::BTreeSet;
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainerBuilder};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, Model, TokenizerBuilder};

/// Sizes of a new BLIP, or of a CLIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blueprint {
    /// Side of the pictures, in pixels; whole patches.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Width of the token vectors, in both towers.
    pub width: usize,
    /// Width of an attention head.
    pub head_width: usize,
    /// Blocks of the image encoder.
    pub vision_depth: usize,
    /// Layers of the text transformer.
    pub text_depth: usize,
    /// Width of the shared space.
    pub projection: usize,
    /// Entries of the vocabulary at most.
    pub vocabulary: usize,
    /// Longest text, in tokens.
    pub positions: usize,
}

/// BERT's special tokens, in BERT's order but without the gap between them.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

impl Blueprint {
    /// A BLIP of this size that knows the words of `corpus`.
    pub fn blip(&self, corpus: impl Iterator<Item = String> + Send) -> Result<Description> {
        let words = vocabulary(corpus, self.vocabulary.saturating_sub(2))?;
        let known = words.len();
        let (decoder_start, encoder_start) = (known, known + 1);
        let (width, heads) = (self.width, self.width / self.head_width);
        let tower = |depth: usize| {
            json!({
                "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": depth,
                "num_attention_heads": heads, "hidden_act": "gelu",
            })
        };
        let with = |mut tower: serde_json::Value, more: serde_json::Value| {
            if let (Some(tower), Some(more)) = (tower.as_object_mut(), more.as_object()) {
                tower.extend(more.clone());
            }
            tower
        };
        let config = json!({
            "model_type": "blip",
            "architectures": [
                "BlipForConditionalGeneration", "BlipForImageTextRetrieval", "BlipForQuestionAnswering",
            ],
            "image_text_hidden_size": self.projection,
            "vision_config": with(tower(self.vision_depth), json!({
                "image_size": self.image_size, "patch_size": self.patch_size, "layer_norm_eps": 1e-5,
            })),
            "text_config": with(tower(self.text_depth), json!({
                "vocab_size": known + 2, "max_position_embeddings": self.positions,
                "encoder_hidden_size": width, "layer_norm_eps": 1e-12,
                "bos_token_id": decoder_start, "enc_token_id": encoder_start,
                "pad_token_id": 0, "sep_token_id": 3, "eos_token_id": 3,
            })),
        });
        Ok(Description {
            config: config.to_string(),
            tokenizer: Tokenizer::from_wordpiece_vocabulary(&words.join("\n"), true)?.to_json()?,
            preprocessor: self.preprocessor("BlipImageProcessor"),
        })
    }

    /// A CLIP of this size, with the same kind of vocabulary.
    pub fn clip(&self, corpus: impl Iterator<Item = String> + Send) -> Result<Description> {
        let words = vocabulary(corpus, self.vocabulary)?;
        let tower = |depth: usize| {
            json!({
                "hidden_size": self.width, "intermediate_size": 4 * self.width,
                "num_hidden_layers": depth, "num_attention_heads": self.width / self.head_width,
                "hidden_act": "gelu", "layer_norm_eps": 1e-5,
            })
        };
        let (mut vision, mut text) = (tower(self.vision_depth), tower(self.text_depth));
        vision["image_size"] = json!(self.image_size);
        vision["patch_size"] = json!(self.patch_size);
        text["vocab_size"] = json!(words.len());
        text["max_position_embeddings"] = json!(self.positions);
        text["eos_token_id"] = json!(3); // [SEP], which ends every text
        let config = json!({
            "model_type": "clip", "architectures": ["CLIPModel"], "projection_dim": self.projection,
            "vision_config": vision, "text_config": text,
        });
        Ok(Description {
            config: config.to_string(),
            tokenizer: Tokenizer::from_wordpiece_vocabulary(&words.join("\n"), true)?.to_json()?,
            preprocessor: self.preprocessor("BlipImageProcessor"),
        })
    }

    fn preprocessor(&self, class: &str) -> String {
        let size = self.image_size;
        json!({ "image_processor_type": class, "size": { "height": size, "width": size } })
            .to_string()
    }
}

/// A WordPiece vocabulary of at most `size` entries, special tokens first.
fn vocabulary(corpus: impl Iterator<Item = String> + Send, size: usize) -> Result<Vec<String>> {
    let failed = |error: tokenizers::Error| {
        Error::BadInput(format!("no vocabulary can be made of the texts: {error}"))
    };
    let corpus: Vec<String> = corpus.collect();
    // The trainer numbers the pieces inside words as a hash map hands them over, and breaks ties by
    // these numbers. Given first and in order, they make the same vocabulary every time.
    let inside = characters(&corpus)
        .into_iter()
        .map(|letter| format!("##{letter}"));
    let first = SPECIAL.iter().map(|token| token.to_string()).chain(inside);
    let special = first.map(|token| AddedToken::from(token, true));
    let mut trainer = WordPieceTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(size)
        .special_tokens(special.collect())
        .build();
    let mut tokenizer = TokenizerBuilder::new()
        .with_model(WordPiece::default())
        .with_normalizer(Some(BertNormalizer::default()))
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(None::<tokenizers::processors::bert::BertProcessing>)
        .with_decoder(None::<tokenizers::decoders::wordpiece::WordPiece>)
        .build()
        .map_err(failed)?;
    tokenizer
        .train(&mut trainer, corpus.into_iter())
        .map_err(failed)?;
    let known = tokenizer.get_model().get_vocab();
    let mut words: Vec<(u32, String)> = known.into_iter().map(|(word, id)| (id, word)).collect();
    words.sort();
    Ok(words.into_iter().map(|(_, word)| word).collect())
}

/// What texts are written with, in order.
fn characters(corpus: &[String]) -> BTreeSet<char> {
    let all = corpus.iter().flat_map(|text| text.chars());
    all.flat_map(char::to_lowercase)
        .filter(|letter| !letter.is_whitespace())
        .collect()
}
