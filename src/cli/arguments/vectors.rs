//! What `obscura embed --write` can be asked; the comments are the help texts.

use super::Shard;
use clap::Args;
use std::path::PathBuf;

/// Vectors into a file for a database, instead of printing them.
#[derive(Debug, Args)]
pub struct VectorsFile {
    /// Write the vectors to a Parquet file, with the columns id, path, vector, model and dtype. The pictures may
    /// then be .jsonl files, too: {"image": "a.jpg"} a line, with an "id" if it has one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["texts", "video"])]
    pub write: Option<PathBuf>,
    /// With --write: go on where an earlier run was stopped
    #[arg(long, requires = "write")]
    pub resume: bool,
    /// With --write: only the I-th of N parts, counted from 1: every N-th picture. Each part has a FILE of its own
    #[arg(long, value_name = "I/N", requires = "write", value_parser = super::parse_shard)]
    pub shard: Option<Shard>,
}
