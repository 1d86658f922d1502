//! MODEL may be left out. It is filled in before the words are parsed: every command that takes one has
//! it first.

use super::Arguments;
use clap::{ArgAction, Command, CommandFactory};
use obscura::hub::{Environment, Source};
use obscura::image::collection::ENDINGS;
use obscura::load::EMBEDDED;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The variable that names the model where no argument does.
pub const VARIABLE: &str = "OBSCURA_MODEL";

/// Endings of files with weights.
const WEIGHTS: [&str; 5] = ["gguf", "safetensors", "bin", "pt", "pth"];
/// Files of which a folder with a model has one.
const CONFIGURATIONS: [&str; 5] = [
    "config.json",
    "open_clip_config.json",
    "adapter_config.json",
    "model_index.json",
    "modules.json",
];
/// Endings of names that are no repository's, beside those of pictures.
const DATA: [&str; 6] = ["json", "jsonl", "csv", "txt", "album", "html"];

/// The command line with MODEL shown as what may be left out.
pub fn command() -> Command {
    let mut command = Arguments::command();
    command.build();
    shown(command)
}

fn shown(mut command: Command) -> Command {
    let names = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_string());
    for name in names.collect::<Vec<_>>() {
        command = command.mut_subcommand(name, shown);
    }
    if !takes_model(&command) {
        return command;
    }
    let usage = command.render_usage().to_string();
    let usage = usage
        .trim_start_matches("Usage: ")
        .replace("<MODEL>", "[MODEL]");
    command.override_usage(usage)
}

/// The process's arguments with the model that they leave out, and whether that is the embedded one for
/// want of any other.
pub fn with_model(mut arguments: Vec<OsString>) -> (Vec<OsString>, bool) {
    let mut root = Arguments::command();
    root.build();
    let Some(line) = Line::read(&root, &arguments).filter(|line| takes_model(line.command)) else {
        return (arguments, false);
    };
    if line.names_model() {
        return (arguments, false);
    }
    let (at, named) = (line.first, line.named);
    let variable = || std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let model = named.or_else(variable);
    let is_embedded = model.is_none();
    arguments.insert(at, model.unwrap_or_else(|| EMBEDDED.into()));
    (arguments, is_embedded)
}

fn takes_model(command: &Command) -> bool {
    let mut positionals = command.get_positionals();
    positionals.any(|argument| argument.get_id() == "model")
}

/// A command line as far as it matters here.
struct Line<'a> {
    command: &'a Command,
    /// Where the command's own arguments begin.
    first: usize,
    /// Those that are no options and no options' values.
    words: Vec<&'a OsStr>,
    /// What `--model` says.
    named: Option<OsString>,
}

impl<'a> Line<'a> {
    /// None where an option is unknown or help is wanted: parsing says more.
    fn read(root: &'a Command, arguments: &'a [OsString]) -> Option<Self> {
        let mut line = Self {
            command: root,
            first: 1,
            words: Vec::new(),
            named: None,
        };
        let mut at = 1;
        let mut options_ended = false;
        while let Some(argument) = arguments.get(at) {
            at += 1;
            let text = argument.to_str().unwrap_or_default();
            if options_ended || text == "-" || !text.starts_with('-') {
                line.take(argument, at);
            } else if text == "--" {
                options_ended = true;
            } else {
                at = line.option(text, arguments, at)?;
            }
        }
        Some(line)
    }

    /// A word, or the name of a command.
    fn take(&mut self, word: &'a OsStr, next: usize) {
        match self.command.find_subcommand(word) {
            Some(command) if self.words.is_empty() => {
                (self.command, self.first) = (command, next);
            }
            _ => self.words.push(word),
        }
    }

    /// Passes over an option and its values; gives where it goes on.
    fn option(&mut self, text: &str, arguments: &[OsString], mut at: usize) -> Option<usize> {
        let (name, value) = match text.strip_prefix("--")?.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text.strip_prefix("--")?, None),
        };
        let mut known = self.command.get_arguments();
        let option = known.find(|option| {
            let aliases = option.get_all_aliases().unwrap_or_default();
            option.get_long() == Some(name) || aliases.contains(&name)
        })?;
        if matches!(
            option.get_action(),
            ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort | ArgAction::Version
        ) {
            return None;
        }
        let takes = match (value, option.is_require_equals_set()) {
            (None, false) => option.get_num_args().map_or(0, |range| range.max_values()),
            _ => 0,
        };
        let end = at.saturating_add(takes);
        let is_value = |argument: &OsString| {
            let text = argument.to_str().unwrap_or_default();
            text == "-" || !text.starts_with('-')
        };
        let first = at;
        while at < end && arguments.get(at).is_some_and(is_value) {
            at += 1;
        }
        if name == "model" {
            self.named = value.map(OsString::from).or(arguments.get(first).cloned());
        }
        Some(at)
    }

    /// Whether the first word is the model. Of a command with so many words and no more, their number
    /// tells too, so that a model which is not there is told of.
    fn names_model(&self) -> bool {
        let takes_list = |argument: &clap::Arg| {
            argument
                .get_num_args()
                .is_some_and(|range| range.max_values() > 1)
        };
        let mut positionals = self.command.get_positionals();
        let is_counted = !positionals.any(takes_list);
        let is_full = is_counted && self.words.len() == self.command.get_positionals().count();
        let first = self.words.first();
        self.named.is_none() && first.is_some_and(|word| is_full || is_model(word))
    }
}

/// Whether a word names a model, by what it is.
fn is_model(word: &OsStr) -> bool {
    let path = Path::new(word);
    if path == Path::new(EMBEDDED) || ends_like(path, &WEIGHTS) {
        return true;
    }
    if path.exists() {
        return holds_model(path);
    }
    if ends_like(path, &ENDINGS) || ends_like(path, &DATA) || crate::cli::video::is_named_so(path) {
        return false;
    }
    let source =
        Environment::from_process().and_then(|environment| Source::parse(path, &environment));
    source.is_ok() || path.to_str().is_some_and(|text| text.contains("://"))
}

fn ends_like(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| endings.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Whether a folder has a configuration of a model, or weights.
fn holds_model(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.any(|path| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        CONFIGURATIONS.contains(&name) || ends_like(&path, &WEIGHTS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let (words, is_embedded) = with_model(words);
        let words: Vec<String> = (words.into_iter())
            .map(|word| word.into_string().expect("UTF-8"))
            .collect();
        let words = words.join(" ");
        assert_eq!(
            is_embedded,
            words != line && words.contains(" pictograms"),
            "{line}"
        );
        words
    }

    #[test]
    fn the_first_word_is_the_model_where_it_is_like_one() {
        for line in [
            "obscura caption owner/name a.png",
            "obscura caption model.gguf a.png",
            "obscura caption https://host/model a.png",
            "obscura --json caption pictograms a.png",
            "obscura album add owner/name photos.album photos",
            "obscura caption --beams 3 tests/golden/blip-all/model a.png",
            "obscura embed owner/name --text a b",
            "obscura convert nowhere out.gguf",
            "obscura inspect nowhere",
            "obscura album list photos.album",
            "obscura caption --help",
            "obscura caption --unknown a.png",
        ] {
            assert_eq!(filled(line), line);
        }
    }

    #[test]
    fn else_it_is_filled_in_before_the_first_word() {
        for (line, expected) in [
            ("obscura caption a.png", "obscura caption pictograms a.png"),
            (
                "obscura caption src/image b.png",
                "obscura caption pictograms src/image b.png",
            ),
            (
                "obscura caption photos/*.png",
                "obscura caption pictograms photos/*.png",
            ),
            (
                "obscura caption --json -",
                "obscura caption pictograms --json -",
            ),
            ("obscura inspect", "obscura inspect pictograms"),
            (
                "obscura embed --text a b",
                "obscura embed pictograms --text a b",
            ),
            (
                "obscura match a.png dog cat",
                "obscura match pictograms a.png dog cat",
            ),
            (
                "obscura album add p.album a.png",
                "obscura album add pictograms p.album a.png",
            ),
            (
                "obscura labels imagenet out",
                "obscura labels pictograms imagenet out",
            ),
            (
                "obscura caption photos/a.JPG b.mp4",
                "obscura caption pictograms photos/a.JPG b.mp4",
            ),
        ] {
            assert_eq!(filled(line), expected);
        }
        let words = "obscura caption --model a/b --sample c/d"
            .split(' ')
            .map(OsString::from);
        let (words, is_embedded) = with_model(words.collect());
        assert!(!is_embedded);
        assert_eq!(words[2..4], ["a/b", "--model"]);
    }

    #[test]
    fn the_command_line_is_well_formed_and_shows_what_may_be_left_out() {
        command().debug_assert();
        let mut command = command();
        let caption = command.find_subcommand_mut("caption").expect("a command");
        let usage = caption.render_usage().to_string();
        assert_eq!(
            usage,
            "Usage: obscura caption [OPTIONS] [MODEL] <IMAGES>..."
        );
    }
}
