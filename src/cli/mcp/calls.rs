//! Calls of tools: which wait or run, and how one is cancelled; and the one way out, standard output.

use obscura::{Error, Result};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A call of a tool.
#[derive(Debug)]
pub struct Call {
    /// The request's, a text or a number.
    pub id: Value,
    pub tool: String,
    pub arguments: Map<String, Value>,
    /// What notifications of progress are marked with, if the client wants them.
    pub progress_token: Option<Value>,
    cancelled: Arc<AtomicBool>,
}

impl Call {
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Ends the work on a call that was cancelled.
    pub fn check(&self) -> Result<()> {
        match self.is_cancelled() {
            true => Err(cancelled()),
            false => Ok(()),
        }
    }
}

pub fn cancelled() -> Error {
    Error::Aborted("the call was cancelled".to_string())
}

/// The calls that wait or run, by their ids.
#[derive(Debug, Default)]
pub struct Calls(Mutex<HashMap<String, Arc<AtomicBool>>>);

impl Calls {
    pub fn begin(
        &self,
        id: Value,
        tool: String,
        arguments: Map<String, Value>,
        progress_token: Option<Value>,
    ) -> Call {
        let cancelled = Arc::new(AtomicBool::new(false));
        self.lock().insert(id.to_string(), cancelled.clone());
        Call {
            id,
            tool,
            arguments,
            progress_token,
            cancelled,
        }
    }

    pub fn finish(&self, call: &Call) {
        self.lock().remove(&call.id.to_string());
    }

    /// One that has ended meanwhile is none of these any more.
    pub fn cancel(&self, id: &Value) {
        if let Some(flag) = self.lock().get(&id.to_string()) {
            flag.store(true, Ordering::Relaxed);
        }
    }

    pub fn cancel_all(&self) {
        for flag in self.lock().values() {
            flag.store(true, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<AtomicBool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Standard output: whole messages, one a line.
#[derive(Debug, Default)]
pub struct Output(Mutex<()>);

impl Output {
    /// A client that has gone away ends the program.
    pub fn send(&self, message: &Value) {
        let _one_at_a_time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = std::io::stdout().lock();
        let sent = writeln!(out, "{message}").and_then(|()| out.flush());
        match sent {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => {
                eprintln!("error: standard output cannot be written: {error}");
                std::process::exit(1);
            }
        }
    }

    /// Tells how far a call is; `done` grows from one to the next.
    pub fn progress(&self, call: &Call, done: f64, words: &str) {
        if let Some(token) = &call.progress_token
            && !call.is_cancelled()
        {
            let params = json!({ "progressToken": token, "progress": done, "message": words });
            self.send(
                &json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }),
            );
        }
    }
}
