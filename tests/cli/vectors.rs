//! `obscura embed --write`: the file's rows are what `embed` prints, however often the run was killed.

use super::{Run, Scratch, exact, model, number, numbers, obscura, picture};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{ListAccessor, RowAccessor};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PICTURES: usize = 1000;
/// One in so many cannot be read.
const BROKEN: usize = 100;

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub id: String,
    pub path: String,
    vector: Vec<f32>,
    model: String,
    dtype: String,
}

fn open(file: &str) -> SerializedFileReader<File> {
    SerializedFileReader::new(File::open(file).expect("a file")).expect("a Parquet file")
}

pub fn rows(file: &str) -> Vec<Row> {
    let file = open(file);
    let rows = file.get_row_iter(None).expect("rows");
    let row = |row: parquet::record::Row| {
        let text = |place| row.get_string(place).expect("a text").clone();
        let vector = row.get_list(2).expect("a list");
        let number = |place| vector.get_float(place).expect("a float");
        Row {
            id: text(0),
            path: text(1),
            vector: (0..vector.len()).map(number).collect(),
            model: text(3),
            dtype: text(4),
        }
    };
    rows.map(|found| row(found.expect("a row"))).collect()
}

fn note(file: &str, key: &str) -> String {
    let file = open(file);
    let notes = file.metadata().file_metadata().key_value_metadata();
    let mut notes = notes.expect("notes").iter();
    let found = notes.find(|note| note.key == key).expect("a note");
    found.value.clone().expect("a text")
}

/// A folder of small pictures, each of another colour, ten of them broken.
fn many_pictures(scratch: &Scratch) -> String {
    let folder = scratch.path("many");
    fs::create_dir_all(format!("{folder}/more")).unwrap();
    for number in 0..PICTURES {
        let inner = if number % 3 == 0 { "more/" } else { "" };
        let colour = [number as u8, (number >> 2) as u8, (7 * number) as u8];
        let mut bytes = b"P6 8 8 255\n".to_vec();
        bytes.extend(colour.repeat(64));
        if number % BROKEN == 50 {
            bytes.truncate(20);
        }
        fs::write(format!("{folder}/{inner}{number:04}.ppm"), bytes).unwrap();
    }
    folder
}

fn write<'a>(model: &'a str, pictures: &'a str, file: &'a str) -> Vec<&'a str> {
    vec![
        "embed", model, pictures, "--write", file, "--dtype", "f32", "--json",
    ]
}

fn with(words: &[&str], more: &[&str]) -> Run {
    obscura([words, more].concat())
}

/// Ten of a thousand are broken: a list of them, exit code 1, and all others written.
#[track_caller]
fn assert_all_but_ten(run: &Run) {
    run.fails(
        1,
        &["these have no vector:", "0050.ppm", "10 of 1000 pictures"],
    );
    let said: Value = serde_json::from_str(run.stdout.trim()).expect("JSON");
    assert_eq!((&said["rows"], &said["failed"]), (&json!(990), &json!(10)));
    assert!(number(&said["perSecond"]) > 0.0);
}

#[test]
fn the_rows_are_the_vectors_that_embed_prints() {
    let scratch = Scratch::new("vectors-rows");
    let (model, file) = (model("clip-quick"), scratch.path("vectors.parquet"));
    let folder = scratch.path("pictures");
    fs::create_dir_all(format!("{folder}/more")).unwrap();
    let named = ["alpha.png", "more/grey.png", "more/photo.jpg"];
    for name in named {
        fs::copy(
            picture(name.rsplit('/').next().unwrap()),
            format!("{folder}/{name}"),
        )
        .unwrap();
    }
    let said = with(&write(&model, &folder, &file), &[]).object();
    assert_eq!((&said["rows"], &said["failed"]), (&json!(3), &json!(0)));
    let rows = rows(&file);
    assert_eq!(rows.len(), 3);
    for (row, name) in rows.iter().zip(named) {
        assert_eq!(
            (&row.id[..], &row.model, &row.dtype[..]),
            (name, &model, "f32")
        );
        let whole = fs::canonicalize(format!("{folder}/{name}")).unwrap();
        assert_eq!(Path::new(&row.path), whole);
        let printed = numbers(&exact(&["embed", &model, &row.path]).object()["embedding"]);
        assert_eq!(row.vector.len(), printed.len());
        for (written, printed) in row.vector.iter().zip(printed) {
            assert!(
                (f64::from(*written) - printed).abs() < 1e-6,
                "{written} for {printed}"
            );
        }
    }
    let identity: Value = serde_json::from_str(&note(&file, "obscura.identity")).unwrap();
    assert_eq!(
        (&identity["family"], &identity["dtype"]),
        (&json!("clip"), &json!("f32"))
    );
    assert_eq!(
        note(&file, "obscura.width"),
        rows[0].vector.len().to_string()
    );
}

/// Starts a run, kills it once it has written a group, and says whether that was before its end.
fn kill_in_the_middle(words: &[&str], file: &str) {
    let mut run = Command::new(env!("CARGO_BIN_EXE_obscura"))
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let started = Instant::now();
    let lines =
        || fs::read_to_string(format!("{file}.journal")).map_or(0, |text| text.lines().count());
    while lines() < 2 {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "no group was written"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(!Path::new(file).exists(), "it was over already");
}

#[test]
fn a_run_that_was_killed_and_resumed_leaves_the_same_file() {
    let scratch = Scratch::new("vectors-killed");
    let (model, folder) = (model("clip-quick"), many_pictures(&scratch));
    let (whole, resumed) = (
        scratch.path("whole.parquet"),
        scratch.path("resumed.parquet"),
    );
    assert_all_but_ten(&with(&write(&model, &folder, &whole), &[]));
    assert_eq!(rows(&whole).len(), 990);

    let words = write(&model, &folder, &resumed);
    kill_in_the_middle(&words, &resumed);
    with(&words, &[]).fails(1, &["resumed.parquet", "--resume"]);
    // What a kill in the middle of a write leaves: torn bytes behind both.
    for ending in ["partial", "journal"] {
        let path = format!("{resumed}.{ending}");
        let torn = [&fs::read(&path).unwrap()[..], b"{\"torn"].concat();
        fs::write(&path, torn).unwrap();
    }
    assert_all_but_ten(&with(&words, &["--resume"]));
    assert_eq!(fs::read(&resumed).unwrap(), fs::read(&whole).unwrap());
    assert!(
        !scratch
            .names()
            .iter()
            .any(|name| name.contains("resumed.parquet."))
    );

    let again = with(&words, &["--resume"]).object();
    assert_eq!(again["complete"], json!(true));
}

#[test]
fn a_run_only_goes_on_as_it_was_begun() {
    let scratch = Scratch::new("vectors-otherwise");
    let (clip, folder) = (model("clip-quick"), many_pictures(&scratch));
    let file = scratch.path("vectors.parquet");
    let words = write(&clip, &folder, &file);
    kill_in_the_middle(&words, &file);
    with(&words, &["--resume", "--shard", "1/2"]).fails(1, &["part 1/1"]);
    with(&write(&model("clip-gelu"), &folder, &file), &["--resume"])
        .fails(1, &["--resume cannot go on"]);
    with(&write(&clip, &picture("alpha.png"), &file), &["--resume"]).fails(1, &["other pictures"]);
    with(&words, &["--shard", "3/2"]).fails(2, &["I from 1 to N"]);
    obscura(["embed", &clip, &folder, "--resume"]).fails(2, &["--write"]);
}

#[test]
fn parts_have_all_rows_between_them() {
    let scratch = Scratch::new("vectors-parts");
    let (model, folder) = (model("clip-quick"), many_pictures(&scratch));
    let mut all = Vec::new();
    for part in ["1/3", "2/3", "3/3"] {
        let file = scratch.path(&format!("{}.parquet", &part[..1]));
        with(&write(&model, &folder, &file), &["--shard", part]).fails(1, &["could not be read"]);
        all.extend(rows(&file));
    }
    let whole = scratch.path("whole.parquet");
    assert_all_but_ten(&with(&write(&model, &folder, &whole), &[]));
    let by_id = |mut rows: Vec<Row>| {
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows
    };
    assert_eq!(by_id(all), by_id(rows(&whole)));
}

#[cfg(feature = "train")]
#[test]
fn lists_of_pictures_bring_their_own_ids() {
    let scratch = Scratch::new("vectors-lists");
    let (model, file) = (model("clip-quick"), scratch.path("vectors.parquet"));
    fs::copy(picture("alpha.png"), scratch.path("a.png")).unwrap();
    let list = scratch.path("list.jsonl");
    let lines = [
        r#"{"image":"a.png","id":7}"#,
        r#"{"image":"a.png","id":"seven"}"#,
        r#"{"image":"a.png"}"#,
        r#"{"image":"gone.png"}"#,
        "no JSON",
    ];
    fs::write(&list, lines.join("\n")).unwrap();
    with(&write(&model, &list, &file), &[]).fails(1, &["gone.png", "line 5", "2 of 5"]);
    let ids: Vec<String> = rows(&file).into_iter().map(|row| row.id).collect();
    assert_eq!(ids, ["7", "seven", "a.png"]);
}

#[test]
fn pictures_are_named_as_for_every_command() {
    let scratch = Scratch::new("vectors-named");
    let model = model("clip-quick");
    fs::create_dir_all(scratch.path("more")).unwrap();
    let paths = ["a.png", "more/b.png", "more/c.png"].map(|name| scratch.path(name));
    for path in &paths {
        fs::copy(picture("alpha.png"), path).unwrap();
    }
    let ids = |file: &str| rows(file).into_iter().map(|row| row.id).collect::<Vec<_>>();

    let (pattern, folder) = (scratch.path("*.png"), scratch.path("more"));
    let file = scratch.path("patterns.parquet");
    with(&write(&model, &pattern, &file), &[&folder]).object();
    assert_eq!(ids(&file), paths);

    let file = scratch.path("names.parquet");
    let mut child = Command::new(env!("CARGO_BIN_EXE_obscura"))
        .args(write(&model, "-", &file))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().unwrap();
    input.write_all(paths.join("\n").as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
    assert_eq!(ids(&file), paths);

    let nothing = scratch.path("*.gif");
    with(&write(&model, &nothing, &scratch.path("none.parquet")), &[])
        .fails(1, &["*.gif", "no picture has a name"]);
}

#[test]
fn albums_leave_as_parquet_and_come_back_to_their_own_model_only() {
    let scratch = Scratch::new("vectors-album");
    let clip = model("clip-quick");
    let (album, file) = (scratch.path("one.album"), scratch.path("vectors.parquet"));
    let pictures = ["alpha.png", "grey.png", "photo.jpg"].map(picture);
    let add = [
        "album",
        "add",
        &clip,
        &album,
        &pictures[0],
        &pictures[1],
        &pictures[2],
    ];
    assert_eq!(exact(&add).object()["added"], 3);
    assert!(
        obscura(["album", "export", &album, &file])
            .lines()
            .is_empty()
    );
    assert_eq!(rows(&file).len(), 3);

    let other = scratch.path("other.album");
    let added = exact(&["album", "import", &clip, &other, &file]).object();
    assert_eq!(added, json!({ "added": 3, "size": 3 }));
    let search = |album: &str| exact(&["search", &clip, album, "--text", "a hut"]).object();
    assert_eq!(search(&other), search(&album));

    let third = scratch.path("third.album");
    exact(&["album", "import", &model("clip-gelu"), &third, &file])
        .fails(1, &["vectors.parquet", "another album"]);
    obscura(["album", "import", &clip, &third, &file, "--dtype", "q8"])
        .fails(1, &["CLIP (f32", "CLIP (q8"]);
    obscura(["album", "export", &album, &file, "names.json"]).fails(1, &["leave out names.json"]);
    obscura(["album", "export", &album, "vectors.npy"]).fails(1, &["no names", ".json"]);
    fs::write(&file, "no Parquet").unwrap();
    exact(&["album", "import", &clip, &third, &file])
        .fails(1, &["vectors.parquet", "does not end"]);
}

#[test]
fn what_embed_wrote_becomes_an_album() {
    let scratch = Scratch::new("vectors-to-album");
    let clip = model("clip-quick");
    let (album, file) = (scratch.path("an.album"), scratch.path("vectors.parquet"));
    let written = with(&write(&clip, &picture("alpha.png"), &file), &[]).object();
    assert_eq!(written["rows"], 1);
    exact(&["album", "import", &clip, &album, &file]).object();
    let found = exact(&["search", &clip, &album, "--image", &picture("alpha.png")]).object();
    assert!(number(&found["found"][0]["similarity"]) > 0.999);
}
