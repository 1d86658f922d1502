#!/usr/bin/env bash
# pillow-jxl-plugin 1.3.8 shows the last frame of an animated JPEG XL picture, and says that it has one
# frame. Of other animated formats Pillow shows the first, as viewers do before they play them.
#
# Input: a lossless animation of three flat frames, red, green and blue, by imagecodecs.
#
# Seen with pillow-jxl-plugin 1.3.8, Pillow 13.0.0 and imagecodecs 2026.3.6:
#   JPEG XL: 1 frame, (0, 0, 255)
#   WebP:    3 frames, (255, 0, 0)
# obscura shows the first frame (docs/pictures.md).
#
# Exits 0 while the plugin does so, 1 when it behaves otherwise. Needs Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pillow==13.0.0 pillow-jxl-plugin==1.3.8 imagecodecs==2026.3.6
"$folder/venv/bin/python" - <<'PYTHON'
import io, sys
import imagecodecs, numpy, pillow_jxl
from PIL import Image

frames = numpy.zeros((3, 8, 8, 3), "uint8")
for place in range(3):
    frames[place, ..., place] = 255
webp = io.BytesIO()
first, *rest = (Image.fromarray(frame) for frame in frames)
first.save(webp, "WEBP", lossless=True, save_all=True, append_images=rest)

def shown(file):
    image = Image.open(io.BytesIO(file))
    return image.n_frames, image.convert("RGB").getpixel((0, 0))

jxl, other = shown(imagecodecs.jpegxl_encode(frames, lossless=True)), shown(webp.getvalue())
print("JPEG XL: {} frame, {}".format(*jxl))
print("WebP:    {} frames, {}".format(*other))
sys.exit(0 if jxl == (1, (0, 0, 255)) and other == (3, (255, 0, 0)) else 1)
PYTHON
