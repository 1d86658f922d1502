"""WebP files: lossy and lossless, with alpha and without, animations whose first frame is clear or small."""

import io
import struct

from PIL import Image

from .build import riff, saved
from .more import clear, noise, wide


def three(number):
    return struct.pack("<I", number)[:3]


def animation(frame, place=(0, 0), canvas=(23, 14), alpha=True, flags=0, more=b""):
    """A file of one frame, taken out of a still picture, and of what else is given."""
    still = frame[12:]
    if still[:4] == b"VP8X":
        still = still[18:]
    image = Image.open(io.BytesIO(frame))
    head = three(place[0] // 2) + three(place[1] // 2) + three(image.width - 1) + three(image.height - 1) + three(100)
    header = riff(b"VP8X", bytes([2 | 16 * alpha, 0, 0, 0]) + three(canvas[0] - 1) + three(canvas[1] - 1))
    body = b"WEBP" + header + riff(b"ANIM", b"\x10\x20\x30\xff\0\0") + riff(b"ANMF", head + bytes([flags]) + still) + more
    return b"RIFF" + struct.pack("<I", len(body)) + body


def files():
    made = {}
    for name, image in (("rgb", noise("RGB", 23, 14)), ("rgba", noise("RGBA", 23, 14)), ("soft", wide(23, 14)), ("soft-clear", clear(23, 14))):
        made[f"{name}-lossless"] = saved(image, "WEBP", lossless=True, exact=True)
        made[f"{name}-fine"] = saved(image, "WEBP", quality=95)
        made[f"{name}-coarse"] = saved(image, "WEBP", quality=20, alpha_quality=30)
    for size in ((1, 1), (2, 3), (17, 16), (16, 17)):
        made[f"size-{size[0]}x{size[1]}"] = saved(wide(*size), "WEBP", quality=80)
    still = {name: made[name] for name in ("rgb-fine", "rgba-fine", "rgb-lossless", "rgba-lossless", "soft-clear-coarse")}
    for name, frame in still.items():
        made[f"animated-{name}"] = animation(frame)
        made[f"animated-small-{name}"] = animation(frame, (4, 6), (40, 30))
        made[f"animated-small-opaque-{name}"] = animation(frame, (4, 6), (40, 30), alpha=False)
    made["animated-not-blended"] = animation(still["rgba-lossless"], flags=2)
    made["animated-disposed"] = animation(still["rgba-lossless"], (2, 2), (30, 30), flags=1)
    made["animated-two-frames"] = saved(clear(23, 14), "WEBP", save_all=True, append_images=[clear(23, 14).rotate(180)], duration=100)
    made["animated-two-opaque-frames"] = saved(wide(23, 14), "WEBP", save_all=True, append_images=[wide(23, 14).rotate(180)], duration=100)
    made["animated-sticks-out"] = animation(still["rgb-fine"], (4, 6))
    made["animated-other-size"] = animation(still["rgb-fine"]).replace(three(22) + three(13) + three(100), three(20) + three(13) + three(100))
    made["animated-without-frames"] = animation(still["rgb-fine"]).replace(b"ANMF", b"NONE")
    made["cut"] = made["rgb-lossless"][:-30]
    return made
