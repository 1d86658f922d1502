"""The one picture that every model sees: waves and noise, so that a row or a column left out shows.

Its sides are such that the rounding of a resized side, and of a centre crop's offset, shows, too.
"""

import numpy as np
from PIL import Image


def draw(file):
    y, x = np.mgrid[0:59, 0:43]
    waves = [127 + 90 * np.sin(x * across + y * down) for across, down in ((0.31, 0.08), (0.09, 0.41), (0.52, -0.33))]
    noise = np.random.default_rng(21).integers(-20, 21, (59, 43, 3))
    Image.fromarray((np.stack(waves, -1) + noise).clip(0, 255).astype("uint8")).save(file)
