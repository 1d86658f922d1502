"""Sorts scenes of single things into a folder for each thing, for `obscura eval` to measure zero-shot accuracy on.

    python scripts/pictograms/single-things.py SCENES FOLDER

SCENES was made by `obscura scenes PACKAGES SCENES --mix 1,0,0,0,0`. FOLDER gets `known`, drawn by the artists of the
training, and `style`, drawn by one whom training never showed.
"""

import json
import shutil
import sys
from pathlib import Path

SPLITS = {"train": "known", "style": "style"}


def main(scenes, folder):
    for split, name in SPLITS.items():
        for line in (Path(scenes) / split / "captions.jsonl").read_text().splitlines():
            scene = json.loads(line)
            (thing,) = scene["facts"]["things"]
            into = Path(folder) / name / thing["object"].replace(" ", "_")
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(scenes) / split / scene["image"], into)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
