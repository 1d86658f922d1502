//! What a load holds beside the model that it makes: counted by the allocator, for a checkpoint
//! whose largest tensor dwarfs all others.

#![cfg(not(target_arch = "wasm32"))] // counts what the whole process allocates

#[path = "load/memory.rs"]
#[allow(dead_code)] // its cache entries, which are in memory themselves
mod memory;

use memory::Memory;
use obscura::load::{AdapterPlace, Options};
use obscura::nn::Dtype;
use obscura::weights::{Parsed, safetensors};
use obscura::{Result, load::Files};
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts what is allocated, and the most that ever was.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    let allocated = ALLOCATED.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(allocated, Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are the system allocator's demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Entries of the token table: 51 MB of floats, where all else of the golden model takes 300 KB.
const VOCABULARY: usize = 400_000;

/// A golden CLIP with a large token table, its zeros made where they are read.
struct Large {
    small: Memory,
    header: Vec<u8>,
    size: u64,
}

const WEIGHTS: &str = "model.safetensors";

impl Large {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/clip-quick/model");
        let mut small = Memory::of_folder(&folder);
        let file = small.files.remove(WEIGHTS).expect("weights");
        let Ok(Parsed::Complete(table)) = safetensors::parse(&file, file.len() as u64) else {
            panic!("a safetensors file");
        };
        let (mut entries, mut position) = (serde_json::Map::new(), 0);
        for tensor in table {
            let mut shape = tensor.shape.clone();
            if tensor.name.ends_with("token_embedding.weight") {
                shape[0] = VOCABULARY;
            }
            let end = position
                + tensor
                    .format
                    .bytes(shape.iter().product())
                    .expect("whole blocks");
            let dtype = tensor.format.name();
            let entry = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [position, end] });
            entries.insert(tensor.name, entry);
            position = end;
        }
        let text = serde_json::Value::Object(entries).to_string();
        let mut header = (text.len() as u64).to_le_bytes().to_vec();
        header.extend(text.as_bytes());
        let mut config: serde_json::Value =
            serde_json::from_slice(&small.files["config.json"]).expect("JSON");
        config["text_config"]["vocab_size"] = VOCABULARY.into();
        let config = config.to_string().into_bytes();
        small.files.insert("config.json".to_string(), config);
        Self {
            small,
            size: (header.len() + position) as u64,
            header,
        }
    }
}

impl Files for &Large {
    async fn size(&self, file: &str) -> Result<Option<u64>> {
        match file == WEIGHTS {
            true => Ok(Some(self.size)),
            false => (&self.small).size(file).await,
        }
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        if file != WEIGHTS {
            return (&self.small).read(file, offset, length).await;
        }
        let mut bytes = vec![0; length as usize];
        let known = self.header.get(offset as usize..).unwrap_or_default();
        let count = known.len().min(bytes.len());
        bytes[..count].copy_from_slice(&known[..count]);
        Ok(bytes)
    }
}

/// What a load holds at most beyond what it leaves, in bytes.
fn beyond(large: &Large, dtype: Dtype, adapters: &[AdapterPlace]) -> usize {
    let options = Options {
        dtype,
        adapters: adapters.to_vec(),
        ..Options::default()
    };
    let before = ALLOCATED.load(Relaxed);
    PEAK.store(before, Relaxed);
    let model = memory::load_files(large, None, &options).expect("a model");
    let stays = ALLOCATED.load(Relaxed);
    assert!(
        stays - before > model.info().bytes,
        "the weights are counted"
    );
    PEAK.load(Relaxed) - stays
}

/// A rank as people train with, for the large table.
const RANK: usize = 8;

/// Puts an adapter for the table beside the model, whose matrices have the table's entries for columns.
fn add_adapter(large: &mut Large) -> Vec<AdapterPlace> {
    let prefix = "base_model.model.text_model.embeddings.token_embedding";
    let sizes = [
        ("lora_embedding_A", [RANK, VOCABULARY]),
        ("lora_embedding_B", [32, RANK]),
    ];
    let (mut entries, mut position) = (serde_json::Map::new(), 0);
    for (name, shape) in sizes {
        let end = position + 4 * shape[0] * shape[1];
        let entry =
            serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [position, end] });
        entries.insert(format!("{prefix}.{name}"), entry);
        position = end;
    }
    let text = serde_json::Value::Object(entries).to_string();
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend(text.as_bytes());
    file.resize(file.len() + position, 0);
    let config = serde_json::json!({
        "peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "target_modules": ["token_embedding"],
    });
    let files = &mut large.small.files;
    files.insert("adapter/adapter_model.safetensors".to_string(), file);
    files.insert(
        "adapter/adapter_config.json".to_string(),
        config.to_string().into_bytes(),
    );
    let place = "adapter".to_string();
    vec![AdapterPlace {
        name: place.clone(),
        folder: place,
    }]
}

/// One test, for the counters are the process's.
#[test]
fn a_load_holds_no_more_than_its_largest_tensor_beside_the_model() {
    let mut large = Large::new();
    let table = VOCABULARY * 32 * 4;
    assert!(large.size as usize > table && (large.size as usize) < table + (1 << 20));
    let adapters = add_adapter(&mut large);
    beyond(&large, Dtype::F32, &adapters); // what is made once a process is made
    for dtype in [Dtype::Q8, Dtype::Q4, Dtype::F16, Dtype::F32] {
        let peak = beyond(&large, dtype, &[]);
        println!("{dtype:?}: {peak} bytes for a table of {table}");
        assert!(peak <= table + (1 << 22), "{peak} bytes, {dtype:?}");
        // The adapter's own matrices are there besides, and no copy of the table.
        let matrices = 4 * RANK * (VOCABULARY + 32);
        let adapted = beyond(&large, dtype, &adapters);
        println!("{dtype:?}: {adapted} bytes with an adapter of {matrices}");
        assert!(
            adapted <= peak + matrices + (1 << 22),
            "{adapted} bytes, {dtype:?}"
        );
    }
}
