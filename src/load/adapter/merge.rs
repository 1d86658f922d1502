//! What adapters do to a model: products of thin matrices are added to tensors while they are read,
//! and whole tensors take the place of others. As in PEFT's `merge_and_unload`, tensors that are one
//! in the model stay one: what is added to BLIP's head is added to the word table that it is, and the
//! other way round. Only what an adapter saves whole (`modules_to_save`) is set apart from the rest.

use super::base::Base;
use super::config::AdapterConfig;
use super::delta::{Delta, Matrices};
use super::tensors::{Adapter, LowRank};
use super::{CONFIG_FILE, Merged};
use crate::load::Files;
use crate::load::table::Located;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// What all adapters of a model do to it.
#[derive(Debug, Default)]
pub struct Merge {
    /// By the name of the tensor that they are added to, in the order of the adapters.
    deltas: BTreeMap<String, Vec<Delta>>,
    /// The adapter that changes a tensor last, and whether it replaces it.
    owners: BTreeMap<String, (usize, bool)>,
    /// The adapters so far.
    pub merged: Vec<Merged>,
}

impl Merge {
    /// What is added to a tensor.
    pub fn deltas(&self, tensor: &str) -> &[Delta] {
        self.deltas.get(tensor).map_or(&[], Vec::as_slice)
    }

    /// Adds an adapter whose file is number `file` of the model's. Every one of its tensors has to be
    /// of use.
    pub fn add<F: Files>(
        &mut self,
        adapter: &mut Adapter<F>,
        base: &mut Base,
        file: usize,
    ) -> Result<()> {
        let number = self.merged.len();
        self.check_saved(adapter, base)?;
        for (name, info) in std::mem::take(&mut adapter.whole) {
            let tensor = Located {
                file,
                info: info.clone(),
            };
            let placed = self.replace(number, &adapter.config, base, &name, tensor);
            placed.map_err(|error| adapter.file.of_tensor(&info, error))?;
        }
        let modules = std::mem::take(&mut adapter.modules);
        let added = self.add_all(number, &adapter.config, base, modules);
        added.map_err(|error| adapter.file.named(error))?;
        let owners = self.owners.values();
        self.merged.push(Merged {
            name: adapter.name.clone(),
            sha256: adapter.sha256.clone(),
            rank: adapter.config.rank,
            tensors: owners.filter(|(owner, _)| *owner == number).count(),
        });
        Ok(())
    }

    fn add_all(
        &mut self,
        number: usize,
        config: &AdapterConfig,
        base: &Base,
        modules: BTreeMap<String, LowRank>,
    ) -> Result<()> {
        // A misspelt module says more than the matrix that it leaves behind without its other half.
        for (module, low_rank) in &modules {
            if let Some(matrix) = low_rank.any() {
                base.part_of(config, module, "weight", matrix)?;
            }
        }
        for (module, low_rank) in modules {
            self.add_low_rank(number, config, base, &module, low_rank)?;
        }
        match self.owners.values().any(|(owner, _)| *owner == number) {
            true => Ok(()),
            false => Err(Error::BadWeights(
                "holds no weights of an adapter".to_string(),
            )),
        }
    }

    /// Wants every tensor of the modules that the adapter should hold whole.
    fn check_saved<F: Files>(&self, adapter: &Adapter<F>, base: &Base) -> Result<()> {
        let config = &adapter.config;
        for located in base
            .tensors
            .iter()
            .filter(|located| !located.info.format.is_integer())
        {
            let name = &located.info.name;
            let module = name.rsplit_once('.').map_or("", |(module, _)| module);
            let known = |theirs: &String| {
                base.find(config, theirs)
                    .is_ok_and(|found| found == base.read_as(name))
            };
            if config.saves(module) && !adapter.whole.keys().any(known) {
                return Err(adapter.file.named(Error::BadWeights(format!(
                    "has no tensor for '{name}', though {}: modules_to_save has {:?}",
                    CONFIG_FILE, config.saved
                ))));
            }
        }
        Ok(())
    }

    /// Puts a tensor of the adapter in the place of the base's.
    fn replace(
        &mut self,
        number: usize,
        config: &AdapterConfig,
        base: &mut Base,
        name: &str,
        mut tensor: Located,
    ) -> Result<()> {
        let mut target = base.find(config, name)?;
        let module = name.rsplit_once('.').map_or("", |(module, _)| module);
        match config.saves(module) {
            true => base.set_apart(&target),
            false => target = base.one_of_tied(target),
        }
        let shape = base.shape(&target);
        if shape.is_some_and(|shape| shape != tensor.info.shape) {
            return Err(Error::BadWeights(format!(
                "has the shape {:?}, but the base's '{target}' {shape:?}",
                tensor.info.shape
            )));
        }
        self.own(number, &target, true)?;
        tensor.info.name = target;
        base.put(tensor);
        Ok(())
    }

    /// Adds a module's low-rank matrices to what its weight is to become.
    fn add_low_rank(
        &mut self,
        number: usize,
        config: &AdapterConfig,
        base: &Base,
        module: &str,
        low_rank: LowRank,
    ) -> Result<()> {
        let mut matrices = Matrices::of(module, low_rank)?;
        config.check_targeted(module, matrices.are_linear())?;
        let (rank, field) = config.rank_of(module)?;
        let scale = config.scale_of(module)?;
        let down = &matrices.down;
        if down.shape.first() != Some(&rank) {
            return Err(Error::BadWeights(format!(
                "'{}' has the shape {:?}, but {CONFIG_FILE}: {field} makes its rank {rank}",
                down.name, down.shape
            )));
        }
        if let Some(bias) = matrices.bias.take() {
            if !config.has_bias {
                return Err(Error::BadWeights(format!(
                    "'{}' is a bias, but {CONFIG_FILE}: lora_bias is not true",
                    bias.name
                )));
            }
            let target = base.part_of(config, module, "bias", &bias)?;
            let shape = base.shape(&target).unwrap_or_default();
            if shape != bias.shape {
                return Err(Error::BadWeights(format!(
                    "'{}' has the shape {:?}, but '{target}' {shape:?}",
                    bias.name, bias.shape
                )));
            }
            self.push(number, target, Delta::of_bias(bias, scale))?;
        }
        let target = base.one_of_tied(base.part_of(config, module, "weight", &matrices.down)?);
        let shape = base.shape(&target).unwrap_or_default();
        let delta = matrices.delta(&target, shape, rank, scale)?;
        self.push(number, target, delta)
    }

    fn push(&mut self, number: usize, target: String, delta: Delta) -> Result<()> {
        self.own(number, &target, false)?;
        self.deltas.entry(target).or_default().push(delta);
        Ok(())
    }

    /// Notes that an adapter changes a tensor. What one replaces, no other may touch.
    fn own(&mut self, number: usize, tensor: &str, replaces: bool) -> Result<()> {
        if let Some((owner, replaced)) = self.owners.get(tensor)
            && *owner != number
            && (*replaced || replaces)
        {
            return Err(Error::BadWeights(format!(
                "the adapter '{}' changes '{tensor}', too, and one of the two replaces it (modules_to_save or bias): they cannot be merged into one model",
                self.merged[*owner].name
            )));
        }
        let entry = self
            .owners
            .entry(tensor.to_string())
            .or_insert((number, false));
        *entry = (number, entry.1 || replaces);
        Ok(())
    }
}
