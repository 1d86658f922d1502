//! Parquet files: our own come back as they went, others' as tests/golden/parquet has them, and torn ones are errors.

use super::Random;
use crate::Error;
use crate::search::parquet::{Group, Origin, Reader, Row, WIDTH, Writer};
use std::io::Cursor;
use std::path::PathBuf;

fn origin() -> Origin {
    Origin {
        model: "a model".to_string(),
        dtype: "q8".to_string(),
    }
}

fn rows(count: usize, width: usize) -> Vec<Row> {
    let mut random = Random::new(1);
    let row = |number| Row {
        id: format!("é{number}"),
        path: format!("/pictures/{number}.jpg"),
        vector: random.normals(width),
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

fn read(bytes: Vec<u8>) -> crate::Result<Vec<Row>> {
    let mut reader = Reader::open(Cursor::new(bytes))?;
    let mut found = Vec::new();
    reader.for_each(|rows| {
        found.extend(rows);
        Ok(())
    })?;
    Ok(found)
}

fn golden(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/parquet");
    std::fs::read(PathBuf::from(folder).join(name)).unwrap()
}

#[track_caller]
fn refuses(bytes: Vec<u8>, words: &str) {
    match read(bytes) {
        Err(Error::BadInput(message)) => assert!(message.contains(words), "{message}"),
        other => panic!("{words} expected, found {other:?}"),
    }
}

#[test]
fn what_is_written_is_read_in_groups_of_any_size_and_width() {
    for (count, width, group) in [(1, 1, 1), (5, 3, 2), (40, 512, 16), (300, 7, 300)] {
        let rows = rows(count, width);
        assert_eq!(
            read(written(&rows, group)).unwrap(),
            rows,
            "{count} {width}"
        );
    }
    let none = Writer::new(Vec::new(), origin()).unwrap();
    let reader = Reader::open(Cursor::new(none.finish(&[("note", "text")]).unwrap())).unwrap();
    assert_eq!((reader.rows(), reader.note("note")), (0, Some("text")));
}

#[test]
fn a_writer_that_goes_on_writes_the_same_file() {
    let rows = rows(30, 4);
    let mut first = Writer::new(Vec::new(), origin()).unwrap();
    let groups: Vec<Group> = rows[..20]
        .chunks(10)
        .map(|rows| first.write(rows).unwrap().clone())
        .collect();
    let kept = serde_json::to_string(&groups).unwrap(); // as a journal does
    let groups = serde_json::from_str(&kept).unwrap();
    let mut second = Writer::go_on(first.inner().clone(), origin(), groups);
    second.write(&rows[20..]).unwrap();
    assert_eq!(second.rows(), 30);
    assert_eq!(second.finish(&[(WIDTH, "4")]).unwrap(), written(&rows, 10));
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
fn files_of_pyarrow_and_duckdb_are_read() {
    let expected: serde_json::Value = serde_json::from_slice(&golden("expected.json")).unwrap();
    let expected = expected.as_array().unwrap();
    for name in ["plain", "dictionary", "doubles", "fixed", "duckdb"] {
        let found = read(golden(&format!("{name}.parquet"))).unwrap();
        assert_eq!(found.len(), 300, "{name}");
        for (place, row) in expected.iter().enumerate() {
            let found = &found[30 * place];
            assert_eq!(row["id"], found.id.as_str(), "{name}");
            assert_eq!(row["path"], found.path.as_str(), "{name}");
            let vector: Vec<f64> = found.vector.iter().map(|value| f64::from(*value)).collect();
            assert_eq!(row["vector"], serde_json::json!(vector), "{name}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    refuses(golden("compressed.parquet"), "compression='none'");
    refuses(golden("without-vectors.parquet"), "no column 'vector'");
    refuses(golden("ragged.parquet"), "not all of one length");
    refuses(golden("missing.parquet"), "null");
    refuses(b"no Parquet file at all".to_vec(), "does not end");
    refuses(Vec::new(), "does not end");
}

/// Every cut, and every byte changed, is read or refused; nothing panics, hangs or takes all memory.
#[test]
fn torn_and_changed_files_are_errors_or_read() {
    for bytes in [written(&rows(6, 3), 4), golden("duckdb.parquet")] {
        for end in 0..bytes.len().min(2000) {
            assert!(read(bytes[..end].to_vec()).is_err(), "cut at {end}");
        }
        let mut random = Random::new(7);
        for place in (bytes.len().saturating_sub(1500)..bytes.len()).chain(0..200) {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << random.below(8);
            let _ = read(changed);
        }
    }
}
