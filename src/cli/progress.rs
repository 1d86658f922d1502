//! A progress bar on standard error, shown only to people and only for what takes a while.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

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
        "pictures {bar:30} {pos}/{len}, {per_sec}, {eta} left",
    )
}

/// How far a run over pictures has come: a bar for people who watch, and where nobody does, as in a
/// log, a line from time to time.
pub struct Run {
    bar: ProgressBar,
    started: Instant,
    told: Instant,
    done: usize,
    total: usize,
}

/// Between two lines in a log.
const PAUSE: Duration = Duration::from_secs(60);

impl Run {
    pub fn over(total: usize) -> Self {
        let now = Instant::now();
        Self {
            bar: pictures(total),
            started: now,
            told: now,
            done: 0,
            total,
        }
    }

    /// One more is done.
    pub fn step(&mut self) {
        self.done += 1;
        self.bar.inc(1);
        if self.bar.is_hidden() && self.total > 1 && self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            eprintln!("{}", self.line(self.started.elapsed().as_secs_f64()));
        }
    }

    /// There is more to do than was known, as with a video's frames.
    pub fn grow(&mut self) {
        self.total += 1;
        self.bar.inc_length(1);
    }

    /// Prints without tearing the bar.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, seconds: f64) -> String {
        let rate = self.done as f64 / seconds;
        let left = self.total.saturating_sub(self.done) as f64 / rate;
        let left = match left {
            left if left < 90.0 => format!("{left:.0} s"),
            left if left < 5400.0 => format!("{:.0} min", left / 60.0),
            left => format!("{:.1} h", left / 3600.0),
        };
        let (done, total) = (self.done, self.total);
        format!("{done} of {total} pictures, {rate:.2} a second, {left} left")
    }
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

#[cfg(test)]
mod tests {
    use super::Run;

    #[test]
    fn a_line_tells_how_fast_it_goes_and_how_long_it_takes() {
        let mut run = Run::over(1000);
        run.done = 250;
        assert_eq!(
            run.line(100.0),
            "250 of 1000 pictures, 2.50 a second, 5 min left"
        );
        run.done = 980;
        assert_eq!(
            run.line(100.0),
            "980 of 1000 pictures, 9.80 a second, 2 s left"
        );
    }
}
