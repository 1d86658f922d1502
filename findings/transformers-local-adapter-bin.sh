#!/usr/bin/env bash
# transformers 5 does not read an adapter_model.bin from a folder on this machine: it looks for adapter_model.safetensors
# first, does not notice that there is none, and fails when it opens it. PEFT reads the same folder. Its code lists the
# .bin file as the second choice, so expected is that both load. Seen with torch 2.9.0, transformers 5.24.0, peft 0.21.2:
# from_pretrained raises FileNotFoundError. Exits 0 while that is so, 1 when it has changed.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.9.0 transformers==5.24.0 peft==0.21.2
cat > "$work/load.py" <<'PY'
import os, sys
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import CLIPConfig, CLIPModel

folder, base = sys.argv[1] + "/adapter", sys.argv[1] + "/base"
small = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, projection_dim=16)
config = CLIPConfig(text_config=dict(small, vocab_size=40, max_position_embeddings=16),
                    vision_config=dict(small, image_size=32, patch_size=16), projection_dim=16)
CLIPModel(config).save_pretrained(base)
get_peft_model(CLIPModel.from_pretrained(base), LoraConfig(target_modules=["q_proj"])).save_pretrained(folder)
CLIPModel.from_pretrained(folder)
print("adapter_model.safetensors: transformers loads it")
torch.save(load_file(folder + "/adapter_model.safetensors"), folder + "/adapter_model.bin")
os.remove(folder + "/adapter_model.safetensors")
PeftModel.from_pretrained(CLIPModel.from_pretrained(base), folder)
print("adapter_model.bin: PEFT loads it")
try:
    CLIPModel.from_pretrained(folder)
except FileNotFoundError as error:
    print("adapter_model.bin: transformers:", error)
    raise SystemExit(0)
print("adapter_model.bin: transformers loads it, too")
raise SystemExit(1)
PY
"$work/venv/bin/python" "$work/load.py" "$work"
