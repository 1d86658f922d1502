//! What is said of a picture, and its row in a table of all.
//!
//! | | JSON, a line | CSV, the columns |
//! |---|---|---|
//! | a caption | `{"file_name": "a.jpg", "text": "a dog"}`, as Hugging Face's `imagefolder` reads it | `image`, `caption` |
//! | several | besides `"texts": [{"text": "a dog", "score": -0.5}, ...]`, the best first | `image`, `caption`, `score`, `caption_2`, `score_2`, ... |
//! | a label | `{"file_name": "a.jpg", "label": "a dog", "score": 0.9}` | `image`, `label`, `score` |
//! | several | besides `"labels": [{"label": "a dog", "score": 0.9}, ...]` | `image`, `label`, `score`, `label_2`, `score_2`, ... |

use super::arguments::Form;
use obscura::{Error, Result};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// A caption or a label, and what speaks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub text: String,
    pub score: f32,
}

/// What is said of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Caption,
    Label,
}

#[derive(Serialize)]
struct Captioned<'c> {
    file_name: &'c str,
    text: &'c str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    texts: Vec<Caption<'c>>,
}

#[derive(Serialize)]
struct Caption<'c> {
    text: &'c str,
    score: f32,
}

#[derive(Serialize)]
struct Labelled<'c> {
    file_name: &'c str,
    label: &'c str,
    score: f32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<Label<'c>>,
}

#[derive(Serialize)]
struct Label<'c> {
    label: &'c str,
    score: f32,
}

/// As much of a line as tells whose it is.
#[derive(Deserialize)]
struct Known {
    file_name: String,
    text: Option<IgnoredAny>,
    label: Option<IgnoredAny>,
}

impl Kind {
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Caption => "caption",
            Kind::Label => "label",
        }
    }

    /// What the table is called that nobody has named.
    pub fn file(self, form: Form) -> &'static str {
        match (self, form) {
            (Kind::Caption, Form::Csv) => "captions.csv",
            (Kind::Caption, _) => "metadata.jsonl",
            (Kind::Label, Form::Csv) => "labels.csv",
            (Kind::Label, _) => "labels.jsonl",
        }
    }

    /// The names of the columns, where a picture has so many choices.
    pub fn header(self, count: usize) -> String {
        let mut names = vec!["image".to_string()];
        for place in 1..=count {
            let ending = match place {
                1 => String::new(),
                _ => format!("_{place}"),
            };
            names.push(format!("{}{ending}", self.noun()));
            if self.has_scores(count) {
                names.push(format!("score{ending}"));
            }
        }
        names.join(",") + "\n"
    }

    /// How many choices a picture has under these names of columns; None if they are none of ours.
    pub fn count_in(self, header: &str) -> Option<usize> {
        let columns = header.split(',').count();
        let mut counts = 1..=columns;
        counts.find(|count| self.header(*count).trim_end() == header)
    }

    /// How many columns that is.
    pub fn columns(self, count: usize) -> usize {
        1 + count * (1 + usize::from(self.has_scores(count)))
    }

    /// One caption is all that there is to say; of several, and of labels, one wants to know how sure they are.
    fn has_scores(self, count: usize) -> bool {
        self == Kind::Label || count > 1
    }

    /// A line of a table, with room for `count` choices; those that there are, the best first.
    pub fn line(self, form: Form, name: &str, choices: &[Choice], count: usize) -> Result<String> {
        let line = match form {
            Form::Csv => self.csv(name, choices, count),
            _ => self.json(name, choices, count),
        };
        let noun = self.noun();
        line.map_err(|error| Error::BadInput(format!("a {noun} has no form in a file: {error}")))
    }

    fn json(
        self,
        name: &str,
        choices: &[Choice],
        count: usize,
    ) -> std::result::Result<String, String> {
        let best = choices.first().ok_or("there is none")?;
        let all = if count > 1 { choices } else { &[] }.iter();
        let line = match self {
            Kind::Caption => serde_json::to_string(&Captioned {
                file_name: name,
                text: &best.text,
                texts: all
                    .map(|Choice { text, score }| Caption {
                        text,
                        score: *score,
                    })
                    .collect(),
            }),
            Kind::Label => serde_json::to_string(&Labelled {
                file_name: name,
                label: &best.text,
                score: best.score,
                labels: all
                    .map(|Choice { text: label, score }| Label {
                        label,
                        score: *score,
                    })
                    .collect(),
            }),
        };
        line.map(|line| line + "\n")
            .map_err(|error| error.to_string())
    }

    fn csv(
        self,
        name: &str,
        choices: &[Choice],
        count: usize,
    ) -> std::result::Result<String, String> {
        let one_line = |text: &str| text.replace(['\r', '\n'], " ");
        let mut record = vec![one_line(name)];
        for choice in choices.iter().take(count) {
            record.push(one_line(&choice.text));
            record.extend(self.has_scores(count).then(|| choice.score.to_string()));
        }
        record.resize(self.columns(count), String::new());
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer
            .write_record(record)
            .map_err(|error| error.to_string())?;
        let bytes = writer.into_inner().map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|error| error.to_string())
    }

    /// The picture that a line of JSON is about; None if it is no line of ours.
    pub fn picture_in_json(self, line: &str) -> Option<String> {
        let known: Known = serde_json::from_str(line).ok()?;
        let is_ours = match self {
            Kind::Caption => known.text.is_some(),
            Kind::Label => known.label.is_some(),
        };
        is_ours.then_some(known.file_name)
    }

    /// The same of a line of CSV with so many columns.
    pub fn picture_in_csv(line: &str, columns: usize) -> Option<String> {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).from_reader(line.as_bytes());
        let record = reader.records().next()?.ok()?;
        (record.len() == columns).then(|| record[0].to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices() -> Vec<Choice> {
        let choice = |(text, score): (&str, f32)| Choice {
            text: text.to_string(),
            score,
        };
        [("a \"dog\", black", 0.75), ("a cat", 0.25)]
            .map(choice)
            .to_vec()
    }

    #[track_caller]
    fn check(kind: Kind, count: usize, json: &str, csv: &str) {
        let line = |form| kind.line(form, "a.jpg", &choices(), count).expect("a line");
        assert_eq!(line(Form::Jsonl), json.to_string() + "\n");
        assert_eq!(kind.header(count) + &line(Form::Csv), csv);
        assert_eq!(kind.picture_in_json(json).as_deref(), Some("a.jpg"));
        let (header, row) = csv.split_once('\n').expect("two lines");
        assert_eq!(kind.count_in(header), Some(count));
        let picture = Kind::picture_in_csv(row, kind.columns(count));
        assert_eq!(picture.as_deref(), Some("a.jpg"));
    }

    #[test]
    fn rows_hold_all_that_was_asked_for_the_best_first() {
        check(
            Kind::Caption,
            1,
            r#"{"file_name":"a.jpg","text":"a \"dog\", black"}"#,
            "image,caption\na.jpg,\"a \"\"dog\"\", black\"\n",
        );
        check(
            Kind::Caption,
            3, // two were found
            r#"{"file_name":"a.jpg","text":"a \"dog\", black","texts":[{"text":"a \"dog\", black","score":0.75},{"text":"a cat","score":0.25}]}"#,
            "image,caption,score,caption_2,score_2,caption_3,score_3\na.jpg,\"a \"\"dog\"\", black\",0.75,a cat,0.25,,\n",
        );
        check(
            Kind::Label,
            1,
            r#"{"file_name":"a.jpg","label":"a \"dog\", black","score":0.75}"#,
            "image,label,score\na.jpg,\"a \"\"dog\"\", black\",0.75\n",
        );
        check(
            Kind::Label,
            2,
            r#"{"file_name":"a.jpg","label":"a \"dog\", black","score":0.75,"labels":[{"label":"a \"dog\", black","score":0.75},{"label":"a cat","score":0.25}]}"#,
            "image,label,score,label_2,score_2\na.jpg,\"a \"\"dog\"\", black\",0.75,a cat,0.25\n",
        );
    }

    #[test]
    fn rows_of_the_other_kind_are_none_of_ours() {
        let line = r#"{"file_name":"a.jpg","text":"a dog"}"#;
        assert_eq!(Kind::Label.picture_in_json(line), None);
        assert_eq!(Kind::Caption.picture_in_json("{}"), None);
        assert_eq!(Kind::Label.count_in("image,caption"), None);
        assert_eq!(Kind::picture_in_csv("a.jpg,a dog", 3), None);
    }
}
