"""A .gguf that holds one matrix in every block format, and what the `gguf` package makes of the bytes.

F32, F16, BF16 and the formats that `gguf.quants` can write hold the same seeded matrix. The K formats,
which it can only read, hold blocks of random bytes whose float16 scales are small and finite, so that every
bit of a block matters. Expected values are `gguf.quants.dequantize` of the stored bytes, in float32.
"""

from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind

from .record import Expected

SHAPE = (8, 256)
WRITTEN = [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0]
# Block format -> byte offsets of its float16 scales within a block of 256 values
READ = {Kind.Q4_K: [0, 2], Kind.Q5_K: [0, 2], Kind.Q6_K: [208]}


def matrix():
    """Values of several sizes, zeros, a row of zeros, and a row with one outlier."""
    random = np.random.Generator(np.random.PCG64(11))
    values = random.standard_normal(SHAPE, dtype=np.float32) * np.float32(0.3)
    values[1] = 0
    values[2, 40] = -9.5
    values[3] *= np.float32(1e-3)
    values[4, ::7] = 0
    return values


def random_blocks(kind, scales, seed):
    """[8, bytes of a row] uint8: one block of 256 values a row."""
    random = np.random.Generator(np.random.PCG64([12, seed]))
    _, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (SHAPE[0], size), dtype=np.uint8)
    for offset in scales:
        scale = random.uniform(1e-3, 2e-2, SHAPE[0]).astype("<f2")
        blocks[:, offset : offset + 2] = scale.view(np.uint8).reshape(-1, 2)
    return blocks


def record(out: Path):
    """`blocks.gguf` and `expected.safetensors`, keys `source` and the formats' names."""
    out.mkdir(parents=True, exist_ok=True)
    expected, values = Expected(), matrix()
    expected.tensor("source", values)
    writer = gguf.GGUFWriter(out / "blocks.gguf", "blocks")
    writer.add_string("tests.text", "every kind of value: ä 猫")
    writer.add_uint32("tests.unsigned", 4_000_000_000)
    writer.add_int32("tests.signed", -5)
    writer.add_uint64("tests.large", 2**40 + 1)
    writer.add_float32("tests.float", 0.1)
    writer.add_float64("tests.double", 0.1)
    writer.add_bool("tests.flag", True)
    writer.add_array("tests.numbers", [1, -2, 3])
    writer.add_array("tests.words", ["a", "", "picture"])
    for kind in WRITTEN:
        data = values if kind == Kind.F32 else gguf.quants.quantize(values, kind)
        add(writer, expected, kind, data)
    for seed, (kind, scales) in enumerate(READ.items()):
        add(writer, expected, kind, random_blocks(kind, scales, seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expected.json = {"shape": list(SHAPE), "formats": [kind.name for kind in [*WRITTEN, *READ]]}
    expected.write(out)


def add(writer, expected, kind, data):
    writer.add_tensor(kind.name, data, raw_dtype=kind)
    expected.tensor(kind.name, gguf.quants.dequantize(data, kind).reshape(SHAPE))
