//! Vectors of labels by CLIP's protocol (section 3.1.4 of its paper; `build_zero_shot_classifier` of
//! open_clip): every template's sentence is encoded and brought to length one, a label's sentences
//! are averaged, the mean is brought to length one. They are remembered, and may be kept in a file,
//! so that classifying a picture costs one encoding and one product.
//!
//! The file is a safetensors file: `vectors` is F32 `[labels, width]`, `probe` the vector of a drawn
//! picture, by which a model recognises that the file was made for it, and the metadata has the label
//! set and the scale.

use super::label_set::LabelSet;
use super::scores::Scores;
use super::text::{dot, unit};
use super::{Model, read};
use crate::models::{DEFAULT_TEMPERATURE, Similarity};
use crate::weights::{Format, Parsed, TensorInfo, blocks, safetensors};
use crate::{Error, Result};
use image::RgbImage;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;

/// Sentences, at least and at most, that are encoded before their labels are remembered: the more there
/// are of a template, the more share its beginning.
const SENTENCES: [usize; 2] = [512, 4096];
/// Steps in which all labels are encoded, if that many sentences allow it.
const STEPS: usize = 8;

/// How near a file's probe has to be. The same model in another number format is nearer than 0.95,
/// another model's space has nothing to do with this one.
const SAME_SPACE: f32 = 0.8;

const KIND: &str = "obscura.labels";

/// A set of labels in the space of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelVectors {
    set: LabelSet,
    width: usize,
    vectors: Vec<f32>, // [labels, width]
    scale: f32,
    bias: Option<f32>,
}

impl LabelVectors {
    /// The labels.
    pub fn set(&self) -> &LabelSet {
        &self.set
    }

    /// Unit vectors, row by row: `[labels, width]`.
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// What cosines are multiplied with before the softmax or the sigmoid.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// What is added to scaled cosines before the sigmoid; None of models that were not trained by one.
    pub fn bias(&self) -> Option<f32> {
        self.bias
    }

    /// What the model of these labels was trained for.
    pub fn default_scores(&self) -> Scores {
        Scores::default_of(self.bias.is_some())
    }

    /// The cosine of each label with a picture's unit vector: the one product.
    pub fn cosines(&self, image: &[f32]) -> Vec<f32> {
        let rows = self.vectors.chunks_exact(self.width);
        rows.map(|label| dot(label, image)).collect()
    }

    fn to_bytes(&self, probe: &[f32]) -> Result<Vec<u8>> {
        let (numbers, probes) = (4 * self.vectors.len(), 4 * probe.len());
        let set = serde_json::to_string(&self.set)
            .map_err(|error| Error::BadInput(format!("the labels have no JSON form: {error}")))?;
        let mut metadata = json!({ "kind": KIND, "labels": set, "scale": self.scale.to_string() });
        if let Some(bias) = self.bias {
            metadata["bias"] = json!(bias.to_string());
        }
        let header = json!({
            "__metadata__": metadata,
            "vectors": {
                "dtype": "F32",
                "shape": [self.set.labels.len(), self.width],
                "data_offsets": [0, numbers],
            },
            "probe": {
                "dtype": "F32", "shape": [probe.len()], "data_offsets": [numbers, numbers + probes],
            },
        });
        let mut header = header.to_string();
        header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        let values = self.vectors.iter().chain(probe);
        bytes.extend(values.flat_map(|value| value.to_le_bytes()));
        Ok(bytes)
    }

    /// The labels of a file, and its probe.
    fn from_bytes(bytes: &[u8]) -> Result<(Self, Vec<f32>)> {
        let Parsed::Complete(table) = safetensors::parse(bytes, bytes.len() as u64)
            .map_err(|error| Error::BadInput(format!("the label file is unusable: {error}")))?
        else {
            return unusable("it is truncated");
        };
        let facts = metadata(bytes)?;
        let set: LabelSet = serde_json::from_str(&facts.labels)
            .map_err(|error| Error::BadInput(format!("the label file is unusable: {error}")))?;
        set.check()?;
        let (vectors, probe) = (
            floats(bytes, &table, "vectors")?,
            floats(bytes, &table, "probe")?,
        );
        let width = probe.len();
        if width == 0 || vectors.len() != set.labels.len() * width {
            return unusable(&format!(
                "its {} numbers are not [{} labels, {width}]",
                vectors.len(),
                set.labels.len()
            ));
        }
        let number = |name: &str, text: &str| match text.parse::<f32>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => unusable(&format!("its {name} is '{text}'")),
        };
        let scale = number("scale", &facts.scale)?;
        let bias = facts.bias.as_deref().map(|text| number("bias", text));
        let bias = bias.transpose()?;
        let labels = Self {
            set,
            width,
            vectors,
            scale,
            bias,
        };
        Ok((labels, probe))
    }
}

fn unusable<T>(why: &str) -> Result<T> {
    Err(Error::BadInput(format!(
        "the label file is unusable: {why}; `obscura labels` makes such files"
    )))
}

/// What a file says beside its tensors.
#[derive(Deserialize)]
struct Metadata {
    kind: String,
    labels: String,
    scale: String,
    bias: Option<String>,
}

fn metadata(bytes: &[u8]) -> Result<Metadata> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__")]
        metadata: Metadata,
    }
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap_or_default()) as usize;
    match serde_json::from_slice::<Header>(&bytes[8..8 + length]) {
        Ok(header) if header.metadata.kind == KIND => Ok(header.metadata),
        _ => unusable("it is a safetensors file, but not one of labels"),
    }
}

fn floats(bytes: &[u8], table: &[TensorInfo], name: &str) -> Result<Vec<f32>> {
    match table.iter().find(|tensor| tensor.name == name) {
        Some(tensor) if tensor.format == Format::F32 => {
            let data = &bytes[tensor.offset as usize..][..tensor.bytes as usize];
            blocks::dequantize(tensor.format, data, tensor.elements())
        }
        _ => unusable(&format!("it has no F32 tensor '{name}'")),
    }
}

/// Vectors of labels that were encoded before, by the templates that they were put into.
#[derive(Debug, Default)]
pub(super) struct LabelMemory(Vec<Ensemble>);

/// The labels that one list of templates was used for.
#[derive(Debug, Default)]
struct Ensemble {
    templates: Vec<String>,
    vectors: HashMap<String, Vec<f32>>,
}

impl LabelMemory {
    /// Lists of templates remembered; the oldest is forgotten first.
    const ENSEMBLES: usize = 4;
    /// Labels remembered for each.
    const LABELS: usize = 32_768;

    fn ensemble(&mut self, templates: &[String]) -> &mut HashMap<String, Vec<f32>> {
        let place = self.0.iter().position(|one| one.templates == templates);
        let place = place.unwrap_or_else(|| {
            if self.0.len() == Self::ENSEMBLES {
                self.0.remove(0);
            }
            self.0.push(Ensemble {
                templates: templates.to_vec(),
                vectors: HashMap::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[place].vectors
    }
}

impl Model {
    /// The vectors of a set's labels; only those are encoded that were not before. `progress` hears
    /// after each batch how many labels are done, of how many, and its error stops the work: what is
    /// done by then is remembered.
    pub async fn label_vectors(
        &self,
        set: &LabelSet,
        mut progress: impl AsyncFnMut(usize, usize) -> Result<()>,
    ) -> Result<LabelVectors> {
        if !self.info.tasks.contains(&"classify") {
            return Err(self.unsupported("classify"));
        }
        set.check()?;
        let (templates, total) = (set.templates(), set.labels.len());
        let mut found = HashMap::new();
        let mut new: Vec<&String> = Vec::new();
        {
            let mut memory = self.label_memory();
            let ensemble = memory.ensemble(&templates);
            if ensemble.len() + total > LabelMemory::LABELS {
                ensemble.clear();
            }
            for label in &set.labels {
                match ensemble.get(label) {
                    Some(vector) => drop(found.insert(label, vector.clone())),
                    None if found.insert(label, Vec::new()).is_none() => new.push(label),
                    None => {} // the same label once more
                }
            }
        }
        let known = total - new.len();
        let [least, most] = SENTENCES.map(|sentences| (sentences / templates.len()).max(1));
        let at_once = (new.len() / STEPS).clamp(least, most);
        for (chunk, labels) in new.chunks(at_once).enumerate() {
            let done = known + chunk * at_once;
            let vectors = self
                .ensemble_vectors(labels, &templates, async || progress(done, total).await)
                .await?;
            let mut memory = self.label_memory();
            for (label, vector) in labels.iter().zip(vectors) {
                let remembered = (*label).clone();
                memory
                    .ensemble(&templates)
                    .insert(remembered, vector.clone());
                found.insert(label, vector);
            }
        }
        if !new.is_empty() {
            progress(total, total).await?;
        }
        let vectors = set.labels.iter().flat_map(|label| &found[label]);
        let (scale, bias) = self.similarity_scale().await?;
        Ok(LabelVectors {
            set: set.clone(),
            width: found[&set.labels[0]].len(),
            vectors: vectors.copied().collect(),
            scale,
            bias,
        })
    }

    /// One unit vector a label: the mean over the templates.
    async fn ensemble_vectors(
        &self,
        labels: &[&String],
        templates: &[String],
        after_batch: impl AsyncFnMut() -> Result<()>,
    ) -> Result<Vec<Vec<f32>>> {
        let sentences = labels
            .iter()
            .flat_map(|label| templates.iter().map(move |one| one.replace("{}", label)));
        let sentences: Vec<String> = sentences.collect();
        let vectors = self
            .encode_in_batches(&sentences, true, after_batch)
            .await?;
        let means = vectors.chunks_exact(templates.len()).map(|ensemble| {
            let [first, others @ ..] = ensemble else {
                unreachable!("a label has at least one sentence")
            };
            let mut sum = first.clone();
            for vector in others {
                let pairs = sum.iter_mut().zip(vector);
                pairs.for_each(|(sum, value)| *sum += value);
            }
            match others.is_empty() {
                true => sum, // of length one already
                false => unit(sum),
            }
        });
        Ok(means.collect())
    }

    /// What cosines are multiplied with before the softmax or the sigmoid: the logit scale, or the inverse
    /// of a temperature; and what is added to them before the sigmoid.
    pub(super) async fn similarity_scale(&self) -> Result<(f32, Option<f32>)> {
        let Similarity {
            scale,
            temperature,
            bias,
        } = self.network.similarity();
        let scale = match (scale, temperature) {
            (Some(scale), _) => read(scale).await?[0],
            (None, Some(temperature)) => 1.0 / read(temperature).await?[0],
            (None, None) => 1.0 / DEFAULT_TEMPERATURE,
        };
        Ok(match bias {
            Some(bias) => (scale, Some(read(bias).await?[0])),
            None => (scale, None),
        })
    }

    /// Label vectors as a file for this very model.
    pub async fn label_file(&self, labels: &LabelVectors) -> Result<Vec<u8>> {
        labels.to_bytes(&self.embed_image(&probe_picture(), true).await?)
    }

    /// The label vectors of a file, which [`Model::label_file`] of the same model has made, in
    /// whatever number format. The model needs no text encoder.
    ///
    /// # Errors
    /// [`Error::BadInput`] if the bytes are no such file, or another model's.
    pub async fn open_labels(&self, bytes: &[u8]) -> Result<LabelVectors> {
        let (labels, probe) = LabelVectors::from_bytes(bytes)?;
        let own = self.embed_image(&probe_picture(), true).await?;
        if own.len() != probe.len() {
            return Err(Error::BadInput(format!(
                "the label file was made for another model: its vectors have {} numbers, this model's {}",
                probe.len(),
                own.len()
            )));
        }
        let nearness = dot(&own, &probe);
        if nearness.is_nan() || nearness < SAME_SPACE {
            return Err(Error::BadInput(format!(
                "the label file was made for another model: the two see the same picture differently (cosine {nearness:.2}); make it again with `obscura labels`"
            )));
        }
        Ok(labels)
    }

    fn label_memory(&self) -> std::sync::MutexGuard<'_, LabelMemory> {
        // Valid at every step, so a panic elsewhere does not spoil it.
        self.label_memory
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The picture that models are recognised by: slopes in each channel and a corner of squares.
fn probe_picture() -> RgbImage {
    RgbImage::from_fn(96, 96, |x, y| {
        let square = u8::from((x / 12 + y / 12).is_multiple_of(2) && x > y);
        let slope = |position: u32| (position * 255 / 95) as u8;
        image::Rgb([slope(x), slope(y), square * slope(95 - x)])
    })
}
