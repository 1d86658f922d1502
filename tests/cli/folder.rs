//! A folder of pictures, some of them broken: captions on standard output and in files of every form, runs
//! that are killed in the middle, and what says which pictures are meant.

use super::{Run, Scratch, assert_near, keys, model, obscura, picture};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Places of pictures that are none.
const BROKEN: [usize; 3] = [5, 17, 42];

/// A folder of small pictures, a third of them in a folder of its own.
fn pictures(scratch: &Scratch, count: usize) -> String {
    let folder = scratch.path("pictures");
    fs::create_dir_all(format!("{folder}/more")).unwrap();
    for place in 0..count {
        let inside = if place % 3 == 0 { "more/" } else { "" };
        let content = match BROKEN.contains(&place) {
            true => b"\x89PNG\r\n\x1a\n and no more".to_vec(),
            false => drawn(place as u8),
        };
        fs::write(format!("{folder}/{inside}{place:03}.bmp"), content).unwrap();
    }
    fs::write(format!("{folder}/notes.md"), "no picture").unwrap();
    folder
}

/// A picture of 16 x 16 pixels as a BMP file, another for each number.
fn drawn(number: u8) -> Vec<u8> {
    let mut file = b"BM".to_vec();
    for value in [54 + 768_u32, 0, 54, 40, 16, 16] {
        file.extend(value.to_le_bytes());
    }
    file.extend([1, 0, 24, 0]);
    file.extend([0; 24]);
    for pixel in 0..256_usize {
        let (x, y) = (pixel % 16, pixel / 16);
        let is_lit = (x * (1 + usize::from(number) % 5) + y * usize::from(number)) % 16 < 7;
        let level = if is_lit { 255 } else { number };
        file.extend([level, number.wrapping_mul(37), 255 - level]);
    }
    file
}

/// A command that writes into files, and the model that it does it with.
type Asked = [&'static str; 2];
const CAPTION: Asked = ["caption", "blip-caption"];
const CLASSIFY: Asked = ["classify", "clip-quick"];
const LABELS: [&str; 2] = ["--labels", "a hut,grey letters,the sea"];

fn run(asked: Asked, words: &[&str]) -> Run {
    obscura(command_line(asked, words))
}

fn command_line([command, name]: Asked, words: &[&str]) -> Vec<String> {
    let model = model(name);
    let line = [&[command, "--model", &model, "--device", "cpu"], words].concat();
    line.into_iter().map(str::to_string).collect()
}

fn caption(words: &[&str]) -> Run {
    run(CAPTION, words)
}

/// Names and contents of all files in a folder; a file that a run renames meanwhile is left out.
fn contents(folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(path.to_str().unwrap()));
            continue;
        }
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            content => drop(found.insert(path, content.unwrap())),
        }
    }
    found
}

/// Ends a run by SIGKILL once it has written something, and says whether it was still running.
fn kill_in_the_middle(asked: Asked, words: &[&str], has_begun: impl Fn() -> bool) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_obscura"))
        .args(command_line(asked, words))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let started = Instant::now();
    while !has_begun() && child.try_wait().unwrap().is_none() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "nothing is written"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

#[test]
fn captions_of_a_run_that_was_killed_and_resumed_are_those_of_an_undisturbed_one() {
    let several = ["--beams", "3", "--num-return-sequences", "2"];
    for form in ["txt", "jsonl", "csv", "xmp"] {
        check_killed_and_resumed(CAPTION, form, &several, 60);
    }
}

/// CLIP is fast: more pictures, so that there is a middle.
#[test]
fn labels_of_a_run_that_was_killed_and_resumed_are_those_of_an_undisturbed_one() {
    for form in ["txt", "jsonl", "csv"] {
        check_killed_and_resumed(CLASSIFY, form, &LABELS, 400);
    }
}

fn check_killed_and_resumed(asked: Asked, form: &str, options: &[&str], count: usize) {
    let scratch = Scratch::new(&format!("killed-{}-{form}", asked[0]));
    let folder = pictures(&scratch, count);
    let before = contents(&folder).len();
    let write = [&[&folder[..], "--write", form], options].concat();
    let all = format!("3 of {count} pictures could not be done");
    let failed = [&all[..], "005.bmp", "017.bmp", "more/042.bmp"];
    let done = count - BROKEN.len();
    run(asked, &write).fails(1, &failed);
    let undisturbed = contents(&folder);
    let written = undisturbed.len() - before;
    assert_eq!(
        written,
        if matches!(form, "txt" | "xmp") {
            done
        } else {
            1
        }
    );
    for path in undisturbed.keys() {
        if !matches!(path.extension().and_then(OsStr::to_str), Some("bmp" | "md")) {
            fs::remove_file(path).unwrap();
        }
    }
    let has_begun = || {
        let found = contents(&folder);
        let partial = found
            .iter()
            .find(|(path, _)| path.extension() == Some(OsStr::new("partial")));
        found.len() > before + 9 || partial.is_some_and(|(_, text)| text.len() > 500)
    };
    assert!(
        kill_in_the_middle(asked, &write, has_begun),
        "{form}: it was over already"
    );
    assert_ne!(
        contents(&folder),
        undisturbed,
        "{form}: nothing was missing"
    );
    run(asked, &write).fails(1, &["--resume", "--overwrite"]);
    let resumed = run(asked, &[&write[..], &["--resume"]].concat());
    resumed.fails(1, &["005.bmp"]);
    assert!(resumed.stdout.contains(", left "), "{}", resumed.stdout);
    assert!(contents(&folder) == undisturbed, "{form}: not the same");
    let again = run(
        asked,
        &[&write[..], &["--skip-existing", "--json"]].concat(),
    );
    let summary: Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!(keys(&summary), ["left", "output", "written"]);
    assert_eq!(
        (&summary["left"], &summary["written"]),
        (&done.into(), &0.into())
    );
    assert!(
        contents(&folder) == undisturbed,
        "{form}: changed by a run with nothing to do"
    );
}

/// What the tables of a picture hold is what is printed of it.
#[test]
fn tables_hold_all_that_was_asked_for() {
    let scratch = Scratch::new("several");
    let folder = scratch.path("few");
    fs::create_dir(&folder).unwrap();
    fs::copy(picture("tiny.png"), format!("{folder}/tiny.png")).unwrap();
    let tiny = format!("{folder}/tiny.png");
    let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).unwrap();

    let several = ["--beams", "3", "--num-return-sequences", "2"];
    let printed = caption(&[&[&tiny[..], "--json"], &several[..]].concat()).object();
    caption(&[&[&folder[..], "--write", "jsonl"], &several[..]].concat()).lines();
    let row: Value = serde_json::from_str(&read("metadata.jsonl")).unwrap();
    assert_eq!(
        (&row["file_name"], &row["text"]),
        (&"tiny.png".into(), &printed["text"])
    );
    let texts = row["texts"].as_array().expect("texts");
    assert_eq!(texts.len(), 2);
    let second = &printed["alternatives"][0];
    for (row, printed) in texts.iter().zip([&printed, second]) {
        assert_eq!(row["text"], printed["text"]);
        assert_near(&row["score"], &printed["score"], 1e-6);
    }
    caption(&[&[&folder[..], "--write", "csv"], &several[..]].concat()).lines();
    let table = read("captions.csv");
    assert!(
        table.starts_with("image,caption,score,caption_2,score_2\ntiny.png,"),
        "{table}"
    );
    assert!(table.contains(second["text"].as_str().unwrap()), "{table}");
    caption(&[&folder, "--write", "csv", "--resume"]).lines(); // nothing is left to do
    fs::write(format!("{folder}/new.bmp"), drawn(3)).unwrap();
    caption(&[&folder, "--write", "csv", "--resume"]).fails(1, &["room for 2 of a picture, not 1"]);

    let printed = run(CLASSIFY, &[&[&tiny[..], "--json"], &LABELS[..]].concat()).object();
    let best = |words: &[&str]| {
        let words = [&[&tiny[..], "--write"], words, &LABELS[..]].concat();
        run(CLASSIFY, &words).lines().join("\n")
    };
    let output = scratch.path("labels.jsonl");
    best(&["jsonl", "--output", &output]);
    let row: Value = serde_json::from_str(&fs::read_to_string(&output).unwrap()).unwrap();
    assert_eq!(row["labels"].as_array().map(Vec::len), Some(3));
    for (row, printed) in row["labels"]
        .as_array()
        .unwrap()
        .iter()
        .zip(printed["labels"].as_array().unwrap())
    {
        assert_eq!(row["label"], printed["label"]);
        assert_near(&row["score"], &printed["score"], 1e-6);
    }
    assert_eq!(row["label"], row["labels"][0]["label"]);
    let output = scratch.path("labels.csv");
    best(&["csv", "--output", &output, "--top-k", "1"]);
    let table = fs::read_to_string(&output).unwrap();
    let label = printed["labels"][0]["label"].as_str().unwrap();
    assert!(
        table.starts_with(&format!("image,label,score\nfew/tiny.png,{label},0.")),
        "{table}"
    );
    best(&["txt"]);
    assert_eq!(read("tiny.txt"), format!("{label}\n"));
    run(
        CLASSIFY,
        &[&[&folder[..], "--write", "xmp"], &LABELS[..]].concat(),
    )
    .fails(1, &["xmp", "txt, jsonl or csv"]);
    run(
        CLASSIFY,
        &[
            &[
                &folder[..],
                "--write",
                "jsonl",
                "--resume",
                "--output",
                &format!("{folder}/metadata.jsonl"),
            ],
            &LABELS[..],
        ]
        .concat(),
    )
    .fails(1, &["metadata.jsonl", "line 1", "no line of ours"]);
}

#[test]
fn a_torn_line_is_done_again() {
    for (form, name) in [("jsonl", "metadata.jsonl"), ("csv", "captions.csv")] {
        let scratch = Scratch::new(&format!("torn-{form}"));
        let folder = scratch.path("few");
        fs::create_dir(&folder).unwrap();
        (0..4).for_each(|place| fs::write(format!("{folder}/{place}.bmp"), drawn(place)).unwrap());
        let write = [&folder, "--write", form, "--prefix", "a \"b\", "];
        caption(&write).lines();
        let whole = fs::read(format!("{folder}/{name}")).unwrap();
        let partial = format!("{folder}/{name}.partial");
        for length in [1, 10, whole.len() / 2, whole.len() - 1, whole.len()] {
            fs::remove_file(format!("{folder}/{name}")).unwrap();
            fs::write(&partial, &whole[..length]).unwrap();
            caption(&[&write[..], &["--resume"]].concat()).lines();
            let found = fs::read(format!("{folder}/{name}")).unwrap();
            assert!(found == whole, "{form}, cut off at {length}");
        }
        fs::write(&partial, "what is this\n").unwrap();
        caption(&[&write[..], &["--resume"]].concat()).fails(1, &["line 1", "no line of ours"]);
    }
}

#[test]
fn texts_are_written_beside_their_pictures_with_what_goes_around_them() {
    let scratch = Scratch::new("beside");
    for name in ["tiny.png", "grey.png"] {
        fs::copy(picture(name), scratch.path(name)).unwrap();
    }
    let folder = scratch.path("");
    let plain = caption(&[&scratch.path("tiny.png")]).stdout;
    let around = ["--prefix", "sks, ", "--suffix", " photo"];
    caption(&[&[&folder, "--write", "txt"], &around[..]].concat()).lines();
    let text = fs::read_to_string(scratch.path("tiny.txt")).unwrap();
    assert_eq!(text, format!("sks, {} photo\n", plain.trim()));
    fs::remove_file(scratch.path("grey.txt")).unwrap();
    caption(&[&folder, "--write", "txt"]).fails(1, &["tiny.txt is there already", "--resume"]);
    caption(&[&folder, "--write", "txt", "--resume"]).lines();
    assert_eq!(fs::read_to_string(scratch.path("tiny.txt")).unwrap(), text);
    caption(&[&folder, "--write", "txt", "--overwrite"]).lines();
    assert_eq!(fs::read_to_string(scratch.path("tiny.txt")).unwrap(), plain);
    fs::copy(picture("grey.png"), scratch.path("tiny.bmp")).unwrap();
    caption(&[&folder, "--write", "txt", "--resume"]).fails(1, &["tiny.bmp", "--names full"]);
    caption(&[&folder, "--write", "txt", "--names", "full"]).lines();
    assert!(Path::new(&scratch.path("tiny.bmp.txt")).exists());
}

#[test]
fn xmp_files_of_other_programs_keep_what_is_not_ours() {
    let scratch = Scratch::new("xmp");
    fs::copy(picture("tiny.png"), scratch.path("tiny.png")).unwrap();
    let file = scratch.path("tiny.png.xmp");
    let rated = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\
        <rdf:Description rdf:about='' xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='5'/></rdf:RDF></x:xmpmeta>";
    fs::write(&file, rated).unwrap();
    let folder = scratch.path("");
    caption(&[&folder, "--write", "xmp"]).lines(); // it said nothing of the picture yet
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("xmp:Rating='5'") && text.contains("AltTextAccessibility"),
        "{text}"
    );
    caption(&[&folder, "--write", "xmp"]).fails(1, &["tiny.png.xmp is there already"]);
    caption(&[
        &folder,
        "--write",
        "xmp",
        "--overwrite",
        "--prefix",
        "a & b <c> ",
    ])
    .lines();
    let plain = caption(&[&scratch.path("tiny.png")]).stdout;
    let expected = format!("a & b <c> {}", plain.trim());
    if let Ok(output) = Command::new("exiftool")
        .args(["-json", "-XMP:all", &file])
        .output()
    {
        let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(read[0]["Description"], expected);
        assert_eq!(read[0]["AltTextAccessibility"], expected);
        assert_eq!(read[0]["Rating"], 5);
    } else {
        eprintln!("skipped: exiftool is not installed, which reads XMP as other programs do");
    }
    let text = fs::read_to_string(&file).unwrap();
    let escaped = expected
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    assert_eq!(text.matches(&format!(">{escaped}<")).count(), 2, "{text}");
    fs::write(&file, "no XML").unwrap();
    caption(&[&folder, "--write", "xmp", "--overwrite"]).fails(1, &["tiny.png.xmp", "no XMP"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "no XML");
}

#[test]
fn pictures_are_files_folders_patterns_and_names_on_standard_input() {
    let scratch = Scratch::new("found");
    fs::create_dir_all(scratch.path("a/b")).unwrap();
    for name in ["one.bmp", "a/two.bmp", "a/b/three.bmp", "a/.hidden.bmp"] {
        fs::write(scratch.path(name), drawn(7)).unwrap();
    }
    fs::write(scratch.path("a/notes.txt"), "no picture").unwrap();
    let names = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| scratch.path(word)).collect();
        let run = obscura([&["pixels".to_string(), "--json".to_string()], &words[..]].concat());
        let name = |value: &Value| {
            let path = value["image"].as_str().expect("a path");
            path.strip_prefix(&scratch.path(""))
                .expect("in the folder")
                .to_string()
        };
        run.objects().iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&["a", "one.bmp"]),
        ["a/two.bmp", "a/b/three.bmp", "one.bmp"]
    );
    assert_eq!(names(&["a/*"]), ["a/b/three.bmp", "a/two.bmp"]);
    assert_eq!(names(&["**/t*.bmp", "a"]), ["a/b/three.bmp", "a/two.bmp"]);
    fs::write(scratch.path("[x].bmp"), drawn(7)).unwrap();
    assert_eq!(
        names(&["[x].bmp"]),
        ["[x].bmp"],
        "what exists is no pattern"
    );
    obscura(["pixels", &scratch.path("*.gif")]).fails(1, &["*.gif", "no picture has a name"]);
    fs::create_dir(scratch.path("empty")).unwrap();
    obscura(["pixels", &scratch.path("empty")]).fails(1, &["no pictures in", "empty"]);
    let (one, three) = (scratch.path("one.bmp"), scratch.path("a/b/three.bmp"));
    for input in [format!("{one}\n{three}\r\n\n"), format!("{one}\0{three}\0")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_obscura"))
            .args(["pixels", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    }
}

/// A program in place of ffmpeg that notes its arguments and writes two frames.
#[cfg(unix)]
#[test]
fn frames_of_a_video_come_from_ffmpeg() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("video");
    let (video, program) = (scratch.path("-clip 1.mp4"), scratch.path("ffmpeg"));
    fs::write(&video, "no video").unwrap();
    let run_as = |path: &str, asked: Asked, words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_obscura"))
            .args(command_line(asked, words))
            .args(["--fps", "2"])
            .env("PATH", path)
            .output()
            .expect("the program starts");
        Run {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    };
    let run = |path: &str, words: &[&str]| run_as(path, CAPTION, words);
    let empty = scratch.path("none");
    run(&empty, &[&video]).fails(1, &["-clip 1.mp4", "ffmpeg, which is not on the PATH"]);
    let log = scratch.path("arguments");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > '{log}'\nprintf 'P6\\n1 1\\n255\\nabcP6\\n1 1\\n255\\nxyz'\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/bin:/usr/bin", scratch.path(""));
    let found = run(&path, &[&video, "--json"]).objects();
    let names: Vec<&str> = found
        .iter()
        .map(|one| one["image"].as_str().unwrap())
        .collect();
    assert_eq!(names, [format!("{video}#t=0"), format!("{video}#t=0.5")]);
    let arguments = fs::read_to_string(&log).unwrap();
    assert!(
        arguments.contains(&format!("-i\nfile:{video}\n")),
        "{arguments}"
    );
    assert!(arguments.contains("fps=2\n"), "{arguments}");
    run(&path, &[&video, "--write", "txt"]).fails(1, &["is a video", "jsonl or csv"]);
    let table = scratch.path("frames.csv");
    run(&path, &[&video, "--write", "csv", "--output", &table]).lines();
    let text = fs::read_to_string(&table).unwrap();
    assert!(text.contains("-clip 1.mp4#t=0.5,"), "{text}");
    let vectors = scratch.path("frames.parquet");
    let embed = ["embed", "clip-quick"];
    run_as(&path, embed, &[&video, "--write", &vectors]).lines();
    let rows = super::vectors::rows(&vectors);
    assert_eq!(rows[1].id, format!("{video}#t=0.5"));
    assert!(rows[1].path.ends_with("/-clip 1.mp4#t=0.5"));
    fs::write(
        &program,
        "#!/bin/sh\necho 'moov atom not found' >&2\nexit 1\n",
    )
    .unwrap();
    run(&path, &[&video]).fails(1, &["-clip 1.mp4: moov atom not found"]);
}

#[cfg(feature = "train")]
#[test]
fn what_caption_writes_is_read_as_given_captions() {
    for form in ["txt", "jsonl", "csv", "xmp"] {
        let scratch = Scratch::new(&format!("given-{form}"));
        let folder = scratch.path("few");
        fs::create_dir(&folder).unwrap();
        (0..3).for_each(|place| fs::write(format!("{folder}/{place}.bmp"), drawn(place)).unwrap());
        caption(&[&folder, "--write", form]).lines();
        let model = model("blip-all");
        let output = scratch.path("kept.jsonl");
        obscura(["filter", &model, &folder, &output]).fails(0, &["of 3 given and"]);
        let measured = obscura(["eval", &model, &folder, "--json"]).object();
        assert_eq!(measured["captions"]["count"], 3, "{form}");
        let steps = [
            "--steps",
            "1",
            "--batch",
            "2",
            "--queue",
            "0",
            "--image-size",
            "16",
        ];
        let output = scratch.path("run");
        let run = [&["train", &output, "--data", &folder][..], &steps].concat();
        obscura(
            [
                &run[..],
                &[
                    "--width",
                    "32",
                    "--vision-depth",
                    "1",
                    "--text-depth",
                    "1",
                    "--objectives",
                    "lm",
                ],
            ]
            .concat(),
        )
        .fails(0, &["is written"]);
    }
}

#[test]
fn a_question_and_texts_are_about_each_picture_of_a_folder() {
    let scratch = Scratch::new("each");
    let folder = pictures(&scratch, 8); // one of them broken
    let question = ["--question", "how many?", "--json"];
    let answers = obscura([&["answer", &model("blip-vqa"), &folder], &question[..]].concat());
    let matches = obscura([
        "match",
        &model("blip-retrieval"),
        &folder,
        "a hut",
        "--json",
    ]);
    for (run, found) in [(answers, "text"), (matches, "matches")] {
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(
            run.stderr.contains("1 of 8 pictures could not be done"),
            "{}",
            run.stderr
        );
        let objects: Vec<Value> = run
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(objects.len(), 7);
        for object in &objects {
            let alone = object["image"].as_str().expect("a path");
            let command = match found {
                "text" => obscura([&["answer", &model("blip-vqa"), alone], &question[..]].concat()),
                _ => obscura(["match", &model("blip-retrieval"), alone, "a hut", "--json"]),
            };
            assert_eq!(&command.objects()[0], object);
        }
    }
    let text = obscura(["match", &model("blip-retrieval"), &folder, "a hut"]);
    assert!(text.stdout.contains("001.bmp: match "), "{}", text.stdout);
}
