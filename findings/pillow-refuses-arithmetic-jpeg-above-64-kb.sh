#!/usr/bin/env bash
# Pillow 13.0.0 (libjpeg-turbo 3.2.0 in its wheels): a JPEG file in arithmetic coding is read as long as it has up to 65,536
# bytes. A larger one of the same kind, which libjpeg-turbo's own djpeg reads, is refused with "broken data stream when reading
# image file": Pillow hands a file over in pieces of 64 KB, and libjpeg-turbo's arithmetic decoder cannot wait for the next one
# (JERR_CANT_SUSPEND). Handing over all bytes at once (BytesIO) does not help; a larger ImageFile.MAXBLOCK does.
#
# Seen, Pillow 13.0.0, cjpeg of libjpeg-turbo 2.1.5, Python 3.11:
#     54688 bytes, arithmetic: read
#     94468 bytes, arithmetic: OSError: broken data stream when reading image file
#     98633 bytes, Huffman, progressive: read
#     94468 bytes, arithmetic, by djpeg: read
#     94468 bytes, arithmetic, MAXBLOCK 1048576: read
#
# Installs the packages into a temporary folder; needs Debian 12 on x86-64, whose packages it unpacks there. Exits with 1 when
# the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User=root download -qq libjpeg-turbo-progs=1:2.1.5-2 libjpeg62-turbo=1:2.1.5-2
for package in ./*.deb; do dpkg -x "$package" unpacked; done
export LD_LIBRARY_PATH=$work/unpacked/usr/lib/x86_64-linux-gnu PATH=$work/unpacked/usr/bin:$PATH
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -q --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import io
import subprocess

import numpy
from PIL import Image, ImageFile, __version__, features

print("Pillow", __version__, "with libjpeg-turbo", features.version_feature("libjpeg_turbo"))


def made(side, *options):
    out = io.BytesIO()
    noise = numpy.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=numpy.uint8)
    Image.fromarray(noise).save(out, "PPM")
    return subprocess.run(["cjpeg", "-quality", "80", *options], input=out.getvalue(), capture_output=True, check=True).stdout


def read(data):
    try:
        Image.open(io.BytesIO(data)).load()
        return "read"
    except OSError as error:
        return f"OSError: {error}"


small, large, huffman = made(300, "-arithmetic"), made(400, "-arithmetic"), made(400, "-progressive")
seen = [read(small), read(large), read(huffman)]
print(f"{len(small)} bytes, arithmetic: {seen[0]}")
print(f"{len(large)} bytes, arithmetic: {seen[1]}")
print(f"{len(huffman)} bytes, Huffman, progressive: {seen[2]}")
djpeg = subprocess.run(["djpeg"], input=large, capture_output=True)
seen.append("read" if djpeg.returncode == 0 and not djpeg.stderr else djpeg.stderr.decode())
print(f"{len(large)} bytes, arithmetic, by djpeg: {seen[3]}")
ImageFile.MAXBLOCK = 1 << 20
seen.append(read(large))
print(f"{len(large)} bytes, arithmetic, MAXBLOCK {ImageFile.MAXBLOCK}: {seen[4]}")
assert seen == ["read", "OSError: broken data stream when reading image file", "read", "read", "read"], seen
PYTHON
