//! `obscura inspect`: what a model's files hold, without loading the weights.

use super::arguments::{Common, Inspect};
use super::{model, report};
use obscura::Result;
use obscura::generate::GenerationSettings;
use obscura::load::Merged;
use obscura::models::ModelConfig;
use obscura::tokenizer::Tokenizer;
use serde_json::json;

/// Prints architecture, tasks, tokenizer, sizes and every tensor.
pub fn inspect(command: &Inspect, common: &Common) -> Result<()> {
    let source = model::open(&command.model, common)?;
    if let Some(note) = source.note() {
        eprintln!("note: {note}");
    }
    let description = source.description();
    let config = ModelConfig::from_json(&description.config)?;
    let tokenizer = match config.vocabulary() {
        Some(_) => Some(Tokenizer::from_json(&description.tokenizer)?),
        None => None,
    };
    let vocabulary = tokenizer.map(|tokenizer| tokenizer.vocabulary_size());
    let tensors: Vec<_> = source.tensors().collect();
    let elements: usize = tensors.iter().map(|tensor| tensor.elements()).sum();
    let scores = match (config.tasks().contains(&"classify"), config.is_pairwise()) {
        (true, true) => Some("sigmoid"),
        (true, false) => Some("softmax"),
        (false, _) => None,
    };
    let generation = &source.generation().settings;
    let generation = (!generation.is_empty()).then_some(generation);
    if common.json {
        let tensors: Vec<_> = tensors
            .iter()
            .map(|tensor| {
                json!({
                    "name": tensor.name, "shape": tensor.shape,
                    "format": tensor.format.name(), "bytes": tensor.bytes,
                })
            })
            .collect();
        let value = json!({
            "model": command.model, "container": source.container(),
            "architecture": config.family().name(), "tasks": config.tasks(),
            "image_size": config.image_size(), "scores": scores, "projected": config.is_projected(), "generation": generation, "parameters": elements, "bytes": source.bytes(),
            "tokenizer": { "vocabulary": vocabulary }, "adapters": source.merged(),
            "tensors": tensors,
        });
        return report::line(&value.to_string());
    }
    report::line(&format!("model         {}", command.model.display()))?;
    report::line(&format!("container     {}", source.container()))?;
    report::line(&format!("architecture  {}", config.family().name()))?;
    report::line(&format!("tasks         {}", config.tasks().join(", ")))?;
    if !config.is_projected() {
        report::line(
            "vectors       pooled states, for there is no projection into the shared space",
        )?;
    }
    if let Some(scores) = scores {
        report::line(&format!("scores        {scores}"))?;
    }
    if let Some(size) = config.image_size() {
        report::line(&format!("image size    {size} px"))?;
    }
    if let Some(vocabulary) = vocabulary {
        report::line(&format!("vocabulary    {vocabulary} tokens"))?;
    }
    if let Some(own) = generation {
        let own = GenerationSettings::default().left_to(own).join(", ");
        report::line(&format!("generation    {own} (generation_config.json)"))?;
    }
    report::line(&format!(
        "parameters    {:.2} million",
        elements as f64 / 1e6
    ))?;
    report::line(&format!(
        "weights       {:.1} MB",
        source.bytes() as f64 / 1e6
    ))?;
    for adapter in source.merged() {
        report::line(&format!("adapter       {}", described(&adapter)))?;
    }
    report::line(&format!("tensors       {}\n", tensors.len()))?;
    let name_width = tensors
        .iter()
        .map(|tensor| tensor.name.len())
        .max()
        .unwrap_or(0);
    for tensor in tensors {
        let shape = tensor
            .shape
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(" x ");
        report::line(&format!(
            "{:name_width$}  {:>6}  {:>12}  {shape}",
            tensor.name,
            tensor.format.name(),
            tensor.bytes
        ))?;
    }
    Ok(())
}

fn described(adapter: &Merged) -> String {
    let name = match adapter.name.as_str() {
        "" => "beside the model",
        name => name,
    };
    format!(
        "{name}, rank {}, changes {} tensors",
        adapter.rank, adapter.tensors
    )
}
