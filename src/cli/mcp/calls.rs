//! A call of a tool, from the request to its answer.

use obscura::{Error, Result};
use pollster::block_on;
use rmcp::RoleServer;
use rmcp::model::{JsonObject, ProgressNotificationParam};
use rmcp::service::RequestContext;
use serde_json::Value;
use tokio::sync::oneshot;

/// A call that waits for its turn, or runs.
#[derive(Debug)]
pub struct Call {
    pub tool: String,
    pub arguments: JsonObject,
    /// Knows whether the client has cancelled it, and the way to the client.
    context: RequestContext<RoleServer>,
    answer: oneshot::Sender<Result<Value>>,
}

impl Call {
    /// A call, and where its answer comes out.
    pub fn new(
        tool: String,
        arguments: JsonObject,
        context: RequestContext<RoleServer>,
    ) -> (Self, oneshot::Receiver<Result<Value>>) {
        let (answer, answered) = oneshot::channel();
        let call = Self {
            tool,
            arguments,
            context,
            answer,
        };
        (call, answered)
    }

    /// Ends the work on a call that was cancelled.
    pub fn check(&self) -> Result<()> {
        match self.context.ct.is_cancelled() {
            true => Err(Error::Aborted("the call was cancelled".to_string())),
            false => Ok(()),
        }
    }

    /// Tells how far it is, if the client wants to know; `done` grows from one to the next. Comes back when that is
    /// written, so that no answer overtakes it.
    pub fn progress(&self, done: f64, words: &str) {
        let Some(token) = self.context.meta.get_progress_token() else {
            return;
        };
        if self.check().is_ok() {
            let progress = ProgressNotificationParam::new(token, done).with_message(words);
            let told = block_on(self.context.peer.notify_progress(progress));
            drop(told); // it fails where the client has gone away, which cancels the call
        }
    }

    /// Nobody waits for the answer to a cancelled one: rmcp drops it.
    pub fn answer(self, result: Result<Value>) {
        let _ = self.answer.send(result);
    }
}
