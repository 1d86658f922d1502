//! What a model can be asked for, whatever its family: the tasks know abilities, and this file alone knows
//! who has them.

use super::writer::{BlipWriter, Captions, Writer};
use super::{Blip, Clip, Coca, ModelConfig};
use crate::generate::Rules;
use crate::nn::Parameters;
use crate::{Error, Result};
use burn::tensor::Tensor;

/// BLIP's own limit on captions and questions in retrieval and answering.
pub const BLIP_TEXT_TOKENS: usize = 35;

/// What similarities are divided by where a checkpoint does not say: the reference's BLIPs do not carry
/// the ITC temperature, and this is what it is initialised with and, in the original code, what zero-shot
/// classification divides by.
pub const DEFAULT_TEMPERATURE: f32 = 0.07;

/// The network of one family.
#[derive(Debug, Clone)]
pub enum Network {
    /// A CLIP or a SigLIP: two encoders.
    Clip(Box<Clip>),
    /// A BLIP: texts in view of pictures.
    Blip(Box<Blip>),
    /// A CoCa: two encoders, and a decoder of both.
    Coca(Box<Coca>),
}

/// How the cosine of a picture's and a text's vectors is read.
#[derive(Debug, Clone, Default)]
pub struct Similarity {
    /// What it is multiplied with: `[1]`.
    pub scale: Option<Tensor<1>>,
    /// What it is divided by, where there is no scale: `[1]`; else [`DEFAULT_TEMPERATURE`].
    pub temperature: Option<Tensor<1>>,
    /// What is added before the sigmoid, of networks that were trained by one: `[1]`.
    pub bias: Option<Tensor<1>>,
}

impl Network {
    /// Takes the network of a configuration out of its tensors.
    pub fn load(parameters: &mut Parameters, config: &ModelConfig) -> Result<Self> {
        Ok(match config.clone() {
            ModelConfig::Clip(config) => Network::Clip(Box::new(Clip::load(parameters, config)?)),
            ModelConfig::Blip(config) => Network::Blip(Box::new(Blip::load(parameters, config)?)),
            ModelConfig::Coca(config) => Network::Coca(Box::new(Coca::load(parameters, config)?)),
        })
    }

    /// Whether there is an encoder of pictures.
    pub fn takes_pictures(&self) -> bool {
        match self {
            Network::Clip(clip) => clip.config().encoders.image,
            Network::Blip(_) => true,
            Network::Coca(coca) => coca.config().parts.vectors.image,
        }
    }

    /// Whether there is an encoder of texts that makes vectors of them.
    pub fn takes_texts(&self) -> bool {
        match self {
            Network::Clip(clip) => clip.config().encoders.text,
            Network::Blip(_) => true,
            Network::Coca(coca) => coca.config().parts.vectors.text,
        }
    }

    /// Vectors in the shared space, not normalised: `[batch, 3, height, width]` to `[batch, width]`.
    pub fn image_vectors(&self, pixels: Tensor<4>) -> Result<Tensor<2>> {
        match self {
            Network::Clip(clip) => Ok(clip.encode_image(pixels)),
            Network::Blip(blip) => blip.project_image(blip.encode_image(pixels)),
            Network::Coca(coca) => Ok(coca.project_image(coca.image_states(pixels))),
        }
    }

    /// Vectors in the shared space of texts of equal length, not normalised: `[batch, width]`.
    pub fn text_vectors(&self, ids: &[Vec<u32>]) -> Result<Tensor<2>> {
        match self {
            Network::Clip(clip) => Ok(clip.encode_text(ids)),
            Network::Blip(blip) => blip.encode_text(ids),
            Network::Coca(coca) => Ok(coca.encode_text(ids)),
        }
    }

    /// Whether [`Self::sharing_text_vectors`] can be had.
    pub fn texts_share(&self) -> bool {
        match self {
            Network::Clip(clip) => clip.texts_share(),
            Network::Blip(_) | Network::Coca(_) => false,
        }
    }

    /// The same of texts of any lengths, of which what they begin alike with is computed once.
    pub fn sharing_text_vectors(&self, ids: &[Vec<u32>]) -> Result<Tensor<2>> {
        match self {
            Network::Clip(clip) => Ok(clip.encode_sharing(ids)),
            Network::Blip(_) | Network::Coca(_) => self.text_vectors(ids),
        }
    }

    /// The most tokens of a text, special ones included.
    pub fn longest_text(&self) -> usize {
        match self {
            Network::Clip(clip) => clip.config().text.positions,
            Network::Blip(blip) => BLIP_TEXT_TOKENS.min(blip.config().text.positions),
            Network::Coca(coca) => coca.config().text.positions,
        }
    }

    /// A text's ids as the encoder takes them: filled up, where it sees that.
    pub fn completed(&self, ids: Vec<u32>) -> Vec<u32> {
        match self {
            Network::Clip(clip) => clip.config().text.completed(ids),
            Network::Blip(_) | Network::Coca(_) => ids,
        }
    }

    /// Whether it says how cosines are read: an encoder that was saved alone does not.
    pub fn scales_similarities(&self) -> bool {
        match self {
            Network::Clip(clip) => clip.has_logit_scale(),
            Network::Blip(_) => true,
            Network::Coca(coca) => coca.logit_scale().is_some(),
        }
    }

    /// How cosines are read; of a network that [`Self::scales_similarities`].
    pub fn similarity(&self) -> Similarity {
        match self {
            Network::Clip(clip) => Similarity {
                scale: Some(clip.logit_scale()),
                bias: clip.logit_bias(),
                ..Similarity::default()
            },
            Network::Blip(blip) => Similarity {
                scale: blip.logit_scale(),
                temperature: blip.temperature(),
                bias: None,
            },
            Network::Coca(coca) => Similarity {
                scale: coca.logit_scale(),
                ..Similarity::default()
            },
        }
    }

    /// The encoder of texts whose layers can be looked into.
    pub fn text_layers(&self) -> Option<&Clip> {
        match self {
            Network::Clip(clip) => Some(&**clip).filter(|clip| clip.has_text_layers()),
            Network::Blip(_) | Network::Coca(_) => None,
        }
    }

    /// What of captions, and of other texts that it writes, is the network's; none where it writes none.
    pub fn captions(&self) -> Option<Captions> {
        match self {
            Network::Clip(_) => None,
            Network::Blip(blip) => blip.text_decoder().ok().map(|_| Captions {
                start: blip.config().start_token,
                stop: blip.config().stop_token,
                room: blip.config().text.positions,
                rules: Rules::Transformers,
            }),
            Network::Coca(coca) => coca.captions(),
        }
    }

    /// What a picture's texts are written from, where there is what writes them: `[1, 3, height, width]` to
    /// `[1, tokens, width]`.
    pub fn states_to_describe(&self, pixels: Tensor<4>) -> Result<Tensor<3>> {
        match self {
            Network::Clip(_) => Err(no_writer()),
            Network::Blip(blip) => Ok(blip.encode_image(pixels)),
            Network::Coca(coca) => Ok(coca.image_states(pixels)),
        }
    }

    /// What writes from [`Self::states_to_describe`].
    pub fn writer<'a>(&'a self, states: Tensor<3>) -> Result<Box<dyn Writer + 'a>> {
        Ok(match self {
            Network::Clip(_) => return Err(no_writer()),
            Network::Blip(blip) => Box::new(BlipWriter::new(blip.text_decoder()?, states)),
            Network::Coca(coca) => Box::new(coca.writer(states)),
        })
    }

    /// What looks at pictures and texts together.
    pub fn grounded(&self) -> Option<&Blip> {
        match self {
            Network::Clip(_) | Network::Coca(_) => None,
            Network::Blip(blip) => Some(blip),
        }
    }

    /// The same, if it can say whether they belong together.
    pub fn matcher(&self) -> Option<&Blip> {
        self.grounded().filter(|blip| blip.has_matching())
    }
}

fn no_writer() -> Error {
    Error::UnsupportedTask("this model writes no texts".to_string())
}
