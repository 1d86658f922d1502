//! Settings of generation that may be left out: a caller's, and a checkpoint's own in
//! generation_config.json. The first that says something counts, else the reference's default.

use super::{EarlyStopping, GenerationOptions, Rules};
use crate::{Error, Result};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// [`GenerationOptions`], each of which may be left to somebody else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GenerationSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_new_tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_beams: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_beam_groups: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    #[serde(serialize_with = "early_stopping")]
    pub early_stopping: Option<EarlyStopping>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_sample: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_repeat_ngram_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_return_sequences: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_words: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_words_ids: Option<Vec<Vec<u32>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// As the reference writes it.
fn early_stopping<S: Serializer>(
    value: &Option<EarlyStopping>,
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    match value {
        Some(EarlyStopping::Never) => to.serialize_str("never"),
        other => to.serialize_bool(*other == Some(EarlyStopping::Always)),
    }
}

/// Fields of generation_config.json that say nothing about what is written here: notes, tokens that the
/// configuration of the network names too, how the library runs.
const NOTES: [&str; 13] = [
    "transformers_version",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "use_cache",
    "return_dict_in_generate",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "output_logits",
    "cache_implementation",
    "trust_remote_code",
];

impl GenerationSettings {
    /// What a generation_config.json says, and the names of its fields that have an effect in the
    /// reference but none here.
    ///
    /// # Errors
    /// [`Error::BadWeights`] for a text that is none, or a value of another kind.
    pub fn from_generation_config(text: &str) -> Result<(Self, Vec<String>)> {
        let bad = |what: String| Error::BadWeights(format!("{FILE}: {what}"));
        let fields: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| bad(format!("is not a JSON object: {error}")))?;
        let is_said = |(name, value): &(String, Value)| {
            let is_note = name.starts_with('_') || NOTES.contains(&name.as_str());
            !(is_note || value.is_null() || is_default(name, value))
        };
        let mut own = Map::new();
        let mut unknown = Vec::new();
        let mut early = None;
        for (name, value) in fields.into_iter().filter(is_said) {
            match (name.as_str(), &value) {
                ("early_stopping", Value::Bool(true)) => early = Some(EarlyStopping::Always),
                ("early_stopping", Value::String(never)) if never == "never" => {
                    early = Some(EarlyStopping::Never);
                }
                (known, _) if KNOWN.contains(&known) => {
                    own.insert(camel_case(known), value);
                }
                _ => unknown.push(name),
            }
        }
        let mut settings: Self =
            serde_json::from_value(Value::Object(own)).map_err(|error| bad(error.to_string()))?;
        settings.early_stopping = early;
        if settings.do_sample == Some(true) && settings.num_beams.is_some_and(|beams| beams > 1) {
            settings.do_sample = None;
            unknown.push("do_sample beside num_beams".to_string());
        }
        Ok((settings, unknown))
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The options of a call that asks for these, of a model whose checkpoint says `own`, by these rules and
    /// with their defaults.
    pub fn of(&self, rules: Rules, own: &Self) -> GenerationOptions {
        let default = match rules {
            Rules::Transformers => Self::default(),
            Rules::OpenClip => Self {
                max_length: Some(30),
                min_length: Some(5),
                num_beams: Some(6),
                num_beam_groups: Some(3),
                ..Self::default()
            },
        };
        // Who says how many beams there are, but nothing of groups, means those of the rules where the beams
        // divide into them. A checkpoint never does.
        let divides = |groups: &usize| {
            let beams = self.num_beams.or(default.num_beams);
            beams.is_none_or(|beams| beams.is_multiple_of(*groups))
        };
        let groups = default.num_beam_groups.filter(divides);
        let groups = groups.filter(|_| own.num_beams.is_none());
        let mut own = own.clone();
        if own.max_new_tokens.is_none() {
            own.max_length = own.max_length.or(default.max_length);
        }
        own.min_length = own.min_length.or(default.min_length);
        own.num_beams = own.num_beams.or(default.num_beams);
        own.num_beam_groups = own.num_beam_groups.or(groups);
        self.or(&own).of(rules)
    }

    /// The options of a call that asks for these, of a model whose checkpoint says `own`.
    pub fn or(&self, own: &Self) -> GenerationOptions {
        let mut own = own.clone();
        // A way of generating that was asked for takes the place of the checkpoint's.
        if self.do_sample == Some(true) && self.num_beams.is_none() {
            own.num_beams = None;
        }
        if self.num_beams.is_some_and(|beams| beams > 1) && self.do_sample.is_none() {
            own.do_sample = None;
        }
        if self.num_beams.is_some() || self.do_sample.is_some() {
            own.num_return_sequences = None;
        }
        let default = GenerationOptions::default();
        macro_rules! first {
            ($field:ident) => {
                self.$field
                    .clone()
                    .or(own.$field.clone())
                    .unwrap_or(default.$field)
            };
        }
        let num_beams = first!(num_beams);
        GenerationOptions {
            max_length: match self.max_new_tokens.or(own.max_new_tokens) {
                Some(_) => None,
                None => self.max_length.or(own.max_length),
            },
            max_new_tokens: first!(max_new_tokens),
            min_length: first!(min_length),
            num_beams,
            num_beam_groups: match num_beams {
                1 => self.num_beam_groups.unwrap_or(1),
                _ => first!(num_beam_groups),
            },
            length_penalty: first!(length_penalty),
            early_stopping: first!(early_stopping),
            do_sample: first!(do_sample),
            temperature: first!(temperature),
            top_k: first!(top_k),
            top_p: first!(top_p),
            repetition_penalty: first!(repetition_penalty),
            no_repeat_ngram_size: first!(no_repeat_ngram_size),
            num_return_sequences: self.num_return_sequences.or(own.num_return_sequences),
            bad_words: first!(bad_words),
            bad_words_ids: first!(bad_words_ids),
            seed: self.seed.or(own.seed),
            rules: Rules::default(),
        }
    }

    /// What of `own`, a checkpoint's settings, counts in a call that asks for these: names and values
    /// as generation_config.json has them.
    pub fn left_to(&self, own: &Self) -> Vec<String> {
        let (asked, counts) = (self.fields(), self.or(own));
        let counts = |name: &str, value: &Value| match name {
            "maxLength" => counts.max_length.is_some(),
            "numBeams" => *value == counts.num_beams,
            "doSample" => *value == counts.do_sample,
            "numReturnSequences" => counts.num_return_sequences.is_some(),
            _ => true,
        };
        let own = own.fields().into_iter();
        own.filter(|(name, value)| !asked.contains_key(name) && counts(name, value))
            .map(|(name, value)| format!("{} {value}", snake_case(&name)))
            .collect()
    }

    /// What is said, by the names in JavaScript.
    fn fields(&self) -> Map<String, Value> {
        // By way of a text: numbers of single precision are then as people write them.
        let text = serde_json::to_string(self).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// The file of a checkpoint's own settings.
const FILE: &str = "generation_config.json";

/// The fields of [`GenerationSettings`] by their names in that file.
const KNOWN: [&str; 14] = [
    "max_new_tokens",
    "max_length",
    "min_length",
    "num_beams",
    "length_penalty",
    "early_stopping",
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "num_return_sequences",
    "bad_words_ids",
];

/// Values that the reference takes where nothing is said. Before version 5 it wrote them all out.
fn is_default(name: &str, value: &Value) -> bool {
    match name {
        "num_beams" | "num_return_sequences" | "num_beam_groups" => *value == 1,
        "length_penalty"
        | "temperature"
        | "top_p"
        | "typical_p"
        | "repetition_penalty"
        | "encoder_repetition_penalty" => value.as_f64() == Some(1.0),
        "top_k" => *value == 50,
        _ => *value == false || *value == 0 || value.as_f64() == Some(0.0),
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_string();
    words.fold(first, |text, word| {
        let (start, rest) = word.split_at(1.min(word.len()));
        text + &start.to_uppercase() + rest
    })
}

fn snake_case(name: &str) -> String {
    let letters = name.chars().map(|letter| match letter.is_uppercase() {
        true => format!("_{}", letter.to_lowercase()),
        false => letter.to_string(),
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> GenerationSettings {
        let (settings, unknown) = GenerationSettings::from_generation_config(text).expect("one");
        assert!(unknown.is_empty(), "{unknown:?}");
        settings
    }

    #[test]
    fn what_is_asked_for_comes_before_the_checkpoints_settings_and_those_before_defaults() {
        let own = settings(r#"{"num_beams": 3, "max_length": 50, "repetition_penalty": 1.5}"#);
        let asked = GenerationSettings {
            repetition_penalty: Some(1.0),
            ..Default::default()
        };
        let options = asked.or(&own);
        assert_eq!((options.num_beams, options.repetition_penalty), (3, 1.0));
        assert_eq!((options.top_k, options.after(2).max_new_tokens), (50, 48));
        assert_eq!(asked.left_to(&own), ["max_length 50", "num_beams 3"]);
        let asked = GenerationSettings {
            max_new_tokens: Some(5),
            do_sample: Some(true),
            ..Default::default()
        };
        let options = asked.or(&own);
        assert_eq!((options.after(2).max_new_tokens, options.num_beams), (5, 1));
        assert_eq!(asked.left_to(&own), ["repetition_penalty 1.5"]);
    }

    #[test]
    fn open_clips_rules_have_their_own_defaults() {
        let of = |asked: GenerationSettings, own: &str| asked.of(Rules::OpenClip, &settings(own));
        let options = of(GenerationSettings::default(), "{}");
        assert_eq!((options.num_beams, options.beams()), (6, 2));
        assert_eq!(
            (options.min_length, options.after(1).max_new_tokens),
            (5, 29)
        );
        options.check().expect("defaults");
        for (num_beams, beams) in [(1, 1), (9, 3), (4, 4)] {
            let asked = GenerationSettings {
                num_beams: Some(num_beams),
                ..Default::default()
            };
            let options = of(asked, "{}");
            options.check().expect("whole groups, or one");
            assert_eq!(options.beams(), beams);
        }
        let sampled = GenerationSettings {
            do_sample: Some(true),
            ..Default::default()
        };
        let options = of(sampled, "{}");
        assert_eq!((options.num_beams, options.num_beam_groups), (1, 1));
        options.check().expect("no search");
        let options = of(GenerationSettings::default(), r#"{"num_beams": 4}"#);
        assert_eq!(options.beams(), 4, "the checkpoint's own");
    }

    #[test]
    fn a_file_of_nothing_but_defaults_says_nothing() {
        let text = r#"{"_from_model_config": true, "bos_token_id": 1, "do_sample": false,
            "num_beams": 1, "top_k": 50, "top_p": 1.0, "bad_words_ids": null, "min_length": 0,
            "early_stopping": false, "transformers_version": "4.57.6"}"#;
        assert!(settings(text).is_empty());
        assert!(settings("{}").is_empty());
    }

    #[test]
    fn fields_without_effect_here_are_named_and_wrong_kinds_refused() {
        let text = r#"{"typical_p": 0.9, "suppress_tokens": [3], "early_stopping": "never"}"#;
        let (found, unknown) = GenerationSettings::from_generation_config(text).expect("one");
        assert_eq!(unknown, ["suppress_tokens", "typical_p"]);
        assert_eq!(found.early_stopping, Some(EarlyStopping::Never));
        for text in ["[]", "{", r#"{"num_beams": "many"}"#] {
            let error = GenerationSettings::from_generation_config(text).expect_err(text);
            assert!(error.to_string().starts_with(FILE), "{error}");
        }
    }
}
