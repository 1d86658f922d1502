//! Reading a file of vectors, ours or another's, some rows at a time.

use half::f16;
use obscura::search::album::WIDEST;
use obscura::{Error, Result};
use parquet::basic::{CompressionCodec, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArrayType, DataType, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use std::cell::Cell;
use std::fs::File;
use std::panic;
use std::sync::Once;

/// Rows that are read together.
const ROWS: usize = 4096;
/// All their names together: a dictionary can make much of little.
const MOST_TEXT: usize = 1 << 28;

/// Some rows, in order: what pictures are called, and their vectors one after another.
#[derive(Debug, Default, PartialEq)]
pub struct Rows {
    pub names: Vec<String>,
    pub vectors: Vec<f32>,
}

/// An open file.
pub struct Reader {
    file: SerializedFileReader<File>,
    names: usize,
    vectors: usize,
}

impl Reader {
    /// Reads the end of a file, which says where all else lies.
    pub fn open(file: File) -> Result<Self> {
        let no_parquet = |error: ParquetError| {
            refused(&format!("it does not end as a Parquet file does: {error}"))
        };
        let file = without_panic(|| SerializedFileReader::new(file).map_err(no_parquet))?;
        let schema = file.metadata().file_metadata().schema_descr();
        let names = place_of(schema, "path").or_else(|| place_of(schema, "id"));
        let names =
            names.ok_or_else(|| refused("it has neither a column 'path' nor a column 'id'"))?;
        let vectors = place_of(schema, "vector");
        let vectors = vectors.ok_or_else(|| refused("it has no column 'vector'"))?;
        check_names(&schema.column(names))?;
        check_vectors(&schema.column(vectors))?;
        Ok(Self {
            file,
            names,
            vectors,
        })
    }

    /// The text that was noted under a key.
    pub fn note(&self, key: &str) -> Option<&str> {
        let metadata = self.file.metadata().file_metadata();
        let mut notes = metadata.key_value_metadata()?.iter();
        let found = notes.find(|note| note.key == key)?;
        found.value.as_deref()
    }

    /// Hands over all rows, some at a time. They are called as their `path` says, or, without, their `id`.
    pub fn for_each(&self, mut work: impl FnMut(Rows) -> Result<()>) -> Result<()> {
        let mut width = None;
        for place in 0..self.file.num_row_groups() {
            let mut group = without_panic(|| self.group(place))?;
            while let Some((rows, found)) = without_panic(|| group.next())? {
                if *width.get_or_insert(found) != found {
                    return Err(refused(UNEVEN));
                }
                work(rows)?;
            }
        }
        Ok(())
    }

    fn group(&self, place: usize) -> Result<Group> {
        let metadata = self.file.metadata().row_group(place);
        for column in [self.names, self.vectors] {
            check_codec(metadata.column(column))?;
        }
        let group = self.file.get_row_group(place).map_err(damaged)?;
        let names = group.get_column_reader(self.names).map_err(damaged)?;
        Ok(Group {
            names: get_typed_column_reader(names),
            vectors: group.get_column_reader(self.vectors).map_err(damaged)?,
            left: metadata.num_rows(),
        })
    }
}

const UNEVEN: &str = "its vectors are not all of one length";

/// The first place of a column, or of what lies in it, among all that have values.
fn place_of(schema: &SchemaDescriptor, name: &str) -> Option<usize> {
    let mut columns = schema.columns().iter();
    columns.position(|column| {
        column
            .path()
            .parts()
            .first()
            .is_some_and(|part| part == name)
    })
}

fn check_names(column: &ColumnDescriptor) -> Result<()> {
    let is_text = column.physical_type() == Type::BYTE_ARRAY && column.path().parts().len() == 1;
    match is_text && column.max_rep_level() == 0 {
        true => Ok(()),
        false => Err(refused(&format!(
            "its column '{}' holds no texts",
            column.path().parts()[0]
        ))),
    }
}

fn check_vectors(column: &ColumnDescriptor) -> Result<()> {
    let is_half = column.logical_type_ref() == Some(&LogicalType::Float16);
    let is_number = matches!(column.physical_type(), Type::FLOAT | Type::DOUBLE) || is_half;
    match is_number && column.max_rep_level() == 1 {
        true => Ok(()),
        false => Err(refused("its column 'vector' holds no lists of floats")),
    }
}

fn check_codec(column: &ColumnChunkMetaData) -> Result<()> {
    match column.compression_codec() {
        CompressionCodec::UNCOMPRESSED
        | CompressionCodec::SNAPPY
        | CompressionCodec::GZIP
        | CompressionCodec::ZSTD => Ok(()),
        other => Err(refused(&format!(
            "its column '{}' is compressed by {other:?}: write it with ZSTD, SNAPPY, GZIP or uncompressed",
            column.column_path().parts()[0]
        ))),
    }
}

/// A group of rows that is being read.
struct Group {
    names: ColumnReaderImpl<ByteArrayType>,
    vectors: ColumnReader,
    /// Rows that are still to come.
    left: i64,
}

impl Group {
    /// The next rows, and how many numbers each has.
    fn next(&mut self) -> Result<Option<(Rows, usize)>> {
        let names = texts(&mut self.names)?;
        let (vectors, width) = match &mut self.vectors {
            ColumnReader::FloatColumnReader(reader) => numbers(reader, |number| *number)?,
            ColumnReader::DoubleColumnReader(reader) => numbers(reader, |number| *number as f32)?,
            ColumnReader::FixedLenByteArrayColumnReader(reader) => numbers(reader, float16)?,
            _ => return Err(refused("its column 'vector' holds no lists of floats")),
        };
        self.left -= names.len() as i64;
        match names.len() {
            0 if self.left == 0 && vectors.is_empty() => Ok(None),
            count if count > 0 && count * width == vectors.len() => {
                Ok(Some((Rows { names, vectors }, width)))
            }
            _ => Err(refused("the columns of a row group are not of one length")),
        }
    }
}

fn texts(reader: &mut ColumnReaderImpl<ByteArrayType>) -> Result<Vec<String>> {
    let (mut defined, mut found) = (Vec::new(), Vec::new());
    let read = reader.read_records(ROWS, Some(&mut defined), None, &mut found);
    let (count, ..) = read.map_err(damaged)?;
    if found.len() != count {
        return Err(refused("a picture's name is null"));
    }
    if found.iter().map(|text| text.len()).sum::<usize>() > MOST_TEXT {
        return Err(refused("its pictures have too long names"));
    }
    let texts = found.iter().map(|text| text.as_utf8().map(str::to_string));
    texts
        .collect::<parquet::errors::Result<_>>()
        .map_err(damaged)
}

/// The numbers of the next vectors, one after another, and how many each has.
fn numbers<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    number: impl Fn(&T::T) -> f32,
) -> Result<(Vec<f32>, usize)> {
    let (mut defined, mut repeated, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let read = reader.read_records(ROWS, Some(&mut defined), Some(&mut repeated), &mut found);
    let (count, ..) = read.map_err(damaged)?;
    if found.len() != repeated.len() {
        return Err(refused("a vector, or a number in one, is null or empty"));
    }
    let width = found.len() / count.max(1);
    if count > 0 && !(1..=WIDEST).contains(&width) {
        return Err(refused(&format!(
            "a vector has {width} numbers, expected 1 to {WIDEST}"
        )));
    }
    let begins = |(place, level): (usize, &i16)| (*level == 0) == place.is_multiple_of(width);
    match repeated.iter().enumerate().all(begins) && found.len() == width * count {
        true => Ok((found.iter().map(number).collect(), width)),
        false => Err(refused(UNEVEN)),
    }
}

fn float16(number: &FixedLenByteArray) -> f32 {
    let bytes = number.data().first_chunk().copied().unwrap_or_default();
    f16::from_le_bytes(bytes).to_f32()
}

fn damaged(error: ParquetError) -> Error {
    refused(&format!("it is damaged: {error}"))
}

fn refused(why: &str) -> Error {
    Error::BadInput(format!("the Parquet file cannot be read: {why}"))
}

/// The crate asserts some of what a damaged file breaks: that is an error here, and nothing is printed of it.
fn without_panic<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    thread_local! { static IS_READING: Cell<bool> = const { Cell::new(false) } }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            if !IS_READING.get() {
                print(what);
            }
        }));
    });
    IS_READING.set(true);
    let done = panic::catch_unwind(panic::AssertUnwindSafe(read)); // nothing of it is used after a panic
    IS_READING.set(false);
    done.unwrap_or_else(|_| Err(refused("it is damaged")))
}
