//! Whole runs of a tiny model on pictures of one colour.

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use obscura::Result;
use obscura::device::Placement;
use obscura::generate::GenerationOptions;
use obscura::load::convert::Source;
use obscura::nn::Dtype;
use obscura::scenes::facts::Bounds;
use obscura::train::objectives::Objectives;
use obscura::train::patch_labels::{PATCH_HEAD, Region};
use obscura::train::{
    Blueprint, Example, Examples, OptimizerConfig, Recipe, RunFolder, Schedule, Trainer, Weights,
    run,
};
use std::path::PathBuf;

const COLOURS: [(&str, [u8; 3]); 6] = [
    ("red", [230, 20, 20]),
    ("green", [20, 200, 20]),
    ("blue", [20, 20, 230]),
    ("yellow", [240, 230, 20]),
    ("white", [250, 250, 250]),
    ("black", [5, 5, 5]),
];

/// Pictures of one colour, and what there is to say about them. Their colour is what covers them.
struct Colours;

impl Examples for Colours {
    fn example(&self, step: u64, place: usize) -> Result<Example> {
        let (name, colour) = COLOURS[(step as usize * 7 + place * 5) % COLOURS.len()];
        Ok(Example {
            image: RgbImage::from_pixel(16, 16, Rgb(colour)),
            caption: format!("a {name} picture"),
            questions: vec![("what colour is it?".to_string(), name.to_string())],
            regions: Some(vec![Region {
                class: COLOURS.iter().position(|colour| colour.0 == name).unwrap(),
                bounds: WHOLE,
            }]),
            truth: None,
        })
    }
}

const WHOLE: Bounds = Bounds {
    left: 0.0,
    top: 0.0,
    width: 1.0,
    height: 1.0,
};

fn recipe(steps: u64) -> Recipe {
    Recipe {
        batch: 6,
        shards: 1,
        schedule: Schedule {
            peak: 3e-3,
            last: 1e-4,
            warm_up: 5,
            steps,
        },
        optimizer: OptimizerConfig::default(),
        objectives: Objectives {
            patches: 1.0,
            ..Objectives::default()
        },
        queue: 12,
        momentum: 0.9,
        longest: 16,
        classes: COLOURS.len(),
        picture_size: None,
        seed: 3,
    }
}

const BLUEPRINT: Blueprint = Blueprint {
    image_size: 16,
    patch_size: 8,
    width: 32,
    head_width: 16,
    vision_depth: 2,
    text_depth: 2,
    projection: 16,
    vocabulary: 120,
    positions: 24,
};

fn corpus() -> impl Iterator<Item = String> + Send {
    COLOURS.iter().flat_map(|(name, _)| {
        [
            format!("a {name} picture"),
            "what colour is it?".to_string(),
        ]
    })
}

fn trainer(recipe: Recipe) -> Trainer {
    let description = BLUEPRINT.blip(corpus()).unwrap();
    Trainer::new(recipe, description, None, Device::flex()).unwrap()
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Losses by name: at the first steps, and at the last.
fn learn(trainer: &mut Trainer, steps: u64) -> Vec<(&'static str, f64, f64)> {
    let mut reports = Vec::new();
    for step in 0..steps {
        let batch = Colours.batch(step, trainer.recipe.batch).unwrap();
        let shards = trainer.prepare(&batch).unwrap();
        reports.push(trainer.learn(&shards).unwrap().losses);
    }
    let mean = |reports: &[Vec<(&'static str, f64)>], place: usize| {
        reports.iter().map(|losses| losses[place].1).sum::<f64>() / reports.len() as f64
    };
    let few = 5.min(reports.len());
    let names = reports[0].iter().map(|(name, _)| *name).enumerate();
    names
        .map(|(place, name)| {
            let (first, last) = (&reports[..few], &reports[reports.len() - few..]);
            (name, mean(first, place), mean(last, place))
        })
        .collect()
}

#[test]
fn every_loss_falls_within_fifty_steps() {
    let mut trainer = trainer(recipe(50));
    let losses = learn(&mut trainer, 50);
    let names: Vec<&str> = losses.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, ["itc", "itm", "lm", "vqa", "patches", "total"]);
    for (name, first, last) in losses {
        // The contrastive losses fall late: hard negatives are drawn ever harder, and the queue
        // fills with vectors of the encoders' first steps.
        let expected = if matches!(name, "itc" | "itm") {
            0.98
        } else {
            0.8
        };
        assert!(
            last < expected * first,
            "{name} went from {first} to {last}"
        );
    }
}

#[test]
fn muon_learns_too() {
    let mut trainer = trainer(with_muon(recipe(50), true));
    let losses = learn(&mut trainer, 50);
    let (name, first, last) = losses[losses.len() - 1];
    assert_eq!(name, "total");
    assert!(last < 0.7 * first, "{first} to {last}");
}

fn with_muon(recipe: Recipe, muon: bool) -> Recipe {
    Recipe {
        optimizer: OptimizerConfig {
            muon,
            ..OptimizerConfig::default()
        },
        ..recipe
    }
}

#[test]
fn a_clip_learns_too() {
    let description = BLUEPRINT.clip(corpus()).unwrap();
    let mut trainer = Trainer::new(recipe(50), description, None, Device::flex()).unwrap();
    let losses = learn(&mut trainer, 50);
    assert_eq!(losses[0].0, "clip");
    assert!(losses[0].2 < 0.7 * losses[0].1, "{losses:?}");
}

#[test]
fn small_pictures_teach_the_same_model() {
    let small = Recipe {
        picture_size: Some(8),
        ..recipe(4)
    };
    let mut trainer = trainer(small);
    let positions = "vision_model.embeddings.position_embedding";
    let of = |trainer: &Trainer| trainer.weights.get(positions).unwrap().clone();
    let before = of(&trainer);
    let shards = trainer
        .prepare(&Colours.batch(0, trainer.recipe.batch).unwrap())
        .unwrap();
    assert_eq!(shards[0].pixels.dims()[2..], [8, 8]);
    learn(&mut trainer, 4);
    let after = of(&trainer);
    assert_eq!(after.shape, before.shape); // the model's own grid, of 16 pixels
    let moved = (after.values - before.values).abs().into_data();
    let moved: Vec<f32> = moved.try_to_vec().unwrap();
    assert!(moved.iter().all(|by| *by > 0.0), "{moved:?}");
}

#[test]
fn pictures_that_are_no_whole_patches_are_refused() {
    let odd = Recipe {
        picture_size: Some(10),
        ..recipe(4)
    };
    let description = BLUEPRINT.blip(corpus()).unwrap();
    let Err(error) = Trainer::new(odd, description, None, Device::flex()) else {
        panic!("10 pixels were taken for patches of 8");
    };
    assert!(error.to_string().contains("10 pixels"), "{error}");
}

#[test]
fn a_coca_is_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/coca/model");
    let mut source = Source::open(folder.as_ref()).unwrap();
    let description = source.description().clone();
    let refusals = [
        Weights::from_source(&mut source, &Device::flex()).map(drop),
        Trainer::new(recipe(4), description, None, Device::flex()).map(drop),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert_eq!(error.code(), "unsupported_task");
        assert!(error.to_string().contains("CoCa"), "{error}");
    }
}

#[test]
fn two_runs_with_one_seed_are_equal_bit_for_bit() {
    let run = || {
        let mut trainer = trainer(recipe(8));
        learn(&mut trainer, 8);
        state(&trainer, "equal")
    };
    assert!(run() == run());
}

/// A run's whole state, as it is saved.
fn state(trainer: &Trainer, name: &str) -> Vec<u8> {
    let path = folder(name).join("state.gguf");
    trainer.save_checkpoint(&path).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_resumed_run_goes_on_bit_for_bit() {
    for (shards, muon) in [(1, false), (2, false), (1, true)] {
        let recipe = Recipe {
            shards,
            ..with_muon(recipe(8), muon)
        };
        let unbroken = folder(&format!("unbroken-{shards}-{muon}"));
        let broken = folder(&format!("broken-{shards}-{muon}"));
        let whole = RunFolder::new(&unbroken);
        run(&mut trainer(recipe), &Colours, &whole, 100, |_| Ok(true)).unwrap();

        let part = RunFolder::new(&broken);
        run(&mut trainer(recipe), &Colours, &part, 100, |report| {
            Ok(report.step < 3)
        })
        .unwrap();
        let mut resumed = Trainer::resume(&part.checkpoint(), Device::flex()).unwrap();
        assert_eq!(resumed.step, 4);
        run(&mut resumed, &Colours, &part, 100, |_| Ok(true)).unwrap();

        let read = |path: PathBuf| std::fs::read(path).unwrap();
        assert!(read(whole.checkpoint()) == read(part.checkpoint()));
        assert!(read(whole.model()) == read(part.model()));
    }
}

#[test]
fn a_damaged_checkpoint_is_an_error() {
    let folder = folder("damaged");
    let path = folder.join("checkpoint.gguf");
    trainer(recipe(8)).save_checkpoint(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 10, 1000, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(
            Trainer::resume(&path, Device::flex()).is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn a_trained_model_says_what_it_learned() {
    let folder = folder("learned");
    let files = RunFolder::new(&folder);
    run(&mut trainer(recipe(120)), &Colours, &files, 1000, |_| {
        Ok(true)
    })
    .unwrap();
    for dtype in [Dtype::Auto, Dtype::Q8] {
        let placement = Placement::cpu();
        let tensors = obscura::load::Source::open(&files.model()).unwrap();
        assert!(tensors.tensors().all(|tensor| tensor.name != PATCH_HEAD));
        let model = obscura::load::open(&files.model(), placement, dtype, |_, _| {}).unwrap();
        for (name, colour) in COLOURS {
            let image = RgbImage::from_pixel(16, 16, Rgb(colour));
            let options = GenerationOptions::default();
            let caption = model.caption(&image, "", &options, async |_, _| Ok(()));
            let caption = pollster::block_on(caption).unwrap();
            assert_eq!(caption.text, format!("a {name} picture"));
            let answer = model.answer(
                std::slice::from_ref(&image),
                "what colour is it?",
                &options,
                async |_, _| Ok(()),
            );
            assert_eq!(pollster::block_on(answer).unwrap().text, name);
        }
    }
}

#[test]
fn a_decoder_that_has_drifted_from_its_encoder_is_trained_and_kept_as_it_is() {
    use obscura::load::Source;
    use obscura::models::Family;
    use obscura::train::Weights;
    // Three checkpoints: a decoder of its own, one without an encoder, one that shares.
    for (model, own, shared) in [
        ("blip-vqa", true, false),
        ("blip-caption", true, false),
        ("training/blip", false, true),
    ] {
        let path = format!("{}/tests/golden/{model}/model", env!("CARGO_MANIFEST_DIR"));
        let mut source = Source::open(path.as_ref()).unwrap();
        let weights = Weights::from_source(&mut source, &Device::flex()).unwrap();
        let table = "text_decoder.bert.embeddings.word_embeddings.weight";
        assert_eq!(weights.get(table).is_some(), own, "{model}");
        let saved = folder(&model.replace('/', "-")).join("model.gguf");
        weights
            .save(&saved, source.description(), Family::Blip)
            .unwrap();
        let names: Vec<String> = Source::open(&saved)
            .unwrap()
            .tensors()
            .map(|tensor| tensor.name.clone())
            .collect();
        assert_eq!(!names.iter().any(|name| name == table), shared, "{model}");
        obscura::load::open(&saved, Placement::cpu(), Dtype::Q8, |_, _| {}).unwrap();
    }
}
