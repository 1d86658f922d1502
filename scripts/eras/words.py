"""Small vocabularies of real tokenizers: CLIP's byte pairs and BERT's word pieces, a few words each.

Both are written as the plain vocabulary files that the tokenizers' classes of every version read; what lies in a
checkpoint's folder is what those classes then save.
"""

import json
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz?"
MERGES = ["a t</w>", "c at</w>", "t h", "th e</w>", "o g</w>", "d og</w>"]
CLIP = [*LETTERS, *(letter + "</w>" for letter in LETTERS), *(pair.replace(" ", "") for pair in MERGES)]
CLIP += ["<|startoftext|>", "<|endoftext|>"]
BEGIN, END = len(CLIP) - 2, len(CLIP) - 1

PAD, CLS, SEP = 0, 2, 3
BERT = "[PAD] [UNK] [CLS] [SEP] [MASK] a the two red blue old small cat dog sea bird tree house on of and".split()
BERT += "is what where ? ##s ##ing in by with".split()
DECODE, ENCODE = len(BERT), len(BERT) + 1  # [DEC] and [ENC], which are ids of the model and no words of the tokenizer
BERT_ENTRIES = len(BERT) + 2

# With capitals, which not every version makes small.
TEXTS = ["a cat", "Two red dogs on the sea", "where is the Dog ?"]
QUESTIONS = ["What is red ?", "where is the small bird ?"]


def write_clip(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(CLIP)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n")


def write_bert(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(BERT) + "\n")
