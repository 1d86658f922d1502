#!/usr/bin/env bash
# Pillow 13.0.0 shows another picture than a BMP holds whose palette is just black and white and whose
# pixels have 8 (or 4) bits: it takes the palette for a sign of 1-bit pixels and reads the bytes as bits.
#
# Input: an 8-bit BMP of 8 x 1 pixels, biClrUsed = 2, palette black, white; indices 1 0 1 0 1 0 1 0.
# The picture is white black white black ...; the same pixels with a palette of dark red and white are right.
#
# Seen with Pillow 13.0.0:
#   black and white:   mode 1, [0, 0, 0, 0, 0, 0, 0, 255]
#   dark red and white: mode P, [255, 0, 255, 0, 255, 0, 255, 0]
# obscura shows the picture that the file holds (docs/pictures.md).
#
# Exits 0 while Pillow does so, 1 when it behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io, struct, sys
from PIL import Image

def bmp(first):
    palette = first + b"\0" + b"\xff\xff\xff\0"
    head = struct.pack("<IiiHHIIiiII", 40, 8, 1, 1, 8, 0, 8, 2835, 2835, 2, 0)
    pixels = bytes([1, 0, 1, 0, 1, 0, 1, 0])
    at = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", at + len(pixels), 0, 0, at) + head + palette + pixels

def shown(first):
    image = Image.open(io.BytesIO(bmp(first)))
    return image.mode, list(image.convert("RGB").getchannel("G").tobytes())

black, red = shown(b"\0\0\0"), shown(b"\0\0\x80")
print("black and white:   ", black)
print("dark red and white:", red)
right = [255, 0] * 4
sys.exit(0 if red[1] == right and black == ("1", [0] * 7 + [255]) else 1)
PYTHON
