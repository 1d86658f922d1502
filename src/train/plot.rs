//! The losses of a run as a picture: SVG, one smoothed line a loss over the steps.

use super::log::{self, LOSSES, Record};
use crate::{Error, Result};
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (900, 540);

/// Points of a line at most; a run has more steps than a picture has columns.
const POINTS: usize = 400;

/// One a loss, in the order of [`LOSSES`], apart for most colour-blind eyes and dark enough on
/// white (after Okabe and Ito).
const COLOURS: [RGBColor; LOSSES.len()] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 140, 103),
    RGBColor(190, 90, 150),
    RGBColor(180, 130, 0),
    RGBColor(100, 90, 190),
    RGBColor(40, 40, 40),
];

/// The lowest value of the axis, which is logarithmic.
const LOWEST: f64 = 1e-4;

/// Draws a log of [`log::Log`].
pub fn write_loss_plot(csv: &Path, svg: &Path) -> Result<()> {
    let records = log::read(csv)?;
    let lines: Vec<Line> = (0..LOSSES.len())
        .filter_map(|loss| Line::of(&records, loss))
        .collect();
    if lines.is_empty() {
        let csv = csv.display();
        return Err(Error::BadInput(format!(
            "{csv} holds no losses to draw yet"
        )));
    }
    let mut drawing = String::new();
    draw(&lines, &mut drawing)
        .map_err(|error| Error::BadInput(format!("{} cannot be drawn: {error}", csv.display())))?;
    std::fs::write(svg, drawing)
        .map_err(|error| Error::BadInput(format!("{} cannot be written: {error}", svg.display())))
}

/// A loss, smoothed: steps and values.
struct Line {
    loss: usize,
    points: Vec<(f64, f64)>,
}

impl Line {
    fn of(records: &[Record], loss: usize) -> Option<Self> {
        let value = |record: &Record| {
            let of_name = record.losses.iter().find(|(name, _)| *name == LOSSES[loss]);
            of_name.map(|(_, value)| (record.step as f64, f64::from(*value)))
        };
        let values = records.iter().filter_map(value);
        let values: Vec<(f64, f64)> = values.filter(|(_, value)| value.is_finite()).collect();
        (!values.is_empty()).then(|| Self {
            loss,
            points: smooth(&values),
        })
    }
}

/// Means over a window of a fiftieth of the run around each point. At the beginning, where losses
/// fall fast, it reaches no further ahead than back; at the end it looks back only.
fn smooth(values: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let count = values.len();
    let widest = count / 100;
    let every = count.div_ceil(POINTS);
    let mut places: Vec<usize> = (0..count).step_by(every).collect();
    places.extend((places.last() != Some(&(count - 1))).then_some(count - 1));
    let mean = |place: usize| {
        let back = widest.min(place);
        let ahead = back.min(count - 1 - place);
        let window = &values[place - back..=place + ahead];
        let sum: f64 = window.iter().map(|(_, value)| value).sum();
        (values[place].0, (sum / window.len() as f64).max(LOWEST))
    };
    places.into_iter().map(mean).collect()
}

fn draw(
    lines: &[Line],
    drawing: &mut String,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(drawing, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (first, last) = range(lines, |point| point.0);
    let (low, high) = range(lines, |point| point.1);
    let (low, high) = (low * 0.9, high * 1.1);
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .margin_right(32) // half of the last step's number
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(
            first..last.max(first + 1.0),
            (low..high)
                .log_scale()
                .with_key_points(round_numbers(low, high)),
        )?;
    chart
        .configure_mesh()
        .x_desc("step")
        .y_desc("loss")
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|loss| format!("{}", *loss as f32))
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 17))
        .bold_line_style(BLACK.mix(0.12))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for line in lines {
        let style = COLOURS[line.loss].stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style))?
            .label(LOSSES[line.loss])
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font(("sans-serif", 15))
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

/// What the logarithmic axis is marked with: 1, 2, 5, 10 and so on, more of them in a narrow range.
fn round_numbers(low: f64, high: f64) -> Vec<f64> {
    let tenths: Vec<i32> = (10..100).collect();
    let ones: Vec<i32> = (1..10).map(|digit| digit * 10).collect();
    let marks = |digits: &[i32]| -> Vec<f64> {
        let powers = low.log10().floor() as i32..=high.log10().floor() as i32;
        let numbers = powers.flat_map(|power| {
            let scale = 10f64.powi(power) / 10.0;
            digits.iter().map(move |digit| f64::from(*digit) * scale)
        });
        numbers
            .filter(|number| (low..=high).contains(number))
            .collect()
    };
    let candidates = [&[10, 20, 50], ones.as_slice(), &tenths].map(marks);
    let enough = candidates.iter().find(|marks| marks.len() >= 3);
    enough.unwrap_or(&candidates[2]).clone()
}

/// The smallest and the largest coordinate of all lines.
fn range(lines: &[Line], coordinate: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let values = lines.iter().flat_map(|line| &line.points).map(coordinate);
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// The log and the picture of a run of so many steps, in a folder that is deleted when done.
    struct Drawn(PathBuf);

    impl Drawn {
        fn new(name: &str, steps: u64, losses: &[&'static str], value: f32) -> Self {
            let name = format!("obscura-plot-{}-{name}", std::process::id());
            let folder = Self(std::env::temp_dir().join(name));
            std::fs::create_dir_all(&folder.0).unwrap();
            let mut log = log::Log::open(&folder.0, None).unwrap();
            for step in 1..=steps {
                let losses = losses.iter().map(|loss| (*loss, value / step as f32));
                let record = Record {
                    step,
                    seconds: 0.0,
                    learning_rate: 0.0,
                    losses: losses.collect(),
                    gradient_norm: 0.0,
                };
                log.record(&record).unwrap();
            }
            folder
        }

        fn svg(&self) -> Result<String> {
            let svg = self.0.join("loss.svg");
            write_loss_plot(&self.0.join("metrics.csv"), &svg)?;
            Ok(std::fs::read_to_string(svg).unwrap())
        }
    }

    impl Drop for Drawn {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0); // a leftover is no failure
        }
    }

    fn coloured(loss: &str) -> String {
        let place = LOSSES.iter().position(|name| *name == loss).unwrap();
        let RGBColor(red, green, blue) = COLOURS[place];
        format!("#{red:02X}{green:02X}{blue:02X}")
    }

    #[test]
    fn each_loss_that_was_recorded_has_a_line_and_a_name() {
        let svg = Drawn::new("lines", 2000, &["itc", "lm"], 5.0)
            .svg()
            .unwrap();
        for loss in LOSSES {
            let drawn = svg.contains(&format!("\n{loss}\n")) && svg.contains(&coloured(loss));
            assert_eq!(drawn, ["itc", "lm"].contains(&loss), "{loss}");
        }
        assert!(svg.contains("\nstep\n") && svg.contains("\nloss\n"));
        assert!(svg.len() < 40_000, "{} bytes", svg.len());
    }

    #[test]
    fn a_wide_and_a_narrow_axis_both_have_marks() {
        let near = |found: &[f64], expected: &[f64]| {
            let close = |(a, b): (&f64, &f64)| (a / b - 1.0).abs() < 1e-9;
            found.len() == expected.len() && found.iter().zip(expected).all(close)
        };
        let wide = round_numbers(0.04, 12.0);
        assert!(
            near(&wide, &[0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]),
            "{wide:?}"
        );
        let narrow = round_numbers(2.1, 5.5);
        assert!(near(&narrow, &[3.0, 4.0, 5.0]), "{narrow:?}");
        for value in [0.11, 0.95, 3.0, 9.9, 1234.0] {
            assert!(
                round_numbers(value * 0.9, value * 1.1).len() >= 2,
                "{value}"
            );
        }
    }

    #[test]
    fn a_single_step_and_a_loss_of_zero_can_be_drawn() {
        assert!(Drawn::new("single", 1, &["total"], 3.0).svg().is_ok());
        assert!(Drawn::new("zero", 10, &["total"], 0.0).svg().is_ok());
    }

    #[test]
    fn a_log_without_finite_losses_is_an_error() {
        for (name, steps, value) in [("none", 0, 0.0), ("nan", 3, f32::NAN)] {
            let error = Drawn::new(name, steps, &["total"], value)
                .svg()
                .unwrap_err();
            assert!(error.to_string().contains("no losses"), "{error}");
        }
    }

    #[test]
    fn a_line_is_smoothed_to_its_end() {
        let noisy = |step: usize| (step as f64, if step.is_multiple_of(2) { 1.0 } else { 3.0 });
        let values: Vec<_> = (0..10_000).map(noisy).collect();
        let points = smooth(&values);
        assert!(points.len() <= POINTS + 1);
        assert_eq!(points.last().unwrap().0, 9_999.0);
        assert!(
            points[10..]
                .iter()
                .all(|(_, value)| (value - 2.0).abs() < 0.02)
        );
    }
}
