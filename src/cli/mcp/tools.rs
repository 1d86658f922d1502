//! What each tool does with the model. The results are those that the schemas promise.

use super::calls::Call;
use super::folders::Folders;
use super::schemas::{self, Schema};
use crate::cli::album::{self, Query};
use crate::cli::arguments::{Common, Mcp};
use crate::cli::model;
use crate::cli::pictures::read_image;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use obscura::generate::GenerationSettings;
use obscura::image::{DecodeOptions, RgbImage, decode_with};
use obscura::models::ModelConfig;
use obscura::tasks::{CANDIDATES, LabelSet, Model, Ranking};
use obscura::{Error, Result};
use pollster::block_on;
use rmcp::model::Tool;
use serde_json::{Value, json};

/// Found by a search unless it says how many.
const LIMIT: usize = 20;
/// Looked at again, as `obscura search` does.
const RERANK: usize = 16;

/// How far a call is when the model is at hand, and when its picture is; then each token counts one.
const LOADED: f64 = 1.0;
const READ: f64 = 2.0;

/// The tools with their model, which is loaded by the first call.
pub struct Tools<'a> {
    command: &'a Mcp,
    common: &'a Common,
    schemas: Vec<Schema>,
    folders: Folders,
    model: Option<Model>,
}

impl<'a> Tools<'a> {
    /// Looks whether everything named is there, so that a mistake is told at once; the weights wait.
    pub fn new(command: &'a Mcp, common: &'a Common) -> Result<Self> {
        let folders = Folders::open(&command.folders)?;
        if let Some(album) = command.album.as_deref().filter(|album| !album.exists()) {
            return Err(Error::BadInput(format!(
                "--album {} does not exist: make it with `obscura album add`",
                album.display()
            )));
        }
        let source = model::open(&command.model, common)?;
        let config = ModelConfig::from_json(&source.description().config)?;
        let tasks = config.tasks();
        let mut schemas = schemas::all();
        schemas.retain(|schema| {
            let has_album = schema.name != "search" || command.album.is_some();
            tasks.contains(&schema.task.as_str()) && has_album
        });
        Ok(Self {
            command,
            common,
            schemas,
            folders,
            model: None,
        })
    }

    /// The list of `tools/list`.
    pub fn offered(&self) -> Vec<Tool> {
        self.schemas.iter().map(Schema::described).collect()
    }

    /// Runs a tool; its name is one of those offered.
    pub fn run(&mut self, call: &Call) -> Result<Value> {
        let schema = self.schemas.iter().find(|schema| schema.name == call.tool);
        let schema = schema.expect("only tools that are offered are called");
        let wrong = |words| Error::BadInput(format!("{}: {words}", call.tool));
        schema.check(&call.arguments).map_err(wrong)?;
        let given = Given(call);
        if call.tool == "search" {
            return self.search(&given, call);
        }
        let image = match self.picture(&given)? {
            Some(image) => image,
            None => {
                return Err(wrong(
                    "no picture is given: it needs a path or data".to_string(),
                ));
            }
        };
        self.load(call)?;
        call.progress(READ, "the picture is read");
        let model = self.model.as_ref().expect("just loaded");
        match call.tool.as_str() {
            "caption" => caption(model, &image, &given),
            "answer" => answer(model, &image, &given),
            "classify" => classify(model, &image, &given),
            "match" => Ok(
                json!({ "matches": block_on(model.match_texts(&image, &given.texts("texts")))? }),
            ),
            other => unreachable!("no tool is called {other}"),
        }
    }

    fn search(&mut self, given: &Given, call: &Call) -> Result<Value> {
        let count = ["text", "path", "data"]
            .iter()
            .filter(|name| given.has(name))
            .count();
        if count != 1 {
            return Err(Error::BadInput(
                "search: give a text, or a picture by its path or as data: one of the three"
                    .to_string(),
            ));
        }
        let image = self.picture(given)?;
        self.load(call)?;
        let query = Query {
            album: self
                .command
                .album
                .as_deref()
                .expect("offered with an album alone"),
            text: given.text("text"),
            image: image.as_ref(),
            limit: given.number("limit").unwrap_or(LIMIT),
            rerank: RERANK,
            min_score: None,
        };
        let model = self.model.as_ref().expect("just loaded");
        Ok(json!({ "found": album::found(model, &query, self.common)? }))
    }

    fn load(&mut self, call: &Call) -> Result<()> {
        if self.model.is_none() {
            call.progress(0.0, "the model is loaded");
            self.model = Some(model::load(&self.command.model, self.common)?);
        }
        call.check()?;
        call.progress(LOADED, "the model is at hand");
        Ok(())
    }

    fn picture(&self, given: &Given) -> Result<Option<RgbImage>> {
        match (given.text("path"), given.text("data")) {
            (Some(_), Some(_)) => Err(Error::BadInput(format!(
                "{}: the picture is given twice: take either path or data",
                given.0.tool
            ))),
            (Some(path), None) => {
                let found = self.folders.find(path)?;
                read_image(&found, self.common).map(Some)
            }
            (None, Some(data)) => self.decode(data).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn decode(&self, data: &str) -> Result<RgbImage> {
        let grey16 = self.common.grey16().unwrap_or_default();
        let decoded = bytes_of(data).and_then(|bytes| {
            decode_with(&bytes, &DecodeOptions { grey16 }).map_err(|error| error.to_string())
        });
        decoded.map_err(|words| Error::BadImage(format!("data: {words}")))
    }
}

/// A picture's bytes from base64, of a `data:` address too; line breaks and missing `=` do no harm.
fn bytes_of(data: &str) -> std::result::Result<Vec<u8>, String> {
    const PADDING: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let data = match data
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"))
    {
        Some((_, data)) => data,
        None => data,
    };
    let data: Vec<u8> = data
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let bytes = GeneralPurpose::new(&STANDARD, PADDING).decode(data);
    bytes.map_err(|error| format!("it is not base64: {error}"))
}

fn caption(model: &Model, image: &RgbImage, given: &Given) -> Result<Value> {
    let options = model.generation(&GenerationSettings {
        max_new_tokens: given.number("maxNewTokens"),
        num_beams: given.number("numBeams"),
        ..Default::default()
    });
    let prompt = given.text("prompt").unwrap_or_default();
    let mut steps = Steps::new(given.0);
    let caption = model.caption(image, prompt, &options, async |piece, token| {
        steps.take(piece, token)
    });
    let caption = block_on(caption)?;
    Ok(json!({ "text": caption.text, "score": caption.score }))
}

fn answer(model: &Model, image: &RgbImage, given: &Given) -> Result<Value> {
    let images = std::slice::from_ref(image);
    let question = given.text("question").unwrap_or_default();
    if given.has("answers") {
        let answers = given.texts("answers");
        let ranked = block_on(model.rank_answers(images, question, &answers, CANDIDATES))?;
        let best = &ranked[0];
        return Ok(json!({ "text": best.text, "score": best.score, "answers": ranked }));
    }
    let mut steps = Steps::new(given.0);
    let options = model.generation(&GenerationSettings::default());
    let answer = model.answer(images, question, &options, async |piece, token| {
        steps.take(piece, token)
    });
    let answer = block_on(answer)?;
    Ok(json!({ "text": answer.text, "score": answer.score }))
}

fn classify(model: &Model, image: &RgbImage, given: &Given) -> Result<Value> {
    let template: Vec<String> = given
        .text("template")
        .map(str::to_string)
        .into_iter()
        .collect();
    let set = LabelSet::new(&given.texts("labels"), &template);
    let call = given.0;
    let labels = block_on(model.label_vectors(&set, async |_, _| call.check()))?;
    let ranking = Ranking {
        scores: None,
        top_k: given.number("topK"),
    };
    let scored = block_on(model.classify_among(image, &labels, ranking))?;
    Ok(json!({ "labels": scored }))
}

/// The text as it grows; a cancelled call ends with the next token.
struct Steps<'a> {
    call: &'a Call,
    done: f64,
    text: String,
}

impl<'a> Steps<'a> {
    fn new(call: &'a Call) -> Self {
        Self {
            call,
            done: READ,
            text: String::new(),
        }
    }

    /// Tells nothing of the token that ends a text: the answer follows at once, and clients take what comes before it in
    /// the same read as progress of nothing.
    fn take(&mut self, piece: &str, token: Option<u32>) -> Result<()> {
        self.call.check()?;
        if piece.is_empty() && token.is_some() {
            return Ok(());
        }
        self.done += 1.0;
        self.text.push_str(piece);
        self.call.progress(self.done, self.text.trim());
        Ok(())
    }
}

/// Arguments that were checked.
struct Given<'a>(&'a Call);

impl<'a> Given<'a> {
    fn has(&self, name: &str) -> bool {
        self.0.arguments.contains_key(name)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.arguments.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<usize> {
        let value = self.0.arguments.get(name)?;
        schemas::whole_number(value).map(|number| number as usize)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let list = self.0.arguments.get(name).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_comes_in_several_forms() {
        for data in ["aGk=", "aGk", "a\nGk=\r\n", "data:image/png;base64,aGk="] {
            assert_eq!(bytes_of(data).unwrap(), b"hi", "{data}");
        }
        for data in ["aGk!", "a", "data:image/png,hi"] {
            let error = bytes_of(data).unwrap_err();
            assert!(error.starts_with("it is not base64"), "{error}");
        }
    }
}
