//! Threads, in the build that has them: workers which share this one's memory wait in [`join_pool`]
//! until [`start_pool`] makes them the threads that kernels run on. `www/lib/engine/threads.js` starts them.

use crate::{Error, Result};
use rayon::{ThreadBuilder, ThreadPoolBuilder};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use wasm_bindgen::prelude::*;

/// Threads of the pool that no worker has become yet.
static OPEN: Mutex<Vec<ThreadBuilder>> = Mutex::new(Vec::new());
static OPENED: Condvar = Condvar::new();

fn open() -> MutexGuard<'static, Vec<ThreadBuilder>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What another worker instantiates to share this one's memory: `{module, memory}`.
#[wasm_bindgen(js_name = parts)]
pub fn parts() -> JsValue {
    let parts = js_sys::Object::new();
    for (name, part) in [
        ("module", wasm_bindgen::module()),
        ("memory", wasm_bindgen::memory()),
    ] {
        // Setting a property of an object that was just made does not fail.
        let _ = js_sys::Reflect::set(&parts, &name.into(), &part);
    }
    parts.into()
}

/// Starts a pool of so many threads, of which this worker is one; as many as are missing must be on
/// their way to [`join_pool`], with nothing left to load.
#[wasm_bindgen(js_name = startPool)]
pub fn start_pool(threads: usize) -> Result<()> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .use_current_thread()
        .spawn_handler(|thread| {
            open().push(thread);
            OPENED.notify_one();
            Ok(())
        })
        .build_global()
        .map_err(|error| Error::OutOfMemory(format!("threads could not be started: {error}")))
}

/// Makes this worker a thread of the pool. Does not return as long as there is one.
#[wasm_bindgen(js_name = joinPool)]
pub fn join_pool() {
    let mut waiting = open();
    let thread = loop {
        match waiting.pop() {
            Some(thread) => break thread,
            None => waiting = OPENED.wait(waiting).unwrap_or_else(PoisonError::into_inner),
        }
    };
    drop(waiting);
    thread.run();
}
