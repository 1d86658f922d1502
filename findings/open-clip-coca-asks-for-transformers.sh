#!/usr/bin/env bash
# open_clip 3.3.0: `CoCa.generate` says "Please install transformers" where transformers is installed, from version 4.57 on. It
# looks for BeamSearchScorer, which transformers no longer exports, and takes its absence for that of the whole package; the two
# ways without a search (top_k, top_p), which need nothing of it, fail with it. With 4.55 all three work.
#
# And what the search does there: it adds logits instead of log-probabilities, so a constant added to all logits of a step, which
# changes no probability, gives another text; and its 3 groups of 2 beams write what one group of 2 beams writes.
#
# Seen with open_clip_torch 3.3.0, torch 2.9.0, transformers 4.57.3 and 4.55.4. Exits 0 while that is so, 1 when it has changed.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
pip() { "$work/venv/bin/pip" install -q --disable-pip-version-check "$@"; }
pip --index-url "${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" torch==2.9.0 torchvision==0.24.0 || pip torch==2.9.0 torchvision==0.24.0
pip open_clip_torch==3.3.0 transformers==4.57.3
cat > "$work/coca.py" <<'PY'
import sys

import torch
import transformers
from open_clip.coca_model import CoCa

torch.manual_seed(3)
text = {"context_length": 40, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1, "output_tokens": True}
vision = {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 1, "output_tokens": True}
model = CoCa(16, text, text | {"embed_cls": True}, vision).eval()
for name, values in model.named_parameters():
    if values.dim() > 1:
        torch.nn.init.normal_(values, std=0.5)
picture = torch.randn(1, 3, 16, 16)
asked = {"sot_token_id": 48, "eos_token_id": 49, "seq_len": 20}

def text_of(**options):
    return model.generate(picture, **asked, **options)[0].tolist()

print(f"transformers {transformers.__version__}")
if sys.argv[1] == "new":
    refused = 0
    for kind in ("beam_search", "top_k", "top_p"):
        try:
            text_of(generation_type=kind)
        except AssertionError as error:
            print(kind, "fails:", error)
            refused += "install transformers" in str(error)
    raise SystemExit(0 if refused == 3 else 1)
groups, one = text_of(), text_of(num_beams=2, num_beam_groups=1)
head = model.text_decoder.forward

def shifted(*inputs):
    """The same probabilities: all logits of a step are larger by as much."""
    logits = head(*inputs)
    return logits + 3 * (logits.argmax(-1, keepdim=True) % 5)

model.text_decoder.forward = shifted
moved = text_of()
print("3 groups of 2 beams:", groups)
print("1 group of 2 beams: ", one)
print("the same probabilities from other logits:", moved)
raise SystemExit(0 if groups == one and moved != groups else 1)
PY
"$work/venv/bin/python" "$work/coca.py" new
pip transformers==4.55.4
"$work/venv/bin/python" "$work/coca.py" old
