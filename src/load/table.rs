//! The table of a file with weights: which tensors it holds and where. Its first bytes say which of the
//! three containers it is.

use super::Files;
use super::reader::Reader;
use crate::weights::gguf::{Header, Value};
use crate::weights::pytorch::{self, LocalHeader};
use crate::weights::{Parsed, TensorInfo, safetensors, unlike};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// A tensor and the number of the file that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file, counted from 0.
    pub file: usize,
    /// The tensor.
    pub info: TensorInfo,
}

impl Located {
    /// Whether both are the same bytes of a file.
    pub(super) fn shares_place_with(&self, other: &Self) -> bool {
        let place = |tensor: &Self| (tensor.file, tensor.info.offset, tensor.info.bytes);
        place(self) == place(other)
    }
}

/// What a file says of itself.
pub(super) struct Table {
    pub tensors: Vec<TensorInfo>,
    /// Headers that have to be checked on the way to the tensors behind them.
    pub headers: Vec<LocalHeader>,
    pub metadata: Option<BTreeMap<String, Value>>,
    /// Whether it is a module of TorchScript.
    pub is_script: bool,
}

/// Reads a file's table of tensors, in whichever container its first bytes say that it is.
pub(super) async fn read_table<F: Files>(reader: &mut Reader<F>) -> Result<Table> {
    let kind = reader
        .header(|beginning, length| kind(beginning, length).map(Parsed::Complete))
        .await?;
    let plain = |tensors| Table {
        tensors,
        headers: Vec::new(),
        metadata: None,
        is_script: false,
    };
    match kind {
        Kind::Gguf => {
            let header = reader.header(Header::parse).await?;
            Ok(Table {
                metadata: Some(header.metadata),
                ..plain(header.tensors)
            })
        }
        Kind::Safetensors => Ok(plain(reader.header(safetensors::parse).await?)),
        Kind::Pytorch => {
            let table = reader.scattered(pytorch::foretold_table).await?;
            let is_script = table.is_script;
            if let Some(first) = table.headers.first()
                && !first.agrees(&reader.look(first.at, first.length()).await?)
            {
                // Not as PyTorch writes it: every header has to be looked at.
                let tensors = reader.scattered(pytorch::table).await?;
                return Ok(Table {
                    is_script,
                    ..plain(tensors)
                });
            }
            Ok(Table {
                headers: table.headers,
                is_script,
                ..plain(table.tensors)
            })
        }
    }
}

enum Kind {
    Gguf,
    Safetensors,
    Pytorch,
}

/// The container. PyTorch's is left to explain what is wrong with a pickle.
fn kind(beginning: &[u8], length: u64) -> Result<Kind> {
    match beginning {
        _ if is_safetensors(beginning) => return Ok(Kind::Safetensors),
        [b'G', b'G', b'U', b'F', ..] => return Ok(Kind::Gguf),
        [b'P', b'K', ..] | [0x80, ..] => return Ok(Kind::Pytorch),
        _ => {}
    }
    Err(Error::BadWeights(
        match unlike::recognized(beginning, length) {
            Some(what) => what,
            None => format!(
                "no model file that is known: it begins with \"{}\", expected GGUF, safetensors or PyTorch's format",
                beginning[..beginning.len().min(8)].escape_ascii()
            ),
        },
    ))
}

/// Whether JSON begins behind the length of a safetensors header.
fn is_safetensors(beginning: &[u8]) -> bool {
    beginning.get(8) == Some(&b'{')
}
