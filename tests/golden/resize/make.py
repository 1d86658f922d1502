"""Writes cases.json: the hashes of what Pillow's resize gives for pictures made by a formula that
tests/image_and_tokenizer.rs shares. Run with the Pillow of scripts/reference: python make.py"""

import json
import pathlib
import random

import PIL
from PIL import Image

SIDES = [1, 2, 3, 5, 7, 13, 16, 31, 64, 97, 100, 224, 225, 333, 640]
MASK = 0xFFFFFFFF


def picture(width, height, seed):
    """Noise in blocks of 1 to 4 pixels, so that there are both edges and plain parts."""
    block = seed % 4 + 1
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            for colour in range(3):
                mixed = x // block * 73856093 ^ y // block * 19349663
                mixed ^= (colour + 1) * 83492791 ^ seed * 2654435761
                mixed &= MASK
                mixed = ((mixed ^ mixed >> 15) * 2246822519) & MASK
                pixels.append(mixed >> 24)
    return Image.frombytes("RGB", (width, height), bytes(pixels))


def fnv1a(data):
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def main():
    rng = random.Random(7)
    cases = []
    for seed in range(120):
        width, height, to_width, to_height = (rng.choice(SIDES) for _ in range(4))
        resample = 3 if seed % 2 else rng.randrange(6)
        resized = picture(width, height, seed).resize((to_width, to_height), resample)
        cases.append([width, height, seed, to_width, to_height, resample, fnv1a(resized.tobytes())])
    lines = ",\n".join("    " + json.dumps(case) for case in cases)
    text = f'{{\n  "pillow": "{PIL.__version__}",\n  "cases": [\n{lines}\n  ]\n}}\n'
    pathlib.Path(__file__).with_name("cases.json").write_text(text)


main()
