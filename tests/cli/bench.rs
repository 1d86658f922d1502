//! `obscura bench`: what it measures, that it measures the real work, and what it refuses.

use super::{expected, keys, model, number, numbers, obscura, picture};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

fn bench(name: &str, more: &[&str]) -> super::Run {
    let (model, picture) = (model(name), picture("landscape.png"));
    let words = ["bench", &model, &picture, "--dtype", "f32", "--json"];
    obscura([&words[..], more].concat())
}

fn names(metrics: &Value) -> Vec<&str> {
    let metrics = metrics["metrics"].as_array().expect("metrics");
    let names = metrics.iter().map(|metric| metric["name"].as_str());
    names.map(|name| name.expect("a name")).collect()
}

fn metric<'a>(found: &'a Value, name: &str) -> &'a Value {
    let metrics = found["metrics"].as_array().expect("metrics");
    let metric = metrics.iter().find(|metric| metric["name"] == name);
    metric.unwrap_or_else(|| panic!("no {name} in {found}"))
}

#[test]
fn every_task_of_a_model_is_measured_as_often_as_asked() {
    let small = ["--runs", "3", "--warm-up", "0", "--labels", "3"];
    let clip = bench("clip-quick", &small).object();
    assert_eq!(keys(&clip), ["info", "metrics", "model", "runs", "threads"]);
    assert_eq!(
        names(&clip),
        ["load", "image", "text", "labels", "classify"]
    );
    let blip = bench("blip-all", &[&small[..], &["--tokens", "4"]].concat()).object();
    assert_eq!(
        names(&blip)[..5],
        ["load", "image", "text", "labels", "classify"]
    );
    assert_eq!(
        names(&blip)[5..],
        ["first-token", "token", "caption", "beam", "answer"]
    );
    for name in &names(&blip)[1..] {
        let metric = metric(&blip, name);
        let mut times = numbers(&metric["times"]);
        times.sort_by(f64::total_cmp);
        assert_eq!(times.len(), 3, "{metric}");
        assert!(times[0] > 0.0, "{metric}");
        let summary = ["fastest", "median", "slowest"].map(|key| number(&metric[key]));
        assert_eq!(summary.as_slice(), times, "{metric}");
    }
}

#[test]
fn what_is_timed_is_what_the_reference_computes() {
    let words = ["--only", "caption", "--runs", "1", "--warm-up", "0"];
    let found = bench("blip-caption", &[&words[..], &["--tokens", "3"]].concat()).object();
    let reference = &expected("blip-caption")["captions"]["landscape.png"];
    let tokens = &metric(&found, "caption")["result"]["tokens"];
    assert_eq!(tokens, &reference["greedy_max_new_tokens_3"]["ids"]);
}

#[test]
fn works_are_measured_when_they_are_named_on_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_obscura"))
        .args(["bench", &model("clip-quick"), &picture("landscape.png")])
        .args(["--on-request", "--labels", "3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"image\nclassify\n").expect("two requests");
    drop(input);
    let output = child.wait_with_output().expect("it ends with its input");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let times: Vec<_> = lines.iter().map(|line| keys(&line["times"])).collect();
    assert_eq!(times, [["load"], ["image"], ["classify"]]);
    assert_eq!(
        lines[1]["result"]["vector"].as_array().map(Vec::len),
        Some(24)
    );
}

#[test]
fn without_json_there_is_a_line_for_each_time() {
    let (model, picture) = (model("clip-quick"), picture("landscape.png"));
    let words = [
        "bench", &model, &picture, "--only", "image", "--runs", "2", "--dtype", "f32",
    ];
    let run = obscura(words);
    let lines = run.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("CLIP, cpu, f32, "), "{lines:?}");
    assert!(
        lines[1].starts_with("load ") && lines[2].starts_with("image "),
        "{lines:?}"
    );
}

#[test]
fn works_that_the_model_cannot_do_are_refused() {
    bench("clip-quick", &["--only", "caption"]).fails(1, &["'caption'", "CLIP can"]);
    bench("clip-quick", &["--only", "dance"]).fails(2, &["dance", "caption"]);
    bench("clip-quick", &["--runs", "0"]).fails(2, &["--runs"]);
}
