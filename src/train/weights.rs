//! The parameters of a model in training, by the names that they have in a checkpoint. A model is
//! assembled from them for each step, by the code that also serves inference.

use super::patch_labels::PATCH_HEAD;
use crate::load::{Description, Folder, Source, at_once};
use crate::models::blip::{TEMPERATURE, TIES, shared_with};
use crate::models::{Blip, BlipConfig, Clip, ClipConfig, Family, ModelConfig};
use crate::nn::{Parameters, Trainable, is_embedding};
use crate::weights::gguf::{Planned, Value, Writer};
use crate::weights::{Format, ReadAt, TensorInfo, blocks};
use crate::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// All parameters of a model, in a fixed order.
#[derive(Debug, Clone)]
pub struct Weights {
    /// They.
    pub all: Vec<Trainable>,
}

/// The error of a family that is not trained here.
pub(super) fn untrainable() -> Error {
    Error::UnsupportedTask(
        "a CoCa cannot be trained here: train it with open_clip, or choose a CLIP, a SigLIP or a BLIP"
            .to_string(),
    )
}

impl Weights {
    /// A new model's: tables and matrices from a normal distribution with deviation 0.02 (more for
    /// narrow models) cut at two deviations, biases 0, norms 1, as the reference initialises them; a
    /// vision transformer's positions begin with waves besides.
    pub fn new(config: &ModelConfig, seed: u64, device: &Device) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut parameters = Parameters::initialised(device.clone(), move |name, shape| {
            initial_values(name, shape, &mut rng)
        });
        tie(&mut parameters);
        match config {
            ModelConfig::Blip(config) => drop(Blip::load(&mut parameters, config.clone())?),
            ModelConfig::Clip(config) => drop(Clip::load(&mut parameters, config.clone())?),
            ModelConfig::Coca(_) => return Err(untrainable()),
        }
        Ok(Self {
            all: parameters.into_created(),
        })
    }

    /// Those of a model's files, for training to go on from, whatever their formats. Fails with
    /// [`Error::BadWeights`] where a tensor that the model needs is missing or of another shape;
    /// tensors that it does not need are left out.
    pub fn from_source(source: &mut Source<Folder>, device: &Device) -> Result<Self> {
        let config = ModelConfig::from_json(&source.description().config)?;
        let mut found = BTreeMap::new();
        for tensor in source.located().to_vec() {
            let info = &tensor.info;
            if !info.format.is_integer() {
                let bytes = at_once(source.fetch(&tensor, Format::F32))?;
                let values = blocks::dequantize(Format::F32, &bytes, info.elements())?;
                found.insert(info.name.clone(), (info.shape.clone(), values));
            }
        }
        let mut weights = Self::new(&config, 0, device)?;
        if let Some((shape, values)) = found.get(TEMPERATURE) {
            weights.all.push(Trainable {
                name: TEMPERATURE.to_string(),
                shape: shape.clone(),
                values: tensor_of(values.clone(), device),
            });
        }
        weights.all.extend(separate(&found, device));
        for parameter in &mut weights.all {
            let (shape, values) = found.get(&parameter.name).ok_or_else(|| {
                Error::BadWeights(format!(
                    "tensor '{}' is missing from the checkpoint",
                    parameter.name
                ))
            })?;
            if values.len() != parameter.shape.iter().product::<usize>() {
                return Err(Error::BadWeights(format!(
                    "tensor '{}' has shape {shape:?}, but the configuration asks for {:?}",
                    parameter.name, parameter.shape
                )));
            }
            parameter.values = tensor_of(values.clone(), device);
        }
        Ok(weights)
    }

    /// The same parameters as leaves of a gradient computation.
    pub fn leaves(&self) -> Self {
        let leaf = |parameter: &Trainable| Trainable {
            values: parameter.values.clone().autodiff().require_grad(),
            ..parameter.clone()
        };
        Self {
            all: self.all.iter().map(leaf).collect(),
        }
    }

    /// A BLIP over these parameters.
    pub fn blip(&self, config: &BlipConfig) -> Result<Blip> {
        Blip::load(&mut self.parameters(), config.clone())
    }

    /// A CLIP over these parameters.
    pub fn clip(&self, config: &ClipConfig) -> Result<Clip> {
        Clip::load(&mut self.parameters(), config.clone())
    }

    fn parameters(&self) -> Parameters {
        let device = self.all[0].values.device();
        let mut parameters = Parameters::trainable(device, self.all.iter().cloned());
        tie(&mut parameters);
        parameters
    }

    /// The parameter `name`.
    pub fn get(&self, name: &str) -> Option<&Trainable> {
        self.all.iter().find(|parameter| parameter.name == name)
    }

    /// How many numbers there are.
    pub fn elements(&self) -> usize {
        let size = |parameter: &Trainable| parameter.shape.iter().product::<usize>();
        self.all.iter().map(size).sum()
    }

    /// Writes the model as an unquantized GGUF file, which every command reads.
    pub fn save(&self, path: &Path, description: &Description, family: Family) -> Result<()> {
        let metadata = description.metadata(family, 0); // F32
        let own = self.all.iter().filter(|one| one.name != PATCH_HEAD);
        let tensors = own.map(|parameter| {
            let shape = parameter.shape.clone();
            (parameter.name.clone(), shape, parameter.values.clone())
        });
        write_file(path, &metadata, tensors.collect())
    }
}

/// Declares what BLIP shares inside itself. CLIP has no tensors of these names.
fn tie(parameters: &mut Parameters) {
    for (name, source) in TIES {
        parameters.tie(name, source);
    }
}

/// A file's tensors by name: shapes and values.
type Found = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The tensors that a file has of its own although the model could share them: fine-tuned decoders
/// have drifted from their encoders. One that has not is shared from now on.
fn separate(found: &Found, device: &Device) -> Vec<Trainable> {
    let differs = |name: &str, source: &str| {
        let pair = (found.get(name), found.get(source));
        matches!(pair, (Some(own), Some(source)) if own.1 != source.1)
    };
    let has_drifted = found
        .keys()
        .any(|name| shared_with(name).is_some_and(|source| differs(name, &source)));
    let is_own = |name: &str| match shared_with(name) {
        Some(_) => has_drifted,
        // The head is tied to the first of its tables that is there.
        None => {
            let mut tables = TIES.iter().filter(|(tied, _)| *tied == name);
            let table = tables.find(|(_, table)| found.contains_key(*table));
            table.is_some_and(|(_, table)| differs(name, table))
        }
    };
    let own = found.iter().filter(|(name, _)| is_own(name));
    own.map(|(name, (shape, values))| Trainable {
        name: name.clone(),
        shape: shape.clone(),
        values: tensor_of(values.clone(), device),
    })
    .collect()
}

/// A row of values on a device.
pub fn tensor_of(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

fn initial_values(name: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
    let count = shape.iter().product();
    if name == "logit_scale" {
        return vec![(1.0_f32 / 0.07).ln(); count];
    }
    if name == "logit_bias" {
        return vec![-10.0; count]; // most pairs do not belong together
    }
    if name.ends_with(".bias") {
        return vec![0.0; count];
    }
    let is_norm = name.to_lowercase().contains("norm");
    if is_norm {
        return vec![1.0; count];
    }
    let deviation = deviation(name, shape);
    let mut values: Vec<f32> = (0..count).map(|_| deviation * cut_normal(rng)).collect();
    if name.starts_with("vision_model.embeddings.position_embedding") {
        let width = shape[shape.len() - 1];
        let places = (count / width).isqrt().pow(2);
        mark_places(&mut values[count - places * width..], width); // all but the class token's
    }
    values
}

/// Adds sines and cosines of row and column to the vectors of a square grid, `[rows * columns,
/// width]`, as MoCo v3 does (arXiv 2104.02057): neighbours are alike from the first step.
fn mark_places(values: &mut [f32], width: usize) {
    const SLOWEST: f32 = 100.0; // patches to a radian: a small model's grid has few
    let columns = (values.len() / width).isqrt();
    let waves = width / 4;
    for (place, vector) in values.chunks_exact_mut(width).enumerate() {
        let (row, column) = ((place / columns) as f32, (place % columns) as f32);
        for wave in 0..waves {
            let frequency = SLOWEST.powf(-(wave as f32) / waves as f32);
            for (part, at) in [row, column].into_iter().enumerate() {
                let angle = at * frequency;
                vector[2 * part * waves + wave] += angle.sin();
                vector[(2 * part + 1) * waves + wave] += angle.cos();
            }
        }
    }
}

/// The reference's 0.02 is meant for inputs of 768. Narrower layers get as much more as keeps the
/// size of their outputs.
fn deviation(name: &str, shape: &[usize]) -> f32 {
    const REFERENCE: f32 = 0.02;
    const WIDTH: f32 = 768.0;
    let inputs: usize = shape.iter().skip(1).product();
    if is_embedding(name) && !name.contains("patch_embedding") || inputs == 0 {
        return REFERENCE;
    }
    REFERENCE * (WIDTH / inputs as f32).sqrt().clamp(1.0, 4.0)
}

/// A normally distributed number within two deviations (Marsaglia's polar method).
fn cut_normal(rng: &mut ChaCha8Rng) -> f32 {
    loop {
        let [x, y]: [f32; 2] = [rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)];
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            let value = x * (-2.0 * square.ln() / square).sqrt();
            if value.abs() <= 2.0 {
                return value;
            }
        }
    }
}

/// Writes tensors in single precision, all or nothing: a crash leaves the file that was there.
pub fn write_file(
    path: &Path,
    metadata: &BTreeMap<String, Value>,
    tensors: Vec<(String, Vec<usize>, Tensor<1>)>,
) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::BadInput(format!("{} cannot be written: {error}", path.display()))
    };
    let planned: Vec<Planned> = tensors
        .iter()
        .map(|(name, shape, _)| Planned {
            name: name.clone(),
            shape: shape.clone(),
            format: Format::F32,
        })
        .collect();
    let unfinished = path.with_extension("unfinished");
    let file = std::fs::File::create(&unfinished).map_err(failed)?;
    let mut writer = Writer::new(std::io::BufWriter::new(file), metadata, &planned)?;
    for (name, _, tensor) in tensors {
        let values = values_of(tensor)?;
        writer.write(&name, bytemuck::cast_slice(&values))?;
    }
    let mut output = writer.finish()?;
    output.flush().map_err(failed)?;
    let file = output
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&unfinished, path).map_err(failed)
}

/// A tensor's numbers, read back from its device.
pub fn values_of<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.into_data().try_to_vec().map_err(|error| {
        Error::DeviceLost(format!("the device did not return a result: {error:?}"))
    })
}

/// Reads one tensor of a file as floats.
pub fn read_values(info: &TensorInfo, file: &impl ReadAt) -> Result<Vec<f32>> {
    blocks::dequantize(info.format, &info.read(file)?, info.elements())
}
