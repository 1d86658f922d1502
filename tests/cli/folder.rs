//! A folder of pictures, some of them broken: captions on standard output and in files of every form, runs
//! that are killed in the middle, and what says which pictures are meant.

use super::{Run, Scratch, keys, model, obscura, picture};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PICTURES: usize = 60;
/// Places of those that are none.
const BROKEN: [usize; 3] = [5, 17, 42];

/// A folder of small pictures, a third of them in a folder of its own.
fn pictures(scratch: &Scratch) -> String {
    let folder = scratch.path("pictures");
    fs::create_dir_all(format!("{folder}/more")).unwrap();
    for place in 0..PICTURES {
        let inside = if place % 3 == 0 { "more/" } else { "" };
        let content = match BROKEN.contains(&place) {
            true => b"\x89PNG\r\n\x1a\n and no more".to_vec(),
            false => drawn(place as u8),
        };
        fs::write(format!("{folder}/{inside}{place:02}.bmp"), content).unwrap();
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

fn caption(words: &[&str]) -> Run {
    let model = model("blip-caption");
    obscura([&["caption", "--model", &model, "--device", "cpu"], words].concat())
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
fn kill_in_the_middle(words: &[&str], has_begun: impl Fn() -> bool) -> bool {
    let model = model("blip-caption");
    let mut child = Command::new(env!("CARGO_BIN_EXE_obscura"))
        .args(["caption", "--model", &model, "--device", "cpu"])
        .args(words)
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
fn runs_that_are_killed_and_resumed_write_what_an_undisturbed_one_does() {
    for form in ["txt", "jsonl", "csv", "xmp"] {
        let scratch = Scratch::new(&format!("killed-{form}"));
        let folder = pictures(&scratch);
        let before = contents(&folder).len();
        let write = [&folder, "--write", form, "--beams", "3"];
        let failed = [
            "3 of 60 pictures could not be done",
            "05.bmp",
            "17.bmp",
            "more/42.bmp",
        ];
        caption(&write).fails(1, &failed);
        let undisturbed = contents(&folder);
        let written = undisturbed.len() - before;
        assert_eq!(written, if matches!(form, "txt" | "xmp") { 57 } else { 1 });
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
            kill_in_the_middle(&write, has_begun),
            "{form}: it was over already"
        );
        assert_ne!(
            contents(&folder),
            undisturbed,
            "{form}: nothing was missing"
        );
        let refused = caption(&write);
        refused.fails(1, &["--resume", "--overwrite"]);
        let resumed = caption(&[&write[..], &["--resume"]].concat());
        resumed.fails(1, &["05.bmp"]);
        assert!(
            resumed
                .stdout
                .contains(if written > 1 { "left" } else { "wrote" }),
            "{}",
            resumed.stdout
        );
        assert!(contents(&folder) == undisturbed, "{form}: not the same");
        let again = caption(&[&write[..], &["--skip-existing", "--json"]].concat());
        let summary: Value = serde_json::from_str(&again.stdout).expect("JSON");
        assert_eq!(keys(&summary), ["left", "output", "written"]);
        assert_eq!(
            (&summary["left"], &summary["written"]),
            (&57.into(), &0.into())
        );
        assert!(
            contents(&folder) == undisturbed,
            "{form}: changed by a run with nothing to do"
        );
    }
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
    let run = |path: &str, words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_obscura"))
            .args([
                "caption",
                "--device",
                "cpu",
                "--model",
                &model("blip-caption"),
                "--fps",
                "2",
            ])
            .args(words)
            .env("PATH", path)
            .output()
            .expect("the program starts");
        Run {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    };
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
