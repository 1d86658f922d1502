#!/usr/bin/env bash
# transformers 5.24: a tokenizer.json whose first step makes letters small is read without that step where
# tokenizer_config.json says GemmaTokenizer: the class builds its own steps and takes the vocabulary alone. The same file in
# the `tokenizers` package, or under the class PreTrainedTokenizerFast, gives small letters. SigLIP 2 was trained on texts in
# lower case and is published under that class.
#
# Seen with transformers 5.24.0, tokenizers 0.23.3: "A CAT" is other ids than "a cat" under GemmaTokenizer, and the same ids in
# the file itself. Exits 0 while that is so, 1 when it has changed.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check transformers==5.24.0 tokenizers==0.23.3
cat > "$work/steps.py" <<'PY'
import json
import sys
from pathlib import Path

import tokenizers
import transformers
from tokenizers import Tokenizer, models, normalizers

folder = Path(sys.argv[1])
vocabulary = {token: number for number, token in enumerate(["<pad>", "<eos>", "<bos>", "<unk>", "\u2581", *"actACT"])}
made = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
made.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "\u2581")])
made.save(str(folder / "tokenizer.json"))

def ids(of_class, text):
    config = {"tokenizer_class": of_class, "pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return transformers.AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"]

inside = [Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids for text in ("A CAT", "a cat")]
plain = [ids("PreTrainedTokenizerFast", text) for text in ("A CAT", "a cat")]
gemma = [ids("GemmaTokenizer", text) for text in ("A CAT", "a cat")]
print(f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}: the file {inside}, plain {plain}, Gemma {gemma}")
raise SystemExit(0 if inside[0] == inside[1] and plain[0] == plain[1] and gemma[0] != gemma[1] else 1)
PY
"$work/venv/bin/python" "$work/steps.py" "$work"
