//! Writing a file of vectors, a group of rows at a time. Between two groups a run can be stopped, and go on later.
//!
//! The footer at a file's end says where each group lies, and is written last. So that a file without one can go on,
//! [`Group`] holds what the footer will say of a group. To go on, the crate's writer is taken over the same groups
//! once more, with what it writes held back.

use super::{Origin, Row};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use obscura::{Error, Result};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// Nothing is ever missing.
const SCHEMA: &str = "
    message vectors {
        REQUIRED BYTE_ARRAY id (STRING);
        REQUIRED BYTE_ARRAY path (STRING);
        REQUIRED GROUP vector (LIST) {
            REPEATED GROUP list {
                REQUIRED FLOAT element;
            }
        }
        REQUIRED BYTE_ARRAY model (STRING);
        REQUIRED BYTE_ARRAY dtype (STRING);
    }";
const CREATED_BY: &str = concat!("obscura version ", env!("CARGO_PKG_VERSION"));
/// The end of a footer: its length and the magic text.
const TAIL: usize = 8;

/// A group of rows that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Where it ends, in bytes.
    end: u64,
    /// The footer of a file with this group alone, in base64.
    footer: String,
}

/// Where the last group ends.
pub fn end_of(groups: &[Group]) -> u64 {
    groups.last().map_or(0, |group| group.end)
}

/// Writes a file.
pub struct Writer<W: Write + Send> {
    to: SerializedFileWriter<Behind<W>>,
    origin: Origin,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file.
    pub fn new(to: W, origin: Origin) -> Result<Self> {
        Self::behind(0, to, origin).map_err(unwritable)
    }

    /// Goes on with a file that has these groups already, as `written` shows it; what is written next goes to `to`.
    pub fn go_on(written: &File, groups: &[Group], to: W, origin: Origin) -> Result<Self> {
        let mut writer = Self::behind(end_of(groups), to, origin).map_err(unwritable)?;
        let repeated = groups.iter().try_for_each(|group| {
            let group = decode(&group.footer)?;
            writer.repeat(written, &group)
        });
        repeated.map(|()| writer).map_err(unwritable)
    }

    fn behind(left: u64, to: W, origin: Origin) -> ParquetResult<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let to = SerializedFileWriter::new(Behind { to, left }, schema, Arc::new(properties()))?;
        Ok(Self { to, origin })
    }

    /// Writes a group that is there once more, to where [`Behind`] holds it back.
    fn repeat(&mut self, written: &File, group: &RowGroupMetaData) -> ParquetResult<()> {
        let mut copy = self.to.next_row_group()?;
        for column in group.columns() {
            let chunk = ColumnCloseResult {
                bytes_written: column.compressed_size() as u64,
                rows_written: group.num_rows() as u64,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            copy.append_column(written, chunk)?;
        }
        copy.close().map(drop)
    }

    /// Writes rows as a group. Their vectors are of one width.
    pub fn write(&mut self, rows: &[Row]) -> Result<Group> {
        let width = rows.first().map_or(0, |row| row.vector.len());
        if let Some(row) = rows.iter().find(|row| row.vector.len() != width) {
            return Err(Error::BadInput(format!(
                "the vector of '{}' has {} numbers, those before it {width}",
                row.id,
                row.vector.len()
            )));
        }
        self.write_group(rows).map_err(unwritable)
    }

    fn write_group(&mut self, rows: &[Row]) -> ParquetResult<Group> {
        let mut group = self.to.next_row_group()?;
        write_texts(&mut group, rows.iter().map(|row| row.id.as_str()))?;
        write_texts(&mut group, rows.iter().map(|row| row.path.as_str()))?;
        write_vectors(&mut group, rows)?;
        for text in [&self.origin.model, &self.origin.dtype] {
            write_texts(&mut group, rows.iter().map(|_| text.as_str()))?;
        }
        let footer = encode(group.close()?.as_ref())?;
        self.to.flush()?;
        let end = self.to.bytes_written() as u64;
        Ok(Group { end, footer })
    }

    /// Rows that are written.
    pub fn rows(&self) -> u64 {
        let groups = self.to.flushed_row_groups().iter();
        groups.map(|group| group.num_rows() as u64).sum()
    }

    /// Where the file is written to.
    pub fn inner(&self) -> &W {
        &self.to.inner().to
    }

    /// Writes the end, with notes by key.
    pub fn finish(mut self, notes: &[(&str, &str)]) -> Result<W> {
        for (key, value) in notes {
            let note = KeyValue::new(key.to_string(), value.to_string());
            self.to.append_key_value_metadata(note);
        }
        let behind = self.to.into_inner().map_err(unwritable)?;
        Ok(behind.to)
    }
}

/// Plain, but for the columns that say the same in each row. No statistics: nobody asks for vectors between two.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_created_by(CREATED_BY.to_string())
        .set_dictionary_enabled(false)
        .set_column_dictionary_enabled("model".into(), true)
        .set_column_dictionary_enabled("dtype".into(), true)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build()
}

fn write_texts<'t, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<W>,
    texts: impl Iterator<Item = &'t str>,
) -> ParquetResult<()> {
    let texts: Vec<ByteArray> = texts.map(ByteArray::from).collect();
    let mut column = group.next_column()?.ok_or_else(no_column)?;
    let typed = column.typed::<ByteArrayType>();
    typed.write_batch(&texts, None, None)?;
    column.close()
}

/// All numbers one after another; a vector begins where the repetition level is 0.
fn write_vectors<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<W>,
    rows: &[Row],
) -> ParquetResult<()> {
    let numbers: Vec<f32> = rows.iter().flat_map(|row| row.vector.clone()).collect();
    let repeated = |row: &Row| (0..row.vector.len()).map(|place| i16::from(place > 0));
    let repetition: Vec<i16> = rows.iter().flat_map(repeated).collect();
    let definition = vec![1; numbers.len()];
    let mut column = group.next_column()?.ok_or_else(no_column)?;
    let typed = column.typed::<FloatType>();
    typed.write_batch(&numbers, Some(&definition), Some(&repetition))?;
    column.close()
}

fn no_column() -> ParquetError {
    ParquetError::General("the columns are those of the schema".to_string())
}

fn encode(group: &RowGroupMetaData) -> ParquetResult<String> {
    let schema = group.schema_descr_ptr();
    let file = FileMetaData::new(1, group.num_rows(), None, None, schema, None);
    let metadata = ParquetMetaData::new(file, vec![group.clone()]);
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, &metadata).finish()?;
    Ok(BASE64.encode(footer))
}

fn decode(footer: &str) -> ParquetResult<RowGroupMetaData> {
    let none = || ParquetError::General("a line of the journal holds no group".to_string());
    let bytes = BASE64.decode(footer).map_err(|_| none())?;
    let end = bytes.len().checked_sub(TAIL).ok_or_else(none)?;
    // All of it is kept, so that the file's own footer says the same again.
    let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
    let metadata =
        ParquetMetaDataReader::decode_metadata_with_options(&bytes[..end], Some(&options))?;
    metadata.row_groups().first().cloned().ok_or_else(none)
}

fn unwritable(error: ParquetError) -> Error {
    Error::BadInput(format!("the Parquet file cannot be written: {error}"))
}

/// A file that has its first bytes already: those are held back, and what follows them is written.
struct Behind<W> {
    to: W,
    left: u64,
}

impl<W: Write> Write for Behind<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let there = self.left.min(bytes.len() as u64);
        if there == 0 {
            return self.to.write(bytes);
        }
        self.left -= there;
        Ok(there as usize)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}
