//! The commands that ask something of a model, as text and as JSON.

use super::{assert_near, exact, expected, keys, model, number, numbers, obscura, picture};
use serde_json::{Value, json};

const LABELS: &str = "a hut, grey letters ,the sea";

fn assert_generated(found: &Value, reference: &Value) {
    assert_eq!(found["tokens"], reference["ids"]);
    assert_eq!(found["text"], reference["text"]);
    assert_near(&found["score"], &reference["score"], 1e-3);
}

#[test]
fn captions_are_the_references_with_one_object_a_picture() {
    let names = [
        "landscape.png",
        "portrait.png",
        "alpha.png",
        "lossless.webp",
    ];
    let pictures = names.map(picture);
    let model = model("blip-caption");
    let mut words = vec!["caption", &model];
    words.extend(pictures.iter().map(String::as_str));
    let captions = exact(&words).objects();
    assert_eq!(captions.len(), names.len());
    for ((caption, name), path) in captions.iter().zip(names).zip(&pictures) {
        assert_eq!(keys(caption), ["image", "score", "text", "tokens"]);
        assert_eq!(&caption["image"], path);
        assert_generated(
            caption,
            &expected("blip-caption")["captions"][name]["greedy"],
        );
    }
}

#[test]
fn options_of_generation_have_the_references_effect() {
    let cases: [(&str, &[&str]); 6] = [
        ("beam3", &["--beams", "3"]),
        (
            "beam3_length_penalty_2",
            &["--beams", "3", "--length-penalty", "2"],
        ),
        ("beam4_min_length_8", &["--beams", "4", "--min-length", "8"]),
        ("greedy_max_new_tokens_3", &["--max-new-tokens", "3"]),
        (
            "beam3_repetition_1.3",
            &["--beams", "3", "--repetition-penalty", "1.3"],
        ),
        (
            "beam3_max_new_tokens_5",
            &["--beams", "3", "--max-new-tokens", "5"],
        ),
    ];
    let reference = &expected("blip-caption")["captions"]["landscape.png"];
    for (case, options) in cases {
        let (model, picture) = (model("blip-caption"), picture("landscape.png"));
        let words = [&["caption", &model, &picture], options].concat();
        assert_generated(&exact(&words).object(), &reference[case]);
    }
}

#[test]
fn a_caption_that_goes_round_in_circles_can_be_kept_from_it() {
    let reference = &expected("blip-caption")["captions"]["rotated.jpg"];
    let (model, picture) = (model("blip-caption"), picture("rotated.jpg"));
    let words = ["caption", &model, &picture, "--beams", "3"];
    let found = exact(&[&words[..], &["--no-repeat-ngram-size", "2"]].concat()).object();
    assert_generated(&found, &reference["beam3_no_repeat_2"]);
    assert_ne!(found["tokens"], reference["beam3"]["ids"]);
}

#[test]
fn prompts_are_continued() {
    let reference = expected("blip-caption");
    let prompted = &reference["captions"]["landscape.png"]["prompted"];
    for case in prompted.as_array().expect("prompts") {
        let prompt = case["prompt"].as_str().expect("a prompt");
        let (model, picture) = (model("blip-caption"), picture("landscape.png"));
        let caption = exact(&["caption", &model, &picture, "--prompt", prompt]).object();
        assert_generated(&caption, &case["greedy"]);
    }
}

#[test]
fn captions_as_text_carry_names_only_where_there_are_several() {
    let (model, first, second) = (
        model("blip-caption"),
        picture("tiny.png"),
        picture("grey.png"),
    );
    let greedy = |name: &str| {
        let text = expected("blip-caption")["captions"][name]["greedy"]["text"].clone();
        text.as_str().expect("a text").to_string()
    };
    let one = obscura(["caption", &model, &first, "--dtype", "f32"]);
    assert_eq!(one.lines(), [greedy("tiny.png")]);
    let two = obscura(["caption", &model, &first, &second, "--dtype", "f32"]);
    let named = [(&first, "tiny.png"), (&second, "grey.png")];
    assert_eq!(
        two.lines(),
        named.map(|(path, name)| format!("{path}: {}", greedy(name)))
    );
}

#[test]
fn a_seed_makes_sampling_repeatable() {
    let (model, picture) = (model("blip-caption"), picture("grey.png"));
    let sample = |seed: &str| {
        let options = [
            "--sample",
            "--temperature",
            "1.5",
            "--top-p",
            "0.9",
            "--top-k",
            "0",
            "--seed",
            seed,
        ];
        exact(&[&["caption", &model, &picture][..], &options].concat()).object()
    };
    assert_eq!(sample("7"), sample("7"));
    assert_ne!(sample("7")["tokens"], sample("8")["tokens"]);
}

#[test]
fn labels_are_sorted_and_their_scores_sum_to_one() {
    for name in ["clip-quick", "clip-gelu", "blip-retrieval", "blip-all"] {
        let (model, first, second) = (model(name), picture("landscape.png"), picture("alpha.png"));
        let found = exact(&["classify", &model, &first, &second, "--labels", LABELS]).objects();
        assert_eq!(found.len(), 2);
        for object in &found {
            assert_eq!(keys(object), ["image", "labels"]);
            let labels = object["labels"].as_array().expect("labels");
            assert_eq!(keys(&labels[0]), ["label", "score"]);
            let scores: Vec<f64> = labels.iter().map(|label| number(&label["score"])).collect();
            assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
            assert!(
                (scores.iter().sum::<f64>() - 1.0).abs() < 1e-5,
                "{scores:?}"
            );
            let mut names: Vec<&Value> = labels.iter().map(|label| &label["label"]).collect();
            names.sort_by_key(|name| name.to_string());
            assert_eq!(
                names,
                [&json!("a hut"), &json!("grey letters"), &json!("the sea")]
            );
        }
    }
}

#[test]
fn templates_change_scores_and_the_default_is_openais() {
    let (model, picture) = (model("clip-quick"), picture("landscape.png"));
    let scores = |templates: &[&str]| {
        let templates: Vec<&str> = templates
            .iter()
            .flat_map(|template| ["--template", template])
            .collect();
        exact(
            &[
                &["classify", &model, &picture, "--labels", LABELS],
                &templates[..],
            ]
            .concat(),
        )
        .object()
    };
    assert_eq!(scores(&[]), scores(&["a photo of a {}"]));
    assert_ne!(scores(&[]), scores(&["{}"]));
    assert_ne!(scores(&["{}"]), scores(&["{}", "a drawing of a {}"]));
}

#[test]
fn labels_as_text_are_percentages_under_the_pictures_name() {
    let (model, picture) = (model("clip-quick"), picture("landscape.png"));
    let run = obscura([
        "classify",
        &model,
        &picture,
        "--labels",
        "a cat,a dog",
        "--dtype",
        "f32",
    ]);
    let lines = run.lines();
    assert_eq!((lines.len(), lines[0]), (3, picture.as_str()));
    let shares = lines[1..]
        .iter()
        .map(|line| line.trim().split_once("% ").expect("a percentage"));
    let sum: f64 = shares
        .map(|(share, _)| share.parse::<f64>().expect("a number"))
        .sum();
    assert!((sum - 100.0).abs() < 0.02, "{lines:?}");
}

#[test]
fn pictures_and_texts_become_unit_vectors() {
    for name in ["clip-quick", "blip-retrieval"] {
        let model = model(name);
        let (first, second) = (picture("landscape.png"), picture("grey16.png"));
        let words = ["embed", &model, &first, &second, "--grey16", "clip"];
        let pictures = exact(&words).objects();
        let texts = exact(&[
            "embed", &model, "--text", "a hut", "the sea", "--text", "a hut",
        ])
        .objects();
        assert_eq!((pictures.len(), texts.len()), (2, 3));
        assert_eq!(keys(&pictures[1]), ["embedding", "image"]);
        assert_eq!(keys(&texts[1]), ["embedding", "text"]);
        assert_eq!(
            (&pictures[1]["image"], &texts[1]["text"]),
            (&json!(second), &json!("the sea"))
        );
        assert_eq!(texts[0], texts[2]);
        let width = numbers(&texts[0]["embedding"]).len();
        for object in pictures.iter().chain(&texts) {
            let vector = numbers(&object["embedding"]);
            let length: f64 = vector.iter().map(|value| value * value).sum();
            assert!(
                vector.len() == width && (length - 1.0).abs() < 1e-12,
                "{length}"
            );
        }
    }
}

#[test]
fn vectors_as_text_are_the_same_numbers() {
    let (model, picture) = (model("clip-quick"), picture("landscape.png"));
    let run = obscura(["embed", &model, &picture, "--dtype", "f32"]);
    let lines = run.lines();
    let found: Vec<f32> = lines[0]
        .split(' ')
        .map(|word| word.parse().expect("a number"))
        .collect();
    let json = numbers(&exact(&["embed", &model, &picture]).object()["embedding"]);
    assert_eq!(
        (lines.len(), found),
        (1, json.iter().map(|value| *value as f32).collect())
    );
}

#[test]
fn matches_are_the_references_in_the_given_order() {
    let reference = expected("blip-retrieval");
    let texts: Vec<&str> = reference["texts"]
        .as_array()
        .expect("texts")
        .iter()
        .map(|text| text.as_str().expect("a text"))
        .collect();
    let (model, picture) = (model("blip-retrieval"), picture("portrait.png"));
    let words = [&["match", &model, &picture], &texts[..]].concat();
    let found = exact(&words).object();
    assert_eq!(keys(&found), ["image", "matches"]);
    let matches = found["matches"].as_array().expect("matches");
    assert_eq!(matches.len(), texts.len());
    let probabilities = reference["probabilities"]["portrait.png"]
        .as_array()
        .expect("numbers");
    for ((found, text), probability) in matches.iter().zip(&texts).zip(probabilities) {
        assert_eq!(keys(found), ["probability", "similarity", "text"]);
        assert_eq!(&found["text"], text);
        assert_near(&found["probability"], probability, 1e-4);
    }
    let as_text = obscura([&words[..], &["--dtype", "f32"]].concat());
    assert_eq!(as_text.lines().len(), texts.len());
    assert!(
        as_text.lines()[0].starts_with("match  87.2%  similarity "),
        "{}",
        as_text.stdout
    );
}

#[test]
fn clip_matches_by_similarity_alone() {
    let (model, picture) = (model("clip-gelu"), picture("portrait.png"));
    let found = exact(&["match", &model, &picture, "a cat"]).object();
    assert_eq!(found["matches"][0]["probability"], Value::Null);
    assert!(number(&found["matches"][0]["similarity"]).abs() <= 1.0);
    let text = obscura(["match", &model, &picture, "a cat"]);
    assert!(
        text.lines()[0].starts_with("match      -  similarity "),
        "{}",
        text.stdout
    );
}

#[test]
fn answers_are_the_references() {
    let reference = expected("blip-vqa");
    let (model, path) = (model("blip-vqa"), picture("landscape.png"));
    for (index, question) in reference["questions"]
        .as_array()
        .expect("questions")
        .iter()
        .enumerate()
    {
        let question = question.as_str().expect("a question");
        let words = ["answer", &model, &path, "--question", question];
        let cases = &reference["answers"]["landscape.png"][index.to_string()];
        let greedy = exact(&words).object();
        assert_eq!(keys(&greedy), ["image", "score", "text", "tokens"]);
        assert_generated(&greedy, &cases["greedy"]);
        assert_generated(
            &exact(&[&words[..], &["--beams", "3"]].concat()).object(),
            &cases["beam3"],
        );
        let text = obscura([&words[..], &["--dtype", "f32"]].concat());
        assert_eq!(
            text.lines(),
            [cases["greedy"]["text"].as_str().expect("a text")]
        );
    }
}

#[test]
fn several_pictures_are_the_frames_of_one_answer() {
    let reference = &expected("blip-vqa")["frames"];
    let frames = ["landscape.png", "portrait.png", "tiny.png"].map(picture);
    let words = [
        "answer",
        &model("blip-vqa"),
        &frames[0],
        &frames[1],
        &frames[2],
    ];
    let words = [&words[..], &["--question", "what color is the sun?"]].concat();
    let answer = exact(&words).object();
    assert_eq!(answer["image"], json!(frames));
    assert_generated(&answer, &reference["greedy"]);
}

#[test]
fn given_answers_are_ranked_by_likelihood() {
    let reference = &expected("blip-vqa")["answers"]["landscape.png"]["0"]["ranking"];
    let mut ranking: Vec<(&str, &Value)> = reference
        .as_array()
        .expect("a ranking")
        .iter()
        .map(|entry| {
            (
                entry["answer"].as_str().expect("an answer"),
                &entry["log_likelihood"],
            )
        })
        .collect();
    let given = ranking
        .iter()
        .map(|(answer, _)| *answer)
        .collect::<Vec<_>>()
        .join(", ");
    ranking.sort_by(|(_, a), (_, b)| number(b).total_cmp(&number(a)));
    let (model, path) = (model("blip-vqa"), picture("landscape.png"));
    let words = [
        "answer",
        &model,
        &path,
        "--question",
        "what color is the sun?",
        "--answers",
        &given,
    ];
    let found = exact(&words).object();
    assert_eq!(keys(&found), ["answers", "image"]);
    let answers = found["answers"].as_array().expect("answers");
    assert_eq!(answers.len(), ranking.len());
    for (found, (answer, likelihood)) in answers.iter().zip(&ranking) {
        assert_eq!(keys(found), ["score", "text"]);
        assert_eq!(&found["text"], answer);
        assert_near(&found["score"], likelihood, 1e-2);
    }
    let text = obscura([&words[..], &["--dtype", "f32"]].concat());
    assert!(
        text.lines()[0].ends_with(&format!(" {}", ranking[0].0)),
        "{}",
        text.stdout
    );
}

#[test]
fn help_and_version_are_there_for_every_command() {
    assert!(obscura(["--version"]).lines()[0].starts_with("obscura "));
    for command in [
        "caption", "classify", "embed", "match", "answer", "labels", "convert", "inspect",
    ] {
        let help = obscura([command, "--help"]);
        assert!(
            help.lines()
                .iter()
                .any(|line| line.starts_with("Usage: obscura")),
            "{}",
            help.stdout
        );
        assert!(obscura(["--help"]).stdout.contains(command));
    }
}

#[test]
fn attention_is_added_to_captions_and_matches() {
    let picture = picture("landscape.png");
    let words = ["caption", &model("blip-all"), &picture];
    let plain = exact(&words).object();
    let mut found = exact(&[&words[..], &["--attention"]].concat()).object();
    let attention = found["attention"].take();
    assert_eq!(found["tokens"], plain["tokens"]);
    assert_eq!(keys(&attention), ["columns", "rows", "tokens"]);
    let tokens = attention["tokens"].as_array().expect("tokens");
    assert_eq!(
        tokens.len() + 1,
        plain["tokens"].as_array().expect("ids").len()
    );
    assert_eq!(numbers(&tokens[0]["map"]).len(), 36);

    let words = ["match", &model("blip-all"), &picture, "a hut", "the sea"];
    let plain = exact(&words).object();
    let found = exact(&[&words[..], &["--attention"]].concat()).object();
    let maps = |index: usize| &found["matches"][index]["attention"];
    assert_eq!(
        found["matches"][0]["probability"],
        plain["matches"][0]["probability"]
    );
    assert_eq!(keys(maps(0)), ["columns", "map", "rows", "tokens"]);
    assert_eq!(numbers(&maps(1)["map"]).len(), 36);
    assert_ne!(maps(0)["map"], maps(1)["map"]);

    let words = ["match", &model("clip-quick"), &picture, "a hut"];
    exact(&[&words[..], &["--attention"]].concat()).fails(1, &["compares vectors", "BLIP"]);
    obscura([&words[..], &["--attention"]].concat()).fails(2, &["--json"]);
}

#[test]
fn tokens_of_a_text_have_states_and_a_pooled_vector() {
    let model = model("clip-quick");
    let embed = |options: &[&str]| {
        exact(&[&["embed", &model, "--text", "a hut", "--tokens"], options].concat())
    };
    let last = embed(&[]).object();
    let fields = ["end", "ids", "pooled", "states", "text", "tokens", "width"];
    assert_eq!(keys(&last), fields);
    assert_eq!(
        (&last["tokens"][0], &last["width"]),
        (&json!("<|startoftext|>"), &json!(32))
    );
    let count = numbers(&last["states"]).len();
    assert_eq!(count, 32 * last["ids"].as_array().expect("ids").len());
    let before = embed(&["--layer", "-2", "--no-norm"]).object();
    assert_eq!(before["pooled"], last["pooled"]);
    assert_ne!(before["states"], last["states"]);
    let padded = embed(&["--pad"]).object();
    assert_eq!(numbers(&padded["states"]).len(), 32 * 77);
    assert_eq!(
        padded["ids"][76],
        last["ids"][last["end"].as_u64().expect("a place") as usize]
    );
    assert_eq!(embed(&["--pad", "0"]).object()["ids"][76], 0);
    embed(&["--pad", "1000"]).fails(1, &["pad", "999"]);
    embed(&["--layer", "4"]).fails(1, &["layer", "4"]);
}

#[test]
fn a_video_has_the_mean_of_its_frames_vectors() {
    let model = model("clip-quick");
    let frames = ["landscape.png", "portrait.png"].map(picture);
    let words = ["embed", &model, &frames[0], &frames[1]];
    let alone = exact(&words).objects();
    let video = exact(&[&words[..], &["--video"]].concat()).object();
    assert_eq!(video["frames"], json!(frames));
    let vectors: Vec<Vec<f64>> = alone.iter().map(|one| numbers(&one["embedding"])).collect();
    let sum: Vec<f64> = vectors[0]
        .iter()
        .zip(&vectors[1])
        .map(|(a, b)| a + b)
        .collect();
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    for (found, sum) in numbers(&video["embedding"]).iter().zip(&sum) {
        assert!(
            (found - sum / length).abs() < 1e-6,
            "{found} for {}",
            sum / length
        );
    }
}
