#!/usr/bin/env python3
"""Checks a .gguf file against the `gguf` package: it must be readable, and mean the same numbers.

    check-gguf.py FILE.gguf [--readable-only]

`FILE.gguf.f32` holds the numbers as obscura reads them: little-endian float32 of all tensors, one
after the other in the file's order. Each tensor is dequantized by `gguf.quants` and compared bit by
bit. Where the file holds `NAME.F32` next to `NAME.F16`, `NAME.Q8_0` or `NAME.Q4_0`, the package
also quantizes the former and compares the bytes. Exits with 1 at the first difference, naming the
tensor. Needs `gguf` and `numpy` from PyPI.
"""

import argparse
import sys
from pathlib import Path

import gguf
import numpy as np

QUANTIZED = ["F16", "Q8_0", "Q4_0"]


def dequantized(tensor):
    """float32, flat, in row-major order."""
    with np.errstate(all="ignore"):  # infinite scales are part of the check
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return np.ascontiguousarray(values, dtype=np.float32).reshape(-1)


def bits(values):
    """The bits of float32 numbers, with all NaNs alike."""
    return np.where(np.isnan(values), np.float32("nan"), values).astype(np.float32).view(np.uint32)


def check_values(tensor, found):
    expected = dequantized(tensor)
    if found.size != expected.size:
        sys.exit(f"{tensor.name}: the dump ends early, {expected.size} numbers were expected, {found.size} are left")
    different = np.flatnonzero(bits(found) != bits(expected))
    if different.size:
        index = different[0]
        sys.exit(
            f"{tensor.name} ({tensor.tensor_type.name}): number {index} is {found[index]!r}, "
            f"gguf says {expected[index]!r}; {different.size} of {expected.size} differ"
        )


def check_bytes(tensor, source):
    """`tensor` must hold what the package makes of the float32 tensor `source`."""
    with np.errstate(all="ignore"):  # scales beyond float16 are part of the check
        expected = gguf.quants.quantize(np.asarray(source.data), tensor.tensor_type)
    expected = np.ascontiguousarray(expected).view(np.uint8).reshape(-1)
    found = np.ascontiguousarray(tensor.data).view(np.uint8).reshape(-1)
    different = np.flatnonzero(found != expected)
    if different.size:
        index = different[0]
        sys.exit(f"{tensor.name}: byte {index} is {found[index]}, gguf makes {expected[index]} of {source.name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE.gguf")
    parser.add_argument("--readable-only", action="store_true", help="do not ask for a dump of the numbers")
    arguments = parser.parse_args()

    reader = gguf.GGUFReader(arguments.file)
    by_name = {tensor.name: tensor for tensor in reader.tensors}
    dump = None if arguments.readable_only else np.fromfile(f"{arguments.file}.f32", dtype="<f4")
    position = requantized = 0
    for tensor in reader.tensors:
        count = int(tensor.n_elements)
        if dump is None:
            dequantized(tensor)
        else:
            check_values(tensor, dump[position : position + count])
        position += count
        stem, _, kind = tensor.name.rpartition(".")
        if kind in QUANTIZED and kind == tensor.tensor_type.name and f"{stem}.F32" in by_name:
            check_bytes(tensor, by_name[f"{stem}.F32"])
            requantized += 1
    if dump is not None and position != dump.size:
        sys.exit(f"the dump holds {dump.size} numbers, the file {position}")
    compared = "readable" if dump is None else "equal"
    print(f"{arguments.file}: {len(by_name)} tensors, {position} numbers {compared}, {requantized} quantized alike")


if __name__ == "__main__":
    main()
