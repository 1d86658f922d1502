//! The state of a run in one file, from which it goes on bit for bit: a GGUF file of float tensors
//! whose metadata holds the recipe and the model's texts.

use super::losses::Queue;
use super::momentum::Momentum;
use super::optimizer::Moments;
use super::trainer::{Recipe, Trainer};
use super::weights::{Weights, read_values, tensor_of, write_file};
use crate::load::{CONFIG_KEY, Description, PREPROCESSOR_KEY, TOKENIZER_KEY};
use crate::nn::Trainable;
use crate::weights::Parsed;
use crate::weights::gguf::{Header, Value};
use crate::{Error, Result};
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

const RECIPE_KEY: &str = "obscura.train.recipe";
const STEP_KEY: &str = "obscura.train.step";
const NEXT_KEY: &str = "obscura.train.queue_next";
const MOMENT_STEPS_KEY: &str = "obscura.train.moment_steps";

impl Trainer {
    /// Writes the state, all or nothing.
    pub fn save_checkpoint(&self, path: &Path) -> Result<()> {
        let recipe = serde_json::to_string(&self.recipe)
            .map_err(|error| Error::BadInput(format!("the recipe cannot be written: {error}")))?;
        let moment_steps: Vec<usize> = self
            .optimization
            .moments
            .iter()
            .map(|moments| moments.as_ref().map_or(0, |moments| moments.steps))
            .collect();
        let next = self.momentum.as_ref().map_or(0, |momentum| momentum.next);
        let text = |text: &str| Value::String(text.to_string());
        let metadata = BTreeMap::from([
            ("general.architecture".to_string(), text("obscura.training")),
            (CONFIG_KEY.to_string(), text(&self.description.config)),
            (TOKENIZER_KEY.to_string(), text(&self.description.tokenizer)),
            (
                PREPROCESSOR_KEY.to_string(),
                text(&self.description.preprocessor),
            ),
            (RECIPE_KEY.to_string(), text(&recipe)),
            (STEP_KEY.to_string(), Value::U64(self.step)),
            (NEXT_KEY.to_string(), Value::U64(next as u64)),
            (
                MOMENT_STEPS_KEY.to_string(),
                text(&format!("{moment_steps:?}")),
            ),
        ]);
        write_file(path, &metadata, self.tensors())
    }

    /// All tensors of the state, with what they are in front of their names.
    fn tensors(&self) -> Vec<(String, Vec<usize>, Tensor<1>)> {
        let mut tensors = Vec::new();
        let mut add = |kind: &str, one: &Trainable, values: &Tensor<1>| {
            tensors.push((
                format!("{kind}/{}", one.name),
                one.shape.clone(),
                values.clone(),
            ));
        };
        for (one, moments) in self.weights.all.iter().zip(&self.optimization.moments) {
            add("weight", one, &one.values);
            if let Some(moments) = moments {
                add("first", one, &moments.first);
                if let Some(second) = &moments.second {
                    add("second", one, second);
                }
            }
        }
        let Some(momentum) = &self.momentum else {
            return tensors;
        };
        for one in &momentum.weights.all {
            add("momentum", one, &one.values);
        }
        for (name, queue) in [
            ("queue/images", &momentum.queue.images),
            ("queue/texts", &momentum.queue.texts),
        ] {
            let shape = queue.dims();
            let values = queue.clone().reshape([shape[0] * shape[1]]);
            tensors.push((name.to_string(), shape.to_vec(), values));
        }
        tensors
    }

    /// Goes on from a state that [`Self::save_checkpoint`] wrote.
    pub fn resume(path: &Path, device: Device) -> Result<Self> {
        let saved = Saved::open(path)?;
        let description = Description {
            config: saved.text(CONFIG_KEY)?,
            tokenizer: saved.text(TOKENIZER_KEY)?,
            preprocessor: saved.text(PREPROCESSOR_KEY)?,
        };
        let recipe: Recipe = saved.json(RECIPE_KEY)?;
        let steps: Vec<usize> = saved.json(MOMENT_STEPS_KEY)?;
        let weights = Weights {
            all: saved.all("weight/", &device)?,
        };
        if weights.all.is_empty() || steps.len() != weights.all.len() {
            return Err(saved.bad("it holds no training state"));
        }
        let mut trainer = Trainer::new(recipe, description, Some(weights), device.clone())?;
        trainer.step = saved.number(STEP_KEY)?;
        for (place, steps) in steps.into_iter().enumerate() {
            if steps > 0 {
                let parameter = &trainer.weights.all[place];
                let moment = |kind: &str| {
                    let saved = saved.one(&format!("{kind}/{}", parameter.name), &device)?;
                    Ok::<_, Error>(saved.values)
                };
                let has_second = !trainer.optimization.uses_muon(parameter);
                trainer.optimization.moments[place] = Some(Moments {
                    steps,
                    first: moment("first")?,
                    second: has_second.then(|| moment("second")).transpose()?,
                });
            }
        }
        if let Some(momentum) = &mut trainer.momentum {
            saved.restore(momentum, &device)?;
        }
        Ok(trainer)
    }
}

/// An opened checkpoint.
struct Saved {
    name: String,
    file: Vec<u8>,
    header: Header,
}

impl Saved {
    fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = std::fs::read(path)
            .map_err(|error| Error::BadWeights(format!("{name} cannot be read: {error}")))?;
        match Header::parse(&file, file.len() as u64)? {
            Parsed::Complete(header) => Ok(Self { name, file, header }),
            Parsed::Incomplete => Err(Error::BadWeights(format!("{name} is truncated"))),
        }
    }

    fn bad(&self, what: &str) -> Error {
        Error::BadWeights(format!("{} cannot be resumed: {what}", self.name))
    }

    fn text(&self, key: &str) -> Result<String> {
        let found = self.header.metadata.get(key).and_then(Value::as_str);
        found
            .map(str::to_string)
            .ok_or_else(|| self.bad(&format!("'{key}' is missing")))
    }

    fn number(&self, key: &str) -> Result<u64> {
        let found = self.header.metadata.get(key).and_then(Value::as_u64);
        found.ok_or_else(|| self.bad(&format!("'{key}' is missing")))
    }

    fn json<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<T> {
        serde_json::from_str(&self.text(key)?)
            .map_err(|error| self.bad(&format!("'{key}' is damaged: {error}")))
    }

    fn one(&self, name: &str, device: &Device) -> Result<Trainable> {
        let info = self
            .header
            .tensors
            .iter()
            .find(|tensor| tensor.name == name);
        let info = info.ok_or_else(|| self.bad(&format!("'{name}' is missing")))?;
        Ok(Trainable {
            name: name.to_string(),
            shape: info.shape.clone(),
            values: tensor_of(read_values(info, &self.file)?, device),
        })
    }

    /// All tensors of a kind, without it in their names.
    fn all(&self, kind: &str, device: &Device) -> Result<Vec<Trainable>> {
        let tensors = self.header.tensors.iter();
        tensors
            .filter_map(|info| Some((info, info.name.strip_prefix(kind)?)))
            .map(|(info, name)| {
                Ok(Trainable {
                    name: name.to_string(),
                    ..self.one(&info.name, device)?
                })
            })
            .collect()
    }

    fn restore(&self, momentum: &mut Momentum, device: &Device) -> Result<()> {
        momentum.weights.all = self.all("momentum/", device)?;
        momentum.next = self.number(NEXT_KEY)? as usize;
        let queue = |name| -> Result<Tensor<2>> {
            let found = self.one(name, device)?;
            let [rows, columns] = found.shape[..] else {
                return Err(self.bad(&format!("'{name}' is no matrix")));
            };
            Ok(found.values.reshape([rows, columns]))
        };
        momentum.queue = Queue {
            images: queue("queue/images")?,
            texts: queue("queue/texts")?,
        };
        Ok(())
    }
}
