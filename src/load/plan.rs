//! What will be loaded: which tensors of a source, in which format. Laid out as the GGUF file that
//! they make, which is what `convert` writes and what a browser keeps.

use super::source::Source;
use super::table::Located;
use super::{Description, FILE_TYPE_KEY, Files, leftovers};
use crate::kernels::PackedFormat;
use crate::models::blip::{Heads, TIES};
use crate::models::clip::Encoders;
use crate::models::{ModelConfig, Network};
use crate::nn::{Dtype, Parameters, Target, is_embedding};
use crate::weights::gguf::{Layout, Planned, Value};
use crate::weights::{Format, TensorInfo};
use crate::{Error, Result};
use burn::tensor::Device;
use std::collections::{BTreeMap, HashSet};

/// Checkpoints with more numbers than this become q4 where nothing else is asked for, others q8.
/// What the formats cost is in docs/parity.md: cosines with the reference of 0.9998 for q8 and 0.96
/// for q4. So q4 is for models that would not fit otherwise: at q8 these numbers take 640 MB.
const LARGEST_Q8: usize = 600_000_000;

/// Tensors of a source in the formats that they will be held in.
#[derive(Debug)]
pub struct Plan {
    /// The texts beside the tensors.
    pub description: Description,
    /// The configuration, restricted to the tasks that were asked for.
    pub config: ModelConfig,
    /// What a matrix becomes that shares the values of a table.
    pub tied: PackedFormat,
    /// The GGUF file.
    pub layout: Layout,
    /// Where each tensor of `layout` comes from, in the same order.
    pub sources: Vec<Located>,
}

impl Plan {
    /// Plans to load what `tasks` take (all that the checkpoint can do, if none are named) in
    /// `dtype`. Every tensor that is missing or of a wrong shape is found now.
    pub fn new<F: Files + Clone>(
        source: &Source<F>,
        dtype: Dtype,
        tasks: &[String],
    ) -> Result<Self> {
        let description = source.description().clone();
        let whole = ModelConfig::from_json(&description.config)?;
        let config = restrict(whole.clone(), tasks)?;
        let sources = needed(source.located(), &config, &whole, &description.config)?;
        let choice = Choice::of(source.metadata(), dtype, &sources);
        let planned: Vec<Planned> = sources
            .iter()
            .map(|Located { info, .. }| Planned {
                name: info.name.clone(),
                shape: info.shape.clone(),
                format: choice.format(info, source.is_changed(&info.name)),
            })
            .collect();
        let mut metadata = description.metadata(config.family(), choice.file_type());
        source.note_adapters(&mut metadata);
        source.generation().note(&mut metadata);
        Ok(Self {
            tied: main_format(&metadata),
            layout: Layout::new(&metadata, &planned)?,
            description,
            config,
            sources,
        })
    }

    /// Bytes of all planned tensors as they are in the source.
    pub fn source_bytes(&self) -> u64 {
        self.sources.iter().map(|tensor| tensor.info.bytes).sum()
    }
}

/// What a browser's 32-bit memory has room for, beside the engine and the work itself.
const WASM_ROOM: u64 = 3_200_000_000;

/// Refuses a model that this machine's memory cannot hold, as far as that is known beforehand: the
/// CPU device of a browser keeps all weights in 32-bit memory.
pub(super) fn check_memory(plan: &Plan, on_cpu: bool) -> Result<()> {
    match on_cpu && cfg!(target_arch = "wasm32") {
        true => check_room(&plan.layout.tensors, WASM_ROOM),
        false => Ok(()),
    }
}

fn check_room(tensors: &[TensorInfo], room: u64) -> Result<()> {
    let takes = tensors.iter().map(|tensor| tensor.bytes).sum::<u64>();
    if takes <= room {
        return Ok(());
    }
    let size_as = |dtype| -> u64 {
        let sizes = tensors.iter().map(|tensor| {
            let size = stored_format(tensor, dtype).bytes(tensor.elements());
            size.unwrap_or(usize::MAX) as u64
        });
        sizes.fold(0, u64::saturating_add)
    };
    let mut smaller = [Dtype::F16, Dtype::Q8, Dtype::Q4].into_iter();
    let advice = match smaller.find(|dtype| size_as(*dtype) <= room) {
        Some(dtype) => format!(
            "with dtype \"{}\" it takes {} MB",
            dtype.name(),
            size_as(dtype) / 1_000_000
        ),
        None => format!(
            "not even its {} MB with dtype \"q4\" fit",
            size_as(Dtype::Q4) / 1_000_000
        ),
    };
    Err(Error::OutOfMemory(format!(
        "the model takes {} MB, and there is room for {} MB: {advice}; WebGPU keeps weights elsewhere",
        takes / 1_000_000,
        room / 1_000_000
    )))
}

/// The tensors that the model of `config` takes, without those that lie at the very place of another.
/// `whole` is the model with all that the checkpoint can do: what that does not take either must be
/// known to be superfluous.
fn needed(
    tensors: &[Located],
    config: &ModelConfig,
    whole: &ModelConfig,
    config_json: &str,
) -> Result<Vec<Located>> {
    let mut wanted: Vec<Located> = tensors
        .iter()
        .filter(|tensor| !tensor.info.format.is_integer() && !is_stored_twice(tensor, tensors))
        .cloned()
        .collect();
    check_head(tensors, whole, config_json)?;
    let asked = asked(&wanted, config)?;
    let mut taken = asked.clone();
    for part in parts(whole) {
        // A head that is not whole is no head: what there is of it is refused below.
        taken.extend(self::asked(&wanted, &part).unwrap_or_default());
    }
    let all = tensors
        .iter()
        .filter(|tensor| !is_stored_twice(tensor, tensors));
    leftovers::check(all.map(|tensor| &tensor.info), whole, |name| {
        taken.contains(name)
    })?;
    wanted.retain(|tensor| asked.contains(&tensor.info.name));
    Ok(wanted)
}

/// The names that a model asks for. One made of sizes alone asks for what the model will ask for.
fn asked(tensors: &[Located], config: &ModelConfig) -> Result<HashSet<String>> {
    let mut rehearsal = Parameters::new(
        Device::flex(),
        Target::Keep {
            tied: PackedFormat::F32,
        },
    );
    declare_ties(&mut rehearsal, tensors.iter().map(|tensor| &tensor.info));
    tensors
        .iter()
        .for_each(|tensor| rehearsal.announce(&tensor.info));
    Network::load(&mut rehearsal, config)?;
    Ok(rehearsal.asked().clone())
}

/// The models that a file may hold together: a BLIP's heads, which its configuration need not name.
fn parts(whole: &ModelConfig) -> Vec<ModelConfig> {
    let ModelConfig::Blip(blip) = whole else {
        return vec![whole.clone()];
    };
    if blip.heads.comparing {
        return vec![whole.clone()];
    }
    let with = |captioning, retrieval, answering| {
        let mut blip = blip.clone();
        blip.heads = Heads {
            captioning,
            retrieval,
            answering,
            comparing: false,
        };
        ModelConfig::Blip(blip)
    };
    vec![
        with(true, false, false),
        with(false, true, false),
        with(false, false, true),
    ]
}

/// Whether a tied matrix is stored at the place of its table, as PyTorch stores what is shared. A head
/// of its own counts, even where the configuration says that it is tied: training may have parted
/// them, and all versions of the reference but 4.57 take it.
fn is_stored_twice(tensor: &Located, tensors: &[Located]) -> bool {
    let mut tables = TIES
        .iter()
        .filter(|(matrix, _)| *matrix == tensor.info.name);
    tables.any(|(_, table)| {
        let mut others = tensors.iter();
        others.any(|other| other.info.name == *table && other.shares_place_with(tensor))
    })
}

/// Refuses a language-model head that is neither there nor tied to a table: the reference makes a
/// random one.
fn check_head(tensors: &[Located], whole: &ModelConfig, config_json: &str) -> Result<()> {
    let has = |name: &str| tensors.iter().any(|tensor| tensor.info.name == name);
    let (head, _) = TIES[0];
    let decodes = match whole {
        ModelConfig::Blip(blip) => blip.heads.captioning || blip.heads.answering,
        ModelConfig::Clip(_) | ModelConfig::Coca(_) => false,
    };
    if !decodes || has(head) || ties_word_embeddings(config_json) {
        return Ok(());
    }
    Err(Error::BadWeights(format!(
        "config.json: tie_word_embeddings is false, but tensor '{head}' is missing from the checkpoint"
    )))
}

/// Declares the matrices that are tables under another name, except those that `tensors` have.
pub(super) fn declare_ties<'t>(
    parameters: &mut Parameters,
    tensors: impl Iterator<Item = &'t TensorInfo>,
) {
    let names: HashSet<&str> = tensors.map(|tensor| tensor.name.as_str()).collect();
    for (name, source) in TIES {
        if !names.contains(name) {
            parameters.tie(name, source);
        }
    }
}

/// Whether the language-model head is the token table where a file has no other, as is the
/// reference's default.
fn ties_word_embeddings(config_json: &str) -> bool {
    let config: serde_json::Value = serde_json::from_str(config_json).unwrap_or_default();
    let says_no = |section: &serde_json::Value| section["tie_word_embeddings"] == false;
    !says_no(&config) && !says_no(&config["text_config"])
}

/// The configuration with those parts only that `tasks` take. Beside a model's own tasks these may
/// be `embed-image` and `embed-text`, each of which takes one encoder of a CLIP or a CoCa.
pub(super) fn restrict(mut config: ModelConfig, tasks: &[String]) -> Result<ModelConfig> {
    const SHARED_SPACE: [&str; 3] = ["embed", "classify", "match"];
    const HALVES: [&str; 2] = ["embed-image", "embed-text"];
    if tasks.is_empty() {
        return Ok(config);
    }
    let mut able = config.tasks();
    if able.contains(&"embed") {
        able.extend(HALVES);
    }
    for task in tasks {
        if !able.contains(&task.as_str()) {
            return Err(Error::UnsupportedTask(format!(
                "this {} has no head for '{task}'; it can {}",
                config.family().name().to_uppercase(),
                able.join(", ")
            )));
        }
    }
    let wants = |names: &[&str]| tasks.iter().any(|task| names.contains(&task.as_str()));
    let both = wants(&SHARED_SPACE);
    let encoders = Encoders {
        image: both || wants(&["embed-image"]),
        text: both || wants(&["embed-text"]),
    };
    match &mut config {
        ModelConfig::Clip(clip) => clip.encoders = encoders,
        ModelConfig::Coca(coca) => {
            coca.parts.vectors = encoders;
            coca.parts.captions &= wants(&["caption"]);
        }
        ModelConfig::Blip(blip) => {
            blip.heads = Heads {
                captioning: blip.heads.captioning && wants(&["caption"]),
                retrieval: blip.heads.retrieval && (both || wants(&HALVES)),
                answering: blip.heads.answering && wants(&["answer"]),
                comparing: blip.heads.comparing && (both || wants(&HALVES)),
            };
        }
    }
    Ok(config)
}

/// How formats are chosen.
enum Choice {
    /// As in the source, whose file type is this.
    Same(u32),
    /// By this dtype, which is not `Auto`.
    Convert(Dtype),
}

impl Choice {
    fn of(metadata: Option<&BTreeMap<String, Value>>, dtype: Dtype, tensors: &[Located]) -> Self {
        match (dtype, metadata) {
            (Dtype::Auto, Some(metadata)) => {
                let file_type = metadata.get(FILE_TYPE_KEY).and_then(Value::as_u64);
                let file_type = file_type.and_then(|code| u32::try_from(code).ok());
                Choice::Same(file_type.unwrap_or(FILE_TYPE_Q8))
            }
            (Dtype::Auto, None) => {
                let elements = tensors.iter().map(|tensor| tensor.info.elements());
                match elements.fold(0, usize::saturating_add) {
                    ..=LARGEST_Q8 => Choice::Convert(Dtype::Q8),
                    _ => Choice::Convert(Dtype::Q4),
                }
            }
            (dtype, _) => Choice::Convert(dtype),
        }
    }

    /// The format of a tensor, of which an adapter may change the numbers: not every one can be
    /// written again.
    fn format(&self, tensor: &TensorInfo, is_changed: bool) -> Format {
        match self {
            Choice::Same(_) if is_changed => written_format(tensor),
            Choice::Same(_) => tensor.format,
            Choice::Convert(dtype) => stored_format(tensor, *dtype),
        }
    }

    fn file_type(&self) -> u32 {
        match self {
            Choice::Same(code) => *code,
            Choice::Convert(Dtype::F32) => 0,
            Choice::Convert(Dtype::F16) => 1,
            Choice::Convert(Dtype::Q4) => 2,
            Choice::Convert(Dtype::Q8 | Dtype::Auto) => FILE_TYPE_Q8,
        }
    }
}

/// ggml's code for a file that is mostly Q8_0.
const FILE_TYPE_Q8: u32 = 7;

/// The format of most of a file's matrices, from ggml's file type.
pub(super) fn main_format(metadata: &BTreeMap<String, Value>) -> PackedFormat {
    match metadata.get(FILE_TYPE_KEY).and_then(Value::as_u64) {
        Some(0) => PackedFormat::F32,
        Some(1) => PackedFormat::F16,
        Some(2) => PackedFormat::Q4,
        _ => PackedFormat::Q8,
    }
}

/// The format that a tensor of a GGUF file gets back once its numbers were changed: its own, or the
/// nearest that can be written.
fn written_format(tensor: &TensorInfo) -> Format {
    match tensor.format {
        Format::F32 | Format::F16 | Format::Q8_0 | Format::Q4_0 => tensor.format,
        Format::BF16 | Format::F64 => stored_format(tensor, Dtype::F16),
        _ => stored_format(tensor, Dtype::Q8),
    }
}

/// Tables of more tokens than this take more room than all the rest of most models: SigLIP 2's has
/// 256,000, XLM-RoBERTa's 250,002.
const LARGEST_TABLE: usize = 1 << 16;

/// Whether it is a table of so many tokens that its rows are quantized, too.
fn is_large_table(tensor: &TensorInfo) -> bool {
    const TABLES: [&str; 2] = ["token_embedding.weight", "word_embeddings.weight"];
    TABLES.iter().any(|name| tensor.name.ends_with(name)) && tensor.shape[0] > LARGEST_TABLE
}

/// The format that a tensor is stored in. Embeddings stay F16 (F32 with `f32`), but of the largest
/// tables the rows become Q8_0; norms, biases and whatever does not fill whole blocks stay float, too.
fn stored_format(tensor: &TensorInfo, dtype: Dtype) -> Format {
    let is_matrix = tensor.shape.len() >= 2;
    let columns: usize = tensor.shape.iter().skip(1).product();
    // ggml's blocks run along the last dimension, which for patches is a side and no whole block.
    let whole_blocks =
        tensor.shape.len() == 2 && columns.is_multiple_of(Format::Q8_0.block_length());
    match dtype {
        Dtype::F32 => Format::F32,
        _ if !is_matrix => Format::F32,
        Dtype::F16 => Format::F16,
        _ if is_large_table(tensor) && whole_blocks => Format::Q8_0,
        _ if is_embedding(&tensor.name) || !whole_blocks => Format::F16,
        Dtype::Q4 => Format::Q4_0,
        Dtype::Q8 | Dtype::Auto => Format::Q8_0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let matrix = TensorInfo {
            name: "text_projection.weight".to_string(),
            shape: vec![1 << 10, 1 << 10],
            format: Format::F32,
            offset: 0,
            bytes: 4 << 20,
            strides: None,
        };
        let room = |room| check_room(std::slice::from_ref(&matrix), room);
        assert_eq!(room(4 << 20), Ok(()));
        for (limit, advice) in [(3 << 20, "f16"), (2_000_000, "q8"), (1_000_000, "q4")] {
            match room(limit) {
                Err(Error::OutOfMemory(message)) => {
                    assert!(
                        message.contains(&format!("dtype \"{advice}\"")),
                        "{message}"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        let none = room(1000).unwrap_err().to_string();
        assert!(none.contains("not even"), "{none}");
    }
}
