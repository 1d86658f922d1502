//! Files of captions and questions, sound and broken.

use crate::Result;
use crate::metrics::data::{
    CaptionedImage, Question, read_captions, read_captions_of, read_classes, read_folder,
    read_questions, stream,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder with the pictures a.png and sub/b.png, deleted when done.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("obscura-data-{}-{number}", std::process::id());
        let scratch = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(scratch.path("sub")).unwrap();
        scratch.file("a.png", "").file("sub/b.png", "");
        scratch
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), contents).unwrap();
        self
    }

    fn captioned(&self, image: &str, captions: &[&str]) -> CaptionedImage {
        CaptionedImage {
            image: self.path(image),
            captions: captions.iter().map(|text| (*text).to_owned()).collect(),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // a leftover in the temporary folder is no failure
    }
}

/// Reading this file fails with a message that has all of these in it.
fn check_refused<T: std::fmt::Debug>(
    read: impl Fn(&std::path::Path) -> Result<T>,
    name: &str,
    contents: impl AsRef<[u8]>,
    expected: &[&str],
) {
    let scratch = Scratch::new();
    scratch.file(name, contents);
    let error = read(&scratch.path(name)).unwrap_err();
    assert_eq!(error.code(), "bad_input");
    for part in [name].iter().chain(expected) {
        assert!(error.to_string().contains(part), "no '{part}' in: {error}");
    }
}

#[test]
fn the_three_formats_of_captions_say_the_same() {
    let scratch = Scratch::new();
    let lines = "{\"image\": \"sub/b.png\", \"captions\": [\"one\", \" two, too \"], \"extra\": 1}\r\n\n{\"image\":\"a.png\",\"caption\":\"three\"}";
    let table = "caption,Image\r\none,sub/b.png\r\n\"two, too\",sub/b.png\r\nthree,a.png\r\n";
    let coco = r#"{"info": {}, "images": [{"id": 7, "file_name": "sub/b.png", "width": 3}, {"id": 2, "file_name": "a.png"}],
        "annotations": [{"image_id": 2, "id": 1, "caption": "three"}, {"image_id": 7, "caption": "one"}, {"image_id": 7, "caption": "two, too"}]}"#;
    scratch
        .file("lines.jsonl", lines)
        .file("table.csv", table)
        .file("coco.json", coco);
    let expected = [
        scratch.captioned("sub/b.png", &["one", "two, too"]),
        scratch.captioned("a.png", &["three"]),
    ];
    for name in ["lines.jsonl", "table.csv", "coco.json"] {
        assert_eq!(
            read_captions(&scratch.path(name)).unwrap(),
            expected,
            "{name}"
        );
        let text = std::fs::read(scratch.path(name)).unwrap();
        scratch.file(name, [b"\xef\xbb\xbf", text.as_slice()].concat());
        assert_eq!(
            read_captions(&scratch.path(name)).unwrap(),
            expected,
            "{name} with a mark"
        );
    }
}

#[test]
fn captions_of_a_picture_in_several_places_are_joined() {
    let scratch = Scratch::new();
    let lines = "{\"image\":\"a.png\",\"caption\":\"x\"}\n{\"image\":\"sub/b.png\",\"caption\":\"y\"}\n{\"image\":\"a.png\",\"caption\":\"z\"}";
    scratch.file("c.jsonl", lines);
    let expected = [
        scratch.captioned("a.png", &["x", "z"]),
        scratch.captioned("sub/b.png", &["y"]),
    ];
    assert_eq!(read_captions(&scratch.path("c.jsonl")).unwrap(), expected);
}

#[test]
fn pictures_may_lie_in_another_folder_than_the_file() {
    let scratch = Scratch::new();
    let coco = r#"{"images": [{"id": 1, "file_name": "b.png"}], "annotations": [{"image_id": 1, "caption": "x"}]}"#;
    scratch.file("coco.json", coco);
    let found = read_captions_of(&scratch.path("coco.json"), &scratch.path("sub")).unwrap();
    assert_eq!(found, [scratch.captioned("sub/b.png", &["x"])]);
}

#[test]
fn questions_have_one_answer_or_several() {
    let scratch = Scratch::new();
    let lines = "{\"image\":\"a.png\",\"question\":\"what?\",\"answer\":\"cat\"}\n{\"image\":\"a.png\",\"question\":\"who?\",\"answers\":[\"x\",\"y\"]}\n";
    scratch.file("questions.jsonl", lines);
    let question = |question: &str, answers: &[&str]| Question {
        image: scratch.path("a.png"),
        question: question.to_owned(),
        answers: answers.iter().map(|text| (*text).to_owned()).collect(),
    };
    let expected = [question("what?", &["cat"]), question("who?", &["x", "y"])];
    assert_eq!(
        read_questions(&scratch.path("questions.jsonl")).unwrap(),
        expected
    );
    let folder = read_folder(&scratch.0).unwrap();
    assert_eq!((folder.captions.len(), folder.questions.len()), (0, 2));
}

#[test]
fn a_folder_without_data_or_with_captions_twice_is_an_error() {
    let scratch = Scratch::new();
    let error = read_folder(&scratch.0).unwrap_err().to_string();
    assert!(
        error.contains("captions.jsonl") && error.contains("captions.csv"),
        "{error}"
    );
    scratch.file("captions.csv", "image,caption\na.png,x\n");
    assert_eq!(
        read_folder(&scratch.0).unwrap().captions,
        [scratch.captioned("a.png", &["x"])]
    );
    scratch.file("captions.jsonl", "{\"image\":\"a.png\",\"caption\":\"x\"}");
    let error = read_folder(&scratch.0).unwrap_err().to_string();
    assert!(error.contains("keep one"), "{error}");
}

#[test]
fn broken_lines_are_named_with_their_field() {
    let good = "{\"image\":\"a.png\",\"captions\":[\"x\"]}\n";
    let cases: [(&str, &[&str]); 11] = [
        ("{\"image\": \"a.png\", ", &["not valid JSON", "column"]),
        ("[1, 2]", &["a list", "an object"]),
        ("{\"captions\":[\"x\"]}", &["'image' is missing"]),
        (
            "{\"image\":3,\"captions\":[\"x\"]}",
            &["'image' is a number"],
        ),
        ("{\"image\":\"a.png\"}", &["'captions' is missing"]),
        (
            "{\"image\":\"a.png\",\"captions\":\"x\"}",
            &["'captions' is a text", "a list"],
        ),
        (
            "{\"image\":\"a.png\",\"captions\":[]}",
            &["'captions' is an empty list"],
        ),
        (
            "{\"image\":\"a.png\",\"captions\":[\"x\",null]}",
            &["'captions[1]' is null"],
        ),
        (
            "{\"image\":\"a.png\",\"captions\":[\" \"]}",
            &["'captions[0]' is empty"],
        ),
        (
            "{\"image\":\"a.png\",\"caption\":\"x\",\"captions\":[]}",
            &["both"],
        ),
        (
            "{\"image\":\"none.png\",\"caption\":\"x\"}",
            &["'none.png'"],
        ),
    ];
    for (line, expected) in cases {
        let expected = [&["line 3"], expected].concat();
        check_refused(
            read_captions,
            "c.jsonl",
            format!("{good}\n{line}\n{good}"),
            &expected,
        );
    }
    check_refused(
        read_captions,
        "c.jsonl",
        b"{\"image\":\"\xff\"}",
        &["line 1", "not valid JSON"],
    );
}

#[test]
fn broken_questions_are_named_with_their_field() {
    let cases: [(&str, &str); 3] = [
        (
            "{\"image\":\"a.png\",\"answer\":\"x\"}",
            "'question' is missing",
        ),
        (
            "{\"image\":\"a.png\",\"question\":\"x\"}",
            "'answers' is missing",
        ),
        (
            "{\"image\":\"a.png\",\"question\":\"x\",\"answer\":3}",
            "'answer' is a number",
        ),
    ];
    for (line, expected) in cases {
        check_refused(
            read_questions,
            "questions.jsonl",
            line,
            &["line 1", expected],
        );
    }
}

#[test]
fn broken_tables_are_named_with_their_line() {
    let cases: [(&[u8], &[&str]); 7] = [
        (
            b"file,caption\na.png,x\n",
            &["line 1", "'image'", "file, caption"],
        ),
        (b"image,text\na.png,x\n", &["line 1", "'caption'"]),
        (
            b"image,caption\na.png,x\na.png,x, y\n",
            &["line 3", "3 columns", "quotation"],
        ),
        (
            b"image,caption\na.png,\n",
            &["line 2", "'caption' is empty"],
        ),
        (b"image,caption\n,x\n", &["line 2", "'image' is empty"]),
        (b"image,caption\nno.png,x\n", &["line 2", "'no.png'"]),
        (b"image,caption\na.png,\xff\n", &["line 2", "UTF-8"]),
    ];
    for (table, expected) in cases {
        check_refused(read_captions, "captions.csv", table, expected);
    }
}

#[test]
fn broken_coco_files_are_named_with_their_entry() {
    let image = r#"{"id": 1, "file_name": "a.png"}"#;
    let file = |images: &str, annotations: &str| {
        format!(r#"{{"images": [{images}], "annotations": [{annotations}]}}"#)
    };
    let cases = [
        ("{\"images\": []}".to_owned(), "`annotations`"),
        (file(r#"{"id": 1}"#, ""), "`file_name`"),
        (
            file(image, r#"{"image_id": "1", "caption": "x"}"#),
            "line 1",
        ),
        (
            file(image, r#"{"image_id": 2, "caption": "x"}"#),
            "annotations[0]: 'image_id' is 2",
        ),
        (
            file(image, r#"{"image_id": 1, "caption": ""}"#),
            "annotations[0]: 'caption' is empty",
        ),
        (
            file(&format!("{image},{image}"), ""),
            "images[1]: 'id' 1 is there twice",
        ),
        (
            file(
                r#"{"id": 1, "file_name": "b.png"}"#,
                r#"{"image_id": 1, "caption": "x"}"#,
            ),
            "'b.png'",
        ),
    ];
    for (contents, expected) in cases {
        check_refused(read_captions, "c.json", contents, &[expected]);
    }
}

#[test]
fn files_without_entries_and_unknown_files_are_errors() {
    check_refused(read_captions, "c.jsonl", "\n\n", &["holds no captions"]);
    check_refused(
        read_captions,
        "c.csv",
        "image,caption\n",
        &["holds no captions"],
    );
    check_refused(read_captions, "c.csv", "", &["no column 'image'"]);
    check_refused(
        read_captions,
        "c.json",
        r#"{"images": [], "annotations": []}"#,
        &["holds no captions"],
    );
    check_refused(read_questions, "q.jsonl", "", &["holds no questions"]);
    check_refused(
        read_captions,
        "c.txt",
        "",
        &["unknown kind of file", ".jsonl"],
    );
    let error = read_captions(std::path::Path::new("/no/such/file.csv")).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

/// What a stream gives: each picture's name with its captions, or that there was an error.
fn streamed(scratch: &Scratch, name: &str) -> Vec<std::result::Result<(String, Vec<String>), ()>> {
    let items = stream(&scratch.path(name), None).unwrap();
    let plain = |item: Result<crate::metrics::data::Item>| match item {
        Ok(item) => {
            assert_eq!(item.image, scratch.path(&item.name));
            Ok((item.name, item.captions))
        }
        Err(_) => Err(()),
    };
    items.map(plain).collect()
}

fn item(name: &str, captions: &[&str]) -> std::result::Result<(String, Vec<String>), ()> {
    let captions = captions.iter().map(|text| (*text).to_owned());
    Ok((name.to_owned(), captions.collect()))
}

#[test]
fn unusable_lines_of_a_stream_leave_the_others_as_they_are() {
    let scratch = Scratch::new();
    let text = "\u{feff}{\"image\": \"a.png\", \"captions\": [\"one\", \" \"]}\n\nnot JSON\n\
        {\"image\": \"gone.png\", \"caption\": null}\n{\"captions\": []}\n\
        {\"image\": \"b.png\", \"captions\": [1]}\n{\"image\": \"sub/b.png\"}";
    scratch.file("items.jsonl", text);
    let found = streamed(&scratch, "items.jsonl");
    let expected = [
        item("a.png", &["one"]),
        Err(()),
        item("gone.png", &[]),
        Err(()),
        Err(()),
        item("sub/b.png", &[]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn rows_of_one_picture_that_follow_one_another_are_one_item() {
    let scratch = Scratch::new();
    let text = "\u{feff}image,caption\na.png,one\na.png,two\nsub/b.png,\nbroken\na.png,three\n";
    scratch.file("captions.csv", text);
    let expected = [
        item("a.png", &["one", "two"]),
        item("sub/b.png", &[]),
        Err(()),
        item("a.png", &["three"]),
    ];
    assert_eq!(streamed(&scratch, "captions.csv"), expected);
    assert_eq!(
        streamed(&scratch, ""),
        expected,
        "the folder means its file"
    );
}

#[test]
fn a_folder_without_texts_is_a_stream_of_its_pictures() {
    let scratch = Scratch::new();
    scratch.file("z.JPEG", "").file("notes.txt", "");
    let expected = [
        item("a.png", &[]),
        item("z.JPEG", &[]),
        item("sub/b.png", &[]),
    ];
    assert_eq!(streamed(&scratch, ""), expected);
}

#[test]
fn folders_are_the_classes_of_the_pictures_in_them() {
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.path("also/deeper")).unwrap();
    scratch.file("also/deeper/c.webp", "");
    let classes = read_classes(&scratch.0).unwrap();
    assert_eq!(classes.names, ["also", "sub"]);
    let expected = [
        (scratch.path("also/deeper/c.webp"), 0),
        (scratch.path("sub/b.png"), 1),
    ];
    assert_eq!(classes.pictures, expected);
    let error = read_classes(&scratch.path("sub")).unwrap_err();
    assert!(error.to_string().contains("no data found"), "{error}");
}

#[test]
fn lines_of_the_filter_without_texts_are_no_captions() {
    let scratch = Scratch::new();
    let text = "{\"place\": 0, \"image\": \"a.png\", \"captions\": [\"one\"], \"judged\": []}\n\
        {\"place\": 1, \"image\": \"a.png\", \"captions\": [], \"judged\": []}\n\
        {\"place\": 2, \"image\": \"gone.png\", \"error\": \"unreadable\"}\n";
    scratch.file("filtered.jsonl", text);
    let found = read_captions(&scratch.path("filtered.jsonl")).unwrap();
    assert_eq!(found, [scratch.captioned("a.png", &["one"])]);
    check_refused(
        read_captions,
        "own.jsonl",
        "{\"image\": \"a.png\", \"captions\": []}",
        &["empty list"],
    );
}
