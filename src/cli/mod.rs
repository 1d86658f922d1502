//! The command line. `arguments` says what can be asked, one file a group of commands does it.

mod album;
mod arguments;
mod bench;
mod convert;
#[cfg(feature = "train")]
mod eval;
#[cfg(feature = "train")]
mod filter;
#[cfg(feature = "train")]
mod filtered_lines;
mod inspect;
mod labels;
mod model;
mod pictures;
mod progress;
mod report;
#[cfg(feature = "train")]
mod scenes;
mod tasks;
#[cfg(feature = "train")]
mod train;
#[cfg(feature = "train")]
mod zero_shot;

use arguments::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

/// Runs the command that the process's arguments name. Exit code 1 is a failure, 2 bad usage.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = arguments.command.check() {
        eprintln!("error: {}", with_flag(&error.to_string()));
        return ExitCode::from(2);
    }
    let common = &arguments.common;
    let result = match &arguments.command {
        Command::Caption(command) => tasks::caption(command, common),
        Command::Classify(command) => tasks::classify(command, common),
        Command::Embed(command) => tasks::embed(command, common),
        Command::Match(command) => tasks::match_texts(command, common),
        Command::Answer(command) => tasks::answer(command, common),
        Command::Album(command) => album::album(command, common),
        Command::Search(command) => album::search(command, common),
        Command::Labels(command) => labels::labels(command, common),
        Command::Convert(command) => convert::convert(command, common),
        Command::Inspect(command) => inspect::inspect(command, common),
        Command::Pixels(command) => pictures::pixels(command, common),
        Command::Bench(command) => bench::bench(command, common),
        #[cfg(feature = "train")]
        Command::Train(command) => train::train(command, common),
        #[cfg(feature = "train")]
        Command::Eval(command) => eval::eval(command, common),
        #[cfg(feature = "train")]
        Command::Filter(command) => filter::filter(command, common),
        #[cfg(feature = "train")]
        Command::Scenes(command) => scenes::scenes(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_flag(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// The library names options as JavaScript does. At the head of a message that becomes the flag.
fn with_flag(message: &str) -> String {
    const FLAGS: [(&str, &str); 10] = [
        ("maxNewTokens", "--max-new-tokens"),
        ("minLength", "--min-length"),
        ("numBeams", "--beams"),
        ("lengthPenalty", "--length-penalty"),
        ("temperature", "--temperature"),
        ("topP", "--top-p"),
        ("repetitionPenalty", "--repetition-penalty"),
        ("topK", "--top-k"),
        ("candidates", "--candidates"),
        ("threshold", "--threshold"),
    ];
    let replaced = FLAGS.iter().find_map(|(name, flag)| {
        let rest = message.strip_prefix(name)?;
        rest.starts_with(' ').then(|| format!("{flag}{rest}"))
    });
    replaced.unwrap_or_else(|| message.to_string())
}
