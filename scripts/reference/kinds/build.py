"""Writes picture files byte by byte: EXIF blocks, XMP packets, and the JPEG, PNG and WebP files that carry them."""

import io
import struct
import zlib

from PIL import Image

TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 99: 2}
CODES = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 99: "H"}


def values(order, kind, numbers):
    if kind in (5, 10):
        return b"".join(struct.pack(order + "II", number, 1) for number in numbers)
    return b"".join(struct.pack(order + CODES[kind], number) for number in numbers)


def tiff(entries, order="<", at=8, magic=42):
    """A TIFF block of one directory; `entries` are (tag, type, numbers)."""
    outside, body = b"", b""
    end = at + 2 + 12 * len(entries) + 4
    for tag, kind, numbers in entries:
        data = values(order, kind, numbers)
        if len(data) > 4:
            place = struct.pack(order + "I", end + len(outside))
            outside += data
        else:
            place = data.ljust(4, b"\0")
        body += struct.pack(order + "HHI", tag, kind, len(numbers)) + place
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", magic, at)
    return head.ljust(at, b"\0") + struct.pack(order + "H", len(entries)) + body + bytes(4) + outside


def says(value, kind=3, order="<", **more):
    return tiff([(0x0112, kind, value if isinstance(value, list) else [value])], order, **more)


def xmp(value, form="attribute"):
    inside = {
        "attribute": f'<rdf:Description tiff:Orientation="{value}"/>',
        "element": f"<rdf:Description><tiff:Orientation>{value}</tiff:Orientation></rdf:Description>",
        "single": f"<rdf:Description tiff:Orientation='{value}'/>",
    }[form]
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>{inside}</rdf:RDF></x:xmpmeta>'.encode()


def grey():
    """24 x 16 of six flat blocks: a JPEG of it is the same in every decoder."""
    image = Image.new("L", (24, 16))
    for block in range(6):
        image.paste(40 * block + 20, (block % 3 * 8, block // 3 * 8, block % 3 * 8 + 8, block // 3 * 8 + 8))
    return image


def colours(width=5, height=3):
    image = Image.new("RGB", (width, height))
    image.putdata([(x * 50 % 256, y * 80 % 256, (x * 31 + y * 17) % 256) for y in range(height) for x in range(width)])
    return image


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments, dpi=None):
    plain = saved(grey(), "JPEG", quality=100, optimize=True, **({"dpi": dpi} if dpi else {}))
    app0 = 4 + struct.unpack(">H", plain[4:6])[0]
    return plain[:app0] + b"".join(segments) + plain[app0:]


def app1(exif, prefix=b"Exif\0\0"):
    return segment(0xE1, prefix + exif)


def app1_xmp(packet):
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(before=(), after=(), image=None):
    plain = saved(image or colours(), "PNG")
    start = plain.index(b"IDAT") - 4
    return plain[:start] + b"".join(before) + plain[start:-12] + b"".join(after) + plain[-12:]


def itxt(key, data, compressed=False):
    body = zlib.compress(data) if compressed else data
    return chunk(b"iTXt", key + b"\0" + bytes([compressed, 0]) + b"\0\0" + body)


def ztxt(key, data):
    return chunk(b"zTXt", key + b"\0\0" + zlib.compress(data))


def text(key, data):
    return chunk(b"tEXt", key + b"\0" + data)


def raw_profile(data, name="exif"):
    digits = data.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"\n{name}\n{len(data):8}\n{lines}\n".encode()


def riff(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp(*chunks, flags=None, before=()):
    plain = saved(colours(), "WEBP", lossless=True)
    given = b"".join([*before, *chunks])
    if flags is None:
        flags = 8 * (b"EXIF" in given) + 4 * (b"XMP " in given)
    extended = riff(b"VP8X", bytes([flags, 0, 0, 0]) + bytes([4, 0, 0, 2, 0, 0]))
    body = b"WEBP" + extended + b"".join(before) + plain[12:] + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
