#!/usr/bin/env python3
"""Writes tests/golden/jpeg: JPEG files of every kind that is small, and the pixels that the reference sees in them.

    python scripts/reference/jpegs.py             # the committed ones, into tests/golden/jpeg
    python scripts/reference/jpegs.py FOLDER      # a file each, into FOLDER, every size with every kind

It takes cjpeg and jpegtran of libjpeg-turbo (Debian's libjpeg-turbo-progs), which make the kinds that Pillow reads and does
not write, and Pillow itself, whose pixels are the right ones. What neither of them writes is put together here byte by byte.

The picture is drawn here: smooth colours, a sharp edge and a few single pixels, so that every coefficient has its turn.
"""

import hashlib
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

GOLDEN = Path(__file__).resolve().parent.parent.parent / "tests/golden/jpeg"

SAMPLINGS = {
    "444": "1x1", "422": "2x1", "440": "1x2", "420": "2x2", "411": "4x1", "441": "1x4", "410": "4x2", "2x4": "2x4",
    "3x1": "3x1", "1x3": "1x3", "mixed": "2x2,2x1,1x2", "chroma-wide": "2x1,1x1,2x1", "luma-below": "1x1,2x2,1x1",
}

SEPARATE = "0;1;2;"
TWO_SCANS = "0;1 2;"
# A scan a line: components, first and last coefficient, highest bit before and lowest bit now.
SPECTRAL = "0,1,2: 0-0, 0, 0;\n0: 1-9, 0, 0;\n2: 1-63, 0, 0;\n1: 1-63, 0, 0;\n0: 10-63, 0, 0;"
BITS = "0 1 2: 0-0, 0, 2;\n0: 1-63, 0, 2;\n1: 1-63, 0, 1;\n2: 1-63, 0, 1;\n0 1 2: 0-0, 2, 1;\n0: 1-63, 2, 1;\n0 1 2: 0-0, 1, 0;\n0: 1-63, 1, 0;\n1: 1-63, 1, 0;\n2: 1-63, 1, 0;"

CODINGS = {
    "baseline": [],
    "optimised": ["-optimize"],
    "restarts": ["-restart", "1B"],
    "restart-rows": ["-restart", "1", "-optimize"],
    "separate": ["-scans", SEPARATE],
    "two-scans": ["-scans", TWO_SCANS, "-restart", "2B"],
    "progressive": ["-progressive"],
    "progressive-restarts": ["-progressive", "-restart", "1B"],
    "spectral": ["-scans", SPECTRAL],
    "bits": ["-scans", BITS],
    "arithmetic": ["-arithmetic"],
    "arithmetic-restarts": ["-arithmetic", "-restart", "2B"],
    "arithmetic-progressive": ["-arithmetic", "-progressive"],
    "arithmetic-separate": ["-arithmetic", "-scans", SEPARATE],
    "coarse": ["-quality", "3"],  # factors of 16 bits
    "fine": ["-quality", "100", "-optimize"],
}


def drawn(width, height, mode="RGB"):
    dice = random.Random(width * 100 + height)
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            colour = [130 + 9 * x - 5 * y, 40 + 11 * y, 220 - 7 * x + 3 * y]
            if x * 3 > width * 2:
                colour = [colour[1], 255 - colour[0], colour[2] // 2]
            if dice.random() < 0.15:
                colour = [dice.randrange(256) for _ in colour]
            image.putpixel((x, y), tuple(min(max(c, 0), 255) for c in colour))
    return image.convert(mode)


def run(tool, arguments, data):
    with tempfile.TemporaryDirectory() as folder:
        arguments = list(arguments)
        if "-scans" in arguments:
            script = Path(folder) / "scans.txt"
            script.write_text(arguments[arguments.index("-scans") + 1])
            arguments[arguments.index("-scans") + 1] = str(script)
        return subprocess.run([tool, *arguments], input=data, capture_output=True, check=True).stdout


def ppm(image):
    out = io.BytesIO()
    image.save(out, "PPM")
    return out.getvalue()


def compressed(width, height, sampling, coding, quality=83):
    arguments = ["-quality", str(quality), "-sample", sampling, *coding]
    return run("cjpeg", arguments, ppm(drawn(width, height)))


def segments(data):
    """The markers of a file with where they begin and end, up to the first scan's data."""
    at = 2
    while True:
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2:at + 4])[0]
        yield marker, at, at + 2 + length
        if marker == 0xDA:
            return
        at += 2 + length


def without(data, *markers):
    """The file without the segments of these markers."""
    kept, start = b"", 0
    for marker, begin, end in segments(data):
        if marker in markers:
            kept, start = kept + data[start:begin], end
    return kept + data[start:]


def with_component_ids(data, ids):
    data = bytearray(data)
    for marker, begin, _ in segments(bytes(data)):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            for i, name in enumerate(ids):
                data[begin + 10 + 3 * i] = name
        if marker == 0xDA:
            for i, name in enumerate(ids):
                data[begin + 5 + 2 * i] = name
    return bytes(data)


def scan_starts(data):
    """Where the scans of a file begin. No thumbnails in these files, so that every such marker is one."""
    return [i for i in range(len(data) - 1) if data[i:i + 2] == b"\xff\xda"]


def adobe(transform):
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


def lossless(image, predictor, shift, restarts=False, samplings=(0x11, 0x11, 0x11)):
    """A lossless JPEG (T.81, annex H): one Huffman code, in which each size has five bits."""
    bands = [list(band.tobytes()) for band in image.split()]
    width, height = image.size
    across = max(s >> 4 for s in samplings[:len(bands)])
    down = max(s & 15 for s in samplings[:len(bands)])
    bits = []

    def put(value, size):
        bits.extend((value >> i) & 1 for i in reversed(range(size)))

    def difference(band, x, y, stride, first_row):
        at = lambda dx, dy: band[(y + dy) * stride + x + dx] >> shift
        if x == 0:
            guess = 1 << (7 - shift) if first_row else at(0, -1)
        elif first_row or predictor == 1:
            guess = at(-1, 0)
        else:
            left, above, corner = at(-1, 0), at(0, -1), at(-1, -1)
            guess = [None, left, above, corner, left + above - corner, left + ((above - corner) >> 1),
                     above + ((left - corner) >> 1), (left + above) >> 1][predictor]
        value = at(0, 0) - guess
        size = abs(value).bit_length()
        put(size, 5)
        put(value if value > 0 else value + (1 << size) - 1, size)

    def flush():
        bits.extend([1] * (-len(bits) % 8))
        packed = bytes(int("".join(map(str, bits[i:i + 8])), 2) for i in range(0, len(bits), 8))
        bits.clear()
        return packed.replace(b"\xff", b"\xff\0")

    # Each band as large as its sampling says, filled up to whole units.
    units = (-(-width // across), -(-height // down))
    planes = []
    for band, sampling in zip(bands, samplings):
        h, v = sampling >> 4, sampling & 15
        w, rows = -(-width * h // across), -(-height * v // down)
        stride = units[0] * h
        plane = []
        for y in range(units[1] * v):
            row = [band[min(min(y, rows - 1) * down // v, height - 1) * width + min(x * across // h, width - 1)] for x in range(w)]
            plane += row + [row[-1]] * (stride - w)
        planes.append((plane, h, v, stride))
    data = b""
    for unit_y in range(units[1]):
        for unit_x in range(units[0]):
            for plane, h, v, stride in planes:
                for y in range(unit_y * v, unit_y * v + v):
                    for x in range(unit_x * h, unit_x * h + h):
                        difference(plane, x, y, stride, y == 0 or (restarts and y == unit_y * v))
        if restarts and unit_y + 1 < units[1]:
            data += flush() + bytes([0xFF, 0xD0 + unit_y % 8])
    data += flush()
    count = len(bands)
    frame = struct.pack(">BHHB", 8, height, width, count)
    frame += b"".join(bytes([i + 1, samplings[i], 0]) for i in range(count))
    scan = bytes([count]) + b"".join(bytes([i + 1, 0]) for i in range(count)) + bytes([predictor, 0, shift])
    code = bytes([0, 0, 0, 0, 10] + [0] * 11) + bytes(range(10))

    def segment(marker, content):
        return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content

    interval = segment(0xDD, struct.pack(">H", units[0])) if restarts else b""
    head = segment(0xC3, frame) + segment(0xC4, b"\0" + code) + interval + segment(0xDA, scan)
    return b"\xff\xd8" + head + data + b"\xff\xd9"


def cmyk(width, height, quality=80):
    out = io.BytesIO()
    inks = Image.merge("CMYK", [*drawn(width, height).split(), drawn(width, height, "L").rotate(180)])
    inks.save(out, "JPEG", quality=quality)
    return out.getvalue()


def special(width, height):
    """Kinds that are no matter of sampling and coding."""
    plain = compressed(width, height, "2x2", [])
    bare = without(plain, 0xE0)
    rgb = run("cjpeg", ["-quality", "85", "-rgb"], ppm(drawn(width, height)))
    grey = run("cjpeg", ["-quality", "85", "-grayscale"], ppm(drawn(width, height)))
    progressive = compressed(width, height, "2x2", ["-progressive"])
    fine = compressed(width, height, "1x1", ["-scans", BITS])
    starts, fine_starts = scan_starts(progressive), scan_starts(fine)
    first_scan = starts[0]
    yield "rgb", rgb
    yield "rgb-by-names", without(rgb, 0xEE)
    yield "rgb-by-adobe", bare[:2] + adobe(0) + bare[2:]
    yield "ycc-by-adobe", bare[:2] + adobe(1) + bare[2:]
    yield "ycc-odd-names", with_component_ids(bare, [7, 9, 200])
    yield "ycc-without-markers", bare
    yield "jfif-before-adobe", plain[:20] + adobe(0) + plain[20:]
    yield "grey", grey
    yield "grey-2x2", grey.replace(b"\x01\x01\x11\0", b"\x01\x01\x22\0", 1)
    yield "grey-arithmetic", run("cjpeg", ["-grayscale", "-arithmetic"], ppm(drawn(width, height)))
    yield "grey-progressive", run("cjpeg", ["-grayscale", "-progressive"], ppm(drawn(width, height)))
    yield "cmyk", cmyk(width, height)
    yield "cmyk-without-adobe", without(cmyk(width, height), 0xEE)
    yield "ycck", cmyk(width, height).replace(adobe(0)[4:], adobe(2)[4:])
    yield "ycck-strange", cmyk(width, height).replace(adobe(0)[4:], adobe(7)[4:])
    yield "usual-codes-left-out", without(plain, 0xC4)
    yield "junk-between", plain[:20] + b"junk\0\xff\0more" + plain[20:]
    yield "fill-bytes", plain[:20] + b"\xff" * 5 + plain[20:-2] + b"\xff" * 4 + plain[-2:]
    yield "restart-at-end", plain[:-2] + b"\xff\xd0" + plain[-2:]
    yield "junk-after-data", plain[:-2] + b"\x12\x34\xff\0\x56" + plain[-2:]
    yield "no-end-but-more", plain[:-2] + bytes(64)
    yield "after-end", plain + b"\xff\xd8\xff\xe0 another"
    for number in range(1, len(starts)):
        yield f"smooth-after-{number}", progressive[:starts[number]] + b"\xff\xd9"
    for number in range(1, len(fine_starts)):
        yield f"smooth-bits-after-{number}", fine[:fine_starts[number]] + b"\xff\xd9"
    separate = compressed(width, height, "2x1", ["-scans", SEPARATE])
    yield "one-colour-missing", separate[:scan_starts(separate)[2]] + b"\xff\xd9"
    for predictor in range(1, 8):
        yield f"lossless-{predictor}", lossless(drawn(width, height), predictor, predictor % 3)
    yield "lossless-grey", lossless(drawn(width, height, "L"), 4, 0)
    yield "lossless-restarts", lossless(drawn(width, height), 7, 0, restarts=True)
    yield "lossless-420", lossless(drawn(width, height), 6, 1, samplings=(0x22, 0x11, 0x11))
    exact = lossless(drawn(width, height), 5, 0)
    yield "lossless-ycc", exact[:2] + adobe(1) + exact[2:]
    # Factors beyond what encoders write, so that sums leave 16 bits.
    dice = random.Random(width)
    table = b"".join(struct.pack(">H", dice.choice([255, 999, 4000, 32000, 65535])) for _ in range(64))
    wide = b"\xff\xdb\0\x83\x10" + table
    yield "factors-beyond", plain[:first_of(plain, 0xC0)] + wide + plain[first_of(plain, 0xC0):]
    for number in range(2, 9):
        exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([number]) + bytes(7)
        turned = plain[:20] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[20:]
        yield f"turned-{number}", turned


def first_of(data, marker):
    return next(begin for found, begin, _ in segments(data) if found == marker)


def seen(data):
    """Width, height and digest of the pixels that the reference sees, or nothing where it refuses the file."""
    try:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    except (OSError, SyntaxError):
        return None
    return [*image.size, hashlib.sha256(image.tobytes()).hexdigest()]


def kinds(sizes_of):
    number = 0
    for sampling, factors in SAMPLINGS.items():
        for coding, arguments in CODINGS.items():
            for width, height in sizes_of(number):
                try:
                    yield f"{sampling}-{coding}-{width}x{height}", compressed(width, height, factors, arguments)
                except subprocess.CalledProcessError as error:
                    print(sampling, coding, error.stderr.decode().strip())
                    break
            number += 1


def few_sizes(number):
    """Two of the sizes around blocks for each kind, so that all come up, and one that has several."""
    width = number % 17 + 1
    yield width, (number * 5) % 17 + 1
    yield (number * 7) % 17 + 18, (number * 3) % 20 + 9


def all_sizes(_):
    for side in range(1, 18):
        yield side, side * 5 % 17 + 1
        yield side * 7 % 17 + 1, side
    yield from [(33, 31), (48, 50), (70, 17), (1, 40), (40, 2), (3, 33), (2, 2), (34, 3)]


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    files = [("first-13x11", compressed(13, 11, "2x2", []))]  # tests of all formats take it
    files += kinds(all_sizes if folder else few_sizes)
    sizes = [(21, 37)] if not folder else [(21, 37), (1, 1), (16, 16), (17, 33), (70, 50), (3, 50), (150, 9)]
    files += [(f"{name}-{w}x{h}", data) for w, h in sizes for name, data in special(w, h)]
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files:
            (folder / f"{name}.jpg").write_bytes(data)
        wanted = {name: seen(data) for name, data in files}
        (folder / "wanted.json").write_text(json.dumps(wanted))
        return print(len(files), "files,", sum(v is None for v in wanted.values()), "refused by Pillow")
    GOLDEN.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps([name, len(data), *(seen(data) or [])]) for name, data in files]
    (GOLDEN / "files.bin").write_bytes(b"".join(data for _, data in files))
    (GOLDEN / "cases.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(len(files), "files,", (GOLDEN / "files.bin").stat().st_size, "bytes")


main()
