//! Reads the pickle of a checkpoint without running it: a stack machine of the instructions that
//! `torch.save` uses, with a handful of known classes.
//! <https://docs.python.org/3/library/pickletools.html> names the instructions.
//! Nothing here recurses, and nothing a pickle can say makes it allocate beyond fixed limits.

use super::objects::{Class, Object, Objects, Storage, Value, rebuild};
use super::storage_format;
use crate::Result;
use crate::weights::{bad, printable};
use std::collections::HashMap;

/// How many values, containers and remembered values a pickle may make, each.
const MOST_OBJECTS: usize = 1_000_000;

/// Reads a whole pickle.
pub(super) fn load(pickle: &[u8]) -> Result<Objects<'_>> {
    let mut machine = Machine {
        pickle,
        position: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        objects: Objects::new(),
    };
    while machine.step()? {}
    machine.objects.root = machine.pop()?;
    Ok(machine.objects)
}

struct Machine<'p> {
    pickle: &'p [u8],
    position: usize,
    stack: Vec<Value<'p>>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'p>>,
    objects: Objects<'p>,
}

impl<'p> Machine<'p> {
    /// Reads one instruction; false at the end.
    fn step(&mut self) -> Result<bool> {
        match self.byte()? {
            b'.' => return Ok(false),
            0x80 => self.protocol()?,
            0x95 => drop(self.take(8)?), // a frame's length, of no use here
            b'(' => self.mark()?,
            b'0' => drop(self.pop()?),
            code @ (b'q' | b'r' | 0x94) => self.remember(code)?,
            code @ (b'h' | b'j') => self.recall(code)?,
            code @ (b'N' | 0x88 | 0x89 | b'K' | b'M' | b'J' | 0x8a | b'G') => self.scalar(code)?,
            code @ (b'X' | 0x8c | b'U' | b'T') => self.text(code)?,
            code @ (b'c' | 0x93) => self.class(code)?,
            b'}' => self.push_object(Object::Dictionary(Vec::new()))?,
            b']' => self.push_object(Object::List(Vec::new()))?,
            code @ (b')' | 0x85..=0x87) => self.small_tuple(code)?,
            b't' => {
                let values = self.pop_to_mark()?;
                self.push_object(Object::Tuple(values))?;
            }
            code @ (b's' | b'u') => self.set_items(code)?,
            code @ (b'a' | b'e') => self.append(code)?,
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            b'b' => self.set_state()?,
            code => {
                return self.refuse(format!(
                    "holds the instruction {code:#04x}, which no checkpoint needs"
                ));
            }
        }
        Ok(true)
    }

    fn refuse<T>(&self, what: impl AsRef<str>) -> Result<T> {
        let (position, what) = (self.position, what.as_ref());
        bad(format!(
            "the pytorch file's data.pkl {what} (at byte {position})"
        ))
    }

    fn take(&mut self, length: usize) -> Result<&'p [u8]> {
        match self.pickle[self.position..].get(..length) {
            Some(bytes) => {
                self.position += length;
                Ok(bytes)
            }
            None => self.refuse(format!("ends early: {length} more bytes were expected")),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(bytes))
    }

    fn push(&mut self, value: Value<'p>) -> Result<()> {
        if self.stack.len() == MOST_OBJECTS {
            return self.refuse(format!("stacks more than {MOST_OBJECTS} values"));
        }
        self.stack.push(value);
        Ok(())
    }

    fn push_object(&mut self, object: Object<'p>) -> Result<()> {
        if self.objects.len() == MOST_OBJECTS {
            return self.refuse(format!("makes more than {MOST_OBJECTS} objects"));
        }
        let value = self.objects.add(object);
        self.push(value)
    }

    /// The topmost value, but not one from below the last mark.
    fn pop(&mut self) -> Result<Value<'p>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(value) if self.stack.len() >= floor => Ok(value),
            _ => self.refuse("takes a value from an empty stack"),
        }
    }

    fn mark(&mut self) -> Result<()> {
        if self.marks.len() == MOST_OBJECTS {
            return self.refuse(format!("sets more than {MOST_OBJECTS} marks"));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'p>>> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => self.refuse("lacks a mark"),
        }
    }

    fn protocol(&mut self) -> Result<()> {
        match self.byte()? {
            2..=5 => Ok(()),
            version => self.refuse(format!("has protocol {version}, expected 2 to 5")),
        }
    }

    fn remember(&mut self, code: u8) -> Result<()> {
        let key = match code {
            b'q' => u32::from(self.byte()?),
            b'r' => self.u32()?,
            _ => self.memo.len() as u32,
        };
        if self.memo.len() == MOST_OBJECTS {
            return self.refuse(format!("remembers more than {MOST_OBJECTS} values"));
        }
        let value = self.pop()?;
        self.memo.insert(key, value);
        self.push(value)
    }

    fn recall(&mut self, code: u8) -> Result<()> {
        let key = match code {
            b'h' => u32::from(self.byte()?),
            _ => self.u32()?,
        };
        match self.memo.get(&key) {
            Some(&value) => self.push(value),
            None => self.refuse(format!("refers to value {key}, which was never remembered")),
        }
    }

    fn scalar(&mut self, code: u8) -> Result<()> {
        let value = match code {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Integer(i64::from(self.byte()?)),
            b'M' => {
                let bytes = self.take(2)?;
                Value::Integer(i64::from(u16::from_le_bytes([bytes[0], bytes[1]])))
            }
            b'J' => Value::Integer(i64::from(self.u32()?.cast_signed())),
            0x8a => self.long()?,
            _ => {
                self.take(8)?;
                Value::Float
            }
        };
        self.push(value)
    }

    /// An integer of any length, little endian, two's complement.
    fn long(&mut self) -> Result<Value<'p>> {
        let length = self.byte()?;
        let bytes = self.take(usize::from(length))?;
        if bytes.len() > 8 {
            return self.refuse(format!(
                "holds an integer of {length} bytes, expected at most 8"
            ));
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut padded = [if negative { 0xff } else { 0 }; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        Ok(Value::Integer(i64::from_le_bytes(padded)))
    }

    fn text(&mut self, code: u8) -> Result<()> {
        let length = match code {
            0x8c | b'U' => u32::from(self.byte()?),
            _ => self.u32()?,
        };
        let bytes = self.take(length as usize)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push(Value::Text(text)),
            Err(error) => self.refuse(format!("holds text that is not UTF-8: {error}")),
        }
    }

    fn line(&mut self) -> Result<&'p str> {
        let rest = &self.pickle[self.position..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return self.refuse("ends in the middle of a class name");
        };
        self.position += length + 1;
        match std::str::from_utf8(&rest[..length]) {
            Ok(text) => Ok(text),
            Err(error) => self.refuse(format!("holds a class name that is not UTF-8: {error}")),
        }
    }

    fn class(&mut self, code: u8) -> Result<()> {
        let (module, name) = if code == b'c' {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (module, name) {
                (Value::Text(module), Value::Text(name)) => (module, name),
                _ => return self.refuse("names a class by something else than text"),
            }
        };
        let class = match (module, name) {
            ("collections", "OrderedDict") => Class::OrderedDict,
            ("torch", "Size") => Class::Size,
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Class::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Class::RebuildParameter,
            ("torch", name) if let Some(format) = storage_format(name) => Class::Storage(format),
            _ => {
                let class = printable(&format!("{module}.{name}"));
                return self.refuse(format!(
                    "refers to {class}, which is not allowed in a checkpoint"
                ));
            }
        };
        self.push(Value::Class(class))
    }

    fn small_tuple(&mut self, code: u8) -> Result<()> {
        let length = if code == b')' {
            0
        } else {
            usize::from(code - 0x84)
        };
        let mut values = Vec::with_capacity(length);
        for _ in 0..length {
            values.push(self.pop()?);
        }
        values.reverse();
        self.push_object(Object::Tuple(values))
    }

    /// The values an instruction adds to a container: one or two, or all down to the mark.
    fn items(&mut self, to_mark: bool, count: usize) -> Result<Vec<Value<'p>>> {
        if to_mark {
            return self.pop_to_mark();
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.pop()?);
        }
        values.reverse();
        Ok(values)
    }

    fn set_items(&mut self, code: u8) -> Result<()> {
        let items = self.items(code == b'u', 2)?;
        let target = self.stack.last().copied().unwrap_or(Value::None);
        let (pairs, rest) = items.as_chunks::<2>();
        match self.objects.object_mut(target) {
            Some(Object::Dictionary(dictionary)) if rest.is_empty() => {
                dictionary.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => self.refuse("sets items of something that is not a dictionary"),
        }
    }

    fn append(&mut self, code: u8) -> Result<()> {
        let items = self.items(code == b'e', 1)?;
        let target = self.stack.last().copied().unwrap_or(Value::None);
        match self.objects.object_mut(target) {
            Some(Object::List(list)) => {
                list.extend(items);
                Ok(())
            }
            _ => self.refuse("appends to something that is not a list"),
        }
    }

    /// A reference to an entry of the archive: ("storage", class, key, device, length).
    fn storage(&mut self) -> Result<()> {
        let id = self.pop()?;
        match self.objects.tuple(id) {
            Some(
                &[
                    Value::Text("storage"),
                    Value::Class(Class::Storage(format)),
                    Value::Text(key),
                    ..,
                ],
            ) => self.push_object(Object::Storage(Storage { key, format })),
            _ => self.refuse("refers to something that is not a storage"),
        }
    }

    /// A call, of which only those to known constructors are understood.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let arguments = self.objects.tuple(arguments).unwrap_or_default();
        match (callee, arguments) {
            (Value::Class(Class::OrderedDict), []) => {
                self.push_object(Object::Dictionary(Vec::new()))
            }
            (Value::Class(Class::Size), &[sizes]) if self.objects.tuple(sizes).is_some() => {
                self.push(sizes)
            }
            (Value::Class(Class::RebuildParameter), &[tensor, ..])
                if self.objects.tensor(tensor).is_some() =>
            {
                self.push(tensor)
            }
            (Value::Class(Class::RebuildTensor), &[storage, offset, shape, strides, ..]) => {
                let tensor = rebuild(&self.objects, storage, offset, shape, strides);
                match tensor {
                    Some(tensor) => self.push_object(Object::Tensor(tensor)),
                    None => self.refuse("describes a tensor in an unknown way"),
                }
            }
            _ => self.refuse("calls something in an unknown way"),
        }
    }

    /// Attributes of a dictionary, such as the module versions that PyTorch keeps beside a state
    /// dictionary. They don't matter here.
    fn set_state(&mut self) -> Result<()> {
        self.pop()?;
        let target = self.stack.last().copied().unwrap_or(Value::None);
        match self.objects.dictionary(target) {
            Some(_) => Ok(()),
            None => self.refuse("sets the state of something that is not a dictionary"),
        }
    }
}
