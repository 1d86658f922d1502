//! The model that MODEL names: on this machine already, or fetched first; opened, or loaded.

use super::arguments::Common;
use super::progress;
use indicatif::ProgressBar;
use obscura::Result;
use obscura::device;
use obscura::hub::{self, Environment, Event, Fetched, Options, Source, Wanted};
use obscura::load;
use obscura::load::Folder;
use obscura::models::ModelConfig;
use obscura::tasks::Model;
use std::path::Path;

/// Said where no model was named.
pub const NOTE: &str = "note: no model is named, so it is pictograms, which knows drawings only; --model or OBSCURA_MODEL name one for photographs";

/// The model that a command names, with adapters, opened but not loaded.
pub fn open(model: &Path, common: &Common) -> Result<load::Source<Folder>> {
    let Fetched { model, adapters } = locate(model, common)?;
    load::Source::open_adapted(&model, &adapters)
}

/// Loads the model that a command names.
pub fn load(path: &Path, common: &Common) -> Result<Model> {
    let placement = device::open(common.device())?.with_precision(common.precision());
    let found = locate(path, common)?;
    let mut bar: Option<ProgressBar> = None;
    let model = load::open_adapted(
        &found.model,
        &found.adapters,
        placement,
        common.dtype(),
        |event| match event {
            load::Event::Tensor { loaded, total, .. } => bar
                .get_or_insert_with(|| progress::bytes("loading", total))
                .set_position(loaded),
            load::Event::Warning(text) => eprintln!("note: {text}"),
            _ => {}
        },
    );
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    model
}

/// The file or folder of the model that a command names, and the adapters to merge into it.
pub fn locate(model: &Path, common: &Common) -> Result<Fetched> {
    let environment = Environment::from_process()?;
    let source = |path: &Path| Source::parse(path, &environment);
    let wanted = Wanted {
        model: source(model)?,
        adapters: common
            .adapters
            .iter()
            .map(|path| source(path))
            .collect::<Result<_>>()?,
        base: common.base.as_deref().map(source).transpose()?,
    };
    let options = Options {
        revision: common.revision.clone(),
        sha256: common.sha256.clone(),
        ..Options::new(environment.clone())
    };
    let check_config = |config: &str| ModelConfig::from_json(config).map(drop);
    let mut bars = Bars::default();
    hub::fetch_adapted(&wanted, &options, &check_config, &mut |event| {
        bars.show(event)
    })
}

/// The progress bar of the file that is being fetched.
#[derive(Default)]
struct Bars {
    current: Option<(String, ProgressBar)>,
}

impl Bars {
    fn show(&mut self, event: Event) {
        match event {
            Event::Progress {
                file,
                loaded,
                total,
            } => {
                if self.current.as_ref().is_none_or(|(name, _)| name != file) {
                    let bar = progress::bytes(file, total.unwrap_or(0));
                    self.current = Some((file.to_string(), bar));
                }
                if let Some((_, bar)) = &self.current {
                    bar.set_position(loaded);
                }
            }
            Event::Done { .. } => self.finish(),
            Event::Notice(text) => {
                self.finish();
                eprintln!("note: {text}");
            }
        }
    }

    fn finish(&mut self) {
        if let Some((_, bar)) = self.current.take() {
            bar.finish_and_clear();
        }
    }
}

/// A download that fails leaves no bar behind.
impl Drop for Bars {
    fn drop(&mut self) {
        self.finish();
    }
}
