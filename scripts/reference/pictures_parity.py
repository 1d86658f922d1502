"""Compares what obscura and Pillow make of every file below a folder: scripts/pictures-parity."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from pathlib import Path

sys.dont_write_bytecode = True

import PIL  # noqa: E402
from PIL import Image  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reference.kinds.upright import upright  # noqa: E402

COLUMNS = ["equal", "known", "DIFFERENT", "refused by name", "REFUSED", "refused by both", "shown by us alone"]
WRONG = {"DIFFERENT", "REFUSED"}
AT_ONCE = 100


def black_and_white_bmp(data):
    """Pillow reads the pixels of a BMP of 4 or 8 bits as single bits if its two colours are black and white."""
    return data[:2] == b"BM" and data[28] in (4, 8) and data[30:34] == bytes(4) and data[46:50] == b"\2\0\0\0"


def grey_frame(data):
    """Pillow shows a GIF frame whose own palette is a grey ramp in the colours of the file's palette."""
    return data[:4] == b"GIF8" and bool(data[10] & 0x80)


def lossy_jpeg_2000(data):
    """Whether each decoder may round in its own way: by a level, by two where luma and chroma become RGB."""
    start = data.find(b"\xff\x4f\xff\x51")
    style = data.find(b"\xff\x52", start)
    return 0 <= start < style and data[style + 13 : style + 14] == b"\0"


def damaged_jpeg(data):
    """Whether libjpeg warns of the data, of which Pillow shows what there is: `djpeg` says, where it is installed."""
    if data[:2] != b"\xff\xd8" or not shutil.which("djpeg"):
        return False
    warned = subprocess.run(["djpeg", "-outfile", os.devnull], input=data, capture_output=True).stderr
    return b"Corrupt JPEG data" in warned or b"Premature end" in warned


# What is known to differ, by the outcome that it explains.
KNOWN = {"DIFFERENT": [black_and_white_bmp, grey_frame], "REFUSED": [damaged_jpeg]}
# Single files of public collections, by their SHA-256: damaged on purpose, and shown by Pillow in part.
KNOWN_FILES = {
    "ddd0e3dacafb111af730d6ca9488a05f7751a2c86561af0bcce29cdff3657305": "crash-74d2a78403a5a59db1fb0a2b8735ac068a75f6e3.tif: damaged, found by fuzzing",
    "447bbdd04457e04ebbae62abf7543c32bd60602a06401164e5f46bcd72979663": "multipage_single_frame_loop.tiff: its directories are a circle",
    "3c1a3f9691a90be6a778f293f857b781e10b06fa5335dbb27b154c774728d391": "tiff_wrong_bits_per_sample_2.tiff: says a wrong number of bits",
    "081118d951224d9909b105bb75f9667fd817e7b95122d141e91b43604dacd78b": "quad-lzw-compat.tiff: LZW of before 1989",
    "38b3093d53a1a80fdb949992ee51d6cb184894cc82ddec7a7f71ea5817e49868": "test_ifd_loop_to_self.tif: its directories are a circle",
    "ec5170d270d0a032d74e58e2345c3603be6276f8353e9293acfd44428aef2a08": "colormap-too-small.tga: names colours that it lacks",
    "b37d2a0a90cd7f16db57c7aaf3580cb1dff1610c7f5334c922761b1f18fdcda1": "issue_1099_poc.bin: damaged, found by fuzzing",
    "54a027d795b3d6b01eead72a723321ebb6a61a65ddf433f2d977fd50f9a3b01a": "issue_ghsa_8949_hhfh_j7rj_poc.jp2: damaged, found by fuzzing",
}


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def by_obscura(binary, paths, *more):
    """{path: {width, height, sha256} or {error}}. A run that dies is repeated one file at a time."""
    found = {}
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        ran = subprocess.run([binary, "pixels", "--json", *more, *map(str, some)], capture_output=True, text=True)
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        if len(lines) < len(some) and len(some) > 1:
            for path in some:
                found |= by_obscura(binary, [path], *more)
        elif len(lines) < len(some):
            found[some[0]] = {"error": f"DIED with {ran.returncode}: {ran.stderr[-200:]}"}
        found |= {Path(line["image"]): line for line in lines}
    return found


def by_pillow(path):
    """(kind, image or None, reason)"""
    kind = "?"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                kind = kind_of(image)
            return kind, upright(path), ""
    except Exception as error:  # noqa: BLE001: whatever it is, Pillow refuses the file
        return kind, None, f"{type(error).__name__}: {error}"


def kind_of(image):
    """The format; of a JPEG also how it is coded and sampled."""
    layers = getattr(image, "layer", None)
    if image.format not in ("JPEG", "MPO") or not layers:
        return image.format
    widest, tallest = max(layer[1] for layer in layers), max(layer[2] for layer in layers)
    sampling = " ".join(f"{layer[1]}x{layer[2]}" for layer in layers)
    names = {"2x2 1x1 1x1": "4:2:0", "2x1 1x1 1x1": "4:2:2", "1x1 1x1 1x1": "4:4:4", "1x2 1x1 1x1": "4:4:0", "4x1 1x1 1x1": "4:1:1"}
    name = "grey" if len(layers) == 1 else names.get(sampling, sampling if max(widest, tallest) > 1 else f"{len(layers)} bands")
    return f"JPEG {name}{' progressive' if image.info.get('progressive') else ''}"


def levels_apart(binary, path, image):
    """How far each value is apart; None of pictures of different sizes."""
    with tempfile.TemporaryDirectory() as folder:
        by_obscura(binary, [path], "--raw", folder)
        raw = Path(folder, f"{path.name}.rgb").read_bytes()
    theirs = image.tobytes()
    return [abs(a - b) for a, b in zip(raw, theirs)] if len(raw) == len(theirs) else None


def difference(binary, path, image):
    apart = levels_apart(binary, path, image)
    if apart is None:
        return "another size"
    return f"{sum(1 for level in apart if level)} of {len(apart)} values, by up to {max(apart)} levels"


def judge(path, ours, image):
    """The column for one file, and what to say about it."""
    if "error" in ours:
        if image is None:
            return "refused by both", ""
        named = "not supported" in ours["error"] or "not recognised" in ours["error"] or "too large" in ours["error"]
        return ("refused by name" if named else "REFUSED"), ours["error"]
    if image is None:
        return "shown by us alone", ""
    same = (ours["width"], ours["height"]) == image.size and ours["sha256"] == hashlib.sha256(image.tobytes()).hexdigest()
    return ("equal" if same else "DIFFERENT"), ""


def is_known(column, data):
    return hashlib.sha256(data).hexdigest() in KNOWN_FILES or any(known(data) for known in KNOWN[column])


def main(binary, folder):
    paths = files_below(folder)
    ours = by_obscura(binary, paths)
    table, complaints = defaultdict(Counter), []
    for path in paths:
        kind, image, reason = by_pillow(path)
        if kind == "?" and "error" in ours[path]:
            continue  # no picture to either
        column, words = judge(path, ours[path], image)
        data = path.read_bytes()
        if column in WRONG and is_known(column, data):
            column = "known"
        if column == "DIFFERENT" and lossy_jpeg_2000(data) and max(levels_apart(binary, path, image) or [255]) <= 2:
            column = "known"
        table[kind][column] += 1
        if column not in ("equal", "refused by both"):
            words = words or (difference(binary, path, image) if column in ("DIFFERENT", "known") else f"Pillow: {reason}")
            complaints.append((column, kind, path.relative_to(folder), words))
    report(table, complaints)
    return any(column in WRONG for column, *_ in complaints)


def report(table, complaints):
    for complaint in sorted(complaints, key=lambda each: (each[0].islower(), *map(str, each))):
        print("{}: {}: {}: {}".format(*complaint))
    print("| Format | " + " | ".join(COLUMNS).lower() + " |")
    print("|---" + "|---:" * len(COLUMNS) + "|")
    whole = Counter()
    for kind in sorted(table):
        print(f"| {kind} | " + " | ".join(str(table[kind][column] or "") for column in COLUMNS) + " |")
        whole.update(table[kind])
    print("| all | " + " | ".join(str(whole[column] or "") for column in COLUMNS) + " |")


if __name__ == "__main__":
    if PIL.__version__ != "13.0.0":
        sys.exit(f"Pillow 13.0.0 is compared with, this is {PIL.__version__}")
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
