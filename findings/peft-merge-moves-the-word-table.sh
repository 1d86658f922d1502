#!/usr/bin/env bash
# PEFT's merge_and_unload() changes what a BLIP captioner computes when LoRA is on all linear layers: the last of
# them is the word table as well (tied weights), and the product that was trained for the head alone is added to both.
# PEFT and transformers say nothing. Expected: merging changes no logit by more than rounding.
# Seen with torch 2.9.0, transformers 5.24.0, peft 0.21.2: logits differ by more than 0.1; without the head in
# target_modules by less than 1e-4. Exits 0 while that is so, 1 when it has changed.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.9.0 transformers==5.24.0 peft==0.21.2
cat > "$work/merge.py" <<'PY'
import torch
from peft import LoraConfig, get_peft_model
from transformers import BlipConfig, BlipForConditionalGeneration

def difference(targets):
    torch.manual_seed(0)
    text = dict(vocab_size=60, hidden_size=32, encoder_hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                num_attention_heads=2, max_position_embeddings=20, bos_token_id=58, sep_token_id=3, pad_token_id=0)
    vision = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16)
    model = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision)).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data = torch.randn_like(parameter) * 0.2
    model.tie_weights()
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=targets)).eval()
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data = torch.randn_like(parameter) * 0.2
    inputs = dict(pixel_values=torch.randn(1, 3, 32, 32), input_ids=torch.tensor([[58, 5, 6, 7]]))
    with torch.no_grad():
        before = adapted(**inputs).logits
        after = adapted.merge_and_unload().eval()(**inputs).logits
    return (before - after).abs().max().item()

whole, without = difference("all-linear"), difference(["query", "value", "qkv", "fc1"])
print(f"all-linear: merging changes logits by {whole:.3f}; without the head: by {without:.2g}")
raise SystemExit(0 if whole > 0.1 and without < 1e-4 else 1)
PY
"$work/venv/bin/python" "$work/merge.py"
