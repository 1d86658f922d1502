//! adapter_config.json. Every field that changes what an adapter computes is honoured or refused by
//! name; a field of a newer PEFT that nobody here knows is refused, too, unless it is off.

use super::fields::{bad, texts};
use super::modules;
use super::targets::Targets;
use crate::Result;
use fancy_regex::Regex;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Fields that are read below.
const HONOURED: [&str; 17] = [
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "exclude_modules",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_bias",
    "modules_to_save",
    "peft_type",
    "r",
    "rank_pattern",
    "revision",
    "target_modules",
    "use_rslora",
];

/// Fields that say how an adapter was trained or made, but change nothing of a trained one. CLIP and
/// BLIP have no layers whose weights PEFT would transpose for `fan_in_fan_out`: it takes the field
/// back itself.
const WITHOUT_EFFECT: [&str; 13] = [
    "corda_config",
    "eva_config",
    "fan_in_fan_out",
    "inference_mode",
    "loftq_config",
    "lora_dropout",
    "lora_ga_config",
    "megatron_core",
    "merge_weights",
    "peft_version",
    "qalora_group_size",
    "runtime_config",
    "task_type",
];

/// Fields that, when they are on, make something else of LoRA: what each is called.
const REFUSED: [(&str, &str); 13] = [
    ("alora_invocation_tokens", "activated LoRA"),
    ("arrow_config", "Arrow routing"),
    ("ensure_weight_tying", "tied adapters"),
    ("kasa_config", "KaSA"),
    ("layer_replication", "replicated layers"),
    ("megatron_config", "Megatron's parallel layers"),
    ("monteclora_config", "MonteCLoRA"),
    ("target_parameters", "LoRA of bare parameters"),
    ("trainable_token_indices", "trained rows of an embedding"),
    ("use_bdlora", "block-diagonal LoRA"),
    ("use_dora", "DoRA"),
    ("use_qalora", "QALoRA"),
    ("velora_config", "VeLoRA"),
];

/// Values of `init_lora_weights` that leave the base's weights as they are. The others begin by
/// taking a part of them away, which the adapter's file does not hold.
const INITIALISATIONS: [&str; 4] = ["gaussian", "eva", "orthogonal", "mica"];

/// PEFT's own rank and alpha.
const DEFAULT: usize = 8;

/// What to do about an adapter that is not merged here.
const ADVICE: &str =
    "merge it with PEFT, model.merge_and_unload(), and save the result with save_pretrained";

/// What a LoRA adapter says of itself.
#[derive(Debug)]
pub struct AdapterConfig {
    /// The class of the model that it was trained on.
    pub class: Option<String>,
    /// The rank of modules that no pattern names.
    pub rank: usize,
    alpha: f64,
    is_rank_stabilised: bool,
    /// Whether `lora_B` has a bias.
    pub has_bias: bool,
    ranks: Vec<(Regex, usize)>,
    alphas: Vec<(Regex, f64)>,
    targets: Targets,
    /// Modules that the adapter holds whole.
    pub saved: Vec<String>,
}

impl AdapterConfig {
    /// Reads the text of adapter_config.json.
    pub fn from_json(text: &str) -> Result<Self> {
        let fields: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| bad(format!("is not a JSON object: {error}")))?;
        check_kind(&fields)?;
        check_fields(&fields)?;
        check_initialisation(&fields)?;
        check_bias(&fields)?;
        let patterns = Patterns::of(text, &fields)?;
        let saved = texts(&fields, "modules_to_save")?.unwrap_or_default();
        Ok(Self {
            class: class(&fields),
            rank: fields
                .get("r")
                .map_or(Ok(DEFAULT), |value| rank("r", value))?,
            alpha: fields
                .get("lora_alpha")
                .map_or(Ok(DEFAULT as f64), |value| number("lora_alpha", value))?,
            is_rank_stabilised: flag(&fields, "use_rslora")?,
            has_bias: flag(&fields, "lora_bias")?,
            ranks: expressions("rank_pattern", patterns.rank_pattern, rank)?,
            alphas: expressions("alpha_pattern", patterns.alpha_pattern, number)?,
            targets: Targets::of(&fields, &saved)?,
            saved,
        })
    }

    /// The rank of a module's matrices, and which field says so.
    pub fn rank_of(&self, module: &str) -> Result<(usize, &'static str)> {
        let found = first_match(&self.ranks, "rank_pattern", module)?;
        let by_default = (self.rank, "r, as rank_pattern does not fit,");
        Ok(found.map_or(by_default, |rank| (rank, "rank_pattern")))
    }

    /// What the product of a module's matrices is multiplied by.
    pub fn scale_of(&self, module: &str) -> Result<f32> {
        let (rank, _) = self.rank_of(module)?;
        let alpha = first_match(&self.alphas, "alpha_pattern", module)?.unwrap_or(self.alpha);
        let rank = rank as f64;
        let divisor = if self.is_rank_stabilised {
            rank.sqrt()
        } else {
            rank
        };
        Ok((alpha / divisor) as f32)
    }

    /// Refuses a module that the configuration does not mean, though the file has matrices for it.
    pub fn check_targeted(&self, module: &str, is_linear: bool) -> Result<()> {
        self.targets.check(module, is_linear)
    }

    /// Whether the module, or one that it is part of, is held whole by the adapter and so shares its
    /// values with no other.
    pub fn saves(&self, module: &str) -> bool {
        let mut parts: Vec<&str> = vec![module];
        parts.extend(module.match_indices('.').map(|(at, _)| &module[..at]));
        // PEFT compares the ends of names, whole or not.
        parts
            .iter()
            .any(|part| self.saved.iter().any(|end| part.ends_with(end.as_str())))
    }
}

/// The fields whose entries have an order.
#[derive(Deserialize)]
struct Patterns {
    rank_pattern: Option<Pairs>,
    alpha_pattern: Option<Pairs>,
}

impl Patterns {
    fn of(text: &str, fields: &Map<String, Value>) -> Result<Self> {
        for name in ["rank_pattern", "alpha_pattern"] {
            match fields.get(name) {
                None | Some(Value::Null | Value::Object(_)) => {}
                Some(other) => {
                    return Err(bad(format!(
                        "{name} is {other}, expected an object of numbers"
                    )));
                }
            }
        }
        serde_json::from_str(text).map_err(|error| bad(format!("is unusable: {error}")))
    }
}

/// The expressions of a field, each with what `read` makes of its value.
fn expressions<T>(
    field: &str,
    pairs: Option<Pairs>,
    read: impl Fn(&str, &Value) -> Result<T>,
) -> Result<Vec<(Regex, T)>> {
    let pairs = pairs.map_or(Vec::new(), |pairs| pairs.0).into_iter();
    pairs
        .map(|(key, value)| Ok((modules::at_the_end(field, &key)?, read(field, &value)?)))
        .collect()
}

/// An object's entries in their order: of several patterns that fit, the first counts.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Pairs;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

fn first_match<T: Copy>(patterns: &[(Regex, T)], field: &str, module: &str) -> Result<Option<T>> {
    for (pattern, value) in patterns {
        if modules::matches(field, pattern, module)? {
            return Ok(Some(*value));
        }
    }
    Ok(None)
}

fn check_kind(fields: &Map<String, Value>) -> Result<()> {
    match fields.get("peft_type") {
        Some(Value::String(kind)) if kind == "LORA" => Ok(()),
        Some(Value::String(kind)) => Err(bad(format!(
            "peft_type is {kind:?}, but only \"LORA\" adapters are merged while loading: {ADVICE}, if that kind can be merged at all"
        ))),
        _ => Err(bad(
            "has no peft_type: is it the adapter_config.json of a PEFT adapter?",
        )),
    }
}

fn check_fields(fields: &Map<String, Value>) -> Result<()> {
    for (name, value) in fields {
        let name = name.as_str();
        let refused = REFUSED.iter().find(|(field, _)| *field == name);
        // To PEFT an empty configuration of a variant is that variant with its defaults.
        let is_variant = refused.is_some() && value.is_object();
        let is_known = HONOURED.contains(&name) || WITHOUT_EFFECT.contains(&name);
        if is_known || (is_off(value) && !is_variant) {
            continue;
        }
        return Err(bad(match refused {
            Some((_, kind)) => {
                format!("{name} is {value}: {kind} is not merged while loading. Instead {ADVICE}")
            }
            None => format!(
                "{name} is {value}, a field that is not known here, so that nobody can say what it changes. Instead {ADVICE}"
            ),
        }));
    }
    Ok(())
}

/// Whether a field says nothing.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    }
}

fn check_initialisation(fields: &Map<String, Value>) -> Result<()> {
    match fields.get("init_lora_weights") {
        None | Some(Value::Null | Value::Bool(_)) => Ok(()),
        Some(Value::String(name)) if INITIALISATIONS.contains(&name.to_lowercase().as_str()) => {
            Ok(())
        }
        Some(value) => Err(bad(format!(
            "init_lora_weights is {value}: such an adapter belongs to a base whose weights were changed before training. \
             Save it with path_initial_model_for_weight_conversion, or {ADVICE}"
        ))),
    }
}

fn check_bias(fields: &Map<String, Value>) -> Result<()> {
    match fields.get("bias") {
        None => Ok(()),
        Some(Value::String(kind)) if ["none", "all", "lora_only"].contains(&kind.as_str()) => {
            Ok(())
        }
        Some(value) => Err(bad(format!(
            "bias is {value}, expected \"none\", \"all\" or \"lora_only\""
        ))),
    }
}

fn rank(field: &str, value: &Value) -> Result<usize> {
    let rank = value.as_u64().and_then(|rank| usize::try_from(rank).ok());
    rank.filter(|rank| *rank > 0).ok_or_else(|| {
        bad(format!(
            "{field} says {value}, expected a rank of at least 1"
        ))
    })
}

fn number(field: &str, value: &Value) -> Result<f64> {
    value
        .as_f64()
        .ok_or_else(|| bad(format!("{field} says {value}, expected a number")))
}

fn flag(fields: &Map<String, Value>, field: &str) -> Result<bool> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(value) => Err(bad(format!("{field} is {value}, expected true or false"))),
    }
}

fn class(fields: &Map<String, Value>) -> Option<String> {
    let class = fields.get("auto_mapping")?.get("base_model_class")?;
    class.as_str().map(str::to_string)
}
