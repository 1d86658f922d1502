"""What the reference's real tokenizers make of awkward texts."""

from pathlib import Path

from . import vocabularies
from .record import write_json

TEXTS = [
    "",
    " ",
    "a",
    "a photo of a cat",
    "A Photo Of A CAT!",
    "  leading,  double   and trailing spaces  ",
    "tabs\tand\nnew\r\nlines\x0b\x0c",
    "don't, can't, I'm, we've, they'll, he'd, you're, it's",
    "DON'T stop. IT'S FINE'S",
    "hyphen-ated words - and -- dashes \u2013 \u2014",
    "numbers 0 12 345 6789 3.14 1,000 2nd 10%",
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9 \u00c5ngstr\u00f6m \u00df \u0130stanbul",
    "cafe\u0301 decomposed n\u0303 and o\u0308",
    "\u732b\u304c\u5ea7\u3063\u3066\u3044\u308b \u4e2d\u6587\u5b57\u7b26 \ud55c\uad6d\uc5b4",
    "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u0442\u0435\u043a\u0441\u0442 \u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac \u03a3\u03a3 \u03c2",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22",
    "emoji \U0001f600 \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1eb\U0001f1f7",
    "quotes \u201ccurly\u201d \u2018single\u2019 \"straight\" 'these' `ticks`",
    "symbols: @#$%^&*()_+={}[]|\\:;<>,.?/~`",
    "\u00a9 \u00ae \u2122 \u20ac \u00a3 \u00a5 \u00b0 \u00b1 \u00bd \u00b2 \u2026 \u2260",
    "control\x00char\x01acters\x07 \x7f\ufffd end",
    "zero\u200bwidth \ufeffmark soft\u00adhyphen no\u00a0break\u3000wide",
    "http://example.com/a_b?c=d&e=f#g user@example.com",
    "snake_case camelCase SCREAMING kebab-case",
    "[SEP] in the [MASK] middle [CLS] of [PAD] text [UNK]",
    "[sep] [unused5] [DEC] [ENC]",
    "<|endoftext|> in the <|startoftext|> middle",
    "<|ENDOFTEXT|> <|endoftext",
    "a</w>b </w> ##ing ## #",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "x" * 99,
    "x" * 100,
    "x" * 101,
    "\u00e9" * 60,
    "!!!??? ... ,,, !?!?",
    "$5.00 #1 50/50 AT&T R2-D2 C++",
    "\u1e9b\u0323 \ufb01ne \u2167 \uff21\uff22\uff23 \uff11\uff12\uff13",
    "\U0001d54f\U0001d556 \U00020000 \ue000 \U0010ffff",
    "a photo of a " + "very " * 30 + "large dog",
    "a photo of a " + "very " * 90 + "large dog",
    "word " * 600,
    "one. two, three! four? it ' s don ' t n't i 'm do not 've 're .",
]


def cases(tokenizer, limits, raw_ids):
    """Ids of every text at every limit (where the cut changes anything), and what lists of ids decode to."""
    encoded = []
    for text in TEXTS:
        seen = None
        for limit in limits:
            ids = tokenizer(text, truncation=True, max_length=limit)["input_ids"]
            if ids != seen:
                encoded.append({"text": text, "max_length": limit, "ids": ids})
            seen = ids
    lists = [case["ids"] for case in encoded if len(case["ids"]) < 60] + raw_ids
    decoded = [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True)} for ids in lists]
    return {"encode": encoded, "decode": decoded}


def record(out: Path):
    entries = vocabularies.bert_vocabulary()
    vocabularies.write_bert_files(out / "bert", entries)
    raw = [[], [102], [30522, 1037, 4937, 30523, 102], [2478, 2015, 2075], [1005, 1055], [2123, 1005, 1056],
           [1037, 1010, 1038, 1012, 1039, 999, 1029], [7592, 1011, 2088], [0, 0, 100, 103, 2158], [40000, 2158]]
    write_json(out / "bert" / "cases.json", cases(vocabularies.bert_tokenizer(entries), [512, 77, 35], raw))
    merges = vocabularies.clip_merges()
    vocabulary = vocabularies.clip_vocabulary(merges)
    vocabularies.write_clip_files(out / "clip", vocabulary, merges)
    raw = [[], [49407], [49406, 320, 2368, 49407, 49407], [320, 2368], [160, 235], [255, 2368, 0], [50000, 2368]]
    write_json(out / "clip" / "cases.json", cases(vocabularies.clip_tokenizer(vocabulary, merges), [77, 35], raw))
