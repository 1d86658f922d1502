"""Draws the test pictures and records what the reference decodes them to.

Every picture is drawn here, so the project owns all of them. They are smooth and sharp, of odd shapes
and of every kind of pixel that a file can hold, because each kind takes another path through a decoder.

"Upright RGB8" is what the reference sees before it resizes:

1. `PIL.Image.open`, first frame;
2. `PIL.ImageOps.exif_transpose`, as in `transformers.image_utils.load_image`;
3. the image processor's own `convert_to_rgb`: anything with an alpha band or a `transparency` entry is
   composited on white with `Image.alpha_composite`, the rest is `Image.convert("RGB")`.

`load_image` would also call `convert("RGB")` between 2 and 3, which drops alpha instead of compositing it.
It does so only to pictures given by path or address; one that the caller opened takes steps 1 and 3. We
take the caller's picture, because that is how both model families' own examples read one, and step 2 in
addition, because a photograph lying on its side is of no use.
"""

import hashlib
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps
from transformers.image_transforms import convert_to_rgb

from .readable_json import write_json

ORIENTATION = 0x0112  # the EXIF tag


def plane(width, height, function):
    """[height, width, 3] uint8 from `function(x, y)`, x and y in 0..1, giving three values in 0..1."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    bands = function(x / max(width - 1, 1), y / max(height - 1, 1))
    stacked = np.stack([np.broadcast_to(band, (height, width)) for band in bands], axis=-1)
    return np.clip(np.rint(stacked * 255), 0, 255).astype(np.uint8)


def landscape():
    """Sky, sun, hills and a hut: both smooth and sharp, 317 x 101."""
    image = Image.fromarray(plane(317, 101, lambda x, y: (0.35 + 0.4 * y, 0.55 + 0.3 * y, 0.95 - 0.2 * y)))
    draw = ImageDraw.Draw(image)
    draw.ellipse((230, 8, 266, 44), fill=(255, 221, 80))
    hills = [(x, 70 + 10 * math.sin(x / 31) + 5 * math.cos(x / 13)) for x in range(0, 318, 3)]
    draw.polygon([(0, 101), *hills, (317, 101)], fill=(52, 120, 60))
    draw.rectangle((60, 58, 92, 84), fill=(160, 60, 40))
    draw.polygon([(54, 58), (76, 40), (98, 58)], fill=(70, 40, 30))
    return image


def portrait():
    """A figure before stripes, 89 x 211."""
    image = Image.fromarray(plane(89, 211, lambda x, y: (0.8 - 0.5 * y, 0.3 + 0.2 * x, 0.5 + 0.3 * x * y)))
    draw = ImageDraw.Draw(image)
    for left in range(0, 89, 11):
        draw.line((left, 0, left + 20, 211), fill=(240, 235, 220), width=2)
    draw.ellipse((28, 30, 62, 72), fill=(224, 172, 130), outline=(60, 30, 20))
    draw.rectangle((22, 74, 68, 170), fill=(30, 60, 140))
    return image


def tiny():
    """7 x 5, every pixel of its own colour."""
    return Image.fromarray(plane(7, 5, lambda x, y: (x, y, 1 - x * y)))


def large():
    """Smooth waves, 1031 x 777, saved small: nine levels a band."""
    def waves(x, y):
        steps = 8
        red = 0.5 + 0.5 * np.sin(4 * x + 3 * y * y)
        green = 0.5 + 0.5 * np.cos(5 * x * y)
        blue = 0.5 + 0.5 * np.sin(6 * y - 2 * x * x)
        return [np.rint(band * steps) / steps for band in (red, green, blue)]

    return Image.fromarray(plane(1031, 777, waves))


def letters(width, height):
    """Strokes like text in grey: sharp edges at every angle."""
    image = Image.new("L", (width, height), 232)
    draw = ImageDraw.Draw(image)
    for row in range(6, height - 10, 18):
        for index, left in enumerate(range(5, width - 12, 11)):
            shade = 20 + (index * 37 + row * 11) % 90
            kind = (index + row) % 4
            if kind == 0:
                draw.line((left, row, left, row + 11), fill=shade, width=2)
            elif kind == 1:
                draw.arc((left, row, left + 8, row + 11), 30, 330, fill=shade, width=2)
            elif kind == 2:
                draw.line((left, row + 11, left + 4, row, left + 8, row + 11), fill=shade)
            else:
                draw.rectangle((left, row + 3, left + 7, row + 11), outline=shade)
    return image


def translucent(width, height):
    """RGBA whose alpha is a smooth ramp, a disc with soft edges and a hole."""
    colours = plane(width, height, lambda x, y: (0.9 * x, 0.2 + 0.6 * y, 0.8 - 0.7 * x))
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot(x - width / 2, y - height / 2) / (min(width, height) / 2)
    alpha = np.clip(1.3 - radius, 0, 1) * (0.3 + 0.7 * x / width)
    alpha[(x // 9 + y // 7) % 11 == 0] = 0
    return Image.fromarray(np.dstack([colours, np.rint(alpha * 255).astype(np.uint8)]), "RGBA")


def discs(width, height, colours):
    """Overlapping discs on a plain ground."""
    image = Image.new("RGB", (width, height), colours[0])
    draw = ImageDraw.Draw(image)
    for index, colour in enumerate(colours[1:]):
        cx, cy = width * (index + 1) / len(colours), height * (0.3 + 0.4 * (index % 2))
        draw.ellipse((cx - 21, cy - 19, cx + 21, cy + 19), fill=colour)
    return image


def png(path, width, height, bit_depth, colour_type, rows, extra=b""):
    """Writes a PNG by hand, for the kinds that Pillow reads and does not write. `rows`: bytes, big-endian."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def sixteen_bit(width, height, bands):
    """[height, width, bands] uint16, smooth, using every one of the 16 bits."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    values = [np.sin(x / (17 + 3 * b)) * np.cos(y / (11 + 2 * b)) * 0.5 + 0.5 for b in range(bands)]
    return np.rint(np.stack(values, axis=-1) * 65535).astype(">u2")


def draw_all(folder: Path):
    """Writes every picture into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    palette = [(250, 248, 240), (200, 30, 40), (20, 120, 200), (250, 190, 30), (40, 150, 80)]
    landscape().save(folder / "landscape.png", optimize=True)
    portrait().save(folder / "portrait.png", optimize=True)
    tiny().save(folder / "tiny.png")
    large().save(folder / "large.png", optimize=True)
    letters(150, 120).save(folder / "grey.png", optimize=True)
    translucent(131, 97).save(folder / "alpha.png", optimize=True)

    indexed = discs(120, 77, palette).quantize(8)
    indexed.save(folder / "palette.png", transparency=bytes([255, 0, 128, 255, 64, 255, 255, 255]))
    grey = letters(93, 61)
    fade = Image.fromarray(plane(93, 61, lambda x, y: (x, x, x))[..., 0])
    Image.merge("LA", (grey, fade)).save(folder / "grey_alpha.png", optimize=True)
    letters(61, 83).convert("1", dither=Image.Dither.NONE).save(folder / "bilevel.png", optimize=True)

    grey16 = sixteen_bit(71, 53, 1)
    grey16[: 20, : 30] = (np.arange(600).reshape(20, 30, 1) / 2).astype(">u2")  # a dark corner, around 255
    png(folder / "grey16.png", 71, 53, 16, 0, [row.tobytes() for row in grey16])
    png(folder / "rgb16.png", 47, 64, 16, 2, [row.tobytes() for row in sixteen_bit(47, 64, 3)])

    keyed = discs(90, 70, palette)
    keyed.save(folder / "keyed.png", optimize=True, transparency=palette[1])

    upright = discs(160, 90, palette)
    ImageDraw.Draw(upright).polygon([(5, 85), (40, 10), (75, 85)], fill=(90, 40, 120))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # as stored, the picture must be turned a quarter clockwise to stand upright
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "rotated.jpg", quality=90, exif=exif)
    landscape().resize((211, 134)).save(folder / "photo.jpg", quality=85, progressive=True)

    portrait().save(folder / "lossless.webp", lossless=True)
    translucent(64, 80).save(folder / "alpha.webp", lossless=True, exact=True)
    frames = [discs(75, 60, palette[shift:] + palette[:shift]) for shift in range(3)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:], duration=80, loop=0)
    discs(66, 99, palette[::-1]).save(folder / "discs.bmp")


def load(path: Path) -> Image.Image:
    """Steps 1 and 2 of the module's description; step 3 is the image processor's."""
    return ImageOps.exif_transpose(Image.open(path))


def record_decoded(folder: Path, out: Path):
    """`decoded.json`'s content: size and SHA-256 of the upright RGB8 bytes of each picture."""
    facts = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".md":
            continue
        rgb = convert_to_rgb(load(path), return_numpy=True)
        height, width = rgb.shape[:2]
        facts[path.name] = {
            "width": width,
            "height": height,
            "sha256_of_rgb_bytes": hashlib.sha256(np.ascontiguousarray(rgb).tobytes()).hexdigest(),
        }
    write_json(out / "decoded.json", facts)
