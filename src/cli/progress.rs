//! A progress bar on standard error, shown only to people and only for what takes a while.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Work below this many units is over before a bar could be read.
const WORTH_SHOWING: u64 = 20_000_000;

/// A bar over `total` bytes, hidden for small work and when nobody watches.
pub fn bytes(label: &str, total: u64) -> ProgressBar {
    bar(
        total,
        total >= WORTH_SHOWING,
        &format!("{label} {{bar:30}} {{bytes}}/{{total_bytes}} {{eta}}"),
    )
}

/// A bar over `total` pictures.
pub fn pictures(total: usize) -> ProgressBar {
    bar(
        total as u64,
        total > 1,
        "pictures {bar:30} {pos}/{len} {eta}",
    )
}

/// A bar over labels, each of which takes as many texts as there are templates.
pub fn labels(total: usize, templates: usize) -> ProgressBar {
    bar(
        total as u64,
        total * templates > 200,
        "labels {bar:30} {pos}/{len} {eta}",
    )
}

/// A count of pictures whose number nobody knows yet.
pub fn uncounted_pictures() -> ProgressBar {
    let bar = bar(0, true, "{spinner} {pos} pictures, {per_sec}, {msg}");
    bar.unset_length();
    bar
}

fn bar(total: u64, worth: bool, template: &str) -> ProgressBar {
    if !worth || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style)
}
