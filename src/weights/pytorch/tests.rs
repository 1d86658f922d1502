use super::*;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Builds pickles by hand.
#[derive(Clone)]
struct Pickle(Vec<u8>);

impl Pickle {
    fn new() -> Self {
        Pickle(b"\x80\x02".to_vec())
    }

    fn op(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend(bytes.as_ref());
        self
    }

    fn text(self, text: &str) -> Self {
        let length = (text.len() as u32).to_le_bytes();
        self.op("X").op(length).op(text)
    }

    fn number(self, number: i32) -> Self {
        self.op("J").op(number.to_le_bytes())
    }

    fn numbers(self, numbers: &[i32]) -> Self {
        let marked = self.op("(");
        let filled = numbers
            .iter()
            .fold(marked, |pickle, &number| pickle.number(number));
        filled.op("t")
    }

    fn class(self, module: &str, name: &str) -> Self {
        self.op(format!("c{module}\n{name}\n"))
    }

    fn storage(self, class: &str, key: &str, length: i32) -> Self {
        let pickle = self.op("(").text("storage").class("torch", class).text(key);
        pickle.text("cpu").number(length).op("tQ")
    }

    fn tensor(self, class: &str, key: &str, offset: i32, shape: &[i32], strides: &[i32]) -> Self {
        let call = self.class("torch._utils", "_rebuild_tensor_v2").op("(");
        let view = call
            .storage(class, key, 12)
            .number(offset)
            .numbers(shape)
            .numbers(strides);
        view.op(b"\x89")
            .class("collections", "OrderedDict")
            .op(")RtR")
    }

    /// The archive of this pickle and of storages of 48 bytes, `data/0` and `data/1`.
    fn archive(self) -> Vec<u8> {
        let numbers: Vec<u8> = (0..12)
            .flat_map(|number| (number as f32).to_le_bytes())
            .collect();
        let entries = [
            ("model/data.pkl", self.op(".").0),
            ("model/byteorder", b"little".to_vec()),
            ("model/data/0", numbers.clone()),
            ("model/data/1", numbers),
        ];
        archive(&entries, CompressionMethod::Stored, false)
    }
}

fn archive(entries: &[(&str, Vec<u8>)], method: CompressionMethod, zip64: bool) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .large_file(zip64);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer
            .start_file(*name, options.with_alignment(64))
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn dictionary() -> Pickle {
    Pickle::new().op("}(")
}

#[track_caller]
fn check_refused(pickle: Pickle, message: &str) {
    check_file_refused(&pickle.archive(), message);
}

#[track_caller]
fn check_file_refused(file: &[u8], message: &str) {
    let error = table(&file).unwrap_err();
    assert_eq!(error.code(), "bad_weights");
    assert!(
        error.to_string().contains(message),
        "expected {message:?} in {error}"
    );
}

#[track_caller]
fn check_values(file: &[u8], tensor: &TensorInfo, expected: &[f32]) {
    let bytes = tensor.read(file).unwrap();
    let values = crate::weights::blocks::dequantize(tensor.format, &bytes, tensor.elements());
    assert_eq!(values.unwrap(), expected, "{}", tensor.name);
}

#[test]
fn views_shared_storages_and_transposed_matrices_are_read() {
    let pickle = dictionary()
        .text("all")
        .tensor("FloatStorage", "0", 0, &[3, 4], &[4, 1])
        .op(b"q\x07")
        .text("tied")
        .op(b"h\x07")
        .text("view")
        .tensor("FloatStorage", "0", 6, &[2, 1, 2], &[2, 77, 1])
        .text("transposed")
        .tensor("FloatStorage", "1", 0, &[2, 3], &[1, 2])
        .text("scalar")
        .tensor("FloatStorage", "1", 9, &[], &[])
        .text("epoch")
        .number(3)
        .op("u");
    let file = pickle.archive();
    let tensors = table(&file).unwrap();
    let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["all", "tied", "view", "transposed", "scalar"]);
    let all: Vec<f32> = (0..12).map(|number| number as f32).collect();
    check_values(&file, &tensors[0], &all);
    check_values(&file, &tensors[1], &all);
    check_values(&file, &tensors[2], &[6.0, 7.0, 8.0, 9.0]);
    check_values(&file, &tensors[3], &[0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    check_values(&file, &tensors[4], &[9.0]);
}

#[test]
fn numbers_in_any_order_are_put_in_theirs() {
    let pickle = dictionary()
        .text("channels last")
        .tensor("FloatStorage", "0", 0, &[1, 3, 2, 2], &[12, 1, 6, 3])
        .text("columns apart")
        .tensor("FloatStorage", "0", 1, &[3, 2], &[4, 2])
        .text("repeated")
        .tensor("FloatStorage", "1", 5, &[2, 2], &[0, 1])
        .op("u");
    let file = pickle.archive();
    let tensors = table(&file).unwrap();
    let find = |name: &str| tensors.iter().find(|tensor| tensor.name == name).unwrap();
    let colours = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11].map(|number| number as f32);
    check_values(&file, find("channels last"), &colours);
    check_values(
        &file,
        find("columns apart"),
        &[1.0, 3.0, 5.0, 7.0, 9.0, 11.0],
    );
    check_values(&file, find("repeated"), &[5.0, 6.0, 5.0, 6.0]);
}

#[test]
fn what_a_training_run_keeps_beside_its_weights_is_passed_over() {
    let pickle = dictionary()
        .text("hyper_parameters")
        .class("argparse", "Namespace")
        .op(b")\x81}b")
        .text("rates")
        .class("collections", "defaultdict")
        .op("(")
        .class("builtins", "float")
        .op("tR(")
        .text("a")
        .number(1)
        .op("u")
        .text("random")
        .op(b"C\x02ab")
        .text("state_dict")
        .op("}")
        .text("x")
        .tensor("FloatStorage", "0", 0, &[12], &[1])
        .op("s")
        .text("loss")
        .tensor("FloatStorage", "1", 0, &[], &[])
        .op("u");
    let tensors = table(&pickle.archive()).unwrap();
    let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(
        names,
        ["x"],
        "the inner dictionary comes before loose tensors"
    );
}

/// An object of TorchScript with these attributes.
fn script(attributes: Pickle) -> Pickle {
    let object = Pickle(Vec::new()).class("__torch__.models", "Clip");
    object.op(b")\x81}(").op(attributes.0).op("ub")
}

#[test]
fn a_torchscript_module_is_its_attributes() {
    let inner = Pickle(Vec::new())
        .text("weight")
        .tensor("HalfStorage", "0", 0, &[2, 2], &[2, 1]);
    let outer = Pickle(Vec::new())
        .text("training")
        .op(b"\x89")
        .text("sizes")
        .class("torch.jit._pickle", "build_intlist")
        .op("(](")
        .number(1)
        .op("etR")
        .text("visual")
        .op(script(inner).0)
        .text("logit_scale")
        .tensor("FloatStorage", "1", 1, &[], &[]);
    let pickle = Pickle::new().op(script(outer).0);
    let file = pickle.archive();
    let table = foretold_table(&file).unwrap();
    assert!(table.is_script);
    let names: Vec<&str> = table
        .tensors
        .iter()
        .map(|found| found.name.as_str())
        .collect();
    assert_eq!(names, ["visual.weight", "logit_scale"]);
    check_values(&file, &table.tensors[1], &[1.0]);
    let endless = Pickle::new().class("__torch__", "A").op(b")\x81q\x00}(");
    check_refused(endless.text("a").op("h\x00ub"), "holds itself");
}

#[test]
fn pickled_modules_and_eight_bit_floats_are_told_by_name() {
    let module = Pickle::new().class("transformers.models.clip.modeling_clip", "CLIPModel");
    check_refused(
        module.clone().op(b")\x81"),
        "a whole Python object of class",
    );
    check_refused(module.op(b")\x81"), "torch.save(model.state_dict(), path)");
    let inside = dictionary().text("model").class("my_code", "Net");
    check_refused(inside, "\"my_code.Net\", which is not allowed");
    let newer = dictionary()
        .text("w")
        .class("torch._utils", "_rebuild_tensor_v3");
    check_refused(newer, "float8");
    let eight = dictionary().text("w").class("torch", "float8_e4m3fn");
    check_refused(eight, "float8_e4m3fn");
}

/// A file in the format from before PyTorch 1.6: storages of 12 numbers.
fn legacy_file(pickle: Pickle, counts: [u64; 2]) -> Vec<u8> {
    let mut file = [legacy::START, b"."].concat();
    file.extend(Pickle::new().number(1001).op(".").0);
    let facts = dictionary().text("little_endian").op(b"\x88u.");
    file.extend(facts.0);
    file.extend(pickle.op(".").0);
    file.extend(Pickle::new().op("](").text("1").text("0").op("e.").0);
    for (place, count) in counts.into_iter().enumerate() {
        file.extend(count.to_le_bytes());
        let numbers = (0..12).map(|number| (100 * place + number) as f32);
        file.extend(numbers.flat_map(f32::to_le_bytes));
    }
    file
}

#[test]
fn the_format_from_before_pytorch_1_6_is_read() {
    let pickle = || {
        let first = dictionary()
            .text("x")
            .tensor("FloatStorage", "0", 2, &[2], &[1]);
        let second = first
            .text("y")
            .tensor("FloatStorage", "1", 0, &[3, 4], &[1, 3]);
        second.op("u")
    };
    let file = legacy_file(pickle(), [12, 12]);
    let tensors = table(&file).unwrap();
    assert_eq!(tensors[0].name, "y", "its storage comes first");
    let transposed = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11].map(|number| number as f32);
    check_values(&file, &tensors[0], &transposed);
    check_values(&file, &tensors[1], &[102.0, 103.0]);
    let foretold = foretold_table(&file).unwrap();
    assert_eq!(foretold.tensors, tensors);
    let agree = |file: &Vec<u8>| {
        foretold.headers.iter().all(|header| {
            let bytes = file.read_at(header.at, header.length() as usize);
            header.agrees(&bytes.unwrap())
        })
    };
    assert!(agree(&file));
    let wrong = legacy_file(pickle(), [12, 11]);
    assert!(!agree(&wrong));
    check_file_refused(&wrong, "damaged");
    check_file_refused(&file[..file.len() - 1], "truncated");
    for length in 0..file.len() {
        assert!(table(&&file[..length]).is_err(), "{length}");
    }
}

#[test]
fn integers_are_listed() {
    let pickle = dictionary()
        .text("position_ids")
        .tensor("LongStorage", "0", 0, &[1, 6], &[6, 1]);
    let tensors = table(&pickle.op("u").archive()).unwrap();
    assert_eq!(tensors[0].format.name(), "I64");
    assert_eq!(tensors[0].bytes, 48);
}

#[test]
fn the_dictionary_may_be_an_inner_one() {
    for name in INNER_DICTIONARIES {
        let inner = dictionary()
            .text("epoch")
            .number(3)
            .text(name)
            .op("}")
            .text("x");
        let pickle = inner.tensor("FloatStorage", "0", 0, &[12], &[1]).op("su");
        assert_eq!(table(&pickle.archive()).unwrap()[0].name, "x");
    }
    check_refused(
        dictionary().text("other").number(1).op("u"),
        "holds no tensors",
    );
    check_refused(Pickle::new().number(1), "does not hold a dictionary");
}

#[test]
fn pickles_that_would_run_something_are_refused() {
    let call = |module, name| {
        Pickle::new()
            .class(module, name)
            .op("(")
            .text("true")
            .op("tR")
    };
    check_refused(call("os", "system"), "\"os.system\", which is not allowed");
    check_refused(call("builtins", "eval"), "\"builtins.eval\"");
    check_refused(call("torch", "load"), "\"torch.load\"");
    check_refused(
        call("collections", "OrderedDict"),
        "calls something in an unknown way",
    );
    check_refused(
        call("builtins", "dict").op("}b"),
        "does not hold a dictionary",
    );
    check_refused(Pickle::new().op("N)").op([0x81]), "no known class");
    let by_stack = Pickle::new().text("posix").text("system").op(b"\x93");
    check_refused(by_stack, "\"posix.system\"");
    for code in [b'i', b'o', 0x92, 0x82, b'P', b'V'] {
        check_refused(
            Pickle::new().op([code]),
            &format!("instruction {code:#04x}"),
        );
    }
}

#[test]
fn broken_pickles_are_refused() {
    check_refused(Pickle::new().op("0"), "empty stack");
    check_refused(Pickle::new().op("N(0"), "empty stack");
    check_refused(Pickle::new().op("t"), "lacks a mark");
    check_refused(Pickle::new().op("Nu"), "lacks a mark");
    check_refused(Pickle::new().op("N(u"), "not a dictionary");
    check_refused(Pickle::new().op("}(Nu"), "not a dictionary");
    check_refused(Pickle::new().op("}a"), "not a list");
    check_refused(Pickle::new().op("NNb"), "not a dictionary");
    check_refused(Pickle::new().op(")Q"), "not a storage");
    check_refused(
        Pickle::new().op("j").op(u32::MAX.to_le_bytes()),
        "value 4294967295",
    );
    check_refused(
        Pickle::new().op("X").op(u32::MAX.to_le_bytes()),
        "ends early",
    );
    check_refused(Pickle::new().op("cos"), "middle of a class name");
    check_refused(
        Pickle::new().op(b"\x8a\xff").op([0; 255]),
        "integer of 255 bytes",
    );
    check_refused(Pickle::new().op(b"\x80\x09"), "protocol 9");
    check_refused(Pickle::new(), "empty stack");
}

#[test]
fn bombs_stay_small() {
    let depth = 200_000;
    // Lists in lists, tuples of a remembered tuple with itself, a dictionary that holds itself.
    check_refused(
        Pickle::new()
            .op("]".repeat(depth))
            .op("a".repeat(depth - 1)),
        "not hold a dictionary",
    );
    let round = b"h\0h\0\x86q\0".repeat(depth / 10);
    check_refused(Pickle::new().op(")q\0").op(round), "not hold a dictionary");
    check_refused(
        Pickle::new().op("}q\0").text("model").op("h\0s"),
        "holds no tensors",
    );
    let huge_key = Pickle::new().op("}r").op(u32::MAX.to_le_bytes());
    check_refused(huge_key, "holds no tensors");
    check_refused(Pickle::new().op("N".repeat(1_000_001)), "stacks more than");
    check_refused(Pickle::new().op("]0".repeat(1_000_001)), "makes more than");
    check_refused(Pickle::new().op("(".repeat(1_000_001)), "sets more than");
    check_refused(
        Pickle::new().op("N").op([0x94].repeat(1_000_001)),
        "remembers more than",
    );
}

#[test]
fn tensors_that_do_not_lie_in_their_storage_are_refused() {
    let one = |class, key, offset, shape: &[i32], strides: &[i32]| {
        dictionary()
            .text("w")
            .tensor(class, key, offset, shape, strides)
            .op("u")
    };
    let float =
        |offset, shape: &[i32], strides: &[i32]| one("FloatStorage", "0", offset, shape, strides);
    assert!(table(&float(0, &[12], &[1]).archive()).is_ok());
    check_refused(
        float(0, &[13], &[1]),
        "\"w\" takes 52 bytes from number 0 of storage \"0\" on, which has 48",
    );
    check_refused(float(1, &[12], &[1]), "which has 48");
    check_refused(float(i32::MAX, &[1], &[1]), "which has 48");
    check_refused(float(-1, &[1], &[1]), "in an unknown way");
    check_refused(float(0, &[-1], &[1]), "in an unknown way");
    check_refused(float(0, &[1; 9], &[1; 9]), "in an unknown way");
    check_refused(float(0, &[2, 3], &[1]), "in an unknown way");
    check_refused(float(0, &[4, 2], &[4, 1]), "which has 48");
    check_refused(float(0, &[2, 1], &[500, 1]), "strides [500, 1]");
    check_refused(float(0, &[1 << 27], &[0]), "strides [0]");
    check_refused(
        float(0, &[i32::MAX; 3], &[i32::MAX, i32::MAX, 1]),
        "strides",
    );
    check_refused(
        one("FloatStorage", "7", 0, &[1], &[1]),
        "\"w\" is in storage \"7\", which the file lacks",
    );
    check_refused(
        one("FloatStorage", "../data.pkl", 0, &[1], &[1]),
        "which the file lacks",
    );
    check_refused(
        one("ComplexFloatStorage", "0", 0, &[1], &[1]),
        "\"torch.ComplexFloatStorage\"",
    );
    let double = float(0, &[1], &[1]).op("(").text("w");
    check_refused(
        double.tensor("FloatStorage", "1", 0, &[1], &[1]).op("u"),
        "\"w\" is there twice",
    );
}

#[test]
fn other_kinds_of_files_are_named() {
    check_file_refused(b"", "not a pytorch file");
    check_file_refused(b"GGUF....", "begins with \"GGUF\"");
    let legacy = [legacy::START, b".\x80\x02M\xe9\x03."].concat();
    check_file_refused(&legacy, "ends early");
    let other = archive(
        &[("readme", b"text".to_vec())],
        CompressionMethod::Stored,
        false,
    );
    check_file_refused(&other, "holds no data.pkl");
    let pickle = dictionary().text("x").op("Nu.").0;
    let big = [("a/data.pkl", pickle), ("a/byteorder", b"big".to_vec())];
    check_file_refused(
        &archive(&big, CompressionMethod::Stored, false),
        "big endian",
    );
}

#[test]
fn entries_with_64_bit_sizes_are_read() {
    let pickle = dictionary()
        .text("x")
        .tensor("FloatStorage", "0", 1, &[2], &[1])
        .op("u.");
    let numbers = [5.0_f32, 6.0, 7.0]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let entries = [("data.pkl", pickle.0), ("data/0", numbers)];
    let file = archive(&entries, CompressionMethod::Stored, true);
    let tensors = table(&file).unwrap();
    check_values(&file, &tensors[0], &[6.0, 7.0]);
}

#[test]
fn no_truncation_or_changed_bit_panics() {
    let pickle = dictionary()
        .text("x")
        .tensor("FloatStorage", "0", 0, &[3, 4], &[4, 1])
        .op("u");
    let file = pickle.archive();
    for length in 0..file.len() {
        assert!(table(&&file[..length]).is_err(), "{length}");
    }
    for index in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[index] ^= 1 << bit;
            for tensor in table(&changed).unwrap_or_default() {
                tensor.read(&changed).unwrap();
            }
        }
    }
}
