//! `obscura bench`: how long a model's tasks take on this machine. `scripts/bench` puts these times
//! beside those of other programs and of the browser.

use super::arguments::{Bench, Common, Work};
use super::model::load;
use super::pictures::read_image;
use super::report;
use clap::ValueEnum;
use obscura::generate::GenerationOptions;
use obscura::image::RgbImage;
use obscura::tasks::{Caption, LabelSet, LabelVectors, Model, Ranking};
use obscura::{Error, Result};
use pollster::block_on;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Beams of the beam search.
const BEAMS: usize = 3;
/// Tokens of the answer.
const ANSWER_TOKENS: usize = 5;

impl Work {
    const ALL: [Self; 7] = [
        Self::Image,
        Self::Text,
        Self::Labels,
        Self::Classify,
        Self::Caption,
        Self::Beam,
        Self::Answer,
    ];

    /// Whether a model with these tasks can do it.
    fn suits(self, tasks: &[&str]) -> bool {
        let needed = match self {
            Self::Image => return true,
            Self::Text => "embed",
            Self::Labels | Self::Classify => "classify",
            Self::Caption | Self::Beam => "caption",
            Self::Answer => "answer",
        };
        tasks.contains(&needed)
    }
}

/// One run: milliseconds by what was measured, and what came out, so that it can be checked.
struct Run {
    times: Vec<(&'static str, f64)>,
    result: Value,
}

/// Measures a model, by itself or on request.
pub fn bench(command: &Bench, common: &Common) -> Result<()> {
    let image = read_image(&command.image, common)?;
    let start = Instant::now();
    let model = load(&command.model, common)?;
    let mut bench = Measuring {
        model: &model,
        image: &image,
        command,
        labels: None,
        texts: 0,
        templates: 0,
    };
    let load = milliseconds(start);
    if command.on_request {
        return bench.answer_requests(load);
    }
    bench.measure_all(common, load)
}

struct Measuring<'a> {
    model: &'a Model,
    image: &'a RgbImage,
    command: &'a Bench,
    /// Labels that are encoded.
    labels: Option<LabelVectors>,
    /// Count the texts and the templates that nobody has encoded before.
    texts: usize,
    templates: usize,
}

impl Measuring<'_> {
    /// Works that are asked for, or all that the model can do.
    fn works(&self) -> Result<Vec<Work>> {
        let tasks = &self.model.info().tasks;
        if self.command.only.is_empty() {
            let all = Work::ALL.into_iter();
            return Ok(all.filter(|work| work.suits(tasks)).collect());
        }
        for work in &self.command.only {
            self.check(*work)?;
        }
        Ok(self.command.only.clone())
    }

    fn check(&self, work: Work) -> Result<()> {
        let info = self.model.info();
        if work.suits(&info.tasks) {
            return Ok(());
        }
        let name = work
            .to_possible_value()
            .map(|value| value.get_name().to_string());
        Err(Error::UnsupportedTask(format!(
            "'{}' cannot be measured: this {} can {}",
            name.unwrap_or_default(),
            info.family.to_uppercase(),
            info.tasks.join(", ")
        )))
    }

    /// Every work in turn, so often that slow moments of the machine hit all alike.
    fn measure_all(&mut self, common: &Common, load: f64) -> Result<()> {
        let works = self.works()?;
        let mut names = vec!["load"];
        let mut times = BTreeMap::from([("load", vec![load])]);
        let mut results = BTreeMap::new();
        for round in 0..self.command.warm_up + self.command.runs {
            for work in &works {
                let run = self.measure(*work)?;
                for (name, time) in run.times {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                    results.entry(name).or_insert_with(|| run.result.clone());
                    if round >= self.command.warm_up {
                        times.entry(name).or_insert_with(Vec::new).push(time);
                    }
                }
            }
        }
        self.print(common, &names, &times, &results)
    }

    fn print(
        &self,
        common: &Common,
        names: &[&str],
        times: &BTreeMap<&str, Vec<f64>>,
        results: &BTreeMap<&str, Value>,
    ) -> Result<()> {
        let info = self.model.info();
        let mut metrics = Vec::new();
        let mut lines = vec![format!(
            "{}, {}, {}, {} threads: milliseconds, median of {} (fastest - slowest)",
            info.family.to_uppercase(),
            info.device,
            info.dtype,
            threads(),
            self.command.runs
        )];
        for name in names {
            let mut sorted = times[name].clone();
            sorted.sort_by(f64::total_cmp);
            let (fastest, slowest) = (sorted[0], sorted[sorted.len() - 1]);
            let median = median(&sorted);
            lines.push(format!(
                "{name:<12} {median:>10.1}  ({fastest:.1} - {slowest:.1})"
            ));
            metrics.push(json!({
                "name": name, "median": median, "fastest": fastest, "slowest": slowest,
                "times": times[name], "result": results.get(name),
            }));
        }
        let value = json!({
            "model": self.command.model, "info": info, "threads": threads(),
            "runs": self.command.runs, "metrics": metrics,
        });
        report::print(common.json, &value, &lines.join("\n"))
    }

    /// One JSON object when the model is loaded, then one for each work whose name comes on
    /// standard input.
    fn answer_requests(&mut self, load: f64) -> Result<()> {
        let ready = json!({
            "times": { "load": load }, "info": self.model.info(), "threads": threads(),
        });
        report::line(&ready.to_string())?;
        for line in std::io::stdin().lines() {
            let line = line.map_err(|error| Error::BadInput(format!("no request: {error}")))?;
            let work = Work::from_str(line.trim(), false).map_err(Error::BadInput)?;
            self.check(work)?;
            let run = self.measure(work)?;
            let times: BTreeMap<_, _> = run.times.into_iter().collect();
            report::line(&json!({ "times": times, "result": run.result }).to_string())?;
        }
        Ok(())
    }

    fn measure(&mut self, work: Work) -> Result<Run> {
        match work {
            Work::Image => self.image(),
            Work::Text => self.text(),
            Work::Labels => self.new_labels(),
            Work::Classify => self.known_labels(),
            Work::Caption => self.caption(),
            Work::Beam => self.beam(),
            Work::Answer => self.answer(),
        }
    }

    fn image(&self) -> Result<Run> {
        let start = Instant::now();
        let vector = match self.model.network().grounded() {
            Some(blip) if !self.model.info().tasks.contains(&"embed") => {
                let states = blip.encode_image(self.model.pixels(self.image));
                let [_, _, width] = states.dims();
                let class = states.slice([0..1, 0..1, 0..width]).into_data();
                class
                    .try_to_vec()
                    .map_err(|error| Error::DeviceLost(format!("no picture's state: {error:?}")))?
            }
            _ => block_on(self.model.embed_image(self.image, true))?,
        };
        Ok(run("image", start, json!({ "vector": vector })))
    }

    fn text(&mut self) -> Result<Run> {
        let text = format!("a photo of two dogs, {}", new_number(&mut self.texts));
        let start = Instant::now();
        let vector = block_on(self.model.embed_text(&text, true))?;
        let result = json!({ "text": text, "vector": vector });
        Ok(run("text", start, result))
    }

    fn new_labels(&mut self) -> Result<Run> {
        let set = self.label_set()?;
        let start = Instant::now();
        let labels = block_on(self.model.label_vectors(&set, async |_, _| Ok(())))?;
        let scores = self.classify(&labels)?;
        let run = run("labels", start, scores);
        self.labels = Some(labels);
        Ok(run)
    }

    fn known_labels(&mut self) -> Result<Run> {
        if self.labels.is_none() {
            self.new_labels()?;
        }
        let labels = self.labels.as_ref().expect("they were encoded above");
        let start = Instant::now();
        let scores = self.classify(labels)?;
        Ok(run("classify", start, scores))
    }

    fn classify(&self, labels: &LabelVectors) -> Result<Value> {
        let ranking = Ranking {
            top_k: Some(5),
            ..Ranking::default()
        };
        let best = block_on(self.model.classify_among(self.image, labels, ranking))?;
        Ok(json!({ "template": labels.set().templates[0], "labels": best }))
    }

    /// ImageNet's first classes with a sentence that is a new one each time.
    fn label_set(&mut self) -> Result<LabelSet> {
        let mut set = LabelSet::imagenet()?;
        set.labels.truncate(self.command.labels.into());
        set.ids.clear();
        let number = new_number(&mut self.templates);
        set.templates = vec![format!("a photo of a {{}}, {number}")];
        Ok(set)
    }

    fn caption(&self) -> Result<Run> {
        let start = Instant::now();
        let mut arrivals = Vec::new();
        let caption = block_on(self.model.caption(
            self.image,
            "",
            &self.options(self.command.tokens.into(), 1),
            async |_, id| {
                if id.is_some() {
                    arrivals.push(milliseconds(start));
                }
                Ok(())
            },
        ))?;
        let whole = milliseconds(start);
        let mut times = vec![("first-token", arrivals[0])];
        if let [first, .., last] = arrivals[..] {
            times.push(("token", (last - first) / (arrivals.len() - 1) as f64));
        }
        times.push(("caption", whole));
        let result = tokens(&caption);
        Ok(Run { times, result })
    }

    fn beam(&self) -> Result<Run> {
        let start = Instant::now();
        let options = self.options(self.command.tokens.into(), BEAMS);
        let writing = self
            .model
            .caption(self.image, "", &options, async |_, _| Ok(()));
        let caption = block_on(writing)?;
        Ok(run("beam", start, tokens(&caption)))
    }

    fn answer(&self) -> Result<Run> {
        let start = Instant::now();
        let options = self.options(ANSWER_TOKENS, 1);
        let images = std::slice::from_ref(self.image);
        let question = &self.command.question;
        let answering = self
            .model
            .answer(images, question, &options, async |_, _| Ok(()));
        let answer = block_on(answering)?;
        Ok(run("answer", start, tokens(&answer)))
    }

    /// Exactly so many tokens: the stop token is not allowed before the last one.
    fn options(&self, tokens: usize, beams: usize) -> GenerationOptions {
        GenerationOptions {
            max_new_tokens: tokens,
            min_length: tokens,
            num_beams: beams,
            ..Default::default()
        }
    }
}

fn run(name: &'static str, start: Instant, result: Value) -> Run {
    Run {
        times: vec![(name, milliseconds(start))],
        result,
    }
}

/// Of three digits, so that all texts take as many tokens: 100, 101, ...
fn new_number(count: &mut usize) -> usize {
    *count += 1;
    99 + *count
}

fn tokens(text: &Caption) -> Value {
    json!({ "tokens": text.tokens, "text": text.text })
}

fn milliseconds(since: Instant) -> f64 {
    1000.0 * since.elapsed().as_secs_f64()
}

/// The middle of sorted numbers.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// The threads that the CPU device computes on.
fn threads() -> usize {
    rayon::current_num_threads()
}
