"""TIFF, QOI, PNM and TGA files: what Pillow writes of them, and a few that it only reads."""

import struct

from PIL import Image

from .build import colours, saved


def wide(width=9, height=7):
    return colours(width, height)


def clear(width=9, height=7):
    image = wide(width, height).convert("RGBA")
    image.putalpha(Image.frombytes("L", (width, height), bytes(i * 13 % 256 for i in range(width * height))))
    return image


def in_mode(mode, width=9, height=7):
    if mode in ("RGBA", "LA", "PA"):
        return clear(width, height).convert(mode)
    if mode == "P":
        return wide(width, height).quantize(7)
    if mode in ("I;16", "I;16B"):
        return Image.frombytes(mode, (width, height), struct.pack(f"<{width * height}H", *[i * 997 % 65536 for i in range(width * height)]))
    if mode in ("I", "F"):
        image = Image.new(mode, (width, height))
        image.putdata([i * 5 - 20 for i in range(width * height)])
        return image
    if mode == "LAB":
        return Image.frombytes("LAB", (width, height), bytes(i * 7 % 256 for i in range(3 * width * height)))
    return wide(width, height).convert(mode)


def noise(mode, width=11, height=9):
    """All levels of all bands beside each other."""
    state, out = 5, bytearray()
    for _ in range(width * height * len(mode)):
        state = (state * 1103515245 + 12345) % 2**31
        out.append(state >> 16 & 255)
    return Image.frombytes(mode, (width, height), bytes(out))


def tiffs():
    made = {}
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"):
        for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "group3", "group4", "jpeg", "zstd", "lzma"):
            if compression in ("group3", "group4") and mode != "1" or compression in ("zstd", "lzma") and mode != "RGB":
                continue
            if mode in ("LAB", "I", "F", "I;16B", "RGBX", "LA") and compression not in (None, "tiff_lzw"):
                continue
            if compression == "jpeg" and mode not in ("L", "RGB"):
                continue
            try:
                made[f"tiff-{mode}-{compression or 'raw'}"] = saved(in_mode(mode), "TIFF", **({"compression": compression} if compression else {}))
            except Exception as error:
                print("not written:", mode, compression, error)
    image = wide()
    made["tiff-two-pages"] = saved(image, "TIFF", save_all=True, append_images=[image.transpose(Image.Transpose.ROTATE_180)])
    made["tiff-big"] = saved(image, "TIFF", big_tiff=True)
    made["tiff-predictor"] = saved(image, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    for name, options in (("raw", {}), ("predicted", {"compression": "tiff_lzw", "tiffinfo": {317: 2}})):
        for mode in ("RGBX", "RGBA", "CMYK"):
            made[f"tiff-noise-{mode}-{name}"] = saved(noise(mode), "TIFF", **options)
    made["tiff-strips"] = saved(image, "TIFF", compression="tiff_lzw", tiffinfo={278: 2})
    made["tiff-white-is-zero"] = saved(in_mode("L"), "TIFF", tiffinfo={262: 0})
    made["tiff-bilevel-white-is-zero"] = saved(in_mode("1"), "TIFF", tiffinfo={262: 0})
    made["tiff-cut"] = made["tiff-RGB-raw"][:-40]
    return made


def pnms():
    pixels = bytes(i * 29 % 256 for i in range(9 * 7 * 3))
    few = bytes(value % 100 for value in pixels)
    deep = struct.pack(f">{9 * 7 * 3}H", *[i * 977 % 65536 for i in range(9 * 7 * 3)])
    made = {f"pnm-{mode}": saved(in_mode(mode), "PPM") for mode in ("1", "L", "RGB")}
    made |= {
        "pnm-I": saved(in_mode("I;16").convert("I"), "PPM"),
        "pnm-p1": b"P1\n# a comment\n4 3\n0 1 0 1\n1101\n0 0 1 1\n",
        "pnm-p2": b"P2\n3 2\n15\n0 5 10\n15 1 2\n",
        "pnm-p2-255": b"P2 3 2 255 0 50 100 150 1 255",
        "pnm-p3": b"P3\n2 2\n255\n255 0 0 0 255 0\n0 0 255 9 8 7\n",
        "pnm-p5-99": b"P5 9 7 99\n" + few[:63],
        "pnm-p6-99": b"P6 9 7 99\n" + few,
        "pnm-p5-1": b"P5 9 7 1\n" + bytes(value % 2 for value in pixels[:63]),
        "pnm-p5-65535": b"P5 9 7 65535\n" + deep[:126],
        "pnm-p5-1000": b"P5 9 7 1000\n" + struct.pack(">63H", *[i * 15 for i in range(63)]),
        "pnm-p6-65535": b"P6 9 7 65535\n" + deep,
        "pnm-p6-1000": b"P6 9 7 1000\n" + struct.pack(">189H", *[i * 5 for i in range(189)]),
        "pnm-comments": b"P6 # one\n9 # two\n7\n# three\n255\n" + pixels,
        "pnm-cut": b"P6 9 7 255\n" + pixels[:-9],
        "pnm-above-maximum": b"P5 9 7 99\n" + pixels[:63],
        "pam-rgb": b"P7\nWIDTH 9\nHEIGHT 7\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" + pixels,
        "pam-rgba": b"P7\nWIDTH 7\nHEIGHT 6\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + pixels[:168],
        "pfm": saved(in_mode("F"), "PPM"),
    }
    return made


def tgas():
    made = {}
    for mode in ("L", "LA", "P", "RGB", "RGBA", "1"):
        for rle in (False,) if mode == "1" else (False, True):
            for origin in (1, -1):
                name = f"tga-{mode}{'-rle' * rle}{'-bottom' * (origin > 0)}"
                made[name] = saved(in_mode(mode), "TGA", orientation=origin, **({"compression": "tga_rle"} if rle else {}))
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 9, 7, 16, 0x20)
    made["tga-16-bits"] = head + struct.pack("<63H", *[i * 1021 % 65536 for i in range(63)])
    made["tga-16-bits-alpha"] = head[:-1] + b"\x21" + struct.pack("<63H", *[i * 1021 % 65536 for i in range(63)])
    made["tga-right-to-left"] = made["tga-RGB"][:17] + b"\x30" + made["tga-RGB"][18:]
    made["tga-cut"] = made["tga-RGB"][: 18 + 60]
    made["tga-32-bits-no-alpha"] = made["tga-RGBA"][:17] + b"\x20" + made["tga-RGBA"][18:]
    return made


def files():
    qois = {f"qoi-{mode}": saved(in_mode(mode), "QOI") for mode in ("RGB", "RGBA")}
    qois["qoi-cut"] = qois["qoi-RGB"][:-30]
    return tiffs() | pnms() | tgas() | qois
