//! The model that an adapter changes: which of its tensors the adapter's names mean, and which of them
//! are one in the model.

use super::config::AdapterConfig;
use super::tensors::Factor;
use crate::load::names;
use crate::load::table::Located;
use crate::models::blip::TIES;
use crate::{Error, Result};

/// The names of the one bias that BLIP's head has. The first counts where a file has both.
const BIASES_OF_HEAD: [&str; 2] = [
    "text_decoder.cls.predictions.decoder.bias",
    "text_decoder.cls.predictions.bias",
];

/// What a class of the reference that is one half of a CLIP leaves out of its tensors' names.
const HALVES: [(&str, &str); 2] = [("TextModel", "text_model"), ("VisionModel", "vision_model")];

/// The model that adapters are merged into.
pub struct Base<'t> {
    /// All its tensors, in the order in which they are read.
    pub tensors: &'t mut Vec<Located>,
}

/// Puts a tensor of the adapter in front of a complaint.
fn of(tensor: &str, error: Error) -> Error {
    match error {
        Error::BadWeights(message) => Error::BadWeights(format!("'{tensor}': {message}")),
        other => other,
    }
}

impl Base<'_> {
    fn get(&self, name: &str) -> Option<&Located> {
        self.tensors
            .iter()
            .find(|located| located.info.name == name)
    }

    /// A tensor's shape.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.get(name).map(|located| located.info.shape.as_slice())
    }

    fn has(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    /// The name that a tensor of this name is read under.
    pub fn read_as<'n>(&self, name: &'n str) -> &'n str {
        let [first, second] = BIASES_OF_HEAD;
        match BIASES_OF_HEAD.contains(&name) {
            true if self.has(first) => first,
            true => second,
            false => name,
        }
    }

    /// The part `part` of a module, for which a matrix of the adapter is.
    pub fn part_of(
        &self,
        config: &AdapterConfig,
        module: &str,
        part: &str,
        matrix: &Factor,
    ) -> Result<String> {
        let found = self.find(config, &format!("{module}.{part}"));
        found.map_err(|error| of(&matrix.name, error))
    }

    /// The tensor that the adapter's model calls `name`.
    pub fn find(&self, config: &AdapterConfig, name: &str) -> Result<String> {
        let name = self.read_as(name);
        let is_head = TIES
            .iter()
            .any(|(head, table)| *head == name && self.has(table));
        if self.has(name) || is_head {
            return Ok(name.to_string());
        }
        let class = config.class.as_deref().unwrap_or_default();
        let half = HALVES.iter().find(|(part, _)| class.contains(part));
        let in_half = half.map(|(_, half)| format!("{half}.{name}"));
        let candidates = [in_half, Some(names::of_hugging_face(name))];
        let found = candidates.into_iter().flatten().find(|name| self.has(name));
        found.ok_or_else(|| {
            let class = match class {
                "" => String::new(),
                class => format!(" (it was made for a {class})"),
            };
            Error::BadWeights(format!(
                "the base has no tensor '{name}': is the adapter made for another model{class}?"
            ))
        })
    }

    /// A head that is stored elsewhere than its word table, and that.
    pub fn head_beside_table(&self) -> Option<[Located; 2]> {
        let (head, table) = TIES.into_iter().find(|(_, table)| self.has(table))?;
        let (head, table) = (self.get(head)?, self.get(table)?);
        let like = |located: &Located| (located.info.format, located.info.shape.clone());
        let may_be_a_copy = like(head) == like(table) && !head.shares_place_with(table);
        may_be_a_copy.then(|| [head.clone(), table.clone()])
    }

    /// Head and word table, if the model has them as one.
    fn tied(&self) -> Option<(&'static str, &'static str)> {
        let (head, table) = TIES.into_iter().find(|(_, table)| self.has(table))?;
        let own = self.get(head).zip(self.get(table));
        let is_one = own.is_none_or(|(head, table)| head.shares_place_with(table));
        is_one.then_some((head, table))
    }

    /// The tensor that a tensor is in the model: a head may be the word table.
    pub fn one_of_tied(&self, name: String) -> String {
        match self.tied() {
            Some((head, table)) if head == name => table.to_string(),
            _ => name,
        }
    }

    /// Gives a tensor that is about to be replaced a place of its own, so that what shares its values
    /// keeps them.
    pub fn set_apart(&mut self, name: &str) {
        let tied = self.tied();
        let Some((head, table)) = tied.filter(|(head, table)| *head == name || *table == name)
        else {
            return;
        };
        self.tensors.retain(|located| located.info.name != head);
        let mut tensors = self.tensors.iter();
        if let Some(place) = tensors.position(|located| located.info.name == table) {
            let mut shared = self.tensors[place].clone();
            shared.info.name = head.to_string();
            self.tensors.insert(place + 1, shared);
        }
    }

    /// Adds a tensor in place of another of its name. The files' order is that of their tensors.
    pub fn put(&mut self, tensor: Located) {
        self.tensors
            .retain(|located| located.info.name != tensor.info.name);
        self.tensors.push(tensor);
    }
}
