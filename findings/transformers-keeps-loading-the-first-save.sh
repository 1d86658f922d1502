#!/usr/bin/env bash
# transformers 5.24.0 (and every version tried from 4.30 on; not 4.21): a model is saved into a folder whole, and later,
# trained on, into the same folder in shards (`max_shard_size`, or because it has grown past the default). `save_pretrained`
# removes the shards of an earlier save, but not an earlier single file, and `from_pretrained` prefers the single file to the
# index of the shards: it returns the model of the first save. No warning is given by either call.
#
# Seen, transformers 5.24.0, torch 2.9.1, Python 3.11:
#     saved 1.0, then 9.0 in shards; loaded 1.0
#     files: model-00001-of-00005.safetensors … model-00005-of-00005.safetensors model.safetensors model.safetensors.index.json
# The other way round (shards, then whole) the second save is loaded.
#
# Installs the packages into a temporary folder (some GB, torch's). Exits with 1 when the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check transformers==5.24.0 torch==2.9.1
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - "$work" <<'PYTHON'
import pathlib
import sys
import warnings

import torch
import transformers

warnings.simplefilter("error")
transformers.utils.logging.disable_progress_bar()
config = transformers.CLIPConfig(
    text_config={"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
                 "bos_token_id": 62, "eos_token_id": 63},
    vision_config={"image_size": 32, "patch_size": 16, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                   "num_attention_heads": 2},
)
model = transformers.CLIPModel(config)


def saved(folder, value, **options):
    with torch.no_grad():
        model.logit_scale.fill_(value)
    model.save_pretrained(folder, **options)


def loaded(folder):
    return transformers.CLIPModel.from_pretrained(folder).logit_scale.item()


first, second = f"{sys.argv[1]}/whole-then-shards", f"{sys.argv[1]}/shards-then-whole"
saved(first, 1.0)
saved(first, 9.0, max_shard_size="100KB")
files = sorted(file.name for file in pathlib.Path(first).glob("model*"))
print(f"transformers {transformers.__version__}: saved 1.0, then 9.0 in shards; loaded {loaded(first)}")
print("files:", *files)
saved(second, 1.0, max_shard_size="100KB")
saved(second, 9.0)
print(f"saved 1.0 in shards, then 9.0; loaded {loaded(second)}")
sys.exit(not (loaded(first) == 1.0 and loaded(second) == 9.0 and "model.safetensors" in files and len(files) > 3))
PYTHON
