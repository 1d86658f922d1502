//! Thrift's compact protocol, in which Parquet writes everything but its values: a tree of fields by
//! number. <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

/// A value; a struct's fields are ordered by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// Up to 32 bits.
    I32(i32),
    /// 64 bits.
    I64(i64),
    /// A text, or the bytes of a double.
    Bytes(Vec<u8>),
    /// Of values of one type.
    List(Vec<Value>),
    /// Fields by number.
    Struct(Vec<(i16, Value)>),
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I8: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BYTES: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
/// More levels than any file of Parquet has.
const DEEPEST: usize = 16;

impl Value {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }

    /// The field of a struct.
    pub fn field(&self, number: i16) -> Option<&Value> {
        match self {
            Self::Struct(fields) => fields
                .iter()
                .find(|(found, _)| *found == number)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// A whole number of any size.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::I32(value) => Some(i64::from(*value)),
            Self::I64(value) => Some(*value),
            _ => None,
        }
    }

    /// A text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A list's values.
    pub fn list(&self) -> Option<&[Value]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// Adds the bytes of a value.
    pub fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => to.push(if *value { TRUE } else { FALSE }),
            Self::I32(value) => varint(zigzag(i64::from(*value)), to),
            Self::I64(value) => varint(zigzag(*value), to),
            Self::Bytes(bytes) => {
                varint(bytes.len() as u64, to);
                to.extend_from_slice(bytes);
            }
            Self::List(values) => encode_list(values, to),
            Self::Struct(fields) => encode_struct(fields, to),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Bool(true) => TRUE,
            Self::Bool(false) => FALSE,
            Self::I32(_) => I32,
            Self::I64(_) => I64,
            Self::Bytes(_) => BYTES,
            Self::List(_) => LIST,
            Self::Struct(_) => STRUCT,
        }
    }
}

fn encode_list(values: &[Value], to: &mut Vec<u8>) {
    let kind = values.first().map_or(STRUCT, Value::kind);
    match values.len() {
        short @ 0..15 => to.push((short as u8) << 4 | kind),
        long => {
            to.push(0xf0 | kind);
            varint(long as u64, to);
        }
    }
    values.iter().for_each(|value| value.encode(to));
}

fn encode_struct(fields: &[(i16, Value)], to: &mut Vec<u8>) {
    let mut last = 0;
    for (number, value) in fields {
        let step = number - last;
        assert!((1..16).contains(&step), "fields are ordered by number");
        to.push((step as u8) << 4 | value.kind());
        if !matches!(value, Value::Bool(_)) {
            value.encode(to);
        }
        last = *number;
    }
    to.push(0);
}

/// An unsigned number, seven bits a byte.
pub fn varint(mut value: u64, to: &mut Vec<u8>) {
    while value > 0x7f {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Small numbers of either sign as small unsigned ones.
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// The struct at the beginning of `bytes`, and how many of them it takes; None where they are none.
pub fn decode(bytes: &[u8]) -> Option<(Value, usize)> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.fields(DEEPEST)?;
    Some((value, reader.at))
}

/// Bytes, and a place in them.
pub struct Reader<'b> {
    /// All of them.
    pub bytes: &'b [u8],
    /// The next to read.
    pub at: usize,
}

impl<'b> Reader<'b> {
    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// What [`varint`] wrote.
    pub fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn fields(&mut self, depth: usize) -> Option<Value> {
        let mut fields = Vec::new();
        let mut number: i16 = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(Value::Struct(fields));
            }
            number = match head >> 4 {
                0 => i16::try_from(self.integer()?).ok()?,
                step => number.checked_add(i16::from(step))?,
            };
            let value = match head & 15 {
                TRUE => Value::Bool(true),
                FALSE => Value::Bool(false),
                kind => self.value(kind, depth)?,
            };
            fields.push((number, value));
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        Some(match kind {
            TRUE | FALSE => Value::Bool(self.byte()? == TRUE),
            I8 => Value::I32(i32::from(self.byte()? as i8)),
            I16 | I32 => Value::I32(i32::try_from(self.integer()?).ok()?),
            I64 => Value::I64(self.integer()?),
            DOUBLE => Value::Bytes(self.take(8)?.to_vec()),
            BYTES => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?.to_vec())
            }
            LIST | SET => self.list(depth)?,
            MAP => self.map(depth)?,
            STRUCT => self.fields(depth)?,
            _ => return None,
        })
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        // Not allocated at once: every value takes a byte at least, so a lie about the count ends soon.
        let values = (0..count).map(|_| self.value(head & 15, depth));
        Some(Value::List(values.collect::<Option<_>>()?))
    }

    /// Keys and values in turn. Parquet has no maps that matter here; they are read to get past them.
    fn map(&mut self, depth: usize) -> Option<Value> {
        let count = self.varint()?;
        let mut found = Vec::new();
        if count > 0 {
            let kinds = self.byte()?;
            for _ in 0..count {
                found.push(self.value(kinds >> 4, depth)?);
                found.push(self.value(kinds & 15, depth)?);
            }
        }
        Some(Value::List(found))
    }
}
