#!/usr/bin/env python3
"""Draws about the largest picture of each kind that obscura accepts, and one of each that it refuses:

    scripts/benchmark/largest_pictures.py FOLDER

What is accepted follows from the bytes a pixel that decoding takes: docs/pictures.md. The pictures are a tile of a
noisy scene, again and again. Needs Pillow and numpy (scripts/reference/requirements.txt), 4 GB and minutes.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

Image.MAX_IMAGE_PIXELS = None

KINDS = [  # name, Pillow's mode, width, height, ending, options
    ("jpeg-420", "RGB", 16384, 10922, "jpg", {"quality": 85, "subsampling": 2}),
    ("jpeg-420-progressive", "RGB", 10752, 8040, "jpg", {"quality": 80, "subsampling": 2, "progressive": True}),
    ("jpeg-444-progressive", "RGB", 8736, 6536, "jpg", {"quality": 80, "subsampling": 0, "progressive": True}),
    ("png-rgb", "RGB", 16384, 10922, "png", {"compress_level": 1}),
    ("png-rgba", "RGBA", 14000, 9586, "png", {"compress_level": 1}),
    ("webp-lossy", "RGB", 11000, 8130, "webp", {"quality": 75, "method": 0}),
    ("webp-lossless", "RGB", 10000, 7660, "webp", {"lossless": True, "method": 0, "quality": 0}),
    ("gif", "P", 13000, 10300, "gif", {}),
    ("bmp-rgb", "RGB", 16384, 10922, "bmp", {}),
    ("refused-jpeg-420", "RGB", 16384, 11000, "jpg", {"quality": 40, "subsampling": 2}),
    ("refused-jpeg-444-progressive", "RGB", 8736, 6700, "jpg", {"quality": 40, "subsampling": 0, "progressive": True}),
    ("refused-png-rgb", "RGB", 16384, 11000, "png", {"compress_level": 1}),
    ("refused-webp-lossless", "RGB", 10000, 7800, "webp", {"lossless": True, "method": 0, "quality": 0}),
]


def tile(side=512):
    """Soft shapes with the grain of a sensor."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) * (2 * np.pi / side)
    bands = [128 + 70 * np.sin((band + 1) * x) * np.cos((3 - band) * y) for band in range(3)]
    grain = np.random.default_rng(7).normal(0, 9, (side, side, 3))
    return np.clip(np.stack(bands, 2) + grain, 0, 255).astype(np.uint8)


def drawn(mode, width, height):
    one = tile()
    times = (-(-height // one.shape[0]), -(-width // one.shape[1]))
    if mode == "P":
        one = np.asarray(Image.fromarray(one).quantize(200))
        return Image.fromarray(np.tile(one, times)[:height, :width], "P")
    image = Image.fromarray(np.tile(one, (*times, 1))[:height, :width])
    return image.convert(mode)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, mode, width, height, ending, options in KINDS:
        path = folder / f"{name}-{width}x{height}.{ending}"
        if not path.exists():
            image = drawn(mode, width, height)
            if mode == "P":
                image.putpalette(Image.fromarray(tile()).quantize(200).getpalette())
            image.save(path, **options)
        print(path, path.stat().st_size, flush=True)


main(Path(sys.argv[1]))
