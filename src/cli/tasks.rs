//! The commands that run a model on pictures and texts.

use super::arguments::{Answer, Caption, Classify, Common, Embed, Match};
use super::found::{Found, find};
use super::labels::Source;
use super::model::load;
use super::pictures::{each, read_frames};
use super::row::{Choice, Kind};
use super::written::Written;
use super::{report, vectors};
use obscura::Result;
use obscura::generate::{GenerationOptions, GenerationSettings};
use obscura::image::RgbImage;
use obscura::tasks::{Caption as Captioned, LabelScore, LabelSet, Model, Scores};
use pollster::block_on;
use serde_json::{Value, json};
use std::path::Path;
use std::slice;

/// Captions each picture: on standard output, or into files.
pub fn caption(command: &Caption, common: &Common) -> Result<()> {
    let found = find(&command.images)?;
    match Written::open(Kind::Caption, &command.writing, &found)? {
        Some(written) => written.run(found, common, |found, written| {
            write_captions(command, found, written, common)
        }),
        None => print_captions(command, &found, common),
    }
}

fn write_captions(
    command: &Caption,
    found: &Found,
    written: &mut Written,
    common: &Common,
) -> Result<()> {
    let model = load(&command.model, common)?;
    let options = generation(&model, &command.settings());
    let count = options.num_return_sequences.unwrap_or(1);
    written.write_each(found, count, common, |image| {
        let silent = async |_: &str, _| Ok(());
        let caption = block_on(model.caption(image, &command.prompt, &options, silent))?;
        let texts = asked_for(&caption, &options);
        let choice = |one: &Captioned| Choice {
            text: one.text.clone(),
            score: one.score,
        };
        Ok(texts.map(choice).collect())
    })
}

/// The best text, and as many of the others as were asked for.
fn asked_for<'c>(
    caption: &'c Captioned,
    options: &GenerationOptions,
) -> impl Iterator<Item = &'c Captioned> {
    let count = options.num_return_sequences.unwrap_or(1);
    std::iter::once(caption)
        .chain(&caption.alternatives)
        .take(count)
}

fn print_captions(command: &Caption, found: &Found, common: &Common) -> Result<()> {
    let model = load(&command.model, common)?;
    let options = generation(&model, &command.settings());
    each(found, common, |path, image| {
        let prompt = &command.prompt;
        let silent = async |_: &str, _| Ok(());
        let (caption, attention) = if command.attention {
            let attended = model.caption_with_attention(&image, prompt, &options, silent);
            let (caption, attention) = block_on(attended)?;
            (caption, Some(attention))
        } else {
            let caption = block_on(model.caption(&image, prompt, &options, silent))?;
            (caption, None)
        };
        let mut value = json!({
            "image": path, "text": caption.text, "tokens": caption.tokens, "score": caption.score,
        });
        if !caption.alternatives.is_empty() {
            value["alternatives"] = json!(caption.alternatives);
        }
        if let Some(attention) = attention {
            value["attention"] = json!(attention);
        }
        let texts = asked_for(&caption, &options);
        let lines: Vec<String> = texts.map(|one| labelled(found, path, &one.text)).collect();
        report::print(common.json, &value, &lines.join("\n"))
    })
}

/// The options of a command, which says what of them comes from the model's own settings.
fn generation(model: &Model, asked: &GenerationSettings) -> GenerationOptions {
    let of_model = asked.left_to(&model.info().generation);
    if !of_model.is_empty() {
        let of_model = of_model.join(", ");
        eprintln!("note: by the model's generation_config.json: {of_model}");
    }
    model.generation(asked)
}

/// Scores the labels for each picture: on standard output, or into files.
pub fn classify(command: &Classify, common: &Common) -> Result<()> {
    let given = command.labels.iter().map(|label| label.trim().to_string());
    let source = match &command.label_set {
        Some(path) => Source::read(path, &command.templates)?,
        None => {
            let labels: Vec<String> = given.collect();
            Source::Set(LabelSet::new(&labels, &command.templates))
        }
    };
    let found = find(&command.images)?;
    match Written::open(Kind::Label, &command.writing, &found)? {
        Some(written) => written.run(found, common, |found, written| {
            write_labels(command, source, found, written, common)
        }),
        None => print_labels(command, source, &found, common),
    }
}

fn write_labels(
    command: &Classify,
    source: Source,
    found: &Found,
    written: &mut Written,
    common: &Common,
) -> Result<()> {
    let ranking = command.ranking();
    let model = load(&command.model, common)?;
    let labels = source.vectors(&model)?;
    let all = labels.set().labels.len();
    let count = ranking.top_k.map_or(all, |count| count.min(all));
    written.write_each(found, count, common, |image| {
        let scored = block_on(model.classify_among(image, &labels, ranking))?;
        let choice = |LabelScore { label: text, score }| Choice { text, score };
        Ok(scored.into_iter().map(choice).collect())
    })
}

fn print_labels(command: &Classify, source: Source, found: &Found, common: &Common) -> Result<()> {
    let ranking = command.ranking();
    let model = load(&command.model, common)?;
    let labels = source.vectors(&model)?;
    let scores = ranking.scores.unwrap_or(labels.default_scores());
    each(found, common, |path, image| {
        let scored = block_on(model.classify_among(&image, &labels, ranking))?;
        let line = |label: &LabelScore| match scores {
            Scores::Softmax | Scores::Sigmoid => {
                format!("{:6.2}% {}", 100.0 * label.score, label.label)
            }
            Scores::Cosine => format!("{:7.4} {}", label.score, label.label),
        };
        let lines: Vec<String> = scored.iter().map(line).collect();
        let name = vec![path.display().to_string()];
        let value = json!({ "image": path, "labels": scored });
        report::print(common.json, &value, &[name, lines].concat().join("\n"))
    })
}

/// Embeds pictures, a video, or texts.
pub fn embed(command: &Embed, common: &Common) -> Result<()> {
    if let Some(file) = &command.file.write {
        return vectors::write(command, file, common);
    }
    if command.video {
        return embed_video(command, common);
    }
    if command.tokens {
        return embed_tokens(command, common);
    }
    if command.texts.is_empty() {
        let found = find(&command.images)?;
        let model = load(&command.model, common)?;
        return each(&found, common, |path, image| {
            let vector = unit(&block_on(model.embed_image(&image, true))?);
            let value = json!({ "image": path, "embedding": vector });
            report::print(common.json, &value, &singles(&vector))
        });
    }
    let model = load(&command.model, common)?;
    let vectors = block_on(model.text_vectors(&command.texts))?;
    for (text, vector) in command.texts.iter().zip(vectors) {
        let vector = unit(&vector);
        let value = json!({ "text": text, "embedding": vector });
        report::print(common.json, &value, &singles(&vector))?;
    }
    Ok(())
}

/// A unit vector in double precision, as JSON has it: single precision leaves its length, and so the
/// cosine of two equal pictures, some 1e-8 off one.
fn unit(vector: &[f32]) -> Vec<f64> {
    let doubles = || vector.iter().map(|value| f64::from(*value));
    let length = doubles().map(|value| value * value).sum::<f64>().sqrt();
    doubles().map(|value| value / length).collect()
}

/// The same as text, in single precision.
fn singles(vector: &[f64]) -> String {
    let singles: Vec<f32> = vector.iter().map(|value| *value as f32).collect();
    numbers(&singles)
}

/// Embeds the frames of one video as one vector.
fn embed_video(command: &Embed, common: &Common) -> Result<()> {
    let frames = read_frames(&command.images, command.frames, common)?;
    let model = load(&command.model, common)?;
    let vector = unit(&block_on(model.embed_frames(&frames, true))?);
    let value = json!({ "frames": command.images, "embedding": vector });
    report::print(common.json, &value, &singles(&vector))
}

/// The states of texts' tokens; as text one line a token, and the pooled vector last.
fn embed_tokens(command: &Embed, common: &Common) -> Result<()> {
    let options = command.guidance();
    let model = load(&command.model, common)?;
    for text in &command.texts {
        let found = block_on(model.embed_tokens(text, &options))?;
        let mut value = json!(found);
        value["text"] = json!(text);
        let states = found.states.chunks_exact(found.width);
        let lines = found
            .tokens
            .iter()
            .map(String::as_str)
            .chain(["pooled"])
            .zip(states.chain([&found.pooled[..]]))
            .map(|(name, numbers_of)| format!("{name} {}", numbers(numbers_of)));
        report::print(common.json, &value, &lines.collect::<Vec<_>>().join("\n"))?;
    }
    Ok(())
}

/// Scores texts against each picture.
pub fn match_texts(command: &Match, common: &Common) -> Result<()> {
    let found = find(slice::from_ref(&command.image))?;
    let model = load(&command.model, common)?;
    each(&found, common, |path, image| {
        if command.attention {
            let scored = block_on(model.match_texts_with_attention(&image, &command.texts))?;
            let matches = scored.iter().map(|(found, attention)| {
                let mut value = json!(found);
                value["attention"] = json!(attention);
                value
            });
            let matches: Vec<Value> = matches.collect();
            let value = json!({ "image": path, "matches": matches });
            return report::print(common.json, &value, "");
        }
        let matches = block_on(model.match_texts(&image, &command.texts))?;
        let lines: Vec<String> = matches
            .iter()
            .map(|found| {
                let probability = found
                    .probability
                    .map_or("     -".into(), |p| format!("{:5.1}%", 100.0 * p));
                format!(
                    "match {probability}  similarity {:6.3}  {}",
                    found.similarity, found.text
                )
            })
            .collect();
        report::print(
            common.json,
            &json!({ "image": path, "matches": matches }),
            &told(&found, path, lines),
        )
    })
}

/// Answers a question about one picture, a series of frames, or each picture of a folder or a pattern.
pub fn answer(command: &Answer, common: &Common) -> Result<()> {
    if let [word] = &command.images[..]
        && !word.is_file()
    {
        let found = find(&command.images)?;
        if !found.is_single {
            let asked = Asked::new(command, common)?;
            return each(&found, common, |path, image| {
                let (value, lines) = asked.answer(&[image], json!(path))?;
                report::print(common.json, &value, &told(&found, path, lines))
            });
        }
    }
    let images = read_frames(&command.images, command.frames, common)?;
    let image = match &command.images[..] {
        [only] => json!(only),
        frames => json!(frames),
    };
    let (value, lines) = Asked::new(command, common)?.answer(&images, image)?;
    report::print(common.json, &value, &lines.join("\n"))
}

/// A question, and the model that answers it.
struct Asked<'c> {
    command: &'c Answer,
    model: Model,
    options: GenerationOptions,
    /// The answers to rank; none where one is written.
    given: Vec<String>,
}

impl<'c> Asked<'c> {
    fn new(command: &'c Answer, common: &Common) -> Result<Self> {
        let model = load(&command.model, common)?;
        let given = command.answers.iter().map(|answer| answer.trim());
        Ok(Self {
            command,
            options: generation(&model, &command.generation.settings()),
            given: given.map(str::to_string).collect(),
            model,
        })
    }

    /// What is found, as JSON about `image` and as lines.
    fn answer(&self, images: &[RgbImage], image: Value) -> Result<(Value, Vec<String>)> {
        match self.given[..] {
            [] => self.write(images, image),
            _ => self.rank(images, image),
        }
    }

    fn write(&self, images: &[RgbImage], image: Value) -> Result<(Value, Vec<String>)> {
        let (question, silent) = (&self.command.question, async |_: &str, _| Ok(()));
        let answer = block_on(self.model.answer(images, question, &self.options, silent))?;
        let mut value = json!({
            "image": image, "text": answer.text, "tokens": answer.tokens, "score": answer.score,
        });
        let mut texts = vec![answer.text];
        if self.options.num_return_sequences.is_some() {
            value["alternatives"] = json!(answer.alternatives);
            texts.extend(answer.alternatives.into_iter().map(|one| one.text));
        }
        Ok((value, texts))
    }

    fn rank(&self, images: &[RgbImage], image: Value) -> Result<(Value, Vec<String>)> {
        let (question, count) = (&self.command.question, self.command.candidates);
        let ranking = self
            .model
            .rank_answers(images, question, &self.given, count);
        let ranked = block_on(ranking)?;
        let lines = ranked
            .iter()
            .map(|answer| format!("{:8.3} {}", answer.score, answer.text));
        let lines = lines.collect();
        Ok((json!({ "image": image, "answers": ranked }), lines))
    }
}

/// Lines about a picture: as they are for a single one, behind its name or below it for several.
fn told(found: &Found, path: &Path, lines: Vec<String>) -> String {
    match &lines[..] {
        [line] => labelled(found, path, line),
        _ if found.is_single => lines.join("\n"),
        _ => [vec![path.display().to_string()], lines]
            .concat()
            .join("\n"),
    }
}

/// The text alone for a single picture, behind the picture's name for several.
fn labelled(found: &Found, path: &Path, text: &str) -> String {
    match found.is_single {
        true => text.to_string(),
        false => format!("{}: {text}", path.display()),
    }
}

fn numbers(vector: &[f32]) -> String {
    vector
        .iter()
        .map(f32::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}
