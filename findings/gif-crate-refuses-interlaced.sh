#!/usr/bin/env bash
# The gif crate 0.14.2 (and so image 0.25.10) refuses about one in ten small interlaced GIFs as "image truncated", though
# they are sound: it reads interlaced frames row by row, and where the last code of the data stands for pixels of more
# than one row and the end code comes in the same bytes, it forgets the pixels that did not fit into the row.
#
# Input: a GIF of 7 x 6 pixels of one colour, in LZW as every encoder writes it, and the same one not interlaced.
#
# Seen with gif 0.14.2, image 0.25.10, weezl 0.1.12; Pillow 13.0.0 shows both:
#   not interlaced: 7 x 6
#   interlaced: Format error decoding Gif: image truncated
# obscura takes all pixels at once and puts the rows in order itself.
#
# Needs Rust. Exits 0 while it is so, 1 when it behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pillow==13.0.0
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "interlaced"
version = "0.0.0"
edition = "2021"

[dependencies]
gif = "=0.14.2"
image = { version = "=0.25.10", default-features = false, features = ["gif"] }
weezl = "=0.1.12"
TOML
cat > "$folder/src/main.rs" <<'RUST'
fn main() {
    for path in std::env::args().skip(1) {
        let name = path.rsplit('/').next().unwrap().trim_end_matches(".gif").replace('-', " ");
        match image::open(&path) {
            Ok(image) => println!("{name}: {} x {}", image.width(), image.height()),
            Err(error) => println!("{name}: {error}"),
        }
    }
}
RUST
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import struct, sys
from pathlib import Path
from PIL import Image

palette = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0])
# Clear; the colour once, twice, ... eight times and six times, which are 42 pixels; end. With the width of each code.
codes = [(4, 3), (0, 3), (6, 3), (7, 3), (8, 4), (9, 4), (10, 4), (11, 4), (12, 4), (10, 4), (5, 4)]
bits = at = 0
for code, width in codes:
    bits |= code << at
    at += width
data = bits.to_bytes((at + 7) // 8, "little")
for name, flags in (("not-interlaced", 0), ("interlaced", 0x40)):
    frame = b"," + struct.pack("<HHHHB", 0, 0, 7, 6, flags) + b"\2" + bytes([len(data)]) + data + b"\0;"
    path = Path(sys.argv[1], f"{name}.gif")
    path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 7, 6, 0x81, 0, 0) + palette + frame)
    image = Image.open(path)
    image.load()
    assert image.size == (7, 6) and set(image.convert("RGB").tobytes()[::3]) == {255}
PYTHON
seen=$(CARGO_TARGET_DIR="$folder/target" cargo run -q --release --manifest-path "$folder/Cargo.toml" -- "$folder"/{not-interlaced,interlaced}.gif)
echo "$seen"
[ "$seen" = "not interlaced: 7 x 6
interlaced: Format error decoding Gif: image truncated" ]
