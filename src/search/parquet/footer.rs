//! The end of a Parquet file: its columns, and where each row group has them.

use super::pages::{Levels, PLAIN, RLE};
use super::thrift::{Value, decode};
use super::{WIDTH, refused};
use crate::Result;
use serde::{Deserialize, Serialize};

/// A file begins and ends with it.
pub const MAGIC: &[u8; 4] = b"PAR1";
const CREATED_BY: &str = concat!("obscura version ", env!("CARGO_PKG_VERSION"));
const FLOAT: i32 = 4;
const DOUBLE: i64 = 5;
const TEXT: i32 = 6;
const REQUIRED: i32 = 0;
const OPTIONAL: i64 = 1;
const REPEATED: i32 = 2;
/// Rows of a group at most: what is claimed is not believed beyond this.
const MOST_ROWS: u64 = 1 << 22;

/// A group of rows that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// How many rows.
    pub rows: u64,
    /// One for each of `COLUMNS`, in order.
    pub chunks: Vec<Chunk>,
}

/// A column of a group: one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Where it begins.
    pub at: u64,
    /// How long it is.
    pub bytes: u64,
    /// How many values it has.
    pub values: u64,
}

/// The columns, in the order of the file.
pub const COLUMNS: [&str; 5] = ["id", "path", "vector", "model", "dtype"];
/// How the numbers of `vector` are called by most who write lists.
const NUMBERS: [&str; 3] = ["vector", "list", "element"];

fn is_vector(column: &str) -> bool {
    column == NUMBERS[0]
}

/// What follows the last group: the footer, its length, the magic text.
pub fn encode(groups: &[Group], notes: &[(&str, &str)]) -> Vec<u8> {
    let rows: u64 = groups.iter().map(|group| group.rows).sum();
    let note = |(key, value): &(&str, &str)| {
        Value::Struct(vec![(1, Value::text(key)), (2, Value::text(value))])
    };
    let footer = Value::Struct(vec![
        (1, Value::I32(1)),
        (2, Value::List(schema())),
        (3, Value::I64(rows as i64)),
        (4, Value::List(groups.iter().map(encode_group).collect())),
        (5, Value::List(notes.iter().map(note).collect())),
        (6, Value::text(CREATED_BY)),
    ]);
    let mut bytes = Vec::new();
    footer.encode(&mut bytes);
    bytes.extend((bytes.len() as u32).to_le_bytes());
    bytes.extend(MAGIC);
    bytes
}

/// `id`, `path`, `model` and `dtype` are texts, `vector` a list of floats; nothing is ever missing.
fn schema() -> Vec<Value> {
    let empty = || Value::Struct(Vec::new());
    let root = Value::Struct(vec![
        (4, Value::text("vectors")),
        (5, Value::I32(COLUMNS.len() as i32)),
    ]);
    let text = |name: &str| {
        Value::Struct(vec![
            (1, Value::I32(TEXT)),
            (3, Value::I32(REQUIRED)),
            (4, Value::text(name)),
            (6, Value::I32(0)), // UTF8
            (10, Value::Struct(vec![(1, empty())])),
        ])
    };
    let list = [
        Value::Struct(vec![
            (3, Value::I32(REQUIRED)),
            (4, Value::text(NUMBERS[0])),
            (5, Value::I32(1)),
            (6, Value::I32(3)), // LIST
            (10, Value::Struct(vec![(3, empty())])),
        ]),
        Value::Struct(vec![
            (3, Value::I32(REPEATED)),
            (4, Value::text(NUMBERS[1])),
            (5, Value::I32(1)),
        ]),
        Value::Struct(vec![
            (1, Value::I32(FLOAT)),
            (3, Value::I32(REQUIRED)),
            (4, Value::text(NUMBERS[2])),
        ]),
    ];
    let mut elements = vec![root];
    for column in COLUMNS {
        match is_vector(column) {
            true => elements.extend(list.clone()),
            false => elements.push(text(column)),
        }
    }
    elements
}

fn encode_group(group: &Group) -> Value {
    let bytes: u64 = group.chunks.iter().map(|chunk| chunk.bytes).sum();
    let chunks = group.chunks.iter().zip(COLUMNS);
    let chunks = chunks.map(|(chunk, column)| encode_chunk(chunk, column));
    Value::Struct(vec![
        (1, Value::List(chunks.collect())),
        (2, Value::I64(bytes as i64)),
        (3, Value::I64(group.rows as i64)),
    ])
}

fn encode_chunk(chunk: &Chunk, column: &str) -> Value {
    let is_vector = is_vector(column);
    let path = if is_vector {
        NUMBERS.to_vec()
    } else {
        vec![column]
    };
    let texts = |texts: Vec<&str>| Value::List(texts.into_iter().map(Value::text).collect());
    let about = Value::Struct(vec![
        (1, Value::I32(if is_vector { FLOAT } else { TEXT })),
        (2, Value::List(vec![Value::I32(PLAIN), Value::I32(RLE)])),
        (3, texts(path)),
        (4, Value::I32(0)), // not compressed
        (5, Value::I64(chunk.values as i64)),
        (6, Value::I64(chunk.bytes as i64)),
        (7, Value::I64(chunk.bytes as i64)),
        (9, Value::I64(chunk.at as i64)),
    ]);
    Value::Struct(vec![(2, Value::I64(chunk.at as i64)), (3, about)])
}

/// A column that is read: where its groups have it.
#[derive(Debug, Clone)]
pub struct Column {
    pub levels: Levels,
    pub is_double: bool,
    /// Where it begins and how long it is, for each group.
    pub chunks: Vec<(u64, u64)>,
}

/// What is read of a footer.
#[derive(Debug, Clone)]
pub struct Footer {
    /// Rows of each group.
    pub rows: Vec<u64>,
    pub ids: Option<Column>,
    pub paths: Option<Column>,
    pub vectors: Column,
    /// Notes by key.
    pub notes: Vec<(String, String)>,
}

impl Footer {
    /// Reads the footer, without its length and the magic text.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (footer, _) = decode(bytes).ok_or_else(|| refused("its footer is torn"))?;
        let list = |field| {
            footer
                .field(field)
                .and_then(Value::list)
                .unwrap_or_default()
        };
        let leaves = leaves(list(2)).ok_or_else(|| refused("its columns make no sense"))?;
        let groups = list(4);
        let rows: Option<Vec<u64>> = groups.iter().map(rows_of).collect();
        let rows = rows.ok_or_else(|| {
            refused(&format!(
                "a row group has more than {MOST_ROWS} rows: write it with row_group_size=100000"
            ))
        })?;
        let column = |name: &str, types: &[i64]| column(name, types, &leaves, groups);
        let vectors = column(NUMBERS[0], &[i64::from(FLOAT), DOUBLE])?;
        Ok(Self {
            rows,
            ids: column("id", &[i64::from(TEXT)])?,
            paths: column("path", &[i64::from(TEXT)])?,
            vectors: vectors.ok_or_else(|| refused("it has no column 'vector'"))?,
            notes: list(5).iter().filter_map(note).collect(),
        })
    }
}

fn rows_of(group: &Value) -> Option<u64> {
    let rows = u64::try_from(group.field(3)?.int()?).ok()?;
    (rows <= MOST_ROWS).then_some(rows)
}

fn note(value: &Value) -> Option<(String, String)> {
    let text = |field| {
        value
            .field(field)
            .and_then(Value::as_text)
            .map(str::to_string)
    };
    Some((text(1)?, text(2).unwrap_or_default()))
}

/// A column without columns in it.
struct Leaf<'v> {
    /// The name of the outermost column that it lies in.
    name: &'v str,
    kind: i64,
    levels: Levels,
}

/// All leaves of a schema, which lists a tree in depth-first order.
fn leaves(schema: &[Value]) -> Option<Vec<Leaf<'_>>> {
    let mut rest = schema.iter();
    let children = rest.next()?.field(5)?.int()?;
    let mut found = Vec::new();
    let none = Levels {
        repetition: 0,
        definition: 0,
    };
    for _ in 0..children {
        add_leaves(&mut rest, None, none, &mut found, 8)?;
    }
    Some(found)
}

fn add_leaves<'v>(
    rest: &mut std::slice::Iter<'v, Value>,
    within: Option<&'v str>,
    mut levels: Levels,
    found: &mut Vec<Leaf<'v>>,
    depth: usize,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let element = rest.next()?;
    let name = within.or(element.field(4)?.as_text())?;
    let repetition = element.field(3)?.int()?;
    levels.definition += u32::from(repetition == OPTIONAL || repetition == i64::from(REPEATED));
    levels.repetition += u32::from(repetition == i64::from(REPEATED));
    let children = element.field(5).and_then(Value::int).unwrap_or(0);
    if children == 0 {
        let kind = element.field(1)?.int()?;
        found.push(Leaf { name, kind, levels });
    }
    for _ in 0..children {
        add_leaves(rest, Some(name), levels, found, depth)?;
    }
    Some(())
}

/// None if there is no such column.
fn column(name: &str, types: &[i64], leaves: &[Leaf], groups: &[Value]) -> Result<Option<Column>> {
    let Some(place) = leaves.iter().position(|leaf| leaf.name == name) else {
        return Ok(None);
    };
    let leaf = &leaves[place];
    let is_list = leaf.levels.repetition == 1;
    if !types.contains(&leaf.kind) || is_list != is_vector(name) {
        let wanted = match is_vector(name) {
            true => "a list of floats",
            false => "texts",
        };
        return Err(refused(&format!("its column '{name}' is not {wanted}")));
    }
    let chunks = groups.iter().map(|group| chunk(group, place, name));
    Ok(Some(Column {
        levels: leaf.levels,
        is_double: leaf.kind == DOUBLE,
        chunks: chunks.collect::<Result<_>>()?,
    }))
}

fn chunk(group: &Value, place: usize, name: &str) -> Result<(u64, u64)> {
    let chunks = group.field(1).and_then(Value::list).unwrap_or_default();
    let about = chunks.get(place).and_then(|chunk| chunk.field(3));
    let number = |field| {
        about
            .and_then(|about| about.field(field))
            .and_then(Value::int)
    };
    if number(4).is_some_and(|codec| codec != 0) {
        return Err(refused(&format!(
            "its column '{name}' is compressed: write it without, compression='none' in pyarrow, COMPRESSION uncompressed in DuckDB"
        )));
    }
    let dictionary = number(11).filter(|at| *at > 0);
    let at = dictionary.into_iter().chain(number(9)).min();
    let found = at.zip(number(7));
    let found = found.and_then(|(at, bytes)| Some((at.try_into().ok()?, bytes.try_into().ok()?)));
    found.ok_or_else(|| refused(&format!("it does not say where its column '{name}' lies")))
}

/// How many numbers a vector has, by the notes of a file of ours.
pub fn width_of(notes: &[(String, String)]) -> Option<usize> {
    let width = notes.iter().find(|(key, _)| key == WIDTH);
    width.and_then(|(_, width)| width.parse().ok())
}
