//! Checkpoints as their first authors name them, against the same weights as Hugging Face does.

use super::memory::{Memory, load_files};
use super::sources::{folder, options, safetensors_of, tensors_of};
use super::{opinions, refused};
use obscura::Result;
use obscura::load::{Files, Promises, Source};
use obscura::models::ModelConfig;
use obscura::models::clip::{ClipVisionConfig, TextPooling};
use obscura::nn::Dtype;
use obscura::tasks::Model;
use obscura::weights::{Format, TensorInfo};
use pollster::block_on;
use serde_json::json;

type Tensors = Vec<(TensorInfo, Vec<u8>)>;

/// Names changed by the first pair whose left side is in them, over and over.
fn rename(tensors: &mut Tensors, pairs: &[(&str, &str)]) {
    for (info, _) in tensors {
        for (ours, theirs) in pairs {
            info.name = info.name.replace(ours, theirs);
        }
    }
}

/// Takes `{x}q_proj.{end}`, `{x}k_proj.{end}`, `{x}v_proj.{end}` together as `{x}in_proj_{end}`.
fn stack(tensors: &mut Tensors, end: &str) {
    let suffix = format!("q_proj.{end}");
    let stems: Vec<String> = tensors
        .iter()
        .filter_map(|(info, _)| info.name.strip_suffix(&suffix).map(str::to_string))
        .collect();
    for stem in stems {
        let mut take = |which: &str| {
            let name = format!("{stem}{which}_proj.{end}");
            let place = tensors.iter().position(|(info, _)| info.name == name);
            tensors.remove(place.expect("a projection"))
        };
        let [(mut info, mut bytes), key, value] = ["q", "k", "v"].map(&mut take);
        bytes.extend(key.1);
        bytes.extend(value.1);
        info.name = format!("{stem}in_proj_{end}");
        info.shape[0] *= 3;
        tensors.push((info, bytes));
    }
}

fn transpose(tensors: &mut Tensors, name: &str, theirs: &str) {
    let mut all = tensors.iter_mut();
    let (info, bytes) = all.find(|(info, _)| info.name == name).expect(name);
    let (rows, columns) = (info.shape[0], info.shape[1]);
    let numbers: Vec<[u8; 4]> = bytes.as_chunks().0.to_vec();
    let at = |index: usize| numbers[index % rows * columns + index / rows];
    *bytes = (0..numbers.len()).flat_map(at).collect();
    info.shape.reverse();
    info.name = theirs.to_string();
}

fn openai(mut tensors: Tensors) -> Tensors {
    tensors.retain(|(info, _)| !info.format.is_integer());
    stack(&mut tensors, "weight");
    stack(&mut tensors, "bias");
    transpose(&mut tensors, "visual_projection.weight", "visual.proj");
    transpose(&mut tensors, "text_projection.weight", "text_projection");
    rename(
        &mut tensors,
        &[
            (
                "vision_model.embeddings.class_embedding",
                "visual.class_embedding",
            ),
            (
                "vision_model.embeddings.position_embedding.weight",
                "visual.positional_embedding",
            ),
            ("vision_model.embeddings.patch_embedding", "visual.conv1"),
            ("vision_model.pre_layrnorm", "visual.ln_pre"),
            ("vision_model.post_layernorm", "visual.ln_post"),
            (
                "vision_model.encoder.layers",
                "visual.transformer.resblocks",
            ),
            ("text_model.encoder.layers", "transformer.resblocks"),
            ("text_model.embeddings.token_embedding", "token_embedding"),
            (
                "text_model.embeddings.position_embedding.weight",
                "positional_embedding",
            ),
            ("text_model.final_layer_norm", "ln_final"),
            ("self_attn", "attn"),
            ("layer_norm1", "ln_1"),
            ("layer_norm2", "ln_2"),
            ("fc1", "c_fc"),
            ("fc2", "c_proj"),
        ],
    );
    tensors
}

fn salesforce(mut tensors: Tensors) -> Tensors {
    rename(
        &mut tensors,
        &[
            (
                "vision_model.embeddings.class_embedding",
                "visual_encoder.cls_token",
            ),
            (
                "vision_model.embeddings.position_embedding",
                "visual_encoder.pos_embed",
            ),
            (
                "vision_model.embeddings.patch_embedding",
                "visual_encoder.patch_embed.proj",
            ),
            ("vision_model.post_layernorm", "visual_encoder.norm"),
            ("vision_model.encoder.layers", "visual_encoder.blocks"),
            ("self_attn.projection", "attn.proj"),
            ("self_attn", "attn"),
            ("layer_norm1", "norm1"),
            ("layer_norm2", "norm2"),
        ],
    );
    // Momentum twins that pre-training leaves behind.
    let mut twin = tensors[0].clone();
    twin.0.name = "visual_encoder_m.cls_token".to_string();
    tensors.push(twin);
    tensors
}

/// A golden checkpoint with its tensors changed.
fn folder_as(name: &str, change: impl Fn(Tensors) -> Tensors) -> Memory {
    let mut files = folder(name).files;
    let tensors = change(tensors_of(&files["model.safetensors"]));
    files.insert("model.safetensors".into(), safetensors_of(&tensors));
    Memory::of(files)
}

/// A golden CLIP or BLIP under the names of its first authors.
pub fn as_first_authors(name: &str) -> Memory {
    match name.starts_with("clip") {
        true => folder_as(name, openai),
        false => folder_as(name, salesforce),
    }
}

fn load_as(name: &str, change: impl Fn(Tensors) -> Tensors) -> Result<Model> {
    load_files(&folder_as(name, change), None, &options(Dtype::F32))
}

/// What a CLIP says about a picture and a text.
fn vectors(model: &Model) -> [Vec<f32>; 2] {
    let picture = std::fs::read(super::under_tests("pictures/landscape.png")).expect("a picture");
    let image = obscura::image::decode(&picture).expect("a picture");
    [
        block_on(model.embed_image(&image, true)).expect("a vector"),
        block_on(model.embed_text("a cat", true)).expect("a vector"),
    ]
}

#[test]
fn openais_names_mean_the_same_model() {
    let expected = vectors(&load_as("clip-quick", |tensors| tensors).expect("a model"));
    let model = load_as("clip-quick", openai).expect("a model");
    assert_eq!(vectors(&model), expected);
    let wrapped = load_as("clip-quick", |tensors| {
        let mut tensors = openai(tensors);
        for (info, _) in &mut tensors {
            info.name.insert_str(0, "module.");
        }
        tensors
    });
    assert_eq!(vectors(&wrapped.expect("a model")), expected);
}

/// MLX has a picture's colours last.
#[test]
fn patches_with_their_colours_last_mean_the_same_model() {
    let colours_last = |mut tensors: Tensors| {
        let name = "vision_model.embeddings.patch_embedding.weight";
        let mut all = tensors.iter_mut();
        let (info, bytes) = all.find(|(info, _)| info.name == name).expect(name);
        let [width, colours, rows, columns] = info.shape[..] else {
            panic!("{:?}", info.shape);
        };
        let numbers: Vec<[u8; 4]> = bytes.as_chunks().0.to_vec();
        let (places, size) = (rows * columns, rows * columns * colours);
        let at = |index: usize| {
            let (patch, rest) = (index / size, index % size);
            numbers[patch * size + rest % colours * places + rest / colours]
        };
        *bytes = (0..numbers.len()).flat_map(at).collect();
        info.shape = vec![width, rows, columns, colours];
        tensors
    };
    let before = load_as("clip-quick", |tensors| tensors).expect("a model");
    let after = load_as("clip-quick", colours_last).expect("a model");
    assert_eq!(vectors(&before), vectors(&after));
}

#[test]
fn salesforces_names_mean_the_same_model() {
    let expected = opinions(&load_as("blip-all", |tensors| tensors).expect("a model"));
    let model = load_as("blip-all", salesforce).expect("a model");
    assert_eq!(opinions(&model), expected);
}

#[test]
fn projections_that_are_not_three_are_refused() {
    let odd = |tensors| {
        let mut tensors = openai(tensors);
        let mut all = tensors.iter_mut();
        let (info, bytes) = all
            .find(|(info, _)| info.name.ends_with("in_proj_bias"))
            .unwrap();
        info.shape[0] -= 1;
        bytes.truncate(bytes.len() - 4);
        tensors
    };
    refused(load_as("clip-quick", odd), &["in_proj_bias", "3 matrices"]);
}

/// A safetensors file whose data nobody will read, with other files beside it.
struct Hollow {
    beside: Memory,
    file: &'static str,
    header: Vec<u8>,
    size: u64,
}

impl Hollow {
    fn new(beside: Memory, file: &'static str, tensors: &[(String, Vec<usize>)]) -> Self {
        let mut header = serde_json::Map::new();
        let mut position = 0;
        for (name, shape) in tensors {
            let end = position + 4 * shape.iter().product::<usize>();
            let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [position, end] });
            header.insert(name.clone(), entry);
            position = end;
        }
        let text = serde_json::Value::Object(header).to_string();
        let mut header = (text.len() as u64).to_le_bytes().to_vec();
        header.extend(text.as_bytes());
        Self {
            beside,
            file,
            size: (header.len() + position) as u64,
            header,
        }
    }
}

impl Files for &Hollow {
    async fn size(&self, file: &str) -> Result<Option<u64>> {
        match file == self.file {
            true => Ok(Some(self.size)),
            false => (&self.beside).size(file).await,
        }
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        if file != self.file {
            return (&self.beside).read(file, offset, length).await;
        }
        let mut bytes: Vec<u8> = self.header.iter().skip(offset as usize).copied().collect();
        bytes.resize(length as usize, 0);
        Ok(bytes)
    }
}

fn config_of(files: &Hollow) -> ModelConfig {
    let source = block_on(Source::of(files, None, &Promises::new())).expect("a source");
    ModelConfig::from_json(&source.description().config).expect("a configuration")
}

#[test]
fn a_blip_without_a_configuration_is_known_by_its_shapes() {
    let tensors = |width: usize, depth: usize| {
        let name = |name: &str| name.to_string();
        let mut tensors = vec![
            (name("visual_encoder.cls_token"), vec![1, 1, width]),
            (
                name("visual_encoder.pos_embed"),
                vec![1, 1 + 24 * 24, width],
            ),
            (
                name("visual_encoder.patch_embed.proj.weight"),
                vec![width, 3, 16, 16],
            ),
            (
                name("text_decoder.bert.embeddings.word_embeddings.weight"),
                vec![30_524, 768],
            ),
            (
                name("text_decoder.bert.embeddings.position_embeddings.weight"),
                vec![512, 768],
            ),
        ];
        for layer in 0..depth {
            tensors.push((
                format!("visual_encoder.blocks.{layer}.mlp.fc1.weight"),
                vec![4 * width, width],
            ));
        }
        for layer in 0..12 {
            let layer = format!("text_decoder.bert.encoder.layer.{layer}");
            tensors.push((
                format!("{layer}.intermediate.dense.weight"),
                vec![3072, 768],
            ));
            tensors.push((format!("{layer}.output.dense.weight"), vec![768, 3072]));
        }
        tensors
    };
    let mut beside = folder("blip-caption").files;
    beside.retain(|name, _| name == "tokenizer.json");
    for (width, depth) in [(768, 12), (1024, 24)] {
        let beside = Memory::of(beside.clone());
        let files = Hollow::new(beside, "model.safetensors", &tensors(width, depth));
        let ModelConfig::Blip(config) = config_of(&files) else {
            panic!("a BLIP");
        };
        assert_eq!(ModelConfig::Blip(config.clone()).tasks(), ["caption"]);
        assert_eq!(
            (config.vision.image_size, config.vision.patch_size),
            (384, 16)
        );
        assert_eq!(
            (config.vision.depth, config.vision.block.width),
            (depth, width)
        );
        assert_eq!(config.vision.block.heads, width / 64);
        assert_eq!(config.vision.block.epsilon, 1e-6);
        assert_eq!(
            (config.text.heads, config.text.depth, config.text.hidden),
            (12, 12, 3072)
        );
        assert_eq!(
            (config.text.vocabulary, config.text.positions),
            (30_524, 512)
        );
    }
}

#[test]
fn open_clips_own_configuration_is_understood() {
    let open_clip = json!({
        "model_cfg": {
            "embed_dim": 512, "quick_gelu": true,
            "vision_cfg": { "image_size": 224, "layers": 12, "width": 768, "patch_size": 16 },
            "text_cfg": { "context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12 },
        },
        "preprocess_cfg": { "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5] },
    });
    let mut beside = folder("clip-quick").files;
    beside.retain(|name, _| name == "tokenizer.json");
    beside.insert(
        "open_clip_config.json".into(),
        open_clip.to_string().into_bytes(),
    );
    let some = [("visual.class_embedding".to_string(), vec![768])];
    let files = Hollow::new(Memory::of(beside), "open_clip_model.safetensors", &some);
    let ModelConfig::Clip(config) = config_of(&files) else {
        panic!("a CLIP");
    };
    assert_eq!(config.projection, 512);
    assert_eq!(
        (config.vision.image_size(), config.vision.patch_size()),
        (224, 16)
    );
    let ClipVisionConfig::Transformer(vision, _) = &config.vision else {
        panic!("a vision transformer");
    };
    assert_eq!((vision.block.heads, vision.block.hidden), (12, 3072));
    assert_eq!(
        (config.text.block.heads, config.text.pooling),
        (8, TextPooling::Largest)
    );
    assert_eq!(
        config.text.block.activation,
        obscura::kernels::Activation::QuickGelu
    );
}

/// What config.json says of a ResNet is what open_clip's own file says of it.
#[test]
fn a_resnets_configuration_keeps_open_clips_form() {
    let files = Memory::of_folder(&super::under_tests("golden/clip-resnet/model"));
    let mut named = files.files.clone();
    let promises = Promises::new();
    let source = block_on(Source::of(&files, None, &promises)).expect("a model");
    let description = source.description().clone();
    let mut config: serde_json::Value = serde_json::from_str(&description.config).expect("JSON");
    assert_eq!(config["vision_config"]["layers"], json!([1, 2, 1, 1]));
    let ModelConfig::Clip(parsed) = ModelConfig::from_json(&description.config).expect("a CLIP")
    else {
        panic!("a CLIP");
    };
    let ClipVisionConfig::ResNet(vision) = &parsed.vision else {
        panic!("a ResNet");
    };
    assert_eq!(
        (vision.layers, vision.width, vision.heads, vision.grid()),
        ([1, 2, 1, 1], 4, 4, 2)
    );
    let expected = vectors(&load_files(&files, None, &options(Dtype::F32)).expect("a model"));
    named.remove("open_clip_config.json");
    named.insert("config.json".into(), description.config.into_bytes());
    named.insert(
        "preprocessor_config.json".into(),
        description.preprocessor.into_bytes(),
    );
    let found = load_files(&Memory::of(named), None, &options(Dtype::F32)).expect("a model");
    assert_eq!(vectors(&found), expected);
    for (field, value) in [
        ("layers", json!([3, 4, 6])),
        ("layers", json!([3, 4, 6, 0])),
        ("layers", json!([3, 4, 6, "3"])),
        ("width", json!(7)),
        ("head_width", json!(3)),
        ("image_size", json!(100)),
    ] {
        let before = config["vision_config"][field].take();
        config["vision_config"][field] = value.clone();
        let refused = ModelConfig::from_json(&config.to_string()).expect_err("wrong");
        assert_eq!(refused.code(), "bad_weights");
        assert!(refused.to_string().contains(field), "{refused}");
        config["vision_config"][field] = before;
    }
}

#[test]
fn integers_are_never_weights() {
    // What a checkpoint has of them, such as position_ids, must not even be read.
    let mut files = folder("clip-quick").files;
    let mut tensors = tensors_of(&files["model.safetensors"]);
    let last = tensors.len();
    let mut ids = tensors[0].0.clone();
    ids.name = "text_model.embeddings.more.position_ids".to_string();
    ids.format = Format::Integer {
        bytes_per_element: 8,
    };
    ids.shape = vec![1 << 17];
    tensors.insert(last, (ids, vec![0; 8 << 17]));
    let file = safetensors_of(&tensors);
    let size = file.len() as u64;
    files.insert("model.safetensors".into(), file);
    let files = Memory::of(files);
    load_files(&files, None, &options(Dtype::F32)).expect("a model");
    let reads = files.take_reads();
    let read: u64 = reads
        .iter()
        .filter(|read| read.0 == "model.safetensors")
        .map(|read| read.2)
        .sum();
    assert!(read <= size - (8 << 17), "{read} of {size} bytes");
}
