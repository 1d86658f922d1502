//! `obscura mcp`: the Model Context Protocol over standard input and output, by rmcp, its official crate.
//!
//! - `server`: what rmcp asks for: who we are, which tools there are, and how a call is answered.
//! - `calls`: a call that waits or runs. `tools`: what each tool does with the model.
//! - `schemas`: what the tools take. `folders`: which files may be read.
//!
//! rmcp reads and writes on one thread, so that a cancellation or a ping is heard while the other works: there is one
//! model, and calls take turns. Standard output is the protocol's alone; what goes wrong with it is said on standard error.

mod calls;
mod folders;
mod schemas;
mod server;
mod tools;

use super::arguments::{Common, Mcp};
use calls::Call;
use obscura::Result;
use server::Server;
use std::sync::mpsc;
use tools::Tools;

/// Serves until standard input ends.
pub fn mcp(command: &Mcp, common: &Common) -> Result<()> {
    let tools = Tools::new(command, common)?;
    let (sender, waiting) = mpsc::channel();
    let server = Server::new(tools.offered(), sender);
    std::thread::scope(|scope| {
        scope.spawn(|| work(tools, waiting));
        server.serve() // drops the sender at its end, which ends the other thread
    })
}

/// Runs one call after the other.
fn work(mut tools: Tools, waiting: mpsc::Receiver<Call>) {
    for call in waiting {
        let result = call.check().and_then(|()| tools.run(&call));
        call.answer(result);
    }
}
