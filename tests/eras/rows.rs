//! Checkpoints as the tools of each era saved them (`scripts/eras/reference-eras`), loaded as users load
//! them: everything that those tools computed of them must come out. One that does not is named with
//! all that is wrong with it, after the others were looked at, too.

use crate::parity::golden::{self, decode_file};
use crate::parity::tolerance::{Tolerance, turned};
use obscura::Result;
use obscura::device::Placement;
use obscura::generate::GenerationOptions;
use obscura::image::RgbImage;
use obscura::load::{self, AdapterPlace, Files, NoStore, Options, Stores};
use obscura::nn::Dtype;
use obscura::tasks::Model;
use serde::Deserialize;

/// Tokens that captions and answers were allowed.
const CAPTION_TOKENS: usize = 12;
const ANSWER_TOKENS: usize = 10;

/// A wanted.json: what is not compared says who saved the checkpoint, and how.
#[derive(Deserialize)]
struct Row {
    /// The row of the model that an adapter was made for.
    base: Option<String>,
    wanted: Wanted,
}

/// What the era's tool computed. A key that nothing here compares is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    image_vector: Option<Vec<f32>>,
    #[serde(default)]
    texts: Vec<Text>,
    /// Of the texts, as labels.
    probabilities: Option<Vec<f32>>,
    #[serde(default)]
    captions: Vec<Caption>,
    #[serde(default)]
    answers: Vec<Answer>,
    #[serde(default)]
    matches: Vec<Match>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
    vector: Vec<f32>,
}

#[derive(Deserialize)]
struct Caption {
    prompt: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Answer {
    question: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Match {
    text: String,
    probability: f32,
    similarity: f32,
}

/// Checks the rows of these names.
pub async fn check(names: &[String], placement: &Placement) {
    assert!(!names.is_empty(), "no checkpoints in tests/golden/eras");
    let picture = decode_file("golden/eras/picture.png");
    let mut wrong = Vec::new();
    for name in names {
        let found = match differences(name, &picture, placement).await {
            Ok(found) => found,
            Err(error) => vec![error.to_string()],
        };
        wrong.extend(found.iter().map(|what| format!("{name}: {what}")));
    }
    assert!(
        wrong.is_empty(),
        "{} rows:\n{}",
        names.len(),
        wrong.join("\n")
    );
}

/// What of a row is not as recorded, in words.
async fn differences(name: &str, picture: &RgbImage, placement: &Placement) -> Result<Vec<String>> {
    let folder = format!("golden/eras/{name}");
    let text = golden::read(&format!("{folder}/wanted.json")).expect("wanted.json");
    let row: Row = serde_json::from_slice(&text).expect("a valid wanted.json");
    let mut comparison = Comparison {
        model: open(&folder, row.base.as_deref(), placement).await?,
        picture,
        bounds: Tolerance::of(placement),
        wrong: Vec::new(),
    };
    comparison.vectors(&row.wanted).await?;
    comparison.labels(&row.wanted).await?;
    comparison.writing(&row.wanted).await?;
    comparison.matches(&row.wanted).await?;
    Ok(comparison.wrong)
}

/// Loads a row's model in single precision; an adapter onto the model of the row that it was made for.
async fn open(folder: &str, base: Option<&str>, placement: &Placement) -> Result<Model> {
    let model = base.map_or(folder.to_string(), |base| format!("golden/eras/{base}"));
    let adapter = base.map(|_| AdapterPlace {
        name: folder.to_string(),
        folder: format!("{folder}/model"),
    });
    let options = Options {
        dtype: Dtype::F32,
        adapters: adapter.into_iter().collect(),
        ..Options::default()
    };
    let no_entry: Option<Stores<NoStore>> = None;
    let files = &RowFiles(format!("{model}/model"));
    load::load(
        folder,
        files,
        None,
        no_entry,
        &options,
        placement.clone(),
        |_| {},
    )
    .await
}

/// The files of a model's folder, and by their whole path those of other rows.
struct RowFiles(String);

impl RowFiles {
    fn at(&self, file: &str) -> (golden::Folder, String) {
        match file.rsplit_once('/') {
            Some((folder, file)) if folder.starts_with("golden/") => {
                (golden::Folder(folder.to_string()), file.to_string())
            }
            _ => (golden::Folder(self.0.clone()), file.to_string()),
        }
    }
}

impl Files for RowFiles {
    async fn size(&self, file: &str) -> Result<Option<u64>> {
        let (folder, file) = self.at(file);
        folder.size(&file).await
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        let (folder, file) = self.at(file);
        folder.read(&file, offset, length).await
    }
}

struct Comparison<'p> {
    model: Model,
    picture: &'p RgbImage,
    bounds: Tolerance,
    wrong: Vec<String>,
}

impl Comparison<'_> {
    fn expect(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right {
            self.wrong.push(what());
        }
    }

    fn direction(&mut self, what: &str, ours: &[f32], wanted: &[f32]) {
        if ours.len() != wanted.len() {
            return self.expect(false, || {
                format!(
                    "{what} has {} values, expected {}",
                    ours.len(),
                    wanted.len()
                )
            });
        }
        let error = turned(ours, wanted);
        let is_right = error <= self.bounds.cosine;
        self.expect(is_right, || format!("{what} is turned by {error:.1e}"));
    }

    fn ids(&mut self, what: &str, ours: &[u32], wanted: &[u32]) {
        self.expect(ours == wanted, || {
            format!("{what} is {ours:?}, expected {wanted:?}")
        });
    }

    fn score(&mut self, what: &str, ours: f32, wanted: f32) {
        let is_right = f64::from((ours - wanted).abs()) <= self.bounds.score;
        self.expect(is_right, || format!("{what} is {ours}, expected {wanted}"));
    }

    async fn vectors(&mut self, wanted: &Wanted) -> Result<()> {
        if let Some(vector) = &wanted.image_vector {
            let ours = self.model.embed_image(self.picture, true).await?;
            self.direction("the picture's vector", &ours, vector);
        }
        for Text { text, ids, vector } in &wanted.texts {
            let ours = self.model.text_ids(text)?;
            self.ids(&format!("{text:?} as ids"), &ours, ids);
            let ours = self.model.embed_text(text, true).await?;
            self.direction(&format!("the vector of {text:?}"), &ours, vector);
        }
        Ok(())
    }

    async fn labels(&mut self, wanted: &Wanted) -> Result<()> {
        let Some(probabilities) = &wanted.probabilities else {
            return Ok(());
        };
        let labels: Vec<String> = wanted.texts.iter().map(|text| text.text.clone()).collect();
        let bare = ["{}".to_string()];
        let ours = self.model.classify(self.picture, &labels, &bare).await?;
        for (label, probability) in labels.iter().zip(probabilities) {
            let ours = ours.iter().find(|score| score.label == *label);
            let ours = ours.expect("every label has a score").score;
            self.score(&format!("the probability of {label:?}"), ours, *probability);
        }
        Ok(())
    }

    async fn writing(&mut self, wanted: &Wanted) -> Result<()> {
        let at_most = |max_new_tokens| GenerationOptions {
            max_new_tokens,
            ..GenerationOptions::default()
        };
        for Caption { prompt, ids } in &wanted.captions {
            let options = at_most(CAPTION_TOKENS);
            let ours = self
                .model
                .caption(self.picture, prompt, &options, async |_, _| Ok(()));
            let ours = ours.await?.tokens;
            self.ids(&format!("the caption from {prompt:?}"), &ours, ids);
        }
        for Answer { question, ids } in &wanted.answers {
            let (images, options) = ([self.picture.clone()], at_most(ANSWER_TOKENS));
            let ours = self
                .model
                .answer(&images, question, &options, async |_, _| Ok(()));
            let ours = ours.await?.tokens;
            self.ids(&format!("the answer to {question:?}"), &ours, ids);
        }
        Ok(())
    }

    async fn matches(&mut self, wanted: &Wanted) -> Result<()> {
        for wanted in &wanted.matches {
            let texts = [wanted.text.clone()];
            let ours = self.model.match_texts(self.picture, &texts).await?;
            let probability = ours[0].probability.unwrap_or(f32::NAN);
            let what = |score| format!("the {score} of {:?}", wanted.text);
            self.score(&what("probability"), probability, wanted.probability);
            self.score(&what("similarity"), ours[0].similarity, wanted.similarity);
        }
        Ok(())
    }
}
