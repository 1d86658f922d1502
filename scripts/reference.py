#!/usr/bin/env python3
"""Writes the golden data that the Rust tests compare with: `python scripts/reference.py`.

The reference is the `transformers` package in eager float32 on the CPU, with its Pillow image processors.
This script makes small checkpoints with seeded random weights in Hugging Face layout, runs the reference's
own classes (of open_clip's for CLIP's ResNets) on the test pictures, and records what they compute at every stage. Its outputs are committed
(tests/pictures, tests/golden), so the tests themselves need no Python. tests/golden/README.md describes them.

    python -m venv VENV && VENV/bin/pip install -r scripts/reference/requirements.txt
    VENV/bin/python scripts/reference.py                  # tests/pictures and tests/golden
    VENV/bin/python scripts/reference.py NAME...          # only these parts (see --list)
    VENV/bin/python scripts/reference.py --full OUT [NAME...]   # real sizes, two pictures, into OUT

The parts are `pictures`, `tokenizers`, `gguf`, `attention`, `guidance`, `adapters`, `multilingual`, `training`, `zero-shot` and the checkpoints' names.
What is drawn at random
comes from fixed seeds, so a second run gives the same files with the same versions on the same kind of processor;
another processor may differ in the last bits of the recorded floats.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

sys.dont_write_bytecode = True
if {"-h", "--help"} & set(sys.argv[1:]):  # before the packages, which whoever asks may not have
    print(__doc__.strip())
    sys.exit()

import torch  # noqa: E402
import transformers  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from reference import (  # noqa: E402
    adapters, attention, blip, checkpoints, clip, coca, configurations, generation, guidance, multilingual, pictures, quantized, record,
    resnet, siglip,
    texts,
    training, zero_shot,
)

FULL_PICTURES = ["landscape.png", "alpha.png"]
SIX = ["landscape.png", "portrait.png", "tiny.png", "large.png", "grey.png", "alpha.png"]


def pictures_for(name, full):
    """Which pictures a checkpoint is run on; fewer where the same vision encoder has seen the others."""
    if full:
        return FULL_PICTURES
    every = [*SIX, *sorted(p.name for p in record.PICTURES.iterdir() if p.suffix != ".md" and p.name not in SIX)]
    return {
        "clip-quick": every,
        "clip-gelu": SIX[:5] + ["rotated.jpg"],
        "blip-caption": SIX + ["rotated.jpg", "lossless.webp"],
        "blip-caption-untied": SIX[:4],
        "blip-retrieval": SIX,
        "blip-vqa": SIX[:4],
        "siglip": SIX[:4],
        "siglip2": SIX[:4],
        "chinese-clip": SIX[:3],
    }[name]


def make(checkpoint, out: Path):
    """The folder of one checkpoint: model/, expected.safetensors, expected.json."""
    folder = out / checkpoint.name
    checkpoints.save(checkpoint, folder / "model")
    if len(checkpoint.classes) > 1:
        return  # a union: what the folders of its parts expect holds for it
    kind = checkpoint.classes[0]
    model = checkpoints.load(checkpoint, folder / "model", kind)
    names = pictures_for(checkpoint.name, checkpoint.full)
    side = checkpoint.config["vision_config"]["image_size"] + 2 * checkpoint.config["vision_config"]["patch_size"]
    if kind in ("CLIPModel", "ChineseCLIPModel", "SiglipModel"):
        expected = clip.record(model, folder / "model", names, side)
        if checkpoint.sentencepiece:
            pixels = record.Preparation(folder / "model").pixels(names[0])
            siglip.save_timm(folder / "model", out / f"{checkpoint.name}-timm" / "model", model, pixels)
    elif kind == "BlipForConditionalGeneration":
        few = 2 if checkpoint.name == "blip-caption-untied" else 4
        expected = blip.record_caption(model, folder / "model", names, side, few)
    elif kind == "BlipForImageTextRetrieval":
        expected = blip.record_retrieval(model, folder / "model", names)
    else:
        expected = blip.record_answers(model, folder / "model", names, 2)
    expected.write(folder)


def parts(full, out: Path):
    """Name -> what makes it, in order."""
    made = {c.name: (lambda c=c: make(c, out)) for c in (configurations.full() if full else configurations.small())}
    if full:
        made["clip-rn50"] = lambda: resnet.make(resnet.full(), out / "clip-rn50", FULL_PICTURES, seed=7, dtype=torch.float32)
        made["coca-b32"] = lambda: coca.make(coca.full(), out / "coca-b32", FULL_PICTURES[:1], seed=6, dtype=torch.float16)
        return made

    def draw():
        pictures.draw_all(record.PICTURES)
        pictures.record_decoded(record.PICTURES, out / "pixels")

    tokenizers, blocks = out / "tokenizers", out / "gguf"
    return {
        "pictures": draw,
        "tokenizers": lambda: texts.record(tokenizers),
        "gguf": lambda: quantized.record(blocks),
        **made,
        "clip-resnet": lambda: resnet.make(resnet.small(), out / "clip-resnet", SIX, seed=6),
        "coca": lambda: coca.make(coca.pooled(), out / "coca", SIX[:3], seed=6),
        "coca-bare": lambda: coca.make(coca.bare(), out / "coca-bare", SIX[:2], seed=7),
        "attention": lambda: attention.record(out, out / "attention", ("blip-caption", "blip-retrieval"), SIX[:2]),
        "guidance": lambda: guidance.record(out, out / "guidance", ["clip-quick", "clip-gelu"]),
        "adapters": lambda: adapters.record(out, out / "adapters"),
        "multilingual": lambda: multilingual.make(out / "multilingual", out / "clip-quick/model"),
        "training": lambda: training.record(out / "training"),
        "zero-shot": lambda: zero_shot.record(out, {c.name: c for c in configurations.small()}),
    }


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--full", metavar="OUT", type=Path, help="real sizes, into this folder")
    options.add_argument("--list", action="store_true", help="print the names of the parts")
    options.add_argument("names", nargs="*")
    given = options.parse_args()
    record.PICTURES = ROOT / "tests" / "pictures"
    out = given.full or ROOT / "tests" / "golden"
    known = parts(given.full is not None, out)
    if given.list:
        return print("\n".join(known))
    unknown = [name for name in given.names if name not in known]
    if unknown:
        options.error(f"no part is called {', '.join(unknown)}; there are {', '.join(known)}")
    torch.set_num_threads(1)  # more make it slower: twenty times, where anything else runs beside it
    if given.full:
        generation.less()
        coca.less()
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*model-agnostic default `max_length`.*")  # the default is what we record
    for name in given.names or known:
        start = time.monotonic()
        known[name]()
        print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
