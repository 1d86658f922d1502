//! The classes and functions that a checkpoint may mention: a list of those that are allowed, and what
//! is said of others. None of them is ever run: where one is called, what it would make is noted
//! down, or passed over.

use crate::weights::{Format, printable};

/// The classes and functions a checkpoint may mention.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Class {
    OrderedDict,
    /// A class of dictionaries of which it does not matter how they were made.
    Mapping,
    Size,
    Storage(Format),
    RebuildTensor,
    RebuildParameter,
    /// What makes a tensor of a class of its own by one of the two above.
    RebuildFromType,
    /// What TorchScript wraps lists and dictionaries in, to say what they hold.
    Tagged,
    /// A class of a TorchScript module: its objects are their attributes.
    Script,
    /// A class whose objects are passed over.
    Harmless,
}

/// Modules of Python itself, of which nobody's model is an object.
const SYSTEM: [&str; 8] = [
    "os",
    "posix",
    "nt",
    "sys",
    "builtins",
    "__builtin__",
    "subprocess",
    "torch",
];

/// The class or function of a name, if a checkpoint may mention it.
pub(super) fn allowed(module: &str, name: &str) -> Option<Class> {
    Some(match (module, name) {
        ("collections", "OrderedDict") => Class::OrderedDict,
        ("collections", "defaultdict" | "Counter") | (_, "AttributeDict") => Class::Mapping,
        ("torch", "Size") => Class::Size,
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Class::RebuildTensor,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            Class::RebuildParameter
        }
        ("torch._tensor", "_rebuild_from_type_v2") => Class::RebuildFromType,
        ("torch.jit._pickle", _) => Class::Tagged,
        ("torch", name) if let Some(format) = storage_format(name) => Class::Storage(format),
        _ if module == "__torch__" || module.starts_with("__torch__.") => Class::Script,
        _ if is_harmless(module, name) => Class::Harmless,
        _ => return None,
    })
}

/// What the settings and the state of a training run are made of.
fn is_harmless(module: &str, name: &str) -> bool {
    match module {
        "torch" => {
            let dtypes = [
                "float", "float16", "float32", "float64", "bfloat16", "half", "double",
            ];
            let integers = [
                "int", "int8", "int16", "int32", "int64", "uint8", "long", "bool",
            ];
            let others = ["device", "Tensor"];
            [&dtypes[..], &integers, &others].concat().contains(&name)
        }
        "torch.nn.parameter" => name == "Parameter",
        "builtins" | "__builtin__" => {
            let plain = [
                "set",
                "frozenset",
                "int",
                "float",
                "bool",
                "str",
                "list",
                "dict",
            ];
            plain.contains(&name)
        }
        "argparse" => name == "Namespace",
        "datetime" | "pathlib" | "pathlib._local" => true,
        "numpy" => ["dtype", "ndarray"].contains(&name),
        "numpy.core.multiarray" | "numpy._core.multiarray" => {
            ["scalar", "_reconstruct"].contains(&name)
        }
        "_codecs" => name == "encode",
        "typing" => name == "Any",
        _ => module.starts_with("omegaconf."),
    }
}

/// What to do about a file that holds more than weights.
pub(super) const SAVE_WEIGHTS: &str = "If you trust the file, load it in Python and save the weights \
     alone: torch.save(model.state_dict(), path)";

/// What is said of a class that is not allowed, where it is known what the file is then.
pub(super) fn known_refusal(module: &str, name: &str, is_root: bool) -> Option<String> {
    let class = printable(&format!("{module}.{name}"));
    let of_new_types = ["_rebuild_tensor_v3", "_rebuild_qtensor"];
    if module == "torch._utils" && of_new_types.contains(&name) {
        return Some(
            "the pytorch file holds tensors of 8 bits a number (float8, or PyTorch's own quantization), \
             which are not supported: save the checkpoint in float32, float16 or bfloat16"
                .to_string(),
        );
    }
    if module == "torch" && (name.starts_with("float8") || name.starts_with("Q")) {
        return Some(format!(
            "the pytorch file holds numbers of type {class}, which is not supported: save the \
             checkpoint in float32, float16 or bfloat16"
        ));
    }
    (is_root && !SYSTEM.contains(&module)).then(|| {
        format!(
            "the pytorch file holds a whole Python object of class {class}, not weights alone, and \
             nothing of it is run here. {SAVE_WEIGHTS}"
        )
    })
}

/// The number format of a storage class of the `torch` module.
fn storage_format(class: &str) -> Option<Format> {
    let integer = |bytes_per_element| Format::Integer { bytes_per_element };
    Some(match class {
        "DoubleStorage" => Format::F64,
        "FloatStorage" => Format::F32,
        "HalfStorage" => Format::F16,
        "BFloat16Storage" => Format::BF16,
        "LongStorage" => integer(8),
        "IntStorage" => integer(4),
        "ShortStorage" => integer(2),
        "CharStorage" | "ByteStorage" | "BoolStorage" => integer(1),
        _ => return None,
    })
}
