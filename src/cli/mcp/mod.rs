//! `obscura mcp`: the Model Context Protocol over standard input and output, one JSON message a line.
//!
//! - `protocol`: messages, and answers to all that is no work. `calls`: which calls wait, run, or are cancelled.
//! - `tools`: what each tool does with the model. `schemas`: what they take. `folders`: which files may be read.
//!
//! One thread reads, so that a cancellation is heard while the other works. Standard output is the protocol's alone.
//! The protocol is small enough to be written here; its official crate, rmcp, would have all of Burn built again with
//! other features of the crates that both need, and brings an asynchronous runtime for one pipe.

mod calls;
mod folders;
mod protocol;
mod schemas;
mod tools;

use super::arguments::{Common, Mcp};
use calls::{Calls, Output};
use obscura::{Error, Result};
use protocol::{Incoming, Line};
use std::io::BufRead;
use std::sync::mpsc;
use tools::Tools;

/// Serves until standard input ends.
pub fn mcp(command: &Mcp, common: &Common) -> Result<()> {
    let tools = Tools::new(command, common)?;
    let offered = tools.offered();
    let (calls, output) = (Calls::default(), Output::default());
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| work(tools, receiver, &calls, &output));
        let mut input = std::io::stdin().lock();
        let read = read(&mut input, |incoming| {
            if let Some(call) = protocol::answer(incoming, &offered, &calls, &output) {
                let _ = sender.send(call); // it fails only if the other thread is gone, and so are we
            }
        });
        calls.cancel_all();
        drop(sender);
        read
    })
}

/// Runs one call after the other.
fn work(mut tools: Tools, waiting: mpsc::Receiver<calls::Call>, calls: &Calls, output: &Output) {
    for call in waiting {
        let result = match call.is_cancelled() {
            true => Err(calls::cancelled()),
            false => tools.run(&call, output),
        };
        calls.finish(&call);
        if !call.is_cancelled() {
            output.send(&protocol::result_of(&call.id, result)); // nobody waits for a cancelled one
        }
    }
}

/// Hands on line by line.
fn read(input: &mut impl BufRead, mut take: impl FnMut(Incoming)) -> Result<()> {
    loop {
        match protocol::next_line(input) {
            Ok(Line::End) => return Ok(()),
            Ok(Line::Empty) => {}
            Ok(Line::Message(incoming)) => take(incoming),
            Err(error) => {
                return Err(Error::BadInput(format!(
                    "standard input cannot be read: {error}"
                )));
            }
        }
    }
}
