"""JPEG XL files, which Pillow reads by its plugin over libjxl, and JPEG 2000 files, which it reads by OpenJPEG.

Where a name ends in -lossy, decoders may differ by a level, and the pixels themselves are recorded.
"""

import io
import tempfile
import warnings
from pathlib import Path

from PIL import Image

from .build import saved, says
from .more import clear, in_mode, wide

JP2 = {
    "lossless": {"irreversible": False},
    "planes": {"irreversible": False, "mct": 0},
    "layers": {"irreversible": False, "quality_layers": [8, 4, 0]},
    "tiles": {"irreversible": False, "tile_size": (16, 16)},
    "lossy": {"irreversible": True, "quality_mode": "rates", "quality_layers": [6]},
}


def smooth(mode):
    return (clear if mode.endswith("A") else wide)(4, 3).resize((29, 19), Image.Resampling.BICUBIC).convert(mode)


def jxls():
    made = {}
    for mode in ("L", "LA", "RGB", "RGBA"):
        made[f"jxl-{mode}-lossless"] = saved(smooth(mode), "JXL", lossless=True)
        made[f"jxl-{mode}-lossy"] = saved(smooth(mode), "JXL", quality=80)
    made["jxl-I;16"] = saved(in_mode("I;16"), "JXL", lossless=True)
    made["jxl-container"] = saved(smooth("RGB"), "JXL", lossless=True, use_container=True)
    made["jxl-own-colours"] = saved(smooth("RGB"), "JXL", quality=60, use_original_profile=True)
    made["jxl-exif-6"] = saved(smooth("RGB"), "JXL", lossless=True, exif=says(6))
    made["jxl-cut"] = made["jxl-RGB-lossless"][:-60]
    made["jxl-cut-in-header"] = made["jxl-RGB-lossless"][:3]
    for name, options in {
        "420": {"subsampling": 2},
        "444": {"subsampling": 0},
        "444-progressive": {"subsampling": 0, "progressive": True},
        "420-progressive": {"subsampling": 2, "progressive": True},
        "420-exif-6": {"subsampling": 2, "exif": b"Exif\0\0" + says(6)},
    }.items():
        made[f"jxl-of-jpeg-{name}"] = packed(saved(smooth("RGB"), "JPEG", **options))
    return made


def packed(jpeg):
    """The plugin packs a JPEG that lies in a file."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "picture.jpg")
        path.write_bytes(jpeg)
        with Image.open(path) as image:
            return saved(image, "JXL", lossless_jpeg=True)


def jp2s():
    made = {}
    for mode in ("L", "LA", "RGB", "RGBA"):
        for name, options in JP2.items():
            made[f"jp2-{mode}-{name}"] = saved(smooth(mode), "JPEG2000", **options)
        made[f"j2k-{mode}"] = saved(smooth(mode), "JPEG2000", no_jp2=True)
    made["jp2-I;16"] = saved(in_mode("I;16"), "JPEG2000")
    made["jp2-CMYK"] = saved(smooth("RGB").convert("CMYK"), "JPEG2000")
    made["jp2-YCbCr"] = saved(smooth("RGB").convert("YCbCr"), "JPEG2000")
    made["jp2-signed"] = saved(smooth("L"), "JPEG2000", signed=True)
    made["jp2-cut"] = made["jp2-RGB-lossless"][:-80]
    return made


def files():
    import pillow_jxl  # noqa: F401: it makes Pillow read and write JPEG XL

    return jxls() | jp2s()
