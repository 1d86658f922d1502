//! Counts what is allocated, so that a header which makes the parser ask for more memory than its
//! file accounts for is found even where the machine would have had it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain cells without
// destructors, which may be used at any time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let allocated = ALLOCATED.get().saturating_add(layout.size());
        ALLOCATED.set(allocated);
        PEAK.set(PEAK.get().max(allocated));
        // SAFETY: the caller's promises are the system allocator's demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.set(ALLOCATED.get().saturating_sub(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs `parse`, and panics if it held more than `allowed` bytes at any moment.
pub fn assert_modest<T>(allowed: usize, parse: impl FnOnce() -> T) -> T {
    let before = ALLOCATED.get();
    PEAK.set(before);
    let result = parse();
    let held = PEAK.get() - before;
    assert!(held <= allowed, "{held} bytes held, {allowed} allowed");
    result
}
