"""PNG files: every kind of pixel, odd ends, animation, transparent colours."""

import struct
import zlib

from .build import chunk

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BANDS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def rows(width, height, bits, seed=3):
    state, out = seed, b""
    for _ in range(height):
        row = bytearray()
        for _ in range((width * bits + 7) // 8):
            state = (state * 1103515245 + 12345) % 2**31
            row.append(state >> 16 & 255)
        out += b"\0" + bytes(row)
    return out


def passes(width, height, bits):
    """The rows of Adam7's seven smaller pictures."""
    out = b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        wide, high = -(-(width - x) // dx), -(-(height - y) // dy)
        if wide > 0 and high > 0:
            out += rows(wide, high, bits, x + 8 * y + 1)
    return out


def png(depth=8, kind=2, before=(), after=(), width=7, height=5, data=None, interlaced=0, end=True, animated=()):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))
    bits = depth * BANDS[kind]
    plain = passes(width, height, bits) if interlaced else rows(width, height, bits)
    pixels = chunk(b"IDAT", zlib.compress(plain, 9)) if data is None else data
    palette = [chunk(b"PLTE", bytes(i * 37 % 256 for i in range(3 << depth)))] if kind == 3 else []
    return SIGNATURE + b"".join([head, *palette, *before, pixels, *after] + [chunk(b"IEND", b"")] * end)


def frame_control(number, width, height, x=0, y=0):
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, x, y, 1, 10, 0, 0))


def files():
    made = {}
    for kind, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            made[f"type-{kind}-{depth}-bits"] = png(depth, kind)
            made[f"type-{kind}-{depth}-bits-interlaced"] = png(depth, kind, interlaced=1, width=11, height=9)
            if kind in (0, 2):
                keys = {0: [0], 2: [0, 0, 0]}[kind]
                made[f"type-{kind}-{depth}-bits-key-0"] = png(depth, kind, [chunk(b"tRNS", struct.pack(f">{len(keys)}H", *keys))])
            if kind == 3:
                made[f"type-3-{depth}-bits-alpha"] = png(depth, 3, [chunk(b"tRNS", bytes([255, 0, 128][: 1 << depth]))])
                made[f"type-3-{depth}-bits-one-clear"] = png(depth, 3, [chunk(b"tRNS", b"\xff\0")])
    whole = png()
    pixels = rows(7, 5, 24)
    packed = zlib.compress(pixels, 9)
    made |= {
        "without-end": png(end=False),
        "cut-in-end": whole[:-5],
        "cut-in-end-length": whole[:-10],
        "cut-in-pixels-checksum": png(end=False)[:-2],
        "cut-before-pixels-checksum": png(end=False)[:-4],
        "cut-in-adler": png(end=False)[:-6],
        "cut-before-adler": png(end=False)[:-8],
        "cut-in-pixels": png(end=False)[:-12],
        "cut-in-pixels-far": png(end=False)[:-50],
        "last-row-missing": png(data=chunk(b"IDAT", zlib.compress(pixels[:-22]))),
        "half-a-row-missing": png(data=chunk(b"IDAT", zlib.compress(pixels[:-11]))),
        "more-rows": png(data=chunk(b"IDAT", zlib.compress(pixels + bytes(44)))),
        "pixels-in-many-chunks": png(data=b"".join(chunk(b"IDAT", packed[at : at + 9]) for at in range(0, len(packed), 9))),
        "empty-pixel-chunks": png(data=chunk(b"IDAT", b"") + chunk(b"IDAT", packed) + chunk(b"IDAT", b"")),
        "chunk-between-pixels": png(data=chunk(b"IDAT", packed[:20]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", packed[20:])),
        "no-pixels": png(data=b""),
        "pixels-checksum-wrong": png(data=chunk(b"IDAT", packed)[:-1] + b"\0"),
        "adler-wrong": png(data=chunk(b"IDAT", packed[:-1] + b"\0")),
        "text-checksum-wrong": png(before=[chunk(b"tEXt", b"a\0b")[:-1] + b"\0"]),
        "text-cut-after-pixels": png(after=[chunk(b"tEXt", b"a\0b")[:-6]], end=False),
        "unknown-chunk-cut-after-pixels": png(after=[chunk(b"abCd", b"a\0b")[:-6]], end=False),
        "bytes-after-end": whole + b"more bytes",
        "unknown-filter": png(data=chunk(b"IDAT", zlib.compress(b"\7" + pixels[1:]))),
        "without-palette": png(8, 3).replace(b"PLTE", b"plTE"),
        "palette-short": png(8, 3, data=chunk(b"IDAT", zlib.compress(rows(7, 5, 8)))).replace(b"PLTE", b"PLTE"),
        "palette-of-two": SIGNATURE + png(8, 3)[8:33] + chunk(b"PLTE", bytes([9, 8, 7, 200, 100, 50])) + png(8, 3)[33 + 780 :],
        "key-grey-8": png(8, 0, [chunk(b"tRNS", struct.pack(">H", rows(7, 5, 8)[3]))]),
        "key-grey-16": png(16, 0, [chunk(b"tRNS", struct.pack(">H", 0xFF))]),
        "key-colour": png(8, 2, [chunk(b"tRNS", struct.pack(">3H", *pixels[4:7]))]),
        "key-high-byte": png(8, 2, [chunk(b"tRNS", struct.pack(">3H", *[256 + value for value in pixels[4:7]]))]),
        "gamma": png(before=[chunk(b"gAMA", struct.pack(">I", 100000))]),
        "background": png(8, 6, [chunk(b"bKGD", bytes(6))]),
        "significant-bits": png(before=[chunk(b"sBIT", b"\5\5\5")]),
        "grey-16-dark": png(16, 0, data=chunk(b"IDAT", zlib.compress(b"".join(b"\0" + struct.pack(">7H", *range(240 + 7 * y, 247 + 7 * y)) for y in range(5))))),
        "animated": png(before=[chunk(b"acTL", struct.pack(">II", 2, 0)), frame_control(0, 7, 5)],
                        after=[frame_control(1, 3, 2, 1, 1), chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(rows(3, 2, 24)))]),
        "animated-default-apart": png(before=[chunk(b"acTL", struct.pack(">II", 1, 0))],
                                      after=[frame_control(0, 7, 5), chunk(b"fdAT", struct.pack(">I", 1) + zlib.compress(rows(7, 5, 24, 9)))]),
    }
    return made
