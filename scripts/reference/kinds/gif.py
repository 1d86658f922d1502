"""GIF files: palettes there and missing, transparency, frames that do not fit, odd ends."""

import struct

CODES = [0, 1, 2, 3, 3, 2, 1, 0, 1, 2, 3, 0]  # 4 x 3 pixels


def packed(codes, bits=2):
    """LZW without compression: a clear code often enough that codes keep their first width."""
    clear, width, out, at = 1 << bits, bits + 1, 0, 0
    stream = []
    for index, code in enumerate(codes):
        if index % 2 == 0:
            stream.append(clear)
        stream.append(code)
    for code in [*stream, clear + 1]:
        out |= code << at
        at += width
    data = out.to_bytes((at + 7) // 8, "little")
    return bytes([bits, len(data)]) + data + b"\0"


def table(count, grey=False):
    return b"".join(bytes([i] * 3 if grey else [i * 71 % 256, i * 31 % 256, 255 - i * 13 % 256]) for i in range(count))


def gif(palette=table(4), local=b"", clear=None, size=(4, 3), frame=(0, 0, 4, 3), end=b";", background=0, extra=b"", data=None, flags=0):
    bits = max((len(palette) // 3 - 1).bit_length(), 1) - 1
    screen = struct.pack("<HHBBB", *size, (0x80 | bits) if palette else 0, background, 0)
    control = b"!\xf9\4" + bytes([1, 0, 0, clear]) + b"\0" if clear is not None else b""
    local_bits = max((len(local) // 3 - 1).bit_length(), 1) - 1
    image = b"," + struct.pack("<HHHHB", *frame, ((0x80 | local_bits) if local else 0) | flags) + local
    return b"GIF89a" + screen + palette + extra + control + image + (packed(CODES) if data is None else data) + end


def compressed(codes, bits=2):
    """LZW as encoders do it: the longest strings that came before."""
    clear = 1 << bits
    table, width, out, at = {(code,): code for code in range(clear)}, bits + 1, 0, 0
    string, stream = (), [(clear, width)]
    for code in codes:
        if string + (code,) in table:
            string += (code,)
            continue
        stream.append((table[string], width))
        table[string + (code,)] = len(table) + 2
        width += len(table) + 1 == 1 << width
        string = (code,)
    for code, width in [*stream, (table[string], width), (clear + 1, width)]:
        out |= code << at
        at += width
    data = out.to_bytes((at + 7) // 8, "little")
    return bytes([bits, len(data)]) + data + b"\0"


LINES = [int(y < 5 and x % 3 == 1) for y in range(16) for x in range(16)]


def files():
    return {
        "global-palette": gif(),
        "local-palette": gif(b"", table(4)),
        "both-palettes": gif(table(4, True), table(4)),
        "both-palettes-local-grey": gif(table(4), table(4, True)),
        "no-palette": gif(b""),
        "no-palette-clear": gif(b"", clear=2),
        "no-palette-smaller-frame": gif(b"", frame=(1, 1, 4, 3), size=(7, 6)),
        "grey-palette": gif(table(4, True)),
        "short-palette": gif(table(2)),
        "short-grey-palette": gif(table(2, True)),
        "short-local-palette": gif(table(4), table(2)),
        "clear": gif(clear=1),
        "clear-beyond-palette": gif(clear=200),
        "smaller-frame": gif(frame=(1, 1, 4, 3), size=(7, 6), background=2),
        "smaller-frame-clear": gif(frame=(1, 1, 4, 3), size=(7, 6), background=2, clear=3),
        "frame-sticks-out": gif(frame=(2, 2, 4, 3)),
        "screen-0": gif(size=(0, 0)),
        "interlaced": gif(flags=0x40),
        "compressed": gif(frame=(0, 0, 16, 16), data=compressed(LINES)),
        "compressed-interlaced": gif(frame=(0, 0, 16, 16), data=compressed(LINES), flags=0x40),
        "compressed-interlaced-flat": gif(frame=(0, 0, 7, 6), data=compressed([0] * 42), flags=0x40),
        "compressed-interlaced-ends-flat": gif(frame=(0, 0, 8, 10), data=compressed(LINES[:80]), flags=0x40),
        "without-end": gif(end=b""),
        "cut-in-pixels": gif(end=b"")[:-4],
        "pixels-missing": gif(data=packed(CODES[:7])),
        "more-pixels": gif(data=packed(CODES + CODES)),
        "no-frame": gif(end=b"")[:25] + b";",
        "two-frames": gif(end=b"") + gif()[25:],
        "comment": gif(extra=b"!\xfe\5hello\0"),
        "unknown-block": gif(extra=b"!\x77\5hello\0"),
        "bytes-between-blocks": gif(extra=b"\0\0"),
        "gif87": gif().replace(b"GIF89a", b"GIF87a"),
        "frame-empty": gif(frame=(0, 0, 0, 0)),
    }
