#!/usr/bin/env bash
# PEFT compares modules_to_save with the ends of module names as texts, not as words: modules_to_save=["decoder"], meant
# for BLIP's output layer text_decoder.cls.predictions.decoder, also wraps the whole text_decoder. target_modules match
# whole words. The adapter trains and is saved without a word, but cannot be loaded again. Seen with torch 2.9.0,
# transformers 5.24.0, peft 0.21.2: the file holds the whole decoder, and PeftModel.from_pretrained raises KeyError.
# Exits 0 while that is so, 1 when it has changed.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.9.0 transformers==5.24.0 peft==0.21.2
cat > "$work/save.py" <<'PY'
import sys
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import BlipConfig, BlipForConditionalGeneration

text = dict(vocab_size=60, hidden_size=32, encoder_hidden_size=32, intermediate_size=64, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=20, bos_token_id=58, sep_token_id=3, pad_token_id=0)
vision = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16)
base, folder = sys.argv[1] + "/base", sys.argv[1] + "/adapter"
BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision)).save_pretrained(base)
load = lambda: BlipForConditionalGeneration.from_pretrained(base)
get_peft_model(load(), LoraConfig(target_modules=["query", "qkv"], modules_to_save=["decoder"])).save_pretrained(folder)
names = load_file(folder + "/adapter_model.safetensors")
whole = [name for name in names if "lora_" not in name and ".cls.predictions.decoder." not in name]
print(f"asked for one layer; {len(whole)} other tensors were saved whole, such as {whole[0]}")
try:
    PeftModel.from_pretrained(load(), folder)
except KeyError as error:
    print("loading it again: KeyError", error)
    raise SystemExit(0 if whole else 1)
print("it loads again")
raise SystemExit(1)
PY
"$work/venv/bin/python" "$work/save.py" "$work"
