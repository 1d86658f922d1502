//! The worst error of every stage: what the tests assert, and what the full-size check prints.

use std::fmt;

/// How two results are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// `|ours - reference| / |reference|` of a tensor.
    Relative,
    /// The largest difference of two numbers.
    Absolute,
    /// One minus the cosine.
    Direction,
    /// 0 where all are equal, 1 where any differs.
    Equality,
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Measure::Relative => "relative",
            Measure::Absolute => "absolute",
            Measure::Direction => "1 - cosine",
            Measure::Equality => "equality",
        })
    }
}

/// All that was compared at one stage.
#[derive(Clone, Debug)]
pub struct Stage {
    pub name: String,
    pub measure: Measure,
    /// The largest error that passes.
    pub bound: f64,
    pub worst: f64,
    /// Where the worst was.
    pub place: String,
    /// How many results were compared.
    pub count: usize,
}

/// The stages, in the order in which they were first met.
#[derive(Clone, Debug, Default)]
#[must_use = "errors are only collected: check or assert_within_bounds looks at them"]
pub struct Report {
    pub stages: Vec<Stage>,
}

impl Report {
    /// Adds one result of stage `name`.
    pub fn add(&mut self, name: &str, measure: Measure, bound: f64, error: f64, place: String) {
        let Some(stage) = self.stages.iter_mut().find(|stage| stage.name == name) else {
            self.stages.push(Stage {
                name: name.to_string(),
                measure,
                bound,
                worst: error,
                place,
                count: 1,
            });
            return;
        };
        assert_eq!((stage.measure, stage.bound), (measure, bound), "{name}");
        stage.count += 1;
        // A NaN is worse than every number.
        if error.is_nan() || error > stage.worst {
            stage.worst = error;
            stage.place = place;
        }
    }

    /// Fails naming every stage whose worst error is too large.
    #[track_caller]
    pub fn assert_within_bounds(&self, what: &str) {
        if let Err(failed) = self.check(what) {
            panic!("{failed}");
        }
    }

    /// An error that names every stage whose worst error is too large.
    pub fn check(&self, what: &str) -> Result<(), String> {
        assert!(!self.stages.is_empty(), "{what}: nothing was compared");
        let fits = |stage: &&Stage| stage.worst <= stage.bound; // false for a NaN
        let failed: Vec<String> = self
            .stages
            .iter()
            .filter(|stage| !fits(stage))
            .map(|stage| {
                let Stage {
                    name,
                    measure,
                    bound,
                    worst,
                    place,
                    ..
                } = stage;
                format!("{name}: {measure} error {worst:.2e}, allowed {bound:.0e}, at {place}")
            })
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(format!("{what}\n{}", failed.join("\n")))
        }
    }
}

/// A Markdown table.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "| Stage | Compared | Error | Worst | Allowed |")?;
        writeln!(formatter, "|---|---:|---|---:|---:|")?;
        for stage in &self.stages {
            let Stage {
                name,
                measure,
                bound,
                worst,
                count,
                ..
            } = stage;
            match measure {
                Measure::Equality if *worst == 0.0 => {
                    writeln!(formatter, "| {name} | {count} | equality | equal | equal |")?;
                }
                Measure::Equality => {
                    writeln!(
                        formatter,
                        "| {name} | {count} | equality | **different** | equal |"
                    )?;
                }
                _ => writeln!(
                    formatter,
                    "| {name} | {count} | {measure} | {worst:.1e} | {bound:.0e} |"
                )?,
            }
        }
        Ok(())
    }
}
