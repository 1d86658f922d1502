#!/usr/bin/env bash
# transformers 5.24: SigLIP's text encoder was trained on texts filled up to full length, the filling attended to, and the
# model's documentation calls it so: model(**tokenizer(texts, padding="max_length")). From 5.x on SiglipTokenizer returns an
# attention_mask as well, and the model takes it: the filling is hidden, and the vectors are others than those of the ids
# alone, without a warning. (The class's `model_input_names` has the mask; a tokenizer_config.json with
# "model_input_names": ["input_ids"], as google's have, brings the vectors back.)
#
# Seen with torch 2.9.0, transformers 5.24.0: the cosine of the two vectors of a text is below 0.99 on random weights.
# Exits 0 while that is so, 1 when it has changed. Takes PyTorch: 6 GB in a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  torch==2.9.0 transformers==5.24.0 sentencepiece==0.2.1 protobuf==6.33.1 numpy==2.4.6
cat > "$work/mask.py" <<'PY'
import io
import sys

import sentencepiece
import torch
import transformers
from transformers import SiglipTextConfig, SiglipTextModel, SiglipTokenizer

torch.manual_seed(0)
model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["a cat and a dog", "the dog and the cat", "cats, dogs"] * 9), model_writer=model, vocab_size=30,
    model_type="unigram", pad_id=-1, bos_id=-1, eos_id=1, unk_id=2, control_symbols=["<pad>"], minloglevel=2,
    hard_vocab_limit=False)
path = f"{sys.argv[1]}/spiece.model"
open(path, "wb").write(model.getvalue())
tokenizer = SiglipTokenizer(path, model_max_length=16)
config = SiglipTextConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                          max_position_embeddings=16, bos_token_id=None, eos_token_id=1)
encoder = SiglipTextModel(config).eval()
for parameter in encoder.parameters():
    if parameter.dim() > 1:
        parameter.data = torch.randn_like(parameter) * 0.4
inputs = tokenizer(["a cat"], padding="max_length", return_tensors="pt")
with torch.no_grad():
    documented = encoder(**inputs).pooler_output
    ids_alone = encoder(input_ids=inputs["input_ids"]).pooler_output
cosine = torch.nn.functional.cosine_similarity(documented, ids_alone).item()
print(f"transformers {transformers.__version__} gives {list(inputs)}; the vectors with and without the mask: cosine {cosine:.4f}")
raise SystemExit(0 if "attention_mask" in inputs and cosine < 0.99 else 1)
PY
"$work/venv/bin/python" "$work/mask.py" "$work"
