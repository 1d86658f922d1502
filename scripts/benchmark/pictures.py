#!/usr/bin/env python3
"""Times the decoding and preparing of large photographs, beside Pillow in the same minute:

    scripts/benchmark/pictures.py [--runs 7] [--example target/release/examples/picture_speed] [FILE...]

Without files it draws its own: a noisy scene with the sizes, samplings and qualities of cameras and phones, upright and
turned, sequential and progressive. Pillow takes the steps of `transformers`: open, exif_transpose, RGB, resize, crop, and the
normalisation in numpy. Each program is run by itself, ours and Pillow's in turns, and the least time of all runs counts.
Needs Pillow and numpy (scripts/reference/requirements.txt) and `cargo build --release --example picture_speed`.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

PHOTOS = [  # name, width, height, quality, Pillow's subsampling, progressive, orientation
    ("12 MP 4:2:0", 4032, 3024, 92, 2, False, 1),
    ("12 MP 4:2:0 turned", 4032, 3024, 92, 2, False, 6),
    ("12 MP 4:2:2", 4000, 3000, 95, 1, False, 1),
    ("12 MP 4:2:2 turned", 4000, 3000, 95, 1, False, 8),
    ("12 MP 4:4:4", 4000, 3000, 90, 0, False, 1),
    ("12 MP 4:2:0 progressive", 4032, 3024, 90, 2, True, 1),
    ("16 MP 4:2:0 mirrored", 4608, 3456, 93, 2, False, 2),
    ("16 MP 4:2:0 turned", 4608, 3456, 93, 2, False, 6),
    ("16 MP 4:2:2 progressive turned", 4608, 3456, 90, 1, True, 6),
    ("20 MP 4:2:2", 5472, 3648, 94, 1, False, 1),
    ("24 MP 4:2:0", 6000, 4000, 95, 2, False, 1),
    ("24 MP 4:4:4 progressive", 6000, 4000, 85, 0, True, 1),
    ("33 MP 4:2:0 turned", 7008, 4672, 93, 2, False, 8),
]


def scene(width, height):
    """Large soft shapes, edges at every angle and the grain of a sensor: files as large as cameras' own."""
    dice = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    picture = np.empty((height, width, 3), np.uint8)
    for band in range(3):
        soft = 120 + 60 * np.sin(x / (310 + 40 * band)) * np.cos(y / (270 - 30 * band))
        edges = 45 * (np.sin(x / 23 + np.sin(y / 171) * 6) > 0.8) - 30 * (np.cos((x + y) / 41) > 0.9)
        fine = 12 * np.sin(x / 1.9 + y / 2.7) * (np.sin(x / 700) > 0)
        grain = dice.normal(0, 5, (height, width)).astype(np.float32)
        picture[..., band] = np.clip(soft + edges + fine + grain, 0, 255)
    return Image.fromarray(picture)


def draw(folder):
    scenes, paths = {}, []
    for name, width, height, quality, subsampling, progressive, orientation in PHOTOS:
        if (width, height) not in scenes:
            scenes = {(width, height): scene(width, height)}
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = folder / f"{name.replace(' ', '-').replace(':', '')}.jpg"
        scenes[width, height].save(path, quality=quality, subsampling=subsampling, progressive=progressive, exif=exif)
        paths.append((name, path))
    return paths


def prepare_with_pillow(data):
    began = time.perf_counter()
    image = Image.open(io.BytesIO(data))
    image.load()
    image = ImageOps.exif_transpose(image).convert("RGB")
    decoded = time.perf_counter()
    width, height = image.size
    size = (224, int(224 * height / width)) if width <= height else (int(224 * width / height), 224)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)))
    mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
    deviation = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
    ((pixels * (1 / 255)).astype(np.float32) - mean) / deviation
    return decoded - began, time.perf_counter() - began


def pillow(runs, path):
    """What a process of its own prints for one file."""
    data = Path(path).read_bytes()
    times = [prepare_with_pillow(data) for _ in range(runs)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    decode, both = (min(t[i] for t in times) * 1e3 for i in (0, 1))
    print(json.dumps({"decode_ms": decode, "decode_and_prepare_ms": both, "peak_bytes": peak}))


def measured(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def least(one, other):
    return other if one is None else {key: min(one[key], other[key]) for key in ("decode_ms", "decode_and_prepare_ms", "peak_bytes")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--example", default="target/release/examples/picture_speed")
    parser.add_argument("--pillow-one", help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    if options.pillow_one:
        return pillow(options.runs, options.pillow_one)
    with tempfile.TemporaryDirectory() as folder:
        paths = [(Path(file).name, Path(file)) for file in options.files] or draw(Path(folder))
        print("| Photograph | MB | obscura: decode, with preparing (ms) | Pillow | ratio | peak MB: obscura, Pillow |")
        print("|---|---|---|---|---|---|")
        for name, path in paths:
            ours = theirs = None
            for _ in range(2):
                ours = least(ours, measured([options.example, str(options.runs), str(path)]))
                theirs = least(theirs, measured([sys.executable, __file__, "--runs", str(options.runs), "--pillow-one", str(path)]))
            size = path.stat().st_size / 1e6
            ratio = ours["decode_and_prepare_ms"] / theirs["decode_and_prepare_ms"]
            print(f"| {name} | {size:.1f} | {ours['decode_ms']:.0f}, {ours['decode_and_prepare_ms']:.0f} | "
                  f"{theirs['decode_ms']:.0f}, {theirs['decode_and_prepare_ms']:.0f} | {ratio:.2f} | "
                  f"{ours['peak_bytes'] / 1e6:.0f}, {theirs['peak_bytes'] / 1e6:.0f} |", flush=True)


main()
