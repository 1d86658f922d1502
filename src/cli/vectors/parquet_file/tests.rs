//! Parquet files: our own come back as they went, others' as tests/golden/parquet has them, and torn ones are errors.

use super::reader::Rows;
use super::{Group, Origin, Reader, Row, WIDTH, Writer};
use obscura::{Error, Result};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

fn origin() -> Origin {
    Origin {
        model: "a model".to_string(),
        dtype: "q8".to_string(),
    }
}

fn rows(count: usize, width: usize) -> Vec<Row> {
    let row = |number| Row {
        id: format!("é{number}"),
        path: format!("/pictures/{number}.jpg"),
        vector: (0..width)
            .map(|place| ((number * 31 + place * 17) as f32).sin())
            .collect(),
    };
    (0..count).map(row).collect()
}

fn written(rows: &[Row], group: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), origin()).unwrap();
    for rows in rows.chunks(group) {
        writer.write(rows).unwrap();
    }
    let width = rows[0].vector.len().to_string();
    writer.finish(&[(WIDTH, &width)]).unwrap()
}

/// A file with this content, which has no name any more.
fn file_of(bytes: &[u8]) -> File {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("obscura-parquet-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    let mut file = options.open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

fn read(bytes: &[u8]) -> Result<Rows> {
    let mut found = Rows::default();
    Reader::open(file_of(bytes))?.for_each(|rows| {
        found.names.extend(rows.names);
        found.vectors.extend(rows.vectors);
        Ok(())
    })?;
    Ok(found)
}

fn paths_and_vectors(rows: &[Row]) -> Rows {
    Rows {
        names: rows.iter().map(|row| row.path.clone()).collect(),
        vectors: rows.iter().flat_map(|row| row.vector.clone()).collect(),
    }
}

fn golden(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/parquet");
    std::fs::read(PathBuf::from(folder).join(name)).unwrap()
}

#[track_caller]
fn refuses(bytes: &[u8], words: &str) {
    match read(bytes) {
        Err(Error::BadInput(message)) => assert!(message.contains(words), "{message}"),
        other => panic!("{words} expected, found {other:?}"),
    }
}

#[test]
fn what_is_written_is_read_in_groups_of_any_size_and_width() {
    for (count, width, group) in [(1, 1, 1), (5, 3, 2), (40, 512, 16), (9000, 7, 9000)] {
        let rows = rows(count, width);
        let found = read(&written(&rows, group)).unwrap();
        assert!(found == paths_and_vectors(&rows), "{count} {width}");
    }
    let none = Writer::new(Vec::new(), origin()).unwrap();
    let none = none.finish(&[("note", "text")]).unwrap();
    let reader = Reader::open(file_of(&none)).unwrap();
    assert_eq!(reader.note("note"), Some("text"));
    assert_eq!(read(&none).unwrap(), Rows::default());
}

#[test]
fn a_writer_that_goes_on_writes_the_same_file() {
    let rows = rows(30, 4);
    let mut first = Writer::new(Vec::new(), origin()).unwrap();
    let groups = rows[..20].chunks(10).map(|rows| first.write(rows).unwrap());
    let kept = serde_json::to_string(&groups.collect::<Vec<_>>()).unwrap(); // as a journal does
    let groups: Vec<Group> = serde_json::from_str(&kept).unwrap();
    let begun = first.inner().clone();
    let mut second = Writer::go_on(&file_of(&begun), &groups, begun, origin()).unwrap();
    second.write(&rows[20..]).unwrap();
    assert_eq!(second.rows(), 30);
    let whole = written(&rows, 10);
    assert!(second.finish(&[(WIDTH, "4")]).unwrap() == whole);

    let torn = file_of(&whole[..100]);
    assert!(Writer::go_on(&torn, &groups, Vec::new(), origin()).is_err());
}

#[test]
fn vectors_of_two_widths_are_not_written() {
    let mut uneven = rows(2, 3);
    uneven[1].vector.pop();
    let mut writer = Writer::new(Vec::new(), origin()).unwrap();
    assert!(
        matches!(writer.write(&uneven), Err(Error::BadInput(message)) if message.contains("é1"))
    );
}

#[test]
fn files_of_other_programs_are_read() {
    let expected: serde_json::Value = serde_json::from_slice(&golden("expected.json")).unwrap();
    let expected = expected.as_array().unwrap();
    for (name, column) in [
        ("plain", "path"),
        ("dictionary", "path"),
        ("doubles", "path"),
        ("halves", "path"),
        ("fixed", "path"),
        ("snappy", "path"),
        ("gzip", "path"),
        ("zstd-pages-2", "path"),
        ("ids", "id"),
        ("duckdb", "path"),
        ("polars", "path"),
        ("ray", "path"),
        ("lancedb", "path"),
    ] {
        let found = read(&golden(&format!("{name}.parquet"))).unwrap();
        assert_eq!(found.names.len(), 300, "{name}");
        let width = found.vectors.len() / 300;
        for (place, row) in expected.iter().enumerate() {
            let place = 30 * place;
            assert_eq!(row[column], found.names[place].as_str(), "{name}");
            let vector = &found.vectors[place * width..][..width];
            let vector: Vec<f64> = vector.iter().map(|value| f64::from(*value)).collect();
            assert_eq!(row["vector"], serde_json::json!(vector), "{name}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    refuses(&golden("brotli.parquet"), "'path' is compressed by BROTLI");
    refuses(&golden("numbers-for-ids.parquet"), "'id' holds no texts");
    refuses(&golden("without-vectors.parquet"), "no column 'vector'");
    refuses(&golden("ragged.parquet"), "not all of one length");
    refuses(&golden("missing.parquet"), "null");
    refuses(b"no Parquet file at all", "does not end");
    refuses(b"", "does not end");
}

/// Every cut, and every byte changed, is read or refused; nothing panics, hangs or takes all memory.
#[test]
fn torn_and_changed_files_are_errors_or_read() {
    let ours = written(&rows(6, 3), 4);
    for bytes in [
        ours,
        golden("snappy.parquet"),
        golden("zstd-pages-2.parquet"),
    ] {
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "cut at {end}");
        }
        for place in 0..bytes.len() {
            for change in [1 << (place % 8), 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[place] ^= change;
                let _ = read(&changed);
            }
        }
    }
}
