#!/usr/bin/env bash
# transformers 5.24.0: BlipForConditionalGeneration reads generation_config.json of a checkpoint, shows it as
# `model.generation_config`, saves it again, and generates without it. Its `generate` hands on to that of its text decoder,
# which has a generation_config of its own, made from the text configuration. So whoever publishes a BLIP with, say,
# {"num_beams": 3, "max_length": 9} sees greedy texts of 20 tokens; setting `model.generation_config.num_beams` has no effect
# either. `generate(generation_config=model.generation_config)` follows it, with a warning. No other warning is given.
#
# Seen, transformers 5.24.0, torch 2.9.0, Python 3.11:
#     model.generation_config: num_beams 3, max_length 9; generate() adds 20 tokens, with the settings handed over 8
# obscura follows the file, and says so.
#
# Installs the packages into a temporary folder (torch for the CPU takes about 1 GB). PYTHON=venv/bin/python with VENV=1 uses an
# environment that has them. Exits with 1 when the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
if [ -z "${VENV:-}" ]; then
  "$python" -m venv "$work/venv"
  python="$work/venv/bin/python"
  "$python" -m pip install -q --disable-pip-version-check torch==2.9.0 numpy transformers==5.24.0
fi
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$python" -W ignore - "$work/model" <<'PYTHON'
import json
import pathlib
import sys

import torch
import transformers
from transformers import BlipConfig, BlipForConditionalGeneration

folder = pathlib.Path(sys.argv[1])
small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
text = {**small, "vocab_size": 100, "encoder_hidden_size": 32, "bos_token_id": 1, "sep_token_id": 2, "eos_token_id": 2, "pad_token_id": 0}
config = BlipConfig(text_config=text, vision_config={**small, "image_size": 32, "patch_size": 16})
torch.manual_seed(0)
BlipForConditionalGeneration(config).save_pretrained(folder)
(folder / "generation_config.json").write_text(json.dumps({"num_beams": 3, "max_length": 9}))
model = BlipForConditionalGeneration.from_pretrained(folder).eval()
# So that no text ends by itself:
with torch.no_grad():
    model.text_decoder.cls.predictions.bias[2] = -1e9
settings = model.generation_config
pixels = torch.zeros(1, 3, 32, 32)
alone = model.generate(pixel_values=pixels).shape[1] - 1
handed_over = model.generate(pixel_values=pixels, generation_config=settings).shape[1] - 1
print(f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}: model.generation_config: "
      f"num_beams {settings.num_beams}, max_length {settings.max_length}; generate() adds {alone} tokens, "
      f"with the settings handed over {handed_over}")
sys.exit((settings.num_beams, settings.max_length, alone, handed_over) != (3, 9, 20, 8))
PYTHON
