#!/usr/bin/env bash
# transformers 5.24.0 (and 5.0 and 5.6; not 4.57): the settings of an image processor that is saved into a model's folder are
# not those that are read from it again. Since version 5 a processor saves its image processor inside processor_config.json,
# while an image processor alone still saves preprocessor_config.json; loading prefers the former. So where both exist,
# `image_processor.save_pretrained(folder)` has no effect: even the same class reads the old settings from the same folder.
# No warning is given. Whoever changes the size or the mean of a checkpoint that way keeps working with the old ones.
#
# Seen, transformers 5.24.0, Python 3.11:
#     saved size 40; CLIPImageProcessorPil reads 32; preprocessor_config.json says 40, processor_config.json 32
#
# Installs the packages into a temporary folder (no torch is needed). Exits with 1 when the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check transformers==5.24.0 pillow==13.0.0
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=warning "$work/venv/bin/python" - "$work" <<'PYTHON'
import json
import pathlib
import sys

import transformers
from transformers import CLIPImageProcessorPil, CLIPProcessor, CLIPTokenizer

work = pathlib.Path(sys.argv[1])
words = ["a", "a</w>", "<|startoftext|>", "<|endoftext|>"]
(work / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
(work / "merges.txt").write_text("#version: 0.2\n")


def image_processor(size):
    return CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size})


folder = work / "model"
CLIPProcessor(image_processor(32), CLIPTokenizer.from_pretrained(work)).save_pretrained(folder)
image_processor(40).save_pretrained(folder)
alone = CLIPImageProcessorPil.from_pretrained(folder).size["shortest_edge"]
file = json.loads((folder / "preprocessor_config.json").read_text())["size"]["shortest_edge"]
both = json.loads((folder / "processor_config.json").read_text())["image_processor"]["size"]["shortest_edge"]
print(f"transformers {transformers.__version__}: saved size 40; CLIPImageProcessorPil reads {alone};",
      f"preprocessor_config.json says {file}, processor_config.json {both}")
sys.exit((alone, file, both) != (32, 40, 32))
PYTHON
