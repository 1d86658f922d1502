//! `obscura train`: a run in a folder, from a new model or a loaded one, on drawn scenes or on
//! pictures of one's own.

use super::arguments::{Common, Train, mix_of};
use super::model;
use super::pictures::picture_files;
use obscura::metrics::data::read_folder;
use obscura::scenes::shapes::{Part, Shapes};
use obscura::scenes::{Options, Scenes};
use obscura::train::log::{Log, Record};
use obscura::train::plot::write_loss_plot;
use obscura::train::{
    Blueprint, Captioned, Examples, OptimizerConfig, Recipe, Report, RunFolder, SceneExamples,
    Schedule, Trainer, Weights, run,
};
use obscura::{Error, Result, device};
use std::path::Path;
use std::time::Instant;

/// Texts that a new model's vocabulary is made of.
const CORPUS: usize = 20_000;
/// How often easy-VQA's shapes are shown.
const SHAPES: f64 = 0.1;

/// Trains.
pub fn train(command: &Train, common: &Common) -> Result<()> {
    std::fs::create_dir_all(&command.output).map_err(|error| {
        Error::BadInput(format!(
            "{} cannot be made: {error}",
            command.output.display()
        ))
    })?;
    let folder = RunFolder::new(&command.output);
    let scenes = command
        .scenes
        .as_ref()
        .map(|path| open_scenes(path, command));
    let scenes = scenes.transpose()?;
    let mut trainer = start(command, common, &folder, scenes.as_ref())?;
    let examples = examples(command, common, scenes)?;
    let resumed = (trainer.step > 0).then_some(trainer.step);
    let mut log = Log::open(folder.folder(), resumed)?;
    eprintln!(
        "{} parameters, {} steps of {} examples from step {}",
        trainer.weights.elements(),
        trainer.recipe.schedule.steps,
        trainer.recipe.batch,
        trainer.step
    );
    let pace = Pace::new(&trainer, log.seconds());
    run(
        &mut trainer,
        examples.as_ref(),
        &folder,
        command.save_every,
        |report| {
            log.record(&pace.record(report))?;
            if (report.step + 1).is_multiple_of(command.report_every.max(1)) {
                eprintln!("{}", pace.line(report, &log.summary()));
            }
            Ok(pace.is_time_left(command.minutes))
        },
    )?;
    let csv = folder.folder().join("metrics.csv");
    write_loss_plot(&csv, &folder.folder().join("loss.svg"))?;
    eprintln!("{} is written", folder.model().display());
    Ok(())
}

fn open_scenes(path: &Path, command: &Train) -> Result<Scenes> {
    let options = Options {
        image_size: command.picture_size.unwrap_or(command.image_size) as u32,
        mix: mix_of(&command.mix)?,
        ..Options::default()
    };
    Scenes::open(path, options)
}

/// A resumed run, or a new one.
fn start(
    command: &Train,
    common: &Common,
    folder: &RunFolder,
    scenes: Option<&Scenes>,
) -> Result<Trainer> {
    let device = device::open(common.device())?.device;
    if folder.checkpoint().exists() {
        if !command.resume {
            return Err(Error::BadInput(format!(
                "{} holds a run already: give --resume to go on with it, or another folder",
                command.output.display()
            )));
        }
        let mut trainer = Trainer::resume(&folder.checkpoint(), device)?;
        trainer.recipe.schedule.steps = command.steps.unwrap_or(trainer.recipe.schedule.steps);
        let learns_patches = trainer.recipe.objectives.patches > 0.0;
        if learns_patches && trainer.recipe.classes != classes(command) {
            return Err(Error::BadInput(format!(
                "the run has another number of objects than {}: --objects says how many",
                command.objects
            )));
        }
        return Ok(trainer);
    }
    if let Some(model) = &command.from {
        let mut source = model::open(model, common)?;
        let weights = Weights::from_source(&mut source, &device)?;
        let description = source.description().clone();
        return Trainer::new(recipe(command), description, Some(weights), device);
    }
    let corpus: Vec<String> = match scenes {
        Some(scenes) => scenes.corpus(CORPUS, command.seed).collect(),
        None => captioned(command, common)?
            .pictures
            .into_iter()
            .flat_map(|(_, texts)| texts)
            .collect(),
    };
    let corpus = corpus.into_iter();
    let blueprint = blueprint(command);
    let description = match command.clip {
        true => blueprint.clip(corpus)?,
        false => blueprint.blip(corpus)?,
    };
    Trainer::new(recipe(command), description, None, device)
}

fn blueprint(command: &Train) -> Blueprint {
    Blueprint {
        image_size: command.image_size,
        patch_size: command.patch_size,
        width: command.width,
        head_width: 32,
        vision_depth: command.vision_depth,
        text_depth: command.text_depth,
        projection: 128,
        vocabulary: command.vocabulary,
        positions: 64,
    }
}

fn recipe(command: &Train) -> Recipe {
    Recipe {
        batch: command.batch,
        shards: command.shards,
        schedule: Schedule {
            peak: command.rate,
            last: command.rate / 100.0,
            warm_up: command.warm_up,
            steps: command.steps.unwrap_or(10_000),
        },
        optimizer: OptimizerConfig {
            muon: command.muon,
            ..Default::default()
        },
        objectives: command.objectives(),
        queue: command.queue,
        momentum: command.momentum,
        longest: 35,
        classes: classes(command),
        picture_size: command.picture_size,
        seed: command.seed,
    }
}

/// How many classes there are of what patches show; 0 where that is not known.
fn classes(command: &Train) -> usize {
    match command.scenes {
        Some(_) => SceneExamples::classes(command.objects),
        None => 0,
    }
}

fn examples(command: &Train, common: &Common, scenes: Option<Scenes>) -> Result<Box<dyn Examples>> {
    let Some(mut scenes) = scenes else {
        return Ok(Box::new(captioned(command, common)?));
    };
    scenes.set_objects(command.objects)?;
    let shapes = command
        .shapes
        .as_ref()
        .map(|packages| Shapes::open(packages, Part::Train));
    Ok(Box::new(SceneExamples {
        scenes,
        shapes: shapes.transpose()?.map(|shapes| (shapes, SHAPES)),
        questions: command.questions,
        alike: command.alike,
        seed: command.seed,
    }))
}

/// The pictures of `--data` with their captions.
fn captioned(command: &Train, common: &Common) -> Result<Captioned> {
    let folder = command.data.as_deref().ok_or_else(|| {
        Error::BadInput("nothing to train on: give --scenes or --data".to_string())
    })?;
    let pictures: Vec<_> = read_folder(folder)?
        .captions
        .into_iter()
        .map(|picture| (picture.image, picture.captions))
        .collect();
    if pictures.is_empty() {
        return Err(Error::BadInput(format!(
            "{} describes no pictures",
            folder.display()
        )));
    }
    Ok(Captioned {
        pictures,
        files: picture_files(common),
        seed: command.seed,
    })
}

/// How fast a run goes.
struct Pace {
    started: Instant,
    /// Seconds that the run took before it was resumed.
    before: f64,
    first_step: u64,
    steps: u64,
    batch: usize,
}

impl Pace {
    fn new(trainer: &Trainer, before: f64) -> Self {
        Self {
            started: Instant::now(),
            before,
            first_step: trainer.step,
            steps: trainer.recipe.schedule.steps,
            batch: trainer.recipe.batch,
        }
    }

    fn record(&self, report: &Report) -> Record {
        let losses = report.losses.iter();
        Record {
            step: report.step + 1,
            seconds: self.before + self.started.elapsed().as_secs_f64(),
            learning_rate: report.rate,
            losses: losses.map(|(name, loss)| (*name, *loss as f32)).collect(),
            gradient_norm: report.norm as f32,
        }
    }

    fn is_time_left(&self, minutes: Option<f64>) -> bool {
        minutes.is_none_or(|minutes| self.started.elapsed().as_secs_f64() < 60.0 * minutes)
    }

    /// One line about a step and the time that is left.
    fn line(&self, report: &Report, averages: &str) -> String {
        let done = (report.step + 1 - self.first_step) as f64;
        let rate = done / self.started.elapsed().as_secs_f64();
        let left = (self.steps - report.step - 1) as f64 / rate / 60.0;
        format!(
            "step {}/{}  {averages}  rate {:.1e}  {:.0} examples/s  {left:.0} min left",
            report.step + 1,
            self.steps,
            report.rate,
            rate * self.batch as f64,
        )
    }
}
