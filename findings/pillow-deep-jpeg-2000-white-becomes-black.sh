#!/usr/bin/env bash
# Pillow 13.0.0 shows the whitest pixels of a JPEG 2000 picture as black, if it has more than 8 bits for
# each colour: it rounds to 8 bits, and 65535 rounded up does not fit and begins again at 0.
#
# Input: lossless RGB of 16 bits, four pixels with the levels 0, 32768, 65407 and 65535, by imagecodecs.
#
# Seen with Pillow 13.0.0 and imagecodecs 2026.3.6:
#   Pillow:      [0, 128, 255, 0]
#   imagecodecs: [0, 32768, 65407, 65535]
# obscura shows white (docs/pictures.md).
#
# Exits 0 while Pillow does so, 1 when it behaves otherwise. Needs Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pillow==13.0.0 imagecodecs==2026.3.6
"$folder/venv/bin/python" - <<'PYTHON'
import io, sys
import imagecodecs, numpy
from PIL import Image

levels = numpy.array([0, 32768, 65407, 65535], "uint16")
file = imagecodecs.jpeg2k_encode(numpy.repeat(levels[None, :, None], 3, 2), level=0, reversible=True, codecformat="jp2")
image = Image.open(io.BytesIO(file))
pillow = list(image.convert("RGB").getchannel("G").tobytes())
print("Pillow:     ", pillow)
print("imagecodecs:", imagecodecs.jpeg2k_decode(file)[0, :, 1].tolist())
sys.exit(0 if pillow == [0, 128, 255, 0] else 1)
PYTHON
