#!/usr/bin/env python3
"""Writes www/labels/imagenet.json: the class names and the templates of CLIP's zero-shot protocol.

    python -m venv VENV && VENV/bin/pip download --no-deps -d WHEELS open_clip_torch==3.3.0 timm==1.0.31
    python scripts/reference/label-sets.py WHEELS

The names and the 80 templates are those of open_clip's `zero_shot_metadata.py` (OpenAI's, with the later corrections
of names); the identifiers, in the same order, those of timm's `imagenet_synsets.txt`: they are what the folders of
ImageNet are called. Nothing of the two packages but these two files is read. www/labels/README.md has the licences.
"""

import json
import runpy
import sys
import tempfile
import zipfile
from pathlib import Path

OUTPUT = Path(__file__).resolve().parents[2] / "www" / "labels" / "imagenet.json"


def read(wheels: Path, package: str, member: str) -> bytes:
    (wheel,) = wheels.glob(f"{package}-*.whl")
    return zipfile.ZipFile(wheel).read(member)


def main(wheels: Path):
    with tempfile.NamedTemporaryFile(suffix=".py") as file:  # plain lists; the package itself wants torch
        file.write(read(wheels, "open_clip_torch", "open_clip/zero_shot_metadata.py"))
        file.flush()
        metadata = runpy.run_path(file.name)
    labels = list(metadata["IMAGENET_CLASSNAMES"])
    templates = [template("{}") for template in metadata["OPENAI_IMAGENET_TEMPLATES"]]
    ids = read(wheels, "timm", "timm/data/_info/imagenet_synsets.txt").decode().split()
    assert (len(labels), len(templates), len(ids), len(set(ids))) == (1000, 80, 1000, 1000)
    assert ids == sorted(ids), "class numbers are the order of the identifiers"
    known = {"n01440764": "tench", "n02012849": "crane bird", "n03126707": "construction crane"}
    assert all(labels[ids.index(key)] == name for key, name in known.items())

    def lines(values):
        return "[\n" + ",\n".join("    " + json.dumps(value, ensure_ascii=False) for value in values) + "\n  ]"

    fields = {"name": json.dumps("imagenet"), "templates": lines(templates), "ids": json.dumps(ids), "labels": lines(labels)}
    text = "{\n" + ",\n".join(f"  {json.dumps(key)}: {value}" for key, value in fields.items()) + "\n}\n"
    assert json.loads(text)["labels"] == labels
    OUTPUT.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
