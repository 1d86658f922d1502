//! Results on standard output: a line of text for people, a JSON object for programs.

use obscura::{Error, Result};
use serde_json::Value;
use std::io::{ErrorKind, Write};

/// Prints one result.
pub fn print(json: bool, value: &Value, text: &str) -> Result<()> {
    if json {
        line(&value.to_string())
    } else {
        line(text)
    }
}

/// Prints a line. A reader that has gone away (`| head`) ends the program quietly.
pub fn line(text: &str) -> Result<()> {
    ended(writeln!(std::io::stdout(), "{text}"))
}

fn ended(written: std::io::Result<()>) -> Result<()> {
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Error::BadInput(format!("cannot write the result: {error}"))),
    }
}

/// Prints bytes as they are.
pub fn bytes(bytes: &[u8]) -> Result<()> {
    ended(std::io::stdout().write_all(bytes))
}
