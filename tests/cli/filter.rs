//! `obscura filter` over collections that do not end well: runs that were killed, lines that were
//! torn, pictures that are none.

use super::{Run, Scratch, model, obscura, picture};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

const PICTURES: [&str; 6] = [
    "landscape.png",
    "portrait.png",
    "tiny.png",
    "grey.png",
    "alpha.png",
    "palette.png",
];

/// Six pictures: with two texts, one, or none, and a line and a picture that are unusable. Captions
/// are drawn by the pictures' names as they stand in the file, which are the same wherever this runs.
fn input(scratch: &Scratch) -> String {
    let mut lines = String::new();
    for (place, name) in PICTURES.into_iter().enumerate() {
        fs::copy(picture(name), scratch.path(name)).unwrap();
        let line = match place % 3 {
            0 => json!({ "image": name, "captions": ["a hut", "the sea"], "more": 1 }),
            1 => json!({ "image": name, "caption": "grey letters" }),
            _ => json!({ "image": name }),
        };
        lines.push_str(&format!("{line}\n"));
        if place == 1 {
            lines.push_str("{\"image\": \"nowhere.png\"}\n\n{\"image\": 5}\n");
        }
    }
    let path = scratch.path("input.jsonl");
    fs::write(&path, lines).unwrap();
    path
}

fn filter(input: &str, output: &str, more: &[&str]) -> Run {
    obscura([&["filter", &model("blip-all"), input, output], more].concat())
}

fn lines(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("an output");
    let parsed = text.lines().map(serde_json::from_str);
    parsed.collect::<Result<_, _>>().expect("JSON in each line")
}

#[test]
fn every_picture_gets_a_line_that_says_why() {
    let scratch = Scratch::new("filter");
    let (input, output) = (input(&scratch), scratch.path("out.jsonl"));
    let run = filter(&input, &output, &["--threshold", "0.815"]);
    run.fails(0, &["nowhere.png", "line 5", "2 of 8 pictures unreadable"]);
    let lines = lines(&output);
    let places: Vec<u64> = lines
        .iter()
        .map(|line| line["place"].as_u64().unwrap())
        .collect();
    assert_eq!(places, (0..8).collect::<Vec<_>>());
    assert!(lines[2]["error"].as_str().unwrap().contains("nowhere.png"));
    assert!(
        lines[3]["error"]
            .as_str()
            .unwrap()
            .contains("'image' is a number")
    );
    let (mut kept, mut refused) = (0, 0);
    for line in lines.iter().filter(|line| line.get("error").is_none()) {
        let judged = line["judged"].as_array().unwrap();
        assert_eq!(
            judged
                .iter()
                .filter(|text| text["generated"] == true)
                .count(),
            1,
            "{line}"
        );
        let texts: Vec<&Value> = judged
            .iter()
            .filter(|text| text["kept"] == true)
            .map(|text| &text["text"])
            .collect();
        assert_eq!(line["captions"], json!(texts));
        let best = judged.iter().find(|text| text["reason"] == "best");
        assert_eq!(
            line["best"],
            best.map_or(Value::Null, |text| text["text"].clone())
        );
        for text in judged {
            let probability = text["probability"].as_f64().unwrap();
            let likely = probability >= 0.815;
            assert_eq!(text["kept"] == true, likely, "{text}");
            assert_eq!(text["reason"] == "unlikely", !likely, "{text}");
            assert!(
                best.is_none_or(
                    |best| !likely || probability <= best["probability"].as_f64().unwrap()
                )
            );
            kept += usize::from(likely);
            refused += usize::from(!likely);
        }
    }
    assert!(
        kept > 0 && refused > 0,
        "the threshold divides nothing: {kept}, {refused}"
    );
    assert_eq!(lines[0]["judged"].as_array().unwrap().len(), 3);
    let matched = obscura([
        "match",
        &model("blip-all"),
        &picture(PICTURES[0]),
        "a hut",
        "--json",
    ]);
    let (own, theirs) = (&lines[0]["judged"][0], &matched.object()["matches"][0]);
    super::assert_near(&own["probability"], &theirs["probability"], 1e-5);
}

#[test]
fn a_killed_run_goes_on_and_a_torn_line_is_done_again() {
    let scratch = Scratch::new("filter-resume");
    let (input, whole) = (input(&scratch), scratch.path("whole.jsonl"));
    filter(&input, &whole, &[]).fails(0, &["unreadable"]);
    let expected = fs::read(&whole).unwrap();
    let ends: Vec<usize> = (1..=expected.len())
        .filter(|end| expected[end - 1] == b'\n')
        .collect();
    let torn = scratch.path("torn.jsonl");
    for length in [
        0,
        1,
        ends[0] - 1,
        ends[0],
        ends[2] + 20,
        ends[3],
        ends[6] + 1,
        ends[7],
    ] {
        fs::write(&torn, &expected[..length]).unwrap();
        let summary = filter(&input, &torn, &["--resume"]);
        summary.fails(0, &["2 of 8 pictures unreadable"]);
        assert!(fs::read(&torn).unwrap() == expected, "cut off at {length}");
    }
    let garbage = [&expected[..ends[1]], &b"\0\0\0\0\n"[..]].concat();
    fs::write(&torn, garbage).unwrap();
    filter(&input, &torn, &["--resume"]).fails(0, &[]);
    assert!(
        fs::read(&torn).unwrap() == expected,
        "a line of zeros at the end"
    );
    filter(&input, &whole, &[]).fails(1, &["whole.jsonl", "--resume"]);
    let fresh = scratch.path("fresh.jsonl");
    filter(&input, &fresh, &["--resume"]).fails(0, &[]);
    assert!(
        fs::read(&fresh).unwrap() == expected,
        "nothing to go on with"
    );
}

#[test]
fn other_files_are_not_gone_on_with() {
    let scratch = Scratch::new("filter-foreign");
    let (input, other) = (input(&scratch), scratch.path("other.jsonl"));
    let text = "{\"image\": \"a.png\", \"captions\": [\"a\"]}\n{\"place\": 1}\n";
    fs::write(&other, text).unwrap();
    filter(&input, &other, &["--resume"]).fails(1, &["other.jsonl, line 1"]);
    assert_eq!(
        fs::read_to_string(&other).unwrap(),
        text,
        "nothing was lost"
    );
    fs::write(&other, "{\"place\": 1}\n{\"place\": 2}\n").unwrap();
    let shard = ["--resume", "--shard", "2/2"];
    filter(&input, &other, &shard).fails(1, &["line 2", "another part"]);
}

#[test]
fn parts_together_are_the_whole() {
    let scratch = Scratch::new("filter-shards");
    let (input, whole) = (input(&scratch), scratch.path("whole.jsonl"));
    filter(&input, &whole, &[]).fails(0, &[]);
    let mut parts = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let part = scratch.path(&format!("part-{}.jsonl", &shard[..1]));
        assert_eq!(filter(&input, &part, &["--shard", shard]).code, 0);
        parts.extend(lines(&part));
    }
    parts.sort_by_key(|line| line["place"].as_u64());
    assert_eq!(parts, lines(&whole));
    for wrong in ["0/3", "4/3", "1", "a/b", "1/0"] {
        filter(&input, "never.jsonl", &["--shard", wrong]).fails(2, &["I/N"]);
    }
}

#[test]
fn standard_input_and_output_are_streams() {
    let scratch = Scratch::new("filter-streams");
    let (input, whole) = (input(&scratch), scratch.path("whole.jsonl"));
    filter(&input, &whole, &[]).fails(0, &[]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_obscura"))
        .args(["filter", &model("blip-all"), "-", "-"])
        .args(["--images", &scratch.path("")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut to = child.stdin.take().unwrap();
    to.write_all(&fs::read(&input).unwrap()).unwrap();
    drop(to);
    let output = child.wait_with_output().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    let expected = fs::read_to_string(&whole).unwrap();
    // Where the input is not a file, errors name it otherwise.
    let judged = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("\"error\""));
        lines.map(str::to_string).collect()
    };
    assert_eq!(judged(&found), judged(&expected));
    assert_eq!(found.lines().count(), 8);
    filter("-", "-", &["--resume"]).fails(1, &["--resume"]);
}

#[test]
fn a_folder_of_pictures_without_captions_gets_some() {
    let scratch = Scratch::new("filter-folder");
    let folder = scratch.path("album");
    fs::create_dir_all(format!("{folder}/more/.hidden")).unwrap();
    for (name, place) in [
        ("tiny.png", "b.PNG"),
        ("grey.png", "more/a.png"),
        ("alpha.png", "a.png"),
    ] {
        fs::copy(picture(name), format!("{folder}/{place}")).unwrap();
    }
    for skipped in ["notes.txt", "more/.hidden/c.png", ".d.png"] {
        fs::write(format!("{folder}/{skipped}"), "no picture").unwrap();
    }
    let output = scratch.path("out.jsonl");
    filter(&folder, &output, &["--threshold", "0"]).fails(0, &["0 of 0 given and 3 of 3 written"]);
    let names: Vec<String> = lines(&output)
        .iter()
        .map(|line| line["image"].as_str().unwrap().to_string())
        .collect();
    for (name, end) in names
        .iter()
        .zip(["album/a.png", "album/b.PNG", "album/more/a.png"])
    {
        assert!(name.ends_with(end), "{names:?}");
    }
    let measured = obscura(["eval", &model("blip-all"), &output, "--json"]).object();
    assert_eq!(
        measured["captions"]["count"], 3,
        "the output is a file of captions"
    );
}

/// The probability of a line's likeliest text.
fn likeliest(line: &Value) -> Option<f64> {
    let probability = |text: &Value| text["probability"].as_f64();
    let judged = line["judged"].as_array()?.iter();
    judged.filter_map(probability).reduce(f64::max)
}

#[test]
fn pictures_without_kept_texts_are_no_training_data_and_no_error() {
    let scratch = Scratch::new("filter-refused");
    let (input, output) = (input(&scratch), scratch.path("out.jsonl"));
    let all = scratch.path("all.jsonl");
    filter(&input, &all, &["--threshold", "0"]).fails(0, &[]);
    let best: Vec<f64> = lines(&all).iter().filter_map(likeliest).collect();
    let [lowest, highest] = [f64::min, f64::max].map(|of| best.iter().copied().reduce(of).unwrap());
    let between = ((lowest + highest) / 2.0).to_string();
    filter(&input, &output, &["--threshold", &between]).fails(0, &[]);
    let with_captions = lines(&output)
        .iter()
        .filter(|line| {
            line["captions"]
                .as_array()
                .is_some_and(|texts| !texts.is_empty())
        })
        .count();
    assert!(
        with_captions > 0 && with_captions < 6,
        "{with_captions} of the six that can be read"
    );
    let measured = obscura(["eval", &model("blip-all"), &output, "--json"]).object();
    assert_eq!(measured["captions"]["count"], with_captions);
}

#[test]
fn what_cannot_be_filtered_is_explained() {
    let scratch = Scratch::new("filter-refuses");
    let (input, output) = (input(&scratch), scratch.path("out.jsonl"));
    filter(&scratch.path("nowhere.jsonl"), &output, &[]).fails(1, &["nowhere.jsonl"]);
    filter(&input, &output, &["--threshold", "1.5"]).fails(1, &["--threshold", "0 to 1"]);
    let resumed = ["--resume"];
    let run = obscura(
        [
            &["filter", &model("blip-vqa"), &input, &output][..],
            &resumed,
        ]
        .concat(),
    );
    run.fails(1, &["caption"]);
    let empty = scratch.path("empty");
    fs::create_dir_all(&empty).unwrap();
    filter(&empty, &output, &resumed).fails(1, &["no pictures"]);
    fs::write(scratch.path("bad.jsonl"), "{\"image\": \"nowhere.png\"}\n").unwrap();
    let bad = scratch.path("bad.jsonl");
    filter(&bad, &scratch.path("bad-out.jsonl"), &[]).fails(1, &["none of the pictures"]);
}
