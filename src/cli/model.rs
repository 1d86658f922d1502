//! Where MODEL is: on this machine already, or fetched first.

use super::arguments::Common;
use super::progress;
use indicatif::ProgressBar;
use obscura::Result;
use obscura::hub::{self, Environment, Event, Options, Source};
use obscura::models::ModelConfig;
use std::path::{Path, PathBuf};

/// The file or folder of the model that a command names.
pub fn locate(model: &Path, common: &Common) -> Result<PathBuf> {
    let environment = Environment::from_process()?;
    let source = Source::parse(model, &environment)?;
    let options = Options {
        revision: common.revision.clone(),
        sha256: common.sha256.clone(),
        ..Options::new(environment)
    };
    let check_config = |config: &str| ModelConfig::from_json(config).map(drop);
    let mut bars = Bars::default();
    hub::fetch(&source, &options, &check_config, &mut |event| {
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
