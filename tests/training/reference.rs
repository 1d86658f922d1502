//! Equality with PyTorch on the same small weights. What each golden tensor is: golden/training/README.md.

use super::golden::{Golden, numbers};
use burn::tensor::{Device, Tensor, TensorData, activation::softmax};
use obscura::device::{self, DevicePreference};
use obscura::load::Source;
use obscura::models::blip::TEMPERATURE;
use obscura::models::{Blip, BlipConfig, Clip, ModelConfig};
use obscura::nn::Trainable;
use obscura::train::Weights;
use obscura::train::batch::{Batch, Questions, TextBatch};
use obscura::train::losses::{Queue, Vectors, contrastive, symmetric_contrastive};
use obscura::train::momentum::Momentum;
use obscura::train::negatives::{Negatives, weights as negative_weights};
use obscura::train::objectives::{answering, captioning, clip_losses, matching, vectors};
use obscura::train::optimizer::{Optimization, OptimizerConfig, Schedule};
use obscura::train::patch_labels::patch_loss;
use obscura::train::weights::{tensor_of, values_of};
use std::path::Path;

/// Allowed between our gradients and the reference's: of the largest in the tensor, and of the
/// whole gradient's length. float32 itself is up to 7e-6 away from float64 in these (expected.json).
const OF_LARGEST: f32 = 1e-4;
const OF_NORM: f32 = 2e-6;
/// Allowed between losses, relative.
const OF_LOSS: f32 = 2e-6;

/// The reference's data of one family.
struct Reference {
    golden: Golden,
    weights: Weights,
    config: ModelConfig,
}

impl Reference {
    fn open(family: &str) -> Self {
        Self::on(family, &Device::flex())
    }

    fn on(family: &str, device: &Device) -> Self {
        let folder = format!("golden/training/{family}");
        let tests = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
        let mut source = Source::open(&tests.join(&folder).join("model")).unwrap();
        Self {
            golden: Golden::open(&folder),
            weights: Weights::from_source(&mut source, device).unwrap(),
            config: ModelConfig::from_json(&source.description().config).unwrap(),
        }
    }

    fn blip_config(&self) -> &BlipConfig {
        match &self.config {
            ModelConfig::Blip(config) => config,
            _ => panic!("a BLIP"),
        }
    }

    fn tensor<const D: usize>(&self, name: &str, shape: [usize; D]) -> Tensor<D> {
        let data = TensorData::new(self.golden.values(name).to_vec(), shape);
        Tensor::from_data(data, &self.device())
    }

    fn device(&self) -> Device {
        self.weights.all[0].values.device()
    }

    fn texts(&self, name: &str) -> TextBatch {
        let entry = &self.golden.json[name];
        let rows = entry["ids"].as_array().unwrap();
        TextBatch {
            ids: rows.iter().map(numbers).collect(),
            lengths: numbers(&entry["lengths"])
                .into_iter()
                .map(|length| length as usize)
                .collect(),
        }
    }

    fn token(&self, name: &str) -> u32 {
        self.golden.json["tokens"][name].as_u64().unwrap() as u32
    }

    fn batch(&self, size: usize) -> Batch {
        let captions = self.texts("captions");
        let questions = (!self.golden.json["questions"].is_null()).then(|| {
            let of = numbers(&self.golden.json["answers"]["question_of"]);
            let first = |question| of.iter().position(|other| *other == question).unwrap();
            let firsts: Vec<usize> = (0..4).map(first).collect();
            Questions {
                pictures: (0..4).collect(),
                questions: self.texts("questions"),
                answers: self.texts("answers").select(&firsts),
            }
        });
        Batch {
            pixels: self.tensor("input.pixels", [4, 3, size, size]),
            groups: (0..captions.ids.len()).collect(),
            belongs: own_only(captions.ids.len()),
            captions,
            questions,
            patches: None,
        }
    }

    fn negatives(&self) -> Negatives {
        let places = |name: &str| {
            let places = numbers(&self.golden.json[name]);
            places.into_iter().map(|place| place as usize).collect()
        };
        Negatives {
            texts: places("text_negatives"),
            images: places("image_negatives"),
        }
    }

    /// The momentum model's vectors of the batch, and the queue.
    fn momentum(&self) -> (Vectors, Queue) {
        let vectors = Vectors {
            images: self.tensor("itc.momentum_image_features", [4, 16]),
            texts: self.tensor("itc.momentum_text_features", [4, 16]),
        };
        let queue = Queue {
            images: self.tensor("input.image_queue", [8, 16]).transpose(),
            texts: self.tensor("input.text_queue", [8, 16]).transpose(),
        };
        (vectors, queue)
    }

    /// Checks a loss and the gradients of all parameters.
    fn check(&self, name: &str, loss_of: impl Fn(&Weights) -> Tensor<1>) {
        let mut weights = self.weights.clone();
        weights.all.push(Trainable {
            name: TEMPERATURE.to_string(),
            shape: vec![1],
            values: tensor_of(vec![0.07], &self.device()),
        });
        let leaves = weights.leaves();
        let loss = loss_of(&leaves);
        let value = values_of(loss.clone().inner()).unwrap()[0];
        let expected = self.golden.values(&format!("{name}.loss"))[0];
        assert!(
            (value - expected).abs() <= OF_LOSS * expected.abs(),
            "{name} is {value}, expected {expected}"
        );
        let norm = self.golden.json["losses"][name]["gradient_norm"]
            .as_f64()
            .unwrap() as f32;
        let gradients = loss.backward();
        let mut compared = 0;
        for leaf in &leaves.all {
            let key = match leaf.name.as_str() {
                TEMPERATURE => format!("{name}.grad.temperature"),
                parameter => format!("{name}.grad.{parameter}"),
            };
            let ours = leaf
                .values
                .grad(&gradients)
                .map(|found| values_of(found).unwrap());
            if !self.golden.has(&key) {
                let unused = ours.is_none_or(|ours| ours.iter().all(|value| *value == 0.0));
                assert!(unused, "{name} moves {}, the reference does not", leaf.name);
                continue;
            }
            let expected = self.golden.values(&key);
            let ours = ours.unwrap_or_else(|| panic!("{name} has no gradient of {}", leaf.name));
            let largest = expected
                .iter()
                .fold(0.0_f32, |most, value| most.max(value.abs()));
            let allowed = OF_LARGEST * largest + OF_NORM * norm;
            for (place, (ours, expected)) in ours.iter().zip(expected).enumerate() {
                assert!(
                    (ours - expected).abs() <= allowed,
                    "{key}[{place}] is {ours}, expected {expected} within {allowed}"
                );
            }
            compared += 1;
        }
        let parameters = &self.golden.json["losses"][name]["parameters"];
        assert_eq!(Some(compared), parameters.as_u64(), "gradients compared");
    }

    fn blip(&self, weights: &Weights) -> Blip {
        weights.blip(self.blip_config()).unwrap()
    }
}

#[test]
fn the_contrastive_loss_and_its_gradients_equal_the_reference() {
    let reference = Reference::open("blip");
    let batch = reference.batch(32);
    let (momentum, queue) = reference.momentum();
    reference.check("itc", |weights| {
        let blip = reference.blip(weights);
        let states = blip.encode_image(batch.pixels.clone());
        let current = vectors(&blip, states, &batch.captions).unwrap();
        let temperature = weights.get(TEMPERATURE).unwrap().values.clone();
        contrastive(
            &current,
            &momentum,
            Some(&queue),
            temperature,
            0.4,
            &batch.groups,
        )
        .loss
    });
}

#[test]
fn the_matching_loss_and_its_gradients_equal_the_reference() {
    let reference = Reference::open("blip");
    let batch = reference.batch(32);
    let texts = batch.captions.starting_with(reference.token("enc"));
    reference.check("itm", |weights| {
        let blip = reference.blip(weights);
        let states = blip.encode_image(batch.pixels.clone());
        matching(&blip, &states, &texts, &reference.negatives()).unwrap()
    });
}

#[test]
fn the_language_modelling_loss_and_its_gradients_equal_the_reference() {
    let reference = Reference::open("blip");
    let batch = reference.batch(32);
    reference.check("lm", |weights| {
        let blip = reference.blip(weights);
        let states = blip.encode_image(batch.pixels.clone());
        captioning(&blip, states, &batch.captions, 0.1).unwrap()
    });
}

#[test]
fn the_answering_loss_and_its_gradients_equal_the_reference() {
    let reference = Reference::open("blip");
    let batch = reference.batch(32);
    reference.check("vqa", |weights| {
        let blip = reference.blip(weights);
        let states = blip.encode_image(batch.pixels.clone());
        answering(&blip, &states, batch.questions.as_ref().unwrap(), 0.1).unwrap()
    });
}

#[test]
fn clips_loss_and_its_gradients_equal_the_reference() {
    let reference = Reference::open("clip");
    let ModelConfig::Clip(config) = &reference.config else {
        panic!("a CLIP");
    };
    let batch = reference.batch(24);
    reference.check("clip", |weights| {
        let clip: Clip = weights.clip(config).unwrap();
        clip_losses(&clip, &batch).clip.unwrap()
    });
}

#[test]
fn siglips_loss_and_its_gradients_equal_the_reference() {
    let reference = Reference::open("siglip");
    let ModelConfig::Clip(config) = &reference.config else {
        panic!("a SigLIP");
    };
    let batch = reference.batch(24);
    reference.check("clip", |weights| {
        let siglip: Clip = weights.clip(config).unwrap();
        clip_losses(&siglip, &batch).clip.unwrap()
    });
}

#[test]
fn gradients_on_the_gpu_equal_the_reference() {
    let gpu = match device::open(DevicePreference::Gpu) {
        Ok(placement) => placement.device,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let reference = Reference::on("blip", &gpu);
    let batch = reference.batch(32);
    reference.check("lm", |weights| {
        let blip = reference.blip(weights);
        let states = blip.encode_image(batch.pixels.clone());
        captioning(&blip, states, &batch.captions, 0.1).unwrap()
    });
}

#[test]
fn gradients_agree_with_finite_differences() {
    let reference = Reference::open("blip");
    let batch = reference.batch(32);
    let states = |blip: &Blip| blip.encode_image(batch.pixels.clone());
    let captions = |weights: &Weights| {
        let blip = reference.blip(weights);
        captioning(&blip, states(&blip), &batch.captions, 0.1).unwrap()
    };
    // The reference has no labels for patches; these are shares that sum to one, and a row of none.
    let [pictures, tokens, width] = states(&reference.blip(&reference.weights)).dims();
    let waves = |shape: [usize; 2]| {
        let values = (0..shape[0] * shape[1]).map(|place| (place as f32).sin());
        tensor_of(values.collect(), &reference.device()).reshape(shape)
    };
    let classes = 5;
    let shares = softmax(waves([pictures * (tokens - 1), classes]), 1);
    let shares = shares.slice_fill([0..1, 0..classes], 0.0);
    let shares = shares.reshape([pictures, tokens - 1, classes]);
    let patches = |weights: &Weights| {
        let states = states(&reference.blip(weights));
        patch_loss(states, waves([classes, width]), shares.clone())
    };
    agree_with_finite_differences(
        &reference.weights,
        &captions,
        &[
            "vision_model.encoder.layers.0.self_attn.qkv.weight",
            "text_encoder.encoder.layer.0.crossattention.self.value.weight",
            "text_decoder.bert.encoder.layer.1.attention.self.key.weight",
        ],
    );
    agree_with_finite_differences(
        &reference.weights,
        &patches,
        &[
            "vision_model.encoder.layers.0.self_attn.qkv.weight",
            "vision_model.post_layernorm.weight",
        ],
    );
}

fn agree_with_finite_differences(
    weights: &Weights,
    loss_at: &dyn Fn(&Weights) -> Tensor<1>,
    names: &[&str],
) {
    let leaves = weights.leaves();
    let gradients = loss_at(&leaves).backward();
    for name in names {
        let leaf = leaves.get(name).unwrap();
        let gradient = values_of(leaf.values.grad(&gradients).unwrap()).unwrap();
        let length = gradient
            .iter()
            .map(|value| value * value)
            .sum::<f32>()
            .sqrt();
        // A step along the gradient: the largest change, and so the least rounding.
        let step = 2e-3 / length;
        let moved = |direction: f32| {
            let mut weights = weights.clone();
            let mut all = weights.all.iter_mut();
            let parameter = all.find(|one| one.name == *name).unwrap();
            let way = tensor_of(gradient.clone(), &Device::flex()) * (direction * step);
            parameter.values = parameter.values.clone() + way;
            values_of(loss_at(&weights).inner()).unwrap()[0]
        };
        let measured = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        let expected = length * length;
        assert!(
            (measured - expected).abs() < 0.02 * expected,
            "{name}: {measured} measured, {expected} computed"
        );
    }
}

#[test]
fn adamw_takes_the_references_steps() {
    let reference = Reference::open("blip");
    let batch = reference.batch(32);
    let expected = &reference.golden.json["steps"];
    let schedule = Schedule {
        peak: 2e-3,
        last: 1e-5,
        warm_up: 2,
        steps: 5,
    };
    let mut weights = reference.weights.clone();
    let config = OptimizerConfig::default();
    let mut optimization = Optimization::new(&config, weights.all.len());
    for step in 0..5 {
        let leaves = weights.leaves();
        let blip = reference.blip(&leaves);
        let states = blip.encode_image(batch.pixels.clone());
        let loss = captioning(&blip, states, &batch.captions, 0.1).unwrap();
        let value = f64::from(values_of(loss.clone().inner()).unwrap()[0]);
        let mut gradients = loss.backward();
        let all = leaves.all.iter();
        let gradients = all
            .map(|leaf| leaf.values.grad_remove(&mut gradients))
            .collect();
        let rate = schedule.rate(step);
        let norm = optimization.step(&mut weights, gradients, rate).unwrap();
        for (name, ours) in [
            ("learning_rates", rate),
            ("losses", value),
            ("gradient_norms", norm),
        ] {
            let expected = expected[name][step as usize].as_f64().unwrap();
            assert!(
                (ours - expected).abs() <= 1e-5 * expected,
                "{name}[{step}] is {ours}, expected {expected}"
            );
        }
    }
    for (name, distance) in expected["distance_from_float64"].as_object().unwrap() {
        let ours = values_of(weights.get(name).unwrap().values.clone()).unwrap();
        let theirs = reference.golden.values(&format!("steps.{name}"));
        // AdamW divides by the root of what may be nearly nothing: a few values wander more.
        let allowed = (10.0 * distance.as_f64().unwrap()).max(2e-6) as f32;
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!(
                (ours - theirs).abs() <= allowed,
                "{name}: {ours}, expected {theirs}"
            );
        }
    }
}

#[test]
fn the_momentum_encoders_follow_and_their_queue_turns_as_in_the_reference() {
    let reference = Reference::open("blip");
    let (vectors, queue) = reference.momentum();
    let mut momentum = Momentum::new(
        &reference.weights,
        reference.blip_config(),
        8,
        &Device::flex(),
    );
    momentum.queue = queue;
    momentum.next = reference.golden.json["queue"]["pointer"].as_u64().unwrap() as usize;
    momentum.enqueue(&vectors);
    assert_eq!(
        Some(momentum.next as u64),
        reference.golden.json["queue"]["pointer_after"].as_u64()
    );
    for (name, queue) in [
        ("image", &momentum.queue.images),
        ("text", &momentum.queue.texts),
    ] {
        let ours = values_of(queue.clone().transpose()).unwrap();
        assert_eq!(
            ours,
            reference.golden.values(&format!("queue_after.{name}"))
        );
    }

    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/training/blip/momentum.safetensors"
    );
    set_momentum_weights(&mut momentum, Path::new(path));
    momentum.follow(&reference.weights, 0.995);
    let followed = [
        "vision_model.embeddings.class_embedding",
        "vision_model.encoder.layers.0.mlp.fc1.weight",
        "text_encoder.embeddings.word_embeddings.weight",
        "text_encoder.encoder.layer.1.crossattention.self.value.weight",
    ];
    for name in followed {
        let ours = values_of(momentum.weights.get(name).unwrap().values.clone()).unwrap();
        let theirs = reference.golden.values(&format!("momentum_after.{name}"));
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!(
                (ours - theirs).abs() <= 1e-7,
                "{name}: {ours}, expected {theirs}"
            );
        }
    }
}

fn set_momentum_weights(momentum: &mut Momentum, path: &Path) {
    use obscura::weights::{Parsed, blocks, safetensors};
    let bytes = std::fs::read(path).unwrap();
    let Parsed::Complete(table) = safetensors::parse(&bytes, bytes.len() as u64).unwrap() else {
        panic!("a whole file");
    };
    for info in table {
        let data = &bytes[info.offset as usize..(info.offset + info.bytes) as usize];
        let values = blocks::dequantize(info.format, data, info.elements()).unwrap();
        let all = &mut momentum.weights.all;
        if let Some(own) = all.iter_mut().find(|own| own.name == info.name) {
            own.values = tensor_of(values, &Device::flex());
        }
    }
}

/// Each caption belongs to its own picture, to no other.
fn own_only(batch: usize) -> Vec<bool> {
    (0..batch * batch)
        .map(|place| place / batch == place % batch)
        .collect()
}

#[test]
fn hard_negatives_are_drawn_by_the_references_chances() {
    let reference = Reference::open("blip");
    for (similarities, expected) in [
        ("itc.image_to_text", "itm.text_negative_weights"),
        ("itc.text_to_image", "itm.image_negative_weights"),
    ] {
        let rows = reference.golden.values(similarities).chunks_exact(12);
        let expected = reference.golden.values(expected).chunks_exact(4);
        for (place, (row, expected)) in rows.zip(expected).enumerate() {
            let ours = negative_weights(&row[..4], |text| text == place);
            for (ours, expected) in ours.iter().zip(expected) {
                assert!(
                    (ours - expected).abs() < 1e-5,
                    "{ours}, expected {expected}"
                );
            }
        }
    }
}

#[test]
fn a_perfect_pair_of_encoders_has_little_contrastive_loss() {
    let vectors = Vectors {
        images: Tensor::eye(4, &Device::flex()),
        texts: Tensor::eye(4, &Device::flex()),
    };
    let loss = |scale: f32| {
        let scale = tensor_of(vec![scale], &Device::flex());
        values_of(symmetric_contrastive(&vectors, scale)).unwrap()[0]
    };
    assert!(loss(100.0) < 1e-6);
    assert!(loss(1.0) > 0.5);
}
