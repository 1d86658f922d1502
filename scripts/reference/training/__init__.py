"""What training computes: BLIP's losses, CLIP's and SigLIP's, their gradients, a few steps of AdamW.

The losses are those of BLIP's paper (Li et al., arXiv 2201.12086) and of its published pretraining, on the
modules of `transformers`; wherever a class of `transformers` computes a loss itself, the two are compared here.
Every gradient is compared with central differences in float64, so what is recorded is right twice over.
Keys are described in tests/golden/training/README.md.
"""

from pathlib import Path

from . import blip, clip, siglip


def record(out: Path):
    blip.record(out / "blip")
    clip.record(out / "clip")
    siglip.record(out / "siglip")
