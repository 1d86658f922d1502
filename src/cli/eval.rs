//! `obscura eval`: a model's metrics on a data set.

use super::arguments::Common;
use super::training_arguments::Eval;
use super::{progress, report, tasks};
use obscura::Result;
use obscura::evaluate::{Data, Evaluation, evaluate, work};
use obscura::metrics::data::{Folder, read_captions, read_captions_of, read_folder};
use obscura::scenes::{CaptionLine, Objects, QuestionLine};
use pollster::block_on;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::path::Path;

/// Reads the data, runs the model over it, prints the metrics.
pub fn eval(command: &Eval, common: &Common) -> Result<()> {
    let data = read_data(command)?;
    let model = tasks::open(&command.model, common)?;
    let bar = progress::pictures(work(&model, &data));
    let evaluation = block_on(evaluate(&model, &data, &Objects::built_in()?, || {
        bar.inc(1)
    }))?;
    bar.finish_and_clear();
    report::print(common.json, &json!(evaluation), &text(&evaluation))
}

fn read_data(command: &Eval) -> Result<Data> {
    let path = &command.data;
    if path.is_dir() {
        let known = lines::<CaptionLine>(&path.join("captions.jsonl"));
        let facts = known
            .into_iter()
            .map(|line| (path.join(line.image), line.facts));
        let kinds = lines::<QuestionLine>(&path.join("questions.jsonl"));
        return Ok(Data {
            folder: read_folder(path)?,
            facts: facts.collect(),
            kinds: kinds
                .into_iter()
                .map(|line| format!("{:?}", line.kind).to_lowercase())
                .collect(),
            rerank: command.rerank,
        });
    }
    let captions = match &command.images {
        Some(images) => read_captions_of(path, images)?,
        None => read_captions(path)?,
    };
    Ok(Data {
        folder: Folder {
            captions,
            questions: Vec::new(),
        },
        facts: Default::default(),
        kinds: Vec::new(),
        rerank: command.rerank,
    })
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
    if lines.is_empty() {
        return "nothing that this model could be measured by".to_string();
    }
    lines.join("\n")
}
