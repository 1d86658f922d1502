//! Label sets: the labels to choose among with the sentences that they are put into, as files that
//! people write (`www/labels/README.md` describes them).

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// OpenAI's template.
pub const DEFAULT_TEMPLATE: &str = "a photo of a {}";

/// Labels, and the sentences by which a model gets to know them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelSet {
    /// What the set is called; may be empty.
    pub name: String,
    /// Each `{}` stands for a label; [`DEFAULT_TEMPLATE`] if there are none.
    pub templates: Vec<String>,
    /// What data sets call the labels, in their order (ImageNet's folders: `n01440764`); or none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// The labels.
    pub labels: Vec<String>,
}

impl LabelSet {
    /// A set without a name.
    pub fn new(labels: &[String], templates: &[String]) -> Self {
        Self {
            labels: labels.to_vec(),
            templates: templates.to_vec(),
            ..Self::default()
        }
    }

    /// ImageNet's 1,000 classes and the 80 templates of CLIP's paper, built into the command line.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn imagenet() -> Result<Self> {
        Self::parse(include_str!("../../www/labels/imagenet.json"))
    }

    /// Reads a JSON object with the fields above, a JSON list of labels, or a label in each line.
    ///
    /// # Errors
    /// [`Error::BadInput`] for JSON of another kind, and for what [`LabelSet::check`] refuses.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let unusable =
            |error| Error::BadInput(format!("the label set is not usable as JSON: {error}"));
        let set = match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map_err(unusable)?,
            Some(b'[') => Self {
                labels: serde_json::from_str(text).map_err(unusable)?,
                ..Self::default()
            },
            _ => Self {
                labels: text.lines().map(str::trim).map(str::to_string).collect(),
                ..Self::default()
            },
        };
        set.check()?;
        Ok(set)
    }

    /// Refuses a set without labels, with blank ones, or with templates that have no room for them.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::BadInput(what));
        if self.labels.is_empty() || self.labels.iter().any(|label| label.trim().is_empty()) {
            return refuse(
                "labels are empty: give at least one, and each at least one letter".to_string(),
            );
        }
        if !self.ids.is_empty() && self.ids.len() != self.labels.len() {
            return refuse(format!(
                "the label set has {} ids for {} labels, expected as many or none",
                self.ids.len(),
                self.labels.len()
            ));
        }
        match self.templates.iter().find(|one| !one.contains("{}")) {
            Some(wrong) => refuse(format!(
                "the template '{wrong}' has no {{}} for the label to go"
            )),
            None => Ok(()),
        }
    }

    /// The templates, or else the default one.
    pub fn templates(&self) -> Vec<String> {
        match self.templates.is_empty() {
            true => vec![DEFAULT_TEMPLATE.to_string()],
            false => self.templates.clone(),
        }
    }

    /// Which label a data set means by `name`: an id, or a label, whatever its case and with `_` or
    /// a space between its words. The first one, where two labels are alike.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        let plain = |text: &str| text.trim().replace('_', " ").to_lowercase();
        let wanted = plain(name);
        let by_id = self.ids.iter().position(|id| id == name);
        by_id.or_else(|| self.labels.iter().position(|label| plain(label) == wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> LabelSet {
        LabelSet::parse(text).expect("a label set")
    }

    #[test]
    fn objects_lists_and_lines_are_label_sets() {
        let labels = ["a cat".to_string(), "Das Kätzchen".to_string()];
        for text in [
            r#"{"labels": ["a cat", "Das Kätzchen"], "source": "ignored"}"#,
            r#" ["a cat", "Das Kätzchen"]"#,
            "\u{feff}a cat\r\nDas Kätzchen\n\n",
        ] {
            assert_eq!(set(text).labels, labels, "{text}");
            assert_eq!(set(text).templates(), [DEFAULT_TEMPLATE]);
        }
    }

    #[test]
    fn unusable_label_sets_are_explained() {
        for (text, word) in [
            ("", "labels are empty"),
            ("{}", "labels are empty"),
            ("[]", "labels are empty"),
            ("[1]", "JSON"),
            ("{\"labels\": [\"a\"]", "JSON"),
            (r#"{"labels": ["a"], "templates": ["b"]}"#, "'b'"),
            (
                r#"{"labels": ["a"], "ids": ["1", "2"]}"#,
                "2 ids for 1 labels",
            ),
            ("a\n\nb", "labels are empty"),
        ] {
            let error = LabelSet::parse(text).expect_err(text);
            assert_eq!(error.code(), "bad_input");
            assert!(error.to_string().contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn folders_are_found_by_id_and_by_name() {
        let imagenet = set(include_str!("../../www/labels/imagenet.json"));
        let sizes = (imagenet.labels.len(), imagenet.templates.len());
        assert_eq!(sizes, (1000, 80));
        assert_eq!(imagenet.place_of("n01440764"), Some(0));
        assert_eq!(imagenet.place_of("n15075141"), Some(999));
        assert_eq!(imagenet.place_of("toilet_paper"), Some(999));
        assert_eq!(imagenet.place_of("golden_retriever"), Some(207));
        assert_eq!(imagenet.place_of("unheard of"), None);
    }
}
