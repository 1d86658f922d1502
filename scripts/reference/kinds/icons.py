"""ICO files: what Pillow writes of them, and some whose directory or transparency is unusual."""

import struct

from .build import saved
from .more import clear


def files():
    image = clear(32, 32)
    made = {
        "ico-png": saved(image, "ICO", sizes=[(16, 16), (32, 32)]),
        "ico-bmp": saved(image, "ICO", sizes=[(16, 16), (32, 32)], bitmap_format="bmp"),
        "ico-bmp-rgb": saved(image.convert("RGB"), "ICO", sizes=[(16, 16)], bitmap_format="bmp"),
        "ico-bmp-grey": saved(image.convert("L"), "ICO", sizes=[(16, 16)], bitmap_format="bmp"),
        "ico-bmp-palette": saved(image.convert("RGB").quantize(9), "ICO", sizes=[(16, 16)], bitmap_format="bmp"),
        "ico-bmp-bilevel": saved(image.convert("1"), "ICO", sizes=[(16, 16)], bitmap_format="bmp"),
        "ico-wide": saved(clear(33, 5), "ICO", sizes=[(33, 5)], bitmap_format="bmp"),
    }
    picture = made["ico-bmp-rgb"][22:]
    masked = picture[:-64] + bytes(i * 37 % 256 for i in range(64))
    deep = made["ico-bmp"][22 + 16 :][: 40 + 16 * 16 * 4 + 64]
    made["ico-bmp-rgb-masked"] = icon((24, masked))
    made["ico-two-depths"] = icon((32, deep), (24, masked))
    made["ico-no-depth"] = icon((0, masked), (32, deep))
    made["ico-says-32"] = icon((32, masked))
    made["ico-of-none"] = icon()
    made["ico-cut"] = made["ico-bmp-rgb"][:-10]
    made["ico-cut-in-directory"] = made["ico-bmp-rgb"][:12]
    return made


def icon(*pictures):
    """Pictures of 16 x 16, each with the bits a pixel that the directory says."""
    directory, body = b"", b""
    for bits, picture in pictures:
        directory += struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, bits, len(picture), 6 + 16 * len(pictures) + len(body))
        body += picture
    return struct.pack("<HHH", 0, 1, len(pictures)) + directory + body
