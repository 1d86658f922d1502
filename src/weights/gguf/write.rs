//! A GGUF file, written in order: the header at once, then one tensor after the other, so that a
//! conversion needs to hold only one of them.

use super::{
    Array, LARGEST_HEADER, LONGEST_KEY, MAGIC, MOST_DIMENSIONS, VERSION, Value, alignment,
    read::byte_length,
};
use crate::weights::{Format, LONGEST_NAME, TensorInfo, bad, printable};
use crate::{Error, Result};
use std::collections::{BTreeMap, HashSet};
use std::io::Write;

/// A tensor that will be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    pub name: String,
    /// Row-major, outermost dimension first, as PyTorch prints it.
    pub shape: Vec<usize>,
    pub format: Format,
}

/// A GGUF file before its tensors' data: the header's bytes, and where the data will lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Everything in front of the first tensor.
    pub header: Vec<u8>,
    /// The tensors with absolute offsets, in the order they were planned in.
    pub tensors: Vec<TensorInfo>,
    /// How long the file will be.
    pub file_length: u64,
    alignment: u64,
}

impl Layout {
    /// Lays out a file that will hold `tensors`, in this order.
    pub fn new(metadata: &BTreeMap<String, Value>, tensors: &[Planned]) -> Result<Self> {
        let alignment = alignment(metadata)?;
        let mut tensors = lay_out(tensors, alignment)?;
        let mut header = header(metadata, &tensors)?;
        pad(&mut header, alignment);
        let data_offset = header.len() as u64;
        if data_offset > LARGEST_HEADER {
            return bad(format!(
                "the gguf header would take {data_offset} bytes, more than {LARGEST_HEADER}"
            ));
        }
        for tensor in &mut tensors {
            tensor.offset += data_offset;
        }
        let file_length = tensors
            .last()
            .map_or(data_offset, |last| end(last, alignment));
        Ok(Self {
            header,
            tensors,
            file_length,
            alignment,
        })
    }
}

/// Writes a GGUF file to anything that takes bytes.
pub struct Writer<W: Write> {
    output: W,
    layout: Layout,
    /// How many of the tensors are written.
    written: usize,
}

impl<W: Write> Writer<W> {
    /// Writes the header of a file that will hold `tensors`, in this order.
    pub fn new(output: W, metadata: &BTreeMap<String, Value>, tensors: &[Planned]) -> Result<Self> {
        Self::with_layout(output, Layout::new(metadata, tensors)?)
    }

    /// Writes the header of a file that was laid out before.
    pub fn with_layout(mut output: W, layout: Layout) -> Result<Self> {
        write_all(&mut output, &layout.header, "the gguf header")?;
        Ok(Writer {
            output,
            layout,
            written: 0,
        })
    }

    /// The tensors as they will lie in the file.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.layout.tensors
    }

    /// How long the file will be.
    pub fn file_length(&self) -> u64 {
        self.layout.file_length
    }

    /// Writes the next tensor's bytes; `name` is there to be checked.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let Some(tensor) = self.layout.tensors.get(self.written) else {
            return bad(format!(
                "gguf tensor {} was not planned: all are written",
                printable(name)
            ));
        };
        if tensor.name != name {
            return bad(format!(
                "gguf tensor {} is out of order: {} comes next",
                printable(name),
                printable(&tensor.name)
            ));
        }
        if tensor.bytes != bytes.len() as u64 {
            return bad(format!(
                "gguf tensor {} has {} bytes, but {:?} of {} take {}",
                printable(name),
                bytes.len(),
                tensor.shape,
                tensor.format,
                tensor.bytes
            ));
        }
        let padding = end(tensor, self.layout.alignment) - tensor.offset - tensor.bytes;
        write_all(&mut self.output, bytes, name)?;
        write_all(&mut self.output, &vec![0; padding as usize], name)?;
        self.written += 1;
        Ok(())
    }

    /// Flushes, and gives back the output. Fails if a tensor is missing.
    pub fn finish(mut self) -> Result<W> {
        if let Some(missing) = self.layout.tensors.get(self.written) {
            return bad(format!(
                "gguf tensor {} was never written",
                printable(&missing.name)
            ));
        }
        match self.output.flush() {
            Ok(()) => Ok(self.output),
            Err(error) => Err(cannot_write("the gguf file", &error)),
        }
    }
}

/// Offsets relative to the beginning of the data.
fn lay_out(planned: &[Planned], alignment: u64) -> Result<Vec<TensorInfo>> {
    let mut names = HashSet::new();
    let mut tensors: Vec<TensorInfo> = Vec::with_capacity(planned.len());
    for Planned {
        name,
        shape,
        format,
    } in planned
    {
        let what = format!("gguf tensor {}", printable(name));
        if name.len() > LONGEST_NAME || !names.insert(name) {
            return bad(format!("{what} is there twice or has too long a name"));
        }
        if shape.len() > MOST_DIMENSIONS {
            return bad(format!(
                "{what} has the shape {shape:?}, expected at most {MOST_DIMENSIONS} dimensions"
            ));
        }
        tensors.push(TensorInfo {
            name: name.clone(),
            shape: shape.clone(),
            format: *format,
            offset: tensors.last().map_or(0, |last| end(last, alignment)),
            bytes: byte_length(shape, *format, &what)?,
            strides: None,
        });
    }
    Ok(tensors)
}

fn header(metadata: &BTreeMap<String, Value>, tensors: &[TensorInfo]) -> Result<Vec<u8>> {
    let mut header = Vec::new();
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        if key.len() > LONGEST_KEY {
            return bad(format!(
                "gguf metadata {} has too long a key",
                printable(key)
            ));
        }
        put_string(&mut header, key);
        header.extend(value.type_id().to_le_bytes());
        put_value(&mut header, value);
    }
    for tensor in tensors {
        put_string(&mut header, &tensor.name);
        header.extend((tensor.shape.len() as u32).to_le_bytes());
        put_all(&mut header, tensor.shape.iter().rev(), |&size| {
            (size as u64).to_le_bytes()
        });
        header.extend(tensor.format.ggml_type().to_le_bytes());
        header.extend(tensor.offset.to_le_bytes());
    }
    Ok(header)
}

fn put_string(header: &mut Vec<u8>, text: &str) {
    header.extend((text.len() as u64).to_le_bytes());
    header.extend(text.as_bytes());
}

fn put_value(header: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(number) => header.extend(number.to_le_bytes()),
        Value::I8(number) => header.extend(number.to_le_bytes()),
        Value::U16(number) => header.extend(number.to_le_bytes()),
        Value::I16(number) => header.extend(number.to_le_bytes()),
        Value::U32(number) => header.extend(number.to_le_bytes()),
        Value::I32(number) => header.extend(number.to_le_bytes()),
        Value::F32(number) => header.extend(number.to_le_bytes()),
        Value::Bool(truth) => header.push(u8::from(*truth)),
        Value::String(text) => put_string(header, text),
        Value::Array(array) => put_array(header, array),
        Value::U64(number) => header.extend(number.to_le_bytes()),
        Value::I64(number) => header.extend(number.to_le_bytes()),
        Value::F64(number) => header.extend(number.to_le_bytes()),
    }
}

fn put_array(header: &mut Vec<u8>, array: &Array) {
    header.extend(array.element_type_id().to_le_bytes());
    header.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::U8(values) => header.extend(values),
        Array::I8(values) => put_all(header, values, |value| value.to_le_bytes()),
        Array::U16(values) => put_all(header, values, |value| value.to_le_bytes()),
        Array::I16(values) => put_all(header, values, |value| value.to_le_bytes()),
        Array::U32(values) => put_all(header, values, |value| value.to_le_bytes()),
        Array::I32(values) => put_all(header, values, |value| value.to_le_bytes()),
        Array::F32(values) => put_all(header, values, |value| value.to_le_bytes()),
        Array::Bool(values) => put_all(header, values, |value| [u8::from(*value)]),
        Array::String(values) => values.iter().for_each(|text| put_string(header, text)),
        Array::Array(values) => values.iter().for_each(|array| put_array(header, array)),
        Array::U64(values) => put_all(header, values, |value| value.to_le_bytes()),
        Array::I64(values) => put_all(header, values, |value| value.to_le_bytes()),
        Array::F64(values) => put_all(header, values, |value| value.to_le_bytes()),
    }
}

fn put_all<T, const N: usize>(
    header: &mut Vec<u8>,
    values: impl IntoIterator<Item = T>,
    encode: fn(T) -> [u8; N],
) {
    header.extend(values.into_iter().flat_map(encode));
}

fn pad(header: &mut Vec<u8>, alignment: u64) {
    let length = (header.len() as u64).next_multiple_of(alignment);
    header.resize(length as usize, 0);
}

/// Where the tensor after this one begins. Saturates, as sizes are our caller's own here.
fn end(tensor: &TensorInfo, alignment: u64) -> u64 {
    let end = tensor.offset.saturating_add(tensor.bytes);
    end.checked_next_multiple_of(alignment).unwrap_or(u64::MAX)
}

fn write_all(output: &mut impl Write, bytes: &[u8], what: &str) -> Result<()> {
    output
        .write_all(bytes)
        .map_err(|error| cannot_write(what, &error))
}

fn cannot_write(what: &str, error: &std::io::Error) -> Error {
    Error::BadInput(format!("cannot write {what}: {error}"))
}
