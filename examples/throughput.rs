use burn::tensor::Device;
use obscura::load::Description;
use obscura::train::*;
use std::time::Instant;
fn main() {
    let w: usize = std::env::args().nth(1).map_or(192, |a| a.parse().unwrap());
    let batch: usize = std::env::args().nth(2).map_or(32, |a| a.parse().unwrap());
    let itc: f32 = std::env::args().nth(3).map_or(1.0, |a| a.parse().unwrap());
    let words: Vec<String> = (0..600).map(|i| format!("w{i}")).collect();
    let vocab = format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{}", words.join("\n"));
    let tok = obscura::tokenizer::Tokenizer::from_wordpiece_vocabulary(&vocab, true).unwrap();
    let config = format!(
        r#"{{"model_type":"blip","architectures":["BlipForConditionalGeneration","BlipForImageTextRetrieval","BlipForQuestionAnswering"],
    "image_text_hidden_size":128,
    "vision_config":{{"hidden_size":{w},"image_size":96,"patch_size":16,"num_hidden_layers":6,"num_attention_heads":{h},"intermediate_size":{m}}},
    "text_config":{{"hidden_size":{w},"vocab_size":607,"num_hidden_layers":4,"num_attention_heads":{h},"intermediate_size":{m},"max_position_embeddings":64,"bos_token_id":605,"sep_token_id":3}}}}"#,
        h = w / 32,
        m = w * 4
    );
    let description = Description {
        config,
        tokenizer: tok.to_json().unwrap(),
        preprocessor:
            r#"{"image_processor_type":"BlipImageProcessor","size":{"height":96,"width":96}}"#
                .into(),
    };
    let recipe = Recipe {
        batch,
        shards: std::env::args().nth(4).map_or(1, |a| a.parse().unwrap()),
        schedule: Schedule {
            peak: 1e-3,
            last: 1e-5,
            warm_up: 10,
            steps: 1000,
        },
        optimizer: Default::default(),
        objectives: objectives::Objectives {
            itc,
            itm: itc,
            ..Default::default()
        },
        queue: 1024,
        momentum: 0.995,
        longest: 35,
        seed: 1,
    };
    let mut trainer = Trainer::new(recipe, description, None, Device::flex()).unwrap();
    println!("parameters {}", trainer.weights.elements());
    let examples: Vec<Example> = (0..batch)
        .map(|i| Example {
            image: image::RgbImage::from_fn(96, 96, |x, y| {
                image::Rgb([(x as usize * i) as u8, y as u8, i as u8])
            }),
            caption: (0..10 + i % 8)
                .map(|j| format!("w{}", (i * 31 + j * 7) % 600))
                .collect::<Vec<_>>()
                .join(" "),
            questions: vec![(
                (0..8)
                    .map(|j| format!("w{}", (i * 31 + j * 7) % 600))
                    .collect::<Vec<_>>()
                    .join(" "),
                format!("w{i}"),
            )],
        })
        .collect();
    let b = trainer.prepare(&examples).unwrap();
    for _ in 0..6 {
        let t = Instant::now();
        let r = trainer.learn(&b).unwrap();
        println!("{:?} {:.3?} {:?}", t.elapsed(), r.norm, r.losses);
    }
}
