#!/usr/bin/env bash
# transformers 5.0.0: BertTokenizer (BLIP's) from a vocab.txt no longer makes letters small unless tokenizer_config.json says
# `do_lower_case: true`. The default was true up to 4.57 and is true again in 5.6, so the same folder gives other ids in 5.0
# alone: with a vocabulary of small letters every word with a capital becomes [UNK]. What 5.0 saves of it, a tokenizer.json
# without lowercasing, keeps doing so in every later version, and in every other program that reads the file.
#
# Seen, Python 3.11, "What is RED ?":
#     transformers 4.57.6 [2, 5, 6, 7, 8, 3]; 5.0.0 [2, 1, 6, 1, 8, 3]; 5.24.0 [2, 5, 6, 7, 8, 3]
#     saved by 5.0.0 and read by 5.24.0: [2, 1, 6, 1, 8, 3]
#
# Installs the packages into a temporary folder (no torch is needed). Exits with 1 when the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' what is red '?' >"$work/vocab.txt"

ids() { # ids VERSION FOLDER: what that version reads, and saves as FOLDER/by-VERSION
  HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$work/$1/bin/python" - "$2" "$1" <<'PYTHON'
import sys

from transformers import BertTokenizerFast as BertTokenizer

tokenizer = BertTokenizer.from_pretrained(sys.argv[1])
tokenizer.save_pretrained(f"{sys.argv[1]}/by-{sys.argv[2]}")
print(tokenizer("What is RED ?")["input_ids"])
PYTHON
}

for version in 4.57.6 5.0.0 5.24.0; do
  "${PYTHON:-python3}" -m venv "$work/$version"
  "$work/$version/bin/pip" install -q --disable-pip-version-check "transformers==$version"
done
small='[2, 5, 6, 7, 8, 3]' unknown='[2, 1, 6, 1, 8, 3]' same=true
expect() {
  printf '%s: %s\n' "$1" "$2"
  [ "$2" = "$3" ] || same=false
}
expect "transformers 4.57.6" "$(ids 4.57.6 "$work")" "$small"
expect "transformers 5.0.0" "$(ids 5.0.0 "$work")" "$unknown"
expect "transformers 5.24.0" "$(ids 5.24.0 "$work")" "$small"
expect "saved by 5.0.0, read by 5.24.0" "$(ids 5.24.0 "$work/by-5.0.0")" "$unknown"
$same
