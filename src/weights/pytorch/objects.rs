//! What a pickle makes: values, the containers they refer to, and tensors as views of storages.
//!
//! Containers live in one list and values refer to them by index, so that nothing is ever copied,
//! however often a pickle refers to it.

use crate::weights::{Format, MOST_DIMENSIONS};

/// A value on the stack. Text is borrowed from the pickle.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Value<'p> {
    None,
    Bool(bool),
    Integer(i64),
    Float,
    Text(&'p str),
    Class(Class),
    /// Index of a container.
    Object(usize),
}

/// The classes and functions a checkpoint may mention.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Class {
    OrderedDict,
    Size,
    Storage(Format),
    RebuildTensor,
    RebuildParameter,
}

pub(super) type Dictionary<'p> = Vec<(Value<'p>, Value<'p>)>;

pub(super) enum Object<'p> {
    Dictionary(Dictionary<'p>),
    List(Vec<Value<'p>>),
    Tuple(Vec<Value<'p>>),
    Storage(Storage<'p>),
    Tensor(Tensor<'p>),
}

/// A run of numbers, stored as an entry of the archive.
#[derive(Clone, Copy)]
pub(super) struct Storage<'p> {
    /// Name of the entry.
    pub key: &'p str,
    pub format: Format,
}

/// A view of a storage.
pub(super) struct Tensor<'p> {
    pub storage: Storage<'p>,
    /// The first number, counted in numbers.
    pub offset: u64,
    pub shape: Vec<usize>,
    /// From one number to the next along each dimension, counted in numbers.
    pub strides: Vec<i64>,
}

/// What a pickle holds.
pub(super) struct Objects<'p> {
    objects: Vec<Object<'p>>,
    pub root: Value<'p>,
}

impl<'p> Objects<'p> {
    pub fn new() -> Self {
        Objects {
            objects: Vec::new(),
            root: Value::None,
        }
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Keeps a container, and returns the value that refers to it.
    pub fn add(&mut self, object: Object<'p>) -> Value<'p> {
        self.objects.push(object);
        Value::Object(self.objects.len() - 1)
    }

    pub fn object_mut(&mut self, value: Value) -> Option<&mut Object<'p>> {
        match value {
            Value::Object(index) => self.objects.get_mut(index),
            _ => None,
        }
    }

    pub fn dictionary(&self, value: Value) -> Option<&Dictionary<'p>> {
        match self.object(value)? {
            Object::Dictionary(dictionary) => Some(dictionary),
            _ => None,
        }
    }

    pub fn tensor(&self, value: Value) -> Option<&Tensor<'p>> {
        match self.object(value)? {
            Object::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    fn object(&self, value: Value) -> Option<&Object<'p>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    pub fn tuple(&self, value: Value) -> Option<&[Value<'p>]> {
        match self.object(value)? {
            Object::Tuple(values) => Some(values),
            _ => None,
        }
    }

    pub fn storage(&self, value: Value) -> Option<Storage<'p>> {
        match self.object(value)? {
            Object::Storage(storage) => Some(*storage),
            _ => None,
        }
    }
}

/// The tensor that `torch._utils._rebuild_tensor_v2` would make, if the arguments are as usual.
pub(super) fn rebuild<'p>(
    objects: &Objects<'p>,
    storage: Value,
    offset: Value,
    shape: Value,
    strides: Value,
) -> Option<Tensor<'p>> {
    let Value::Integer(offset) = offset else {
        return None;
    };
    let shape = integers(objects, shape)?;
    let strides = integers(objects, strides)?;
    if shape.len() != strides.len() {
        return None;
    }
    Some(Tensor {
        storage: objects.storage(storage)?,
        offset: u64::try_from(offset).ok()?,
        shape: shape
            .into_iter()
            .map(|size| usize::try_from(size).ok())
            .collect::<Option<_>>()?,
        strides,
    })
}

fn integers(objects: &Objects, value: Value) -> Option<Vec<i64>> {
    let values = objects
        .tuple(value)
        .filter(|values| values.len() <= MOST_DIMENSIONS)?;
    values
        .iter()
        .map(|value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })
        .collect()
}
