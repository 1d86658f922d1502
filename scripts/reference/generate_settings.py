#!/usr/bin/env python3
"""Words that must not be written, several texts, and a checkpoint's own settings: tests/golden/generation/expected.json.

    VENV/bin/python scripts/reference/generate_settings.py

Runs the reference's `generate` on the checkpoint and the pictures that are there (tests/golden/blip-caption). Bad words are
given as texts and tokenized as the reference's documentation says, without special tokens. A checkpoint's settings are a
generation_config.json: the reference's BLIP reads it and then writes without it, for its decoder has settings of its own, so
they are handed to `generate` by the reference's own `GenerationConfig`.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
if {"-h", "--help"} & set(sys.argv[1:]):
    print(__doc__.strip())
    sys.exit()

import torch  # noqa: E402
from transformers import BlipForConditionalGeneration, GenerationConfig  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from reference import record  # noqa: E402
from reference.blip import start, write_from  # noqa: E402
from reference.generation import Noise, strip  # noqa: E402
from reference.readable_json import write_json  # noqa: E402

PICTURES = ["landscape.png", "portrait.png", "grey.png", "rotated.jpg"]
CASES = {
    "a word": {"bad_words": ["grey"]},
    "a word of several tokens": {"bad_words": ["million grey", "; ;", "million million million"]},
    "words and beams": {"bad_words": ["million", "london", "grey grey"], "num_beams": 3},
    "words, beams, a prompt": {"bad_words": ["grey", "will will"], "num_beams": 2, "prompt": "a picture of"},
    "words and penalties": {"bad_words": ["grey", "million event"], "repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
    "words, beams and penalties": {"bad_words": ["grey", "event ;"], "num_beams": 3, "repetition_penalty": 1.3, "min_length": 6},
    "a word at the very end": {"bad_words": ["[SEP]"]},  # a text may always end
    "two of three beams": {"num_beams": 3, "num_return_sequences": 2},
    "one of three beams": {"num_beams": 3, "num_return_sequences": 1},
    "a checkpoint's settings": {"generation_config": {"num_beams": 3, "max_length": 9, "no_repeat_ngram_size": 1, "bad_words_ids": [[142]]}},
    "a checkpoint's settings and a prompt": {"generation_config": {"max_length": 9, "repetition_penalty": 1.3}, "prompt": "a picture of"},
}


@torch.no_grad()
def main():
    folder = ROOT / "tests/golden/blip-caption/model"
    record.PICTURES = ROOT / "tests/pictures"
    preparation = record.Preparation(folder)
    settings = {"dtype": torch.float32, "attn_implementation": "eager"}
    model = BlipForConditionalGeneration.from_pretrained(folder, **settings).eval()
    separator = model.config.text_config.sep_token_id
    captions = {}
    for name in PICTURES:
        states = model.vision_model(pixel_values=preparation.pixels(name)).last_hidden_state
        found = {case: texts(model, preparation, states, separator, dict(given)) for case, given in CASES.items()}
        captions[name] = {case: one for case, one in found.items() if one}
    assert all(sum(case in found for found in captions.values()) >= 2 for case in CASES), "hardly anything is stable"
    write_json(ROOT / "tests/golden/generation/expected.json", {"cases": CASES, "captions": captions})


def texts(model, preparation, states, separator, given):
    """{ids, text, score where there are beams}, best first; None where an id hangs on rounding, as in generation.py."""
    ids = start(model, preparation, given.pop("prompt", None))
    words = given.pop("bad_words", None)
    if words:
        given["bad_words_ids"] = preparation.tokenizer(words, add_special_tokens=False)["input_ids"]
    if config := given.pop("generation_config", None):
        given = GenerationConfig(**config).to_diff_dict()
        given.pop("transformers_version", None)
    output = write_from(model, states, ids, return_dict_in_generate=True, output_scores=True, **given)
    found = [strip(row, separator) for row in output.sequences]
    for seed in range(2):
        noisy = write_from(model, states, ids, logits_processor=[Noise(seed)], **given)
        if [strip(row, separator) for row in noisy] != found:
            return None
    scores = output.sequences_scores if given.get("num_beams", 1) > 1 else [None] * len(found)
    return [
        {"ids": row, "text": preparation.text(row)} | ({} if score is None else {"score": record.rounded(score)})
        for row, score in zip(found, scores)
    ]


main()
