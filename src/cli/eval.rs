//! `obscura eval`: a model's metrics on a data set.

use super::arguments::{Common, Eval};
use super::pictures::picture_files;
use super::{model, progress, report, zero_shot};
use obscura::evaluate::{Answering, Data, Evaluation, evaluate, work};
use obscura::image::PictureFiles;
use obscura::metrics::data::{
    Folder, VqaQuestions, is_vqa, read_captions_of, read_folder, read_vqa,
};
use obscura::scenes::{CaptionLine, Objects, QuestionLine};
use obscura::{Error, Result};
use pollster::block_on;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::path::Path;

/// Reads the data, runs the model over it, prints the metrics.
pub fn eval(command: &Eval, common: &Common) -> Result<()> {
    let evaluation = match zero_shot::classes(command)? {
        Some(classes) => Evaluation {
            classification: Some(zero_shot::measure(command, &classes, common)?),
            ..Default::default()
        },
        None => run(command, common)?,
    };
    report::print(common.json, &json!(evaluation), &text(&evaluation))
}

fn run(command: &Eval, common: &Common) -> Result<Evaluation> {
    let data = read_data(command, picture_files(common))?;
    let model = model::load(&command.model, common)?;
    let bar = progress::pictures(work(&model, &data));
    let objects = Objects::built_in()?;
    let evaluation = block_on(evaluate(&model, &data, &objects, || bar.inc(1)));
    bar.finish_and_clear();
    evaluation
}

fn read_data(command: &Eval, files: PictureFiles) -> Result<Data> {
    let path = &command.data;
    let answering = answering(command)?;
    if path.is_dir() {
        let known = lines::<CaptionLine>(&path.join("captions.jsonl"));
        let facts = known
            .into_iter()
            .map(|line| (path.join(line.image), line.facts));
        let kinds = lines::<QuestionLine>(&path.join("questions.jsonl"));
        return Ok(Data {
            folder: read_folder(path)?,
            files,
            facts: facts.collect(),
            kinds: kinds
                .into_iter()
                .map(|line| format!("{:?}", line.kind).to_lowercase())
                .collect(),
            rerank: command.rerank,
            answering,
        });
    }
    let beside = path.parent().unwrap_or(Path::new(""));
    let images = command.images.as_deref().unwrap_or(beside);
    let mut data = Data {
        folder: Folder::default(),
        files,
        facts: Default::default(),
        kinds: Vec::new(),
        rerank: command.rerank,
        answering,
    };
    match &command.annotations {
        Some(annotations) => {
            let VqaQuestions { questions, kinds } = read_vqa(path, annotations, images)?;
            (data.folder.questions, data.kinds) = (questions, kinds);
        }
        None if is_vqa(path) => {
            return Err(Error::BadInput(format!(
                "{} has VQA v2's questions: name the file of their answers with --annotations",
                path.display()
            )));
        }
        None => data.folder.captions = read_captions_of(path, images)?,
    }
    Ok(data)
}

fn answering(command: &Eval) -> Result<Answering> {
    let answers = match &command.answers {
        Some(file) => read_answers(file)?,
        None => Vec::new(),
    };
    Ok(Answering {
        answers,
        candidates: command.candidates,
        beams: command.beams,
    })
}

/// A JSON list of answers, as BLIP's `answer_list.json`, or one in each line.
fn read_answers(file: &Path) -> Result<Vec<String>> {
    let refuse = |what: String| Error::BadInput(format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("the file cannot be read: {error}")))?;
    let answers: Vec<String> = match text.trim_start().starts_with('[') {
        true => serde_json::from_str(&text)
            .map_err(|error| refuse(format!("not a JSON list of texts: {error}")))?,
        false => text.lines().map(|line| line.trim().to_string()).collect(),
    };
    let answers: Vec<String> = answers
        .into_iter()
        .filter(|answer| !answer.is_empty())
        .collect();
    match answers.is_empty() {
        true => Err(refuse("the file holds no answers".to_string())),
        false => Ok(answers),
    }
}

/// The lines that are scenes'. Other people's files have no facts, and are read elsewhere.
fn lines<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn text(evaluation: &Evaluation) -> String {
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    let mut lines = Vec::new();
    if let Some(scores) = &evaluation.captions {
        lines.push(format!("captions       {} pictures", scores.count));
        lines.push(format!("  BLEU-4       {:.3}", scores.bleu_4));
        lines.push(format!("  CIDEr        {:.3}", scores.cider));
    }
    if let Some(scores) = &evaluation.scenes {
        lines.push(format!("  objects      {}", percent(scores.objects)));
        lines.push(format!("  and counts   {}", percent(scores.counts)));
        lines.push(format!("  relations    {}", percent(scores.relations)));
    }
    if let Some(scores) = &evaluation.answers {
        lines.push(format!("answers        {} questions", scores.count));
        lines.push(format!("  accuracy     {}", percent(scores.accuracy)));
        for (kind, accuracy) in &scores.by_kind {
            lines.push(format!("    {kind:<10} {}", percent(*accuracy)));
        }
    }
    if let Some(accuracy) = evaluation.matching {
        lines.push(format!("matching       {}", percent(accuracy)));
    }
    if let Some(recall) = &evaluation.retrieval {
        let (count, texts) = (recall.count, recall.texts);
        lines.push(format!(
            "retrieval      among {count} pictures, {texts} texts"
        ));
        let mut rows = |suffix: &str, image_to_text: [f64; 3], text_to_image: [f64; 3]| {
            for (name, recalls) in [
                ("image to text", image_to_text),
                ("text to image", text_to_image),
            ] {
                let [first, five, ten] = recalls.map(percent);
                lines.push(format!(
                    "  {name}  @1 {first}  @5 {five}  @10 {ten}{suffix}"
                ));
            }
        };
        rows("", recall.image_to_text, recall.text_to_image);
        if let Some(again) = &recall.reranked {
            let suffix = format!("  (best {} by matching)", again.candidates);
            rows(&suffix, again.image_to_text, again.text_to_image);
        }
    }
    if let Some(scores) = &evaluation.classification {
        let (count, labels) = (scores.count, scores.labels);
        lines.push(format!(
            "classification {count} pictures among {labels} labels"
        ));
        lines.push(format!("  top 1        {}", percent(scores.top_1)));
        lines.push(format!("  top 5        {}", percent(scores.top_5)));
        if scores.unreadable > 0 {
            lines.push(format!("  unreadable   {} more", scores.unreadable));
        }
    }
    if lines.is_empty() {
        return "nothing that this model could be measured by".to_string();
    }
    lines.join("\n")
}
