#!/usr/bin/env python3
"""Makes small picture files of every kind that a decoder meets, and records what Pillow makes of each.

    python -m venv VENV && VENV/bin/pip install pillow==13.0.0 pillow-jxl-plugin==1.3.8
    VENV/bin/python scripts/reference/picture_files.py [KIND...]     # writes tests/golden/pictures

The files of a kind lie together in one JSON file, `{name: {file, width, height, sha256}}`: `file` is the whole
picture in hexadecimal, `sha256` that of its upright RGB8 bytes (see kinds/upright.py), or `pixels` those bytes, where a level more or less is right. Where Pillow refuses the
picture there is `refused` instead, with Pillow's reason. tests/pictures.rs compares, natively and in the browser.
"""

import hashlib
import io
import json
import sys
import warnings
from pathlib import Path

sys.dont_write_bytecode = True

import PIL  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from reference.kinds import bmp, gif, icons, jxl_and_jp2, more, orientation, png, webp  # noqa: E402
from reference.kinds.upright import upright  # noqa: E402

OUT = ROOT / "tests" / "golden" / "pictures"
KINDS = {"orientation": orientation, "bmp": bmp, "png": png, "gif": gif, "webp": webp, "more": more, "icons": icons, "jxl-and-jp2": jxl_and_jp2}


def recorded(data, lossy):
    facts = {"file": data.hex()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = upright(io.BytesIO(data))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".split("<_io")[0].replace("\n", " ")[:100]
            return {**facts, "refused": reason}
    width, height = image.size
    pixels = image.tobytes()
    shown = {"pixels": pixels.hex()} if lossy else {"sha256": hashlib.sha256(pixels).hexdigest()}
    return {**facts, "width": width, "height": height, **shown}


def write(name, files):
    OUT.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(key)}: {json.dumps(recorded(data, key.endswith('-lossy')))}" for key, data in files.items()]
    (OUT / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    assert PIL.__version__ == "13.0.0", f"Pillow 13.0.0 was recorded, this is {PIL.__version__}"
    for name in sys.argv[1:] or KINDS:
        write(name, KINDS[name].files())
