//! What a pickle makes: values, the containers they refer to, and tensors as views of storages.
//!
//! Containers live in one list and values refer to them by index, so that nothing is ever copied,
//! however often a pickle refers to it.

use super::classes::Class;
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
    /// Something that no weight depends on, such as the settings of a training run.
    Opaque,
    /// Index of a container.
    Object(usize),
}

pub(super) type Dictionary<'p> = Vec<(Value<'p>, Value<'p>)>;

pub(super) enum Object<'p> {
    Dictionary(Dictionary<'p>),
    /// The attributes of a module of TorchScript.
    Script(Dictionary<'p>),
    List(Vec<Value<'p>>),
    Tuple(Vec<Value<'p>>),
    Storage(Storage<'p>),
    Tensor(Tensor<'p>),
}

/// A run of numbers, stored in one piece.
#[derive(Clone, Copy)]
pub(super) struct Storage<'p> {
    /// Its name in the file.
    pub key: &'p str,
    pub format: Format,
    /// How many numbers it has, if that is a number at all.
    pub length: Option<u64>,
}

/// A view of a storage.
pub(super) struct Tensor<'p> {
    pub storage: Storage<'p>,
    /// The first number, counted in numbers.
    pub offset: u64,
    pub shape: Vec<usize>,
    /// From one number to the next along each dimension, counted in numbers.
    pub strides: Vec<usize>,
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

    /// The attributes of a module of TorchScript.
    pub fn script(&self, value: Value) -> Option<&Dictionary<'p>> {
        match self.object(value)? {
            Object::Script(attributes) => Some(attributes),
            _ => None,
        }
    }

    /// Every storage that tensors refer to.
    pub fn storages(&self) -> impl Iterator<Item = &Storage<'p>> {
        self.objects.iter().filter_map(|object| match object {
            Object::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    pub fn list(&self, value: Value) -> Option<&[Value<'p>]> {
        match self.object(value)? {
            Object::List(values) => Some(values),
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
    let shape = sizes(objects, shape)?;
    let strides = sizes(objects, strides)?;
    if shape.len() != strides.len() {
        return None;
    }
    Some(Tensor {
        storage: objects.storage(storage)?,
        offset: u64::try_from(offset).ok()?,
        shape,
        strides,
    })
}

/// The numbers of a tuple, if there are few of them and none is negative.
fn sizes(objects: &Objects, value: Value) -> Option<Vec<usize>> {
    let values = objects
        .tuple(value)
        .filter(|values| values.len() <= MOST_DIMENSIONS)?;
    values
        .iter()
        .map(|value| match value {
            Value::Integer(number) => usize::try_from(*number).ok(),
            _ => None,
        })
        .collect()
}
