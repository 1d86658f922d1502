"""How a picture is turned, said in every carrier and every form that a decoder meets, right and wrong."""

import struct

from .build import (
    TYPES, app1, app1_xmp, chunk, colours, itxt, jpeg, png, raw_profile, riff, saved, says, segment, text, tiff, webp, xmp, ztxt,
)


def files():
    files = {}
    for value in range(1, 9):
        files[f"jpeg-exif-{value}"] = jpeg(app1(says(value)))
        files[f"png-exif-{value}"] = png([chunk(b"eXIf", says(value, order=">"))])
        files[f"webp-exif-{value}"] = webp(riff(b"EXIF", says(value)))
        files[f"tiff-{value}"] = saved(colours(), "TIFF", tiffinfo={0x0112: value})
    for kind in TYPES:
        for order in "<>":
            files[f"type-{kind}-{'little' if order == '<' else 'big'}"] = jpeg(app1(says(6, kind, order)))
    files |= {
        "type-ascii-digit": jpeg(app1(says([ord("6"), 0], 2))),
        "float-6.5": jpeg(app1(says(6.5, 11))),
        "rational-6.5": jpeg(app1(tiff([(0x0112, 5, [])])[:-4] + bytes(4))),
        "count-0": jpeg(app1(says([]))),
        "count-2": jpeg(app1(says([6, 3]))),
        "count-2-long": jpeg(app1(says([6, 3], 4))),
        "count-3": jpeg(app1(says([8, 6, 6]))),
        "count-beyond-the-block": jpeg(app1(says(6)[:14] + struct.pack("<I", 90) + says(6)[18:])),
        "value-0": jpeg(app1(says(0))),
        "value-9": jpeg(app1(says(9))),
        "value-negative": jpeg(app1(says(-6, 8))),
        "value-65542": jpeg(app1(says(65542, 4))),
        "value-0-beside-xmp": jpeg(app1(says(0)), app1_xmp(xmp(6))),
        "value-9-beside-xmp": jpeg(app1(says(9)), app1_xmp(xmp(6))),
        "value-1-beside-xmp": jpeg(app1(says(1)), app1_xmp(xmp(6))),
        "byte-beside-xmp": jpeg(app1(says(6, 1)), app1_xmp(xmp(8))),
        "other-tag-beside-xmp": jpeg(app1(tiff([(0x0100, 3, [6])])), app1_xmp(xmp(8))),
        "no-tiff-beside-xmp": jpeg(app1(b"nonsense"), app1_xmp(xmp(6))),
        "no-tiff-beside-xmp-with-dpi": jpeg(app1(b"nonsense"), app1_xmp(xmp(6)), dpi=(72, 72)),
        "no-tiff-with-dpi": jpeg(app1(b"nonsense"), dpi=(72, 72)),
        "exif-with-dpi": jpeg(app1(says(6)), dpi=(72, 72)),
        "empty-exif-beside-xmp": jpeg(app1(b""), app1_xmp(xmp(6))),
        "xmp-before-exif": jpeg(app1_xmp(xmp(6)), app1(says(8))),
        "second-segment-is-exif": jpeg(app1(b"hello", b"other\0"), app1(says(6))),
        "empty-then-exif": jpeg(app1(b""), app1(says(6))),
        "two-exif-segments": jpeg(app1(tiff([(0x0100, 3, [6])])), app1(says(8))),
        "exif-in-two-parts": jpeg(app1(says(6)[:12]), app1(says(6)[12:])),
        "prefix-twice": jpeg(app1(says(6), b"Exif\0\0Exif\0\0")),
        "prefix-thrice": jpeg(app1(says(6), b"Exif\0\0" * 3)),
        "prefix-short": jpeg(app1(says(6), b"Exif\0")),
        "prefix-with-ff": jpeg(app1(says(6), b"Exif\0\xff")),
        "exif-after-tables": jpeg()[:-2].replace(b"\xff\xc0", app1(says(6)) + b"\xff\xc0", 1) + b"\xff\xd9",
        "exif-in-app2": jpeg(segment(0xE2, b"Exif\0\0" + says(6))),
        "tag-twice": jpeg(app1(tiff([(0x0112, 3, [6]), (0x0112, 3, [3])]))),
        "tag-twice-first-unreadable": jpeg(app1(tiff([(0x0112, 99, [6]), (0x0112, 3, [3])]))),
        "tags-unsorted": jpeg(app1(tiff([(0x0213, 3, [1]), (0x0112, 3, [6])]))),
        "tag-after-text": jpeg(app1(tiff([(0x010E, 2, list(b"a picture\0")), (0x0112, 3, [6])]))),
        "tag-after-text-beyond-the-block": jpeg(app1(
            tiff([(0x010E, 2, list(b"a picture\0")), (0x0112, 3, [6])])[:-10])),
        "tag-before-text-beyond-the-block": jpeg(app1(
            tiff([(0x0112, 3, [6]), (0x0131, 2, list(b"a picture\0"))])[:-10])),
        "tag-after-text-larger-than-the-block": jpeg(app1(
            says(6)[:8] + struct.pack("<HHHII", 2, 0x010E, 2, 5000, 20) + says(6)[10:])),
        "directory-at-20": jpeg(app1(says(6, at=20))),
        "directory-beyond-the-block": jpeg(app1(says(6)[:4] + struct.pack("<I", 900) + says(6)[8:])),
        "directory-at-0": jpeg(app1(b"II*\0" + bytes(30))),
        "directory-cut": jpeg(app1(says(6)[:20])),
        "directory-without-next": jpeg(app1(says(6)[:-4])),
        "magic-43": jpeg(app1(says(6, magic=43))),
        "magic-other-endian": jpeg(app1(b"II\0*" + says(6)[4:])),
        "magic-other-endian-big": jpeg(app1(b"MM*\0" + says(6, order=">")[4:])),
        "magic-85": jpeg(app1(says(6, magic=85))),
        "thumbnail-only": jpeg(app1(tiff([])[:10] + struct.pack("<I", 14) + says(6)[8:])),
        "xmp-attribute": jpeg(app1_xmp(xmp(6))),
        "xmp-element": jpeg(app1_xmp(xmp(8, "element"))),
        "xmp-single-quotes": jpeg(app1_xmp(xmp(6, "single"))),
        "xmp-0": jpeg(app1_xmp(xmp(0))),
        "xmp-9": jpeg(app1_xmp(xmp(9))),
        "xmp-two-segments": jpeg(app1_xmp(xmp(6)), app1_xmp(xmp(8))),
        "xmp-first-property-without-value": jpeg(app1_xmp(b"tiff:Orientation " + xmp(6))),
        "xmp-wide": jpeg(app1_xmp(xmp(6).decode().encode("utf-16-le"))),
        "png-exif-prefix": png([chunk(b"eXIf", b"Exif\0\0" + says(6))]),
        "png-exif-prefix-twice": png([chunk(b"eXIf", b"Exif\0\0Exif\0\0" + says(6))]),
        "png-exif-after-pixels": png([], [chunk(b"eXIf", says(6))]),
        "png-two-exif": png([chunk(b"eXIf", says(6)), chunk(b"eXIf", says(3))]),
        "png-two-exif-around-pixels": png([chunk(b"eXIf", says(6))], [chunk(b"eXIf", says(3))]),
        "png-raw-exif-ztxt": png([ztxt(b"Raw profile type exif", raw_profile(b"Exif\0\0" + says(6)))]),
        "png-raw-exif-text": png([text(b"Raw profile type exif", raw_profile(b"Exif\0\0" + says(6)))]),
        "png-raw-exif-itxt": png([itxt(b"Raw profile type exif", raw_profile(b"Exif\0\0" + says(6)))]),
        "png-raw-exif-itxt-compressed": png([itxt(b"Raw profile type exif", raw_profile(says(6)), True)]),
        "png-raw-exif-after-pixels": png([], [ztxt(b"Raw profile type exif", raw_profile(says(6)))]),
        "png-raw-exif-spaces": png([text(b"Raw profile type exif", b"\nexif\n   26\n" + says(6).hex(" ").encode())]),
        "png-raw-exif-upper": png([text(b"Raw profile type exif", raw_profile(says(6)).upper())]),
        "png-raw-exif-no-hex": png([text(b"Raw profile type exif", b"\nexif\n   26\nzz")]),
        "png-raw-app1": png([ztxt(b"Raw profile type APP1", raw_profile(b"Exif\0\0" + says(6), "app1"))]),
        "png-raw-xmp": png([ztxt(b"Raw profile type xmp", raw_profile(xmp(6), "xmp"))]),
        "png-exif-1-beside-raw-exif": png([chunk(b"eXIf", says(1)), ztxt(b"Raw profile type exif", raw_profile(says(6)))]),
        "png-exif-other-tag-beside-raw": png(
            [chunk(b"eXIf", tiff([(0x0100, 3, [6])])), ztxt(b"Raw profile type exif", raw_profile(says(6)))]),
        "png-text-exif": png([text(b"exif", says(6))]),
        "png-ztxt-exif": png([ztxt(b"exif", says(6))]),
        "png-xmp-itxt": png([itxt(b"XML:com.adobe.xmp", xmp(6))]),
        "png-xmp-itxt-compressed": png([itxt(b"XML:com.adobe.xmp", xmp(6), True)]),
        "png-xmp-text": png([text(b"XML:com.adobe.xmp", xmp(8))]),
        "png-xmp-ztxt": png([ztxt(b"XML:com.adobe.xmp", xmp(8))]),
        "png-xmp-after-pixels": png([], [itxt(b"XML:com.adobe.xmp", xmp(6))]),
        "png-exif-0-beside-xmp": png([chunk(b"eXIf", says(0)), itxt(b"XML:com.adobe.xmp", xmp(6))]),
        "png-exif-no-tiff": png([chunk(b"eXIf", b"nonsense")]),
        "png-exif-empty-beside-xmp": png([chunk(b"eXIf", b""), itxt(b"XML:com.adobe.xmp", xmp(6))]),
        "png-grey-alpha": png([chunk(b"eXIf", says(8))], image=colours().convert("LA")),
        "webp-exif-prefix": webp(riff(b"EXIF", b"Exif\0\0" + says(6))),
        "webp-exif-without-flag": webp(riff(b"EXIF", says(6)), flags=0),
        "webp-exif-before-pixels": webp(before=[riff(b"EXIF", says(6))]),
        "webp-two-exif": webp(riff(b"EXIF", says(6)), riff(b"EXIF", says(3))),
        "webp-xmp": webp(riff(b"XMP ", xmp(6))),
        "webp-xmp-without-flag": webp(riff(b"XMP ", xmp(6)), flags=8),
        "webp-exif-9-beside-xmp": webp(riff(b"EXIF", says(9)), riff(b"XMP ", xmp(6))),
        "webp-exif-announced-and-missing": webp(flags=0x2C),
        "webp-exif-beside-missing-xmp": webp(riff(b"EXIF", says(6)), flags=0x2C),
        "webp-exif-no-tiff": webp(riff(b"EXIF", b"nonsense")),
        "gif-xmp": saved(colours().quantize(4), "GIF")[:-1] + b"!\xff\x0bXMP DataXMP" + bytes([len(xmp(6))]) + xmp(6) + b"\0;",
        "tiff-long": retyped_tiff(6, 4),
        "tiff-byte": retyped_tiff(6, 1),
        "tiff-value-9": saved(colours(), "TIFF", tiffinfo={0x0112: 9}),
        "tiff-xmp": saved(colours(), "TIFF", tiffinfo={700: xmp(6)}),
        "tiff-compressed-6": saved(colours(), "TIFF", tiffinfo={0x0112: 6}, compression="tiff_lzw"),
    }
    return files


def retyped_tiff(value, kind):
    data = bytearray(saved(colours(), "TIFF", tiffinfo={0x0112: value}))
    at = data.index(struct.pack("<HHI", 0x0112, 3, 1))
    data[at + 2 : at + 4] = struct.pack("<H", kind)
    return bytes(data)
