#!/usr/bin/env bash
# transformers 5.24.0: in a CLIP's config.json, `text_config_dict` replaces `text_config` whole. What it leaves out is not
# taken from `text_config`, but reset to the class's default: two layers of 64 numbers become two layers of 512.
#
# Seen: hidden_size 512, num_hidden_layers 2. Exits non-zero where the fields of both are merged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.24.0
"$folder/venv/bin/python" - <<'PYTHON' 2>/dev/null
import transformers

config = transformers.CLIPConfig.from_dict({
    "model_type": "clip",
    "text_config": {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3},
    "text_config_dict": {"num_hidden_layers": 2},
})
text = config.text_config
print(f"transformers {transformers.__version__}: hidden_size {text.hidden_size}, num_hidden_layers {text.num_hidden_layers}")
assert (text.hidden_size, text.num_hidden_layers) == (512, 2), "the fields of both are merged now"
PYTHON
