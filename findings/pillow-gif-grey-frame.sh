#!/usr/bin/env bash
# Pillow 13.0.0 shows a GIF frame whose own palette is a ramp of greys in the colours of the file's
# global palette: it drops the ramp as "not needed", and then puts the global palette in its place.
#
# Input: a GIF of 4 x 1 pixels, indices 0 1 2 3; global palette red, green, blue, yellow; the frame has
# a palette of its own: the greys 0, 1, 2, 3. By the format the frame's own palette counts.
#
# Seen with Pillow 13.0.0:
#   own palette of greys 0 1 2 3: (255,0,0) (0,255,0) (0,0,255) (255,255,0)     <- the global one
#   own palette of greys 9 1 2 3: (9,9,9) (1,1,1) (2,2,2) (3,3,3)               <- its own
# obscura shows the frame's own colours (docs/pictures.md).
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

def gif(first):
    colours = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0])
    own = bytes([first] * 3 + [1] * 3 + [2] * 3 + [3] * 3)
    codes = [4, 0, 1, 4, 2, 3, 5]  # clear, two pixels, clear, two pixels, end: three bits each
    packed = sum(code << 3 * place for place, code in enumerate(codes)).to_bytes(3, "little")
    screen = struct.pack("<HHBBB", 4, 1, 0x81, 0, 0)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 4, 1, 0x81) + own
    return b"GIF89a" + screen + colours + frame + b"\2" + bytes([len(packed)]) + packed + b"\0;"

def shown(first):
    pixels = Image.open(io.BytesIO(gif(first))).convert("RGB").tobytes()
    return [tuple(pixels[at : at + 3]) for at in range(0, 12, 3)]

ramp, other = shown(0), shown(9)
print("own palette of greys 0 1 2 3:", *ramp)
print("own palette of greys 9 1 2 3:", *other)
own = other == [(9, 9, 9), (1, 1, 1), (2, 2, 2), (3, 3, 3)]
sys.exit(0 if own and ramp == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)] else 1)
PYTHON
