"""BMP files with every header, depth and compression, sound and odd."""

import struct

WIDTH, HEIGHT = 5, 4


def header(size, bits, compression=0, colours=0, masks=(), width=WIDTH, height=HEIGHT, used=0):
    """The `size` bytes of a header; masks lie in it from 52 bytes on, behind it with 40."""
    if size == 12:
        return struct.pack("<IHHHH", 12, width, height, 1, bits)
    start = struct.pack("<IiiHH", size, width, height, 1, bits)
    if size == 16:
        return start
    full = start + struct.pack("<IIIIII", compression, used, 2835, 2835, colours, 0)
    return full.ljust(size, b"\0") if size < 52 else (full + struct.pack(f"<{len(masks)}I", *masks)).ljust(size, b"\0")


def bmp(size, bits, pixels, palette=b"", gap=0, offset=None, tail=b"", **more):
    masks = more.get("masks", ())
    head = header(size, bits, **more)
    if size == 40 and masks:
        head += struct.pack(f"<{len(masks)}I", *masks)
    at = 14 + len(head) + len(palette) + gap
    body = head + palette + bytes(gap) + pixels + tail
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, at if offset is None else offset) + body


def rows(bits, width=WIDTH, height=HEIGHT, seed=1):
    """Rows of arbitrary bits, padded to four bytes."""
    state, out = seed, b""
    for _ in range(height):
        row = bytearray()
        for _ in range((width * bits + 7) // 8):
            state = (state * 1103515245 + 12345) % 2**31
            row.append(state >> 16 & 255)
        out += bytes(row).ljust((width * bits + 31) // 32 * 4, b"\0")
    return out


def colour_table(count, entry=4):
    return b"".join(bytes([i * 53 % 256, i * 91 % 256, i * 29 % 256, 0])[:entry] for i in range(count))


def grey_table(count, step=1):
    return b"".join(bytes([i * step % 256] * 3 + [0]) for i in range(count))


BLACK_WHITE = b"\0\0\0\0\xff\xff\xff\0"
M565, M555 = (0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)
M1555 = (*M555, 0x8000)


def every_value():
    """All values of each band of 16 bits, once."""
    return struct.pack("<256H", *[(i * 257) % 65536 for i in range(256)])


def files():
    made = {}
    for size in (40, 52, 56, 64, 108, 124):
        for bits in (1, 4, 8):
            made[f"header-{size}-{bits}-bits"] = bmp(size, bits, rows(bits), colour_table(1 << bits) if bits < 8 else colour_table(256)[:64] , colours=min(1 << bits, 16))
        for bits in (16, 24, 32):
            made[f"header-{size}-{bits}-bits"] = bmp(size, bits, rows(bits))
    for bits in (1, 4, 24):
        made[f"header-12-{bits}-bits"] = bmp(12, bits, rows(bits), colour_table(1 << bits, 3) if bits < 24 else b"")
    made["header-12-8-bits"] = bmp(12, 8, bytes(i % 7 for i in range(32)), colour_table(256, 3))
    made["header-16-24-bits"] = bmp(16, 24, rows(24))
    for size in (14, 20, 36, 44, 48, 60, 72, 128):
        made[f"header-{size}"] = bmp(size, 24, rows(24))
    for name, masks in {"565": M565, "555": M555, "444": (0xF00, 0xF0, 0xF), "1555": M1555,
                        "5551": (0xF800, 0x7C0, 0x3E, 1), "none": (0, 0, 0), "bgr565": (0x1F, 0x7E0, 0xF800)}.items():
        for size in (40, 52, 56, 124):
            if size == 40 and len(masks) == 4:
                continue
            made[f"masks-{name}-header-{size}"] = bmp(size, 16, rows(16), masks=masks, compression=3)
    made["every-565"] = bmp(56, 16, every_value(), masks=(*M565, 0), compression=3, width=16, height=16)
    made["every-555"] = bmp(40, 16, every_value(), width=16, height=16)
    clear = b"".join(struct.pack("<H", value & 0x7FFF) for (value,) in struct.iter_unpack("<H", rows(16)))
    made["masks-1555-alpha-0"] = bmp(56, 16, clear, masks=M1555, compression=3)
    made["masks-1555-alpha-1"] = bmp(56, 16, bytes(byte | 0x80 if at % 2 else byte for at, byte in enumerate(clear)), masks=M1555, compression=3)
    wide = {
        "bgrx": (0xFF0000, 0xFF00, 0xFF, 0), "xbgr": (0xFF000000, 0xFF0000, 0xFF00, 0), "bgxr": (0xFF000000, 0xFF00, 0xFF, 0),
        "abgr": (0xFF000000, 0xFF0000, 0xFF00, 0xFF), "rgba": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        "bgra": (0xFF0000, 0xFF00, 0xFF, 0xFF000000), "bgar": (0xFF000000, 0xFF00, 0xFF, 0xFF0000), "none-32": (0, 0, 0, 0),
        "rgbx": (0xFF, 0xFF00, 0xFF0000, 0), "10-bits": (0x3FF00000, 0xFFC00, 0x3FF, 0), "10-bits-alpha": (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000),
    }
    for name, masks in wide.items():
        made[f"masks-{name}-header-56"] = bmp(56, 32, rows(32), masks=masks, compression=3)
        made[f"masks-{name}-header-124"] = bmp(124, 32, rows(32), masks=masks, compression=3)
        if masks[3] == 0:
            made[f"masks-{name}-header-40"] = bmp(40, 32, rows(32), masks=masks[:3], compression=3)
            made[f"masks-{name}-header-52"] = bmp(52, 32, rows(32), masks=masks[:3], compression=3)
    made["masks-bgra-alpha-0"] = bmp(56, 32, bytes(b for i in range(20) for b in (i, 2 * i, 3 * i, 0)), masks=wide["bgra"], compression=3)
    made["no-masks-32-bits-alpha"] = bmp(124, 32, rows(32), masks=wide["bgra"])
    made["masks-24-bits"] = bmp(56, 24, rows(24), masks=(0xFF0000, 0xFF00, 0xFF, 0), compression=3)
    made["masks-24-bits-rgb"] = bmp(56, 24, rows(24), masks=(0xFF, 0xFF00, 0xFF0000, 0), compression=3)
    made["masks-8-bits"] = bmp(56, 8, rows(8), colour_table(16), masks=(0xE0, 0x1C, 3, 0), compression=3, colours=16)
    for bits in (1, 8, 16, 24, 32):
        table = colour_table(1 << bits) if bits < 8 else colour_table(16) if bits == 8 else b""
        made[f"top-down-{bits}-bits"] = bmp(40, bits, rows(bits), table, height=-HEIGHT, colours=len(table) // 4)
        made[f"gap-before-pixels-{bits}-bits"] = bmp(40, bits, rows(bits), table, gap=6, colours=len(table) // 4)
        made[f"offset-0-{bits}-bits"] = bmp(40, bits, rows(bits), table, offset=0, colours=len(table) // 4)
        made[f"offset-of-header-{bits}-bits"] = bmp(40, bits, rows(bits), table, offset=54, colours=len(table) // 4)
        made[f"cut-{bits}-bits"] = bmp(40, bits, rows(bits)[:-5], table, colours=len(table) // 4)
        made[f"last-padding-missing-{bits}-bits"] = bmp(40, bits, rows(bits, 3)[: -((-3 * bits) % 32 // 8) or None], table, colours=len(table) // 4, width=3)
        made[f"more-bytes-{bits}-bits"] = bmp(40, bits, rows(bits), table, colours=len(table) // 4, tail=b"more bytes")
    for bits in (2, 3, 5, 48, 64, 0):
        made[f"depth-{bits}"] = bmp(40, bits, rows(max(bits, 1)), colour_table(4))
    small = bytes(i % 4 for i in range(32))
    made |= {
        "black-white": bmp(40, 1, rows(1), BLACK_WHITE),
        "white-black": bmp(40, 1, rows(1), BLACK_WHITE[4:] + BLACK_WHITE[:4]),
        "one-colour-1-bit": bmp(40, 1, rows(1), b"\0\0\0\0", colours=1),
        "one-red-1-bit": bmp(40, 1, rows(1), b"\0\0\xff\0", colours=1),
        "grey-8-bits": bmp(40, 8, rows(8), grey_table(16), colours=16),
        "grey-8-bits-steps": bmp(40, 8, rows(8), grey_table(16, 17), colours=16),
        "grey-4-bits": bmp(40, 4, rows(4), grey_table(16), colours=16),
        "grey-4-bits-steps": bmp(40, 4, rows(4), grey_table(16, 17), colours=16),
        "two-greys-8-bits": bmp(40, 8, bytes(i % 2 for i in range(32)), BLACK_WHITE, colours=2),
        "two-greys-4-bits": bmp(40, 4, b"\x01\x10\x10\0" * 4, BLACK_WHITE, colours=2),
        "two-colours-8-bits": bmp(40, 8, bytes(i % 2 for i in range(32)), colour_table(2), colours=2),
        "few-colours-8-bits": bmp(40, 8, small, colour_table(4), colours=4),
        "index-beyond-palette": bmp(40, 8, bytes(range(100, 132)), colour_table(4), colours=4),
        "palette-of-300": bmp(40, 8, rows(8), colour_table(300), colours=300),
        "palette-of-70000": bmp(40, 8, rows(8), colour_table(16), colours=70000),
        "palette-shorter-than-said": bmp(40, 8, small, colour_table(4), colours=200),
        "no-colours-said": bmp(40, 4, rows(4), colour_table(16)),
        "palette-of-24-bits": bmp(40, 24, rows(24), colour_table(8), colours=8),
        "width-0": bmp(40, 24, b"", width=0),
        "height-0": bmp(40, 24, b"", height=0),
        "width-negative": bmp(40, 24, rows(24), width=-5),
        "planes-0": bmp(40, 24, rows(24)).replace(b"\x01\0\x18\0", b"\0\0\x18\0"),
        "jpeg-inside": bmp(40, 0, b"\xff\xd8\xff\xd9", compression=4),
        "png-inside": bmp(40, 24, b"\x89PNG", compression=5),
        "alpha-masks": bmp(40, 32, rows(32), masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000), compression=6),
        "huffman-os2": bmp(64, 1, rows(1), BLACK_WHITE, compression=3),
        "rle24-os2": bmp(64, 24, b"\x05\1\2\3\0\0" * 4 + b"\0\1", compression=4),
        "array-os2": b"BA" + bytes(12) + bmp(12, 24, rows(24)),
        "cut-in-header": bmp(40, 24, rows(24))[:40],
    }
    return made | run_lengths()


def run_lengths():
    """RLE8 and RLE4: runs, literal pixels, ends of lines, jumps, and data that breaks the rules."""
    def rle8(data, **more):
        return bmp(40, 8, data, more.pop("palette", colour_table(16)), compression=1, colours=16, **more)

    def rle4(data, **more):
        return bmp(40, 4, data, more.pop("palette", colour_table(16)), compression=2, colours=16, **more)

    end, line = b"\0\1", b"\0\0"
    full8 = b"\5\1" + line + b"\2\2\3\3" + line + b"\0\5\4\5\6\7\x08\0" + line + b"\1\x09\0\4\1\2\3\4" + line
    full4 = b"\5\x12" + line + b"\2\x23\3\x45" + line + b"\0\5\x45\x67\x80\0" + line + b"\1\x90\0\4\x12\x34" + line
    made = {}
    for name, full, rle, run, literal in (("rle8", full8, rle8, b"\5\1", b"\0\3\1\2\3\0"), ("rle4", full4, rle4, b"\5\x12", b"\0\3\x12\x30")):
        made |= {
            name: rle(full + end),
            f"{name}-without-end": rle(full),
            f"{name}-top-down": rle(full + end, height=-HEIGHT),
            f"{name}-odd-offset": rle(full + end, gap=1),
            f"{name}-short-lines": rle((run[:1].replace(b"\5", b"\2") + run[1:] + line) * 4 + end),
            f"{name}-empty-lines": rle(run + line + line + line + run + line + end),
            f"{name}-empty-lines-at-end": rle(run + line + line + line + line + end),
            f"{name}-ends-early": rle(run + line + end),
            f"{name}-stops-early": rle(run + line + run),
            f"{name}-empty": rle(end),
            f"{name}-no-data": rle(b""),
            f"{name}-long-run": rle(b"\x09" + run[1:] + line + (run + line) * 3 + end),
            f"{name}-runs-over-lines": rle(b"\x14" + run[1:] + end),
            f"{name}-runs-without-lines": rle(run * 4 + end),
            f"{name}-jump": rle(run + line + b"\1" + run[1:] + b"\0\2\2\0" + b"\2" + run[1:] + line + (run + line) * 2 + end),
            f"{name}-jump-up": rle(run + line + b"\1" + run[1:] + b"\0\2\1\2" + b"\2" + run[1:] + line + end),
            f"{name}-jump-over-line": rle(run + line + b"\3" + run[1:] + b"\0\2\4\0" + b"\1" + run[1:] + line + (run + line) * 2 + end),
            f"{name}-jump-beyond": rle(run + line + b"\0\2\xff\xff" + end),
            f"{name}-jump-cut": rle(run + line + b"\0\2\xff"),
            f"{name}-literal": rle((literal + b"\2" + run[1:] + line) * 4 + end),
            f"{name}-literal-over-line": rle(b"\0\x08\1\2\3\4\5\6\7\x08" + b"\2" + run[1:] + line + (run + line) * 3 + end),
            f"{name}-literal-cut": rle(run + line + b"\0\x0a\1\2"),
            f"{name}-grey": rle(full + end, palette=grey_table(16)),
        }
    made["rle8-two-greys"] = bmp(40, 8, b"\2\0\3\1\0\0" * 4 + end, BLACK_WHITE, compression=1, colours=2)
    made["rle4-1-bit"] = bmp(40, 1, full4 + end, BLACK_WHITE, compression=2)
    made["rle8-4-bits"] = bmp(40, 4, full8 + end, colour_table(16), compression=1)
    made["rle8-24-bits"] = bmp(40, 24, full8 + end, compression=1)
    made["rle8-header-64"] = bmp(64, 8, full8 + end, colour_table(16), compression=1, colours=16)
    made["rle4-header-124"] = bmp(124, 4, full4 + end, colour_table(16), compression=2, colours=16)
    return made
