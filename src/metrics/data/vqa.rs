//! VQA v2's official format: the questions in one file, ten people's answers to each in another, the
//! pictures in a folder under COCO's names (Goyal et al. 2017; `vqa.py` of the official repository).

use super::{Images, Place, cannot_be_read, not_empty, without_byte_order_mark};
use crate::{Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::Path;

#[derive(Deserialize)]
struct Questions {
    questions: Vec<Asked>,
    /// `val2014`, `test-dev2015`: part of the pictures' names.
    #[serde(default)]
    data_subtype: String,
}

#[derive(Deserialize)]
struct Asked {
    image_id: u64,
    question: String,
    question_id: u64,
}

#[derive(Deserialize)]
struct Annotations {
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Annotation {
    question_id: u64,
    /// `yes/no`, `number` or `other`.
    #[serde(default)]
    answer_type: String,
    answers: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    answer: String,
}

/// Questions with their answers, and the kind of each by the annotations, in the same order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VqaQuestions {
    /// In the order of the file.
    pub questions: Vec<super::Question>,
    /// `yes/no`, `number` or `other`, one a question.
    pub kinds: Vec<String>,
}

/// Whether a file is one of questions, and not COCO's captions, by its first field that tells.
pub fn is_vqa(file: &Path) -> bool {
    #[derive(Deserialize)]
    struct Fields {
        questions: Option<serde::de::IgnoredAny>,
    }
    read::<Fields>(file).is_ok_and(|fields| fields.questions.is_some())
}

/// Joins the two files by `question_id`. Annotations of questions that the one file lacks are left
/// out: a part of the questions is a data set, too.
///
/// # Errors
/// [`Error::BadInput`] for files of another form, a question without annotation, and a picture that
/// is not there.
pub fn read_vqa(questions: &Path, annotations: &Path, images: &Path) -> Result<VqaQuestions> {
    let asked: Questions = read(questions)?;
    let given: Annotations = read(annotations)?;
    let mut by_question: HashMap<u64, Annotation> = given
        .annotations
        .into_iter()
        .map(|one| (one.question_id, one))
        .collect();
    let mut found = Images::new(images);
    let mut joined = VqaQuestions::default();
    for (index, one) in asked.questions.iter().enumerate() {
        let place = Place::entry(questions, "questions", index);
        let id = one.question_id;
        let Some(annotation) = by_question.remove(&id) else {
            let file = annotations.display();
            return place.refuse(&format!("question {id} has no annotation in {file}"));
        };
        let names = image_names(&asked.data_subtype, one.image_id);
        joined.questions.push(super::Question {
            image: found.first_of(&place, &names)?,
            question: place.text("question", &one.question)?,
            answers: answers(annotations, annotation.answers, id)?,
        });
        joined.kinds.push(annotation.answer_type);
    }
    joined.questions = not_empty(questions, "questions", joined.questions)?;
    Ok(joined)
}

/// An answer may be blank here: some of the ten are, and it counts as one.
fn answers(file: &Path, given: Vec<Given>, question: u64) -> Result<Vec<String>> {
    if given.is_empty() {
        return Err(Error::BadInput(format!(
            "{}: question {question} has no answers",
            file.display()
        )));
    }
    Ok(given.into_iter().map(|one| one.answer).collect())
}

/// What the picture of an id may be called: as in 2014 and 2015, as in 2017, as the abstract scenes.
fn image_names(subtype: &str, id: u64) -> [String; 3] {
    let pictures = subtype.replace("-dev", ""); // both parts of the test have the same pictures
    [
        format!("COCO_{pictures}_{id:012}.jpg"),
        format!("{id:012}.jpg"),
        format!("abstract_v002_{pictures}_{id:012}.png"),
    ]
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let bytes = std::fs::read(file).map_err(|error| cannot_be_read(file, error))?;
    serde_json::from_slice(without_byte_order_mark(&bytes)).map_err(|error| {
        Error::BadInput(format!(
            "{} is not in VQA v2's format: {error}",
            file.display()
        ))
    })
}
