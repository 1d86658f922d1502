//! Vectors as a Parquet file, which databases read: a row for each picture, with the columns `id`, `path`,
//! `vector` (a list of floats, all of one length), `model` and `dtype`. How collections leave for a database, and
//! how albums come and go.
//!
//! ```text
//! "PAR1"  row group: a chunk for each column  row group ...  footer  its length  "PAR1"
//! ```
//!
//! The crate `parquet` knows the format; here is what the columns are, and how a file that was begun goes on. What is
//! written is not compressed: vectors hardly shrink.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::Reader;
pub use writer::{Group, Writer, end_of};

/// The note that says how many numbers each vector has.
pub const WIDTH: &str = "obscura.width";
/// The note with the model's [`obscura::search::Identity`], as JSON.
pub const IDENTITY: &str = "obscura.identity";

/// A picture's vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What tells it from others.
    pub id: String,
    /// Where the picture lies.
    pub path: String,
    /// As wide as all others.
    pub vector: Vec<f32>,
}

/// Which vectors they are: the same in each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The model's name.
    pub model: String,
    /// The format of its weights.
    pub dtype: String,
}
