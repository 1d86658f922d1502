//! The command line. `arguments` says what can be asked, one file a group of commands does it.

mod album;
mod album_file;
mod alt;
mod arguments;
mod bench;
mod convert;
#[cfg(feature = "train")]
mod eval;
#[cfg(feature = "train")]
mod filter;
#[cfg(feature = "train")]
mod filtered_lines;
mod found;
mod inspect;
mod labels;
mod mcp;
mod model;
mod pictures;
mod progress;
mod report;
mod row;
#[cfg(feature = "train")]
mod scenes;
mod table;
mod tasks;
#[cfg(feature = "train")]
mod train;
mod vectors;
mod video;
mod written;
#[cfg(feature = "train")]
mod zero_shot;

use arguments::{Arguments, Command, command, with_model};
use clap::FromArgMatches;
use std::process::ExitCode;

/// Runs the command that the process's arguments name. Exit code 1 is a failure, 2 bad usage.
pub fn run() -> ExitCode {
    let (words, is_embedded) = with_model(std::env::args_os().collect());
    let arguments = command()
        .try_get_matches_from(words)
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .unwrap_or_else(|error| error.exit());
    let command = &arguments.command;
    match command
        .check()
        .and_then(|()| Ok(is_embedded && command.needs_unnamed()?))
    {
        Ok(true) => eprintln!("{}", model::NOTE),
        Ok(false) => {}
        Err(error) => {
            eprintln!("error: {}", with_flag(&error.to_string()));
            return ExitCode::from(2);
        }
    }
    let common = &arguments.common;
    let result = match command {
        Command::Caption(command) => tasks::caption(command, common),
        Command::Classify(command) => tasks::classify(command, common),
        Command::Embed(command) => tasks::embed(command, common),
        Command::Match(command) => tasks::match_texts(command, common),
        Command::Answer(command) => tasks::answer(command, common),
        Command::Album(command) => album::album(command, common),
        Command::Search(command) => album::search(command, common),
        Command::Labels(command) => labels::labels(command, common),
        Command::Alt(command) => alt::alt(command, common),
        Command::Mcp(command) => mcp::mcp(command, common),
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
    const FLAGS: [(&str, &str); 13] = [
        ("maxNewTokens", "--max-new-tokens"),
        ("minLength", "--min-length"),
        ("numBeams", "--beams"),
        ("numBeamGroups", "--beam-groups"),
        ("lengthPenalty", "--length-penalty"),
        ("temperature", "--temperature"),
        ("topP", "--top-p"),
        ("badWords", "--bad-words"),
        ("numReturnSequences", "--num-return-sequences"),
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
