//! Reads the pickle of a checkpoint without running it: a stack machine of the instructions that
//! `torch.save` uses, with a handful of known classes.
//! <https://docs.python.org/3/library/pickletools.html> names the instructions.
//! Nothing here recurses, and nothing a pickle can say makes it allocate beyond fixed limits.

use super::classes::{self, Class, SAVE_WEIGHTS};
use super::objects::{Object, Objects, Storage, Value, rebuild};
use crate::weights::{bad, printable};
use crate::{Error, Result};
use std::collections::HashMap;

/// How many values, containers and remembered values a pickle may make, each.
const MOST_OBJECTS: usize = 1_000_000;

/// Reads a whole pickle.
pub(super) fn load(pickle: &[u8]) -> Result<Objects<'_>> {
    match load_first(pickle)? {
        First::Whole(objects, _) => Ok(objects),
        First::EndsEarly(error) => Err(error),
    }
}

/// What came of the pickle at the beginning of some bytes.
pub(super) enum First<'p> {
    /// What it holds, and its length.
    Whole(Objects<'p>, usize),
    /// It goes on behind them: the error, if there is nothing behind them.
    EndsEarly(Error),
}

/// Reads the pickle that some bytes begin with.
pub(super) fn load_first(pickle: &[u8]) -> Result<First<'_>> {
    let mut machine = Machine {
        pickle,
        position: 0,
        ran_out: false,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        objects: Objects::new(),
    };
    loop {
        match machine.step() {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if machine.ran_out => return Ok(First::EndsEarly(error)),
            Err(error) => return Err(error),
        }
    }
    machine.objects.root = machine.pop()?;
    Ok(First::Whole(machine.objects, machine.position))
}

struct Machine<'p> {
    pickle: &'p [u8],
    position: usize,
    /// Whether more bytes were wanted than there are.
    ran_out: bool,
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
            code @ (b'C' | b'B') => self.bytes(code)?,
            code @ (b'X' | 0x8c | b'U' | b'T') => self.text(code)?,
            code @ (b'c' | 0x93) => self.class(code)?,
            b'}' => self.push_object(Object::Dictionary(Vec::new()))?,
            b']' | 0x8f => self.push_object(Object::List(Vec::new()))?, // or a set
            code @ (b')' | 0x85..=0x87) => self.small_tuple(code)?,
            b't' => {
                let values = self.pop_to_mark()?;
                self.push_object(Object::Tuple(values))?;
            }
            code @ (b's' | b'u') => self.set_items(code)?,
            code @ (b'a' | b'e' | 0x90) => self.append(code)?,
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            0x81 => self.new_object()?,
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
            "the pytorch file's pickle {what} (at byte {position})"
        ))
    }

    fn take(&mut self, length: usize) -> Result<&'p [u8]> {
        match self.pickle[self.position..].get(..length) {
            Some(bytes) => {
                self.position += length;
                Ok(bytes)
            }
            None => {
                self.ran_out = true;
                self.refuse(format!("ends early: {length} more bytes were expected"))
            }
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

    /// Bytes, which no weights are kept in.
    fn bytes(&mut self, code: u8) -> Result<()> {
        let length = match code {
            b'C' => u32::from(self.byte()?),
            _ => self.u32()?,
        };
        self.take(length as usize)?;
        self.push(Value::Opaque)
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
            self.ran_out = true;
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
        match classes::allowed(module, name) {
            Some(class) => self.push(Value::Class(class)),
            None if let Some(known) = classes::known_refusal(module, name, self.is_root()) => {
                bad(known)
            }
            None => {
                let class = printable(&format!("{module}.{name}"));
                self.refuse(format!(
                    "refers to {class}, which is not allowed in a checkpoint: nothing of it is run \
                     here. {SAVE_WEIGHTS}"
                ))
            }
        }
    }

    /// Whether what comes next is the outermost object, which has its class in front in the format
    /// from before PyTorch 1.6.
    fn is_root(&self) -> bool {
        let mut stack = self.stack.iter();
        stack.all(|value| *value == Value::Text("module")) && self.marks.len() <= 1
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
            _ if target == Value::Opaque => Ok(()),
            Some(Object::Dictionary(dictionary)) if rest.is_empty() => {
                dictionary.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => self.refuse("sets items of something that is not a dictionary"),
        }
    }

    fn append(&mut self, code: u8) -> Result<()> {
        let items = self.items(code != b'a', 1)?;
        let target = self.stack.last().copied().unwrap_or(Value::None);
        match self.objects.object_mut(target) {
            _ if target == Value::Opaque => Ok(()),
            Some(Object::List(list)) => {
                list.extend(items);
                Ok(())
            }
            _ => self.refuse("appends to something that is not a list"),
        }
    }

    /// A reference to a storage: ("storage", class, key, device, length), and in the format from
    /// before PyTorch 1.6 what part of another storage it is, which has to be none.
    fn storage(&mut self) -> Result<()> {
        let id = self.pop()?;
        let parts = self.objects.tuple(id).unwrap_or_default();
        match *parts {
            [
                Value::Text("storage"),
                Value::Class(Class::Storage(format)),
                Value::Text(key),
                ref rest @ ..,
            ] if matches!(rest, [] | [_] | [_, _] | [_, _, Value::None]) => {
                let length = match rest.get(1) {
                    Some(Value::Integer(length)) => u64::try_from(*length).ok(),
                    _ => None,
                };
                self.push_object(Object::Storage(Storage {
                    key,
                    format,
                    length,
                }))
            }
            _ => self.refuse("refers to something that is not a storage"),
        }
    }

    /// A call, of which only those to known constructors are understood.
    fn reduce(&mut self) -> Result<()> {
        let (mut arguments, mut callee) = (self.pop()?, self.pop()?);
        if callee == Value::Class(Class::RebuildFromType)
            && let Some(&[inner, _, inner_arguments, ..]) = self.objects.tuple(arguments)
        {
            (callee, arguments) = (inner, inner_arguments);
        }
        let arguments = self.objects.tuple(arguments).unwrap_or_default();
        match (callee, arguments) {
            (Value::Class(Class::OrderedDict), []) | (Value::Class(Class::Mapping), _) => {
                self.push_object(Object::Dictionary(Vec::new()))
            }
            (Value::Class(Class::Harmless), _) => self.push(Value::Opaque),
            (Value::Class(Class::Tagged), &[value, ..]) => self.push(value),
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

    /// An object of a class, without anything that the class would do.
    fn new_object(&mut self) -> Result<()> {
        let (_, class) = (self.pop()?, self.pop()?);
        match class {
            Value::Class(Class::Script) => self.push_object(Object::Script(Vec::new())),
            Value::Class(Class::Mapping | Class::OrderedDict) => {
                self.push_object(Object::Dictionary(Vec::new()))
            }
            Value::Class(Class::Harmless) => self.push(Value::Opaque),
            _ => self.refuse("makes an object of something that is no known class"),
        }
    }

    /// What is set of an object beside its making. Attributes of a dictionary, such as the module
    /// versions that PyTorch keeps beside a state dictionary, don't matter here; those of a
    /// TorchScript module are all that it is.
    fn set_state(&mut self) -> Result<()> {
        let state = self.pop()?;
        let target = self.stack.last().copied().unwrap_or(Value::None);
        if self.objects.script(target).is_some() {
            let attributes = self.objects.dictionary(state).cloned().unwrap_or_default();
            if let Some(Object::Script(known)) = self.objects.object_mut(target) {
                known.extend(attributes);
            }
            return Ok(());
        }
        match self.objects.dictionary(target) {
            Some(_) => Ok(()),
            None if target == Value::Opaque => Ok(()),
            None => self.refuse("sets the state of something that is not a dictionary"),
        }
    }
}
