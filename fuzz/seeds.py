#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets to corpus/TARGET/: small sound files of every kind that the
parsers know, as the reference's tools lay them out. Needs nothing but Python itself."""

import io
import json
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


# -- safetensors ---------------------------------------------------------------------------------

WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def safetensors(tensors, metadata=None):
    header, position = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, dtype, shape in tensors:
        size = WIDTHS[dtype]
        for dimension in shape:
            size *= dimension
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(index % 251 for index in range(position))


def safetensors_seeds():
    write("safetensors", "one", safetensors([("w", "F32", [2, 3])]))
    write("safetensors", "scalar", safetensors([("logit_scale", "F32", [])]))
    write("safetensors", "empty", safetensors([("nothing", "F16", [0, 4])]))
    write("safetensors", "none", safetensors([]))
    every = [(f"layer.{dtype}", dtype, [1, 3]) for dtype in WIDTHS]
    write("safetensors", "every-type", safetensors(every, {"format": "pt"}))
    shards = {f"layer.{index}.weight": f"model-0000{1 + index % 3}-of-00003.safetensors" for index in range(5)}
    index = {"metadata": {"total_size": 1000}, "weight_map": shards}
    write("safetensors", "index", json.dumps(index, indent=2).encode())


# -- gguf ----------------------------------------------------------------------------------------

BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 8: (32, 34), 12: (256, 144),
          13: (256, 176), 14: (256, 210), 24: (1, 1), 27: (1, 8), 28: (1, 8), 30: (1, 2)}


def text(value):
    value = value.encode()
    return struct.pack("<Q", len(value)) + value


def entry(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def gguf(entries, tensors, version=3, alignment=32):
    file = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries)) + b"".join(entries)
    data = b""
    for name, kind, shape in tensors:
        data += bytes(-len(data) % alignment)
        length, size = BLOCKS[kind]
        elements = 1
        for dimension in shape:
            elements *= dimension
        file += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, len(data))
        data += bytes(index % 61 for index in range(elements // length * size))
    return file + bytes(-len(file) % alignment) + data


def gguf_seeds():
    name = entry("general.architecture", 8, text("clip"))
    scalars = [
        entry("u8", 0, b"\1"), entry("i8", 1, b"\xff"), entry("u16", 2, b"\1\0"), entry("i16", 3, b"\1\0"),
        entry("u32", 4, b"\1\0\0\0"), entry("i32", 5, b"\1\0\0\0"), entry("f32", 6, struct.pack("<f", 0.5)),
        entry("truth", 7, b"\1"), entry("u64", 10, bytes(8)), entry("i64", 11, bytes(8)),
        entry("f64", 12, struct.pack("<d", 0.5)),
    ]
    words = struct.pack("<IQ", 8, 2) + text("a") + text("")
    numbers = struct.pack("<IQ3i", 5, 3, 1, -2, 3)
    nested = struct.pack("<IQ", 9, 2) + numbers + words
    arrays = [entry("words", 9, words), entry("numbers", 9, numbers), entry("nested", 9, nested)]
    write("gguf", "none", gguf([], []))
    write("gguf", "one", gguf([name], [("w", 0, [2, 3])]))
    write("gguf", "scalars", gguf(scalars, [("scalar", 0, [])]))
    write("gguf", "arrays", gguf(arrays, [("w", 1, [4])], version=2))
    every = [(f"t{kind}", kind, [length]) for kind, (length, _) in BLOCKS.items()]
    write("gguf", "every-type", gguf([name], every))
    aligned = [entry("general.alignment", 4, struct.pack("<I", 8))]
    write("gguf", "aligned", gguf(aligned, [("a", 8, [2, 32]), ("b", 2, [1, 2, 32])], alignment=8))


# -- pytorch -------------------------------------------------------------------------------------

class Storage:
    def __init__(self, kind, key, length):
        self.kind, self.key, self.length = kind, key, length


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class Parameter:
    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_parameter, (self.tensor, False, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            kind = getattr(sys.modules["torch"], value.kind)
            return ("storage", kind, value.key, "cpu", value.length)
        return None


def pretend_torch():
    """Modules of the names that a pickle refers to; only the names end up in it."""
    torch, utilities = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in ["Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool"]:
        setattr(torch, f"{kind}Storage", type(f"{kind}Storage", (), {"__module__": "torch"}))
    for name in ["_rebuild_tensor_v2", "_rebuild_parameter"]:
        function = types.FunctionType((lambda *_: None).__code__, {}, name)
        function.__module__, function.__qualname__ = "torch._utils", name
        setattr(utilities, name, function)
    torch._utils = utilities
    sys.modules.update({"torch": torch, "torch._utils": utilities})


def pickled(value, protocol=2):
    file = io.BytesIO()
    Pickler(file, protocol).dump(value)
    return file.getvalue()


def archive(data, byteorder=True):
    """As `torch.save` writes it: uncompressed, the data aligned by an extra field."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as zip_file:
        entries = [("data.pkl", data)] + ([("byteorder", b"little")] if byteorder else [])
        entries += [("data/0", bytes(range(96))), ("data/1", bytes(range(48))), ("version", b"3\n")]
        for name, content in entries:
            info = zipfile.ZipInfo(f"archive/{name}")
            padding = -(file.tell() + 30 + len(info.filename) + 4) % 64
            info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
            zip_file.writestr(info, content)
    return file.getvalue()


def pytorch_seeds():
    pretend_torch()
    first, second = Storage("FloatStorage", "0", 24), Storage("HalfStorage", "1", 24)
    matrix = Tensor(first, 0, (4, 6), (6, 1))
    kinds = ["BFloat16Storage", "DoubleStorage", "LongStorage", "IntStorage", "ByteStorage", "BoolStorage"]
    states = {
        "one": {"w": matrix},
        "tied": OrderedDict(a=matrix, b=matrix, c=Tensor(second, 2, (3,), (1,))),
        "transposed": {"w": Tensor(first, 0, (4, 6), (1, 4)), "scalar": Tensor(first, 3, (), ())},
        "parameter": {"w": Parameter(matrix), "epoch": 3, "rate": 0.1, "names": ["a", "b"], "none": None},
        "inner": {"state_dict": {"w": matrix}, "epoch": 2**40, "done": True},
        "types": {kind: Tensor(Storage(kind, "1", 6), 0, (2, 3), (3, 1)) for kind in kinds},
    }
    for name, state in states.items():
        for protocol in (2, 4):
            data = pickled(state, protocol)
            write("pickle", f"{name}-{protocol}", data)
            write("pytorch", f"{name}-{protocol}", archive(data, byteorder=protocol == 2))


# -- jpeg ----------------------------------------------------------------------------------------

def jpeg_seeds():
    golden = CORPUS.parent.parent / "tests/golden/jpeg"
    files = io.BytesIO((golden / "files.bin").read_bytes())
    for name, length, *_ in json.loads((golden / "cases.json").read_text()):
        write("jpeg", name, files.read(length))


# -- pictures ------------------------------------------------------------------------------------

ANIMATED = {
    "gif": "47494638396102000200a10000ff000000ff000000ffffffff21f90400050000002c0000000002000200000202842f"
           "0021f90400070000002c00000000020002000002028c2d003b",
}


def picture_seeds():
    golden = CORPUS.parent.parent / "tests/golden/pictures"
    for kind in golden.glob("*.json"):
        for name, case in json.loads(kind.read_text()).items():
            file = bytes.fromhex(case["file"])
            if len(file) <= 4096:
                write("pictures", f"{kind.stem}-{name}", file)
            if file[:4] in (b"GIF8", b"RIFF", b"\x89PNG"):
                write("frames", f"{kind.stem}-{name}", file)
    for name, file in ANIMATED.items():
        write("frames", name, bytes.fromhex(file))


safetensors_seeds()
gguf_seeds()
pytorch_seeds()
jpeg_seeds()
picture_seeds()
