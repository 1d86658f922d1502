"""Writes what scripts/bench measures with: models of real size in Hugging Face layout, and what the reference
computes with them.

    python scripts/benchmark/prepare.py PICTURE OUT

The weights are random, from fixed seeds (scripts/reference/checkpoints.py). OUT gets `models/`, the picture's pixels as
each model takes them (`clip.f32`, `blip.f32`: float32, [3, S, S]), and `expected.json`: the ids of all texts, and the
vectors, labels and tokens that the reference answers with.
"""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import torch  # noqa: E402
from PIL import Image  # noqa: E402
from transformers import (  # noqa: E402
    AutoImageProcessor,
    AutoTokenizer,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipForQuestionAnswering,
    CLIPModel,
    SiglipModel,
    logging,
)

from reference import checkpoints, configurations  # noqa: E402

FIRST = 100  # texts that were not seen before end with a number, from this one on
TEXT = "a photo of two dogs, {number}"
TEMPLATE = "a photo of a {label}, {number}"
QUESTION = "what is in the picture?"
TOKENS, ANSWER_TOKENS, BEAMS = 20, 5, 3
FOLDERS = {"clip": "clip-vit-base-patch32", "siglip": "siglip2-base-patch32-256", **{kind: f"blip-base-{kind}" for kind in ("caption", "retrieval", "vqa")}}


def write_models(folder):
    for checkpoint in configurations.full():
        if checkpoint.name not in FOLDERS.values() or (folder / checkpoint.name / "complete").exists():
            continue
        print(f"writing {checkpoint.name}", flush=True)
        checkpoints.save(checkpoint, folder / checkpoint.name)
        if checkpoint.name == FOLDERS["siglip"]:
            fill_up_in_front(folder / checkpoint.name / "tokenizer_config.json")
        (folder / checkpoint.name / "complete").touch()


def fill_up_in_front(path):
    """Names the side where texts are filled up: transformers knows it of Siglip2Tokenizer, transformers.js has no such class."""
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "padding_side": "left"}, indent=2))


def unit(vector):
    return vector / vector.norm(dim=-1, keepdim=True)


def pixels_of(picture, model, out):
    processor = AutoImageProcessor.from_pretrained(model, backend="pil")
    pixels = processor(images=Image.open(picture).convert("RGB"), return_tensors="pt")["pixel_values"]
    out.write_bytes(pixels.numpy().tobytes())
    return pixels


def clip(picture, folder, out):
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pixels = pixels_of(picture, folder, out / "clip.f32")
    names = json.loads((ROOT / "www/labels/imagenet.json").read_text())["labels"]

    def ids_of(text):
        return tokenizer(text)["input_ids"]

    def encode(ids):
        return unit(model.text_projection(model.text_model(input_ids=torch.tensor([ids])).pooler_output))[0]

    image = unit(model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output))[0]
    text = ids_of(TEXT.format(number=FIRST))
    labels = [ids_of(TEMPLATE.format(label=name, number=FIRST)) for name in names]
    vectors = torch.stack([encode(ids) for ids in labels])
    best = (vectors @ image).topk(5).indices.tolist()
    return {
        "image": image.tolist(),
        "text": {"text": TEXT.format(number=FIRST), "ids": text, "vector": encode(text).tolist()},
        "labels": {"names": names, "ids": labels, "best": [names[place] for place in best]},
    }


def siglip(picture, folder, out):
    model = SiglipModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pixels = pixels_of(picture, folder, out / "siglip.f32")
    text = TEXT.format(number=FIRST)
    length = model.config.text_config.max_position_embeddings
    ids = tokenizer(text, padding="max_length", max_length=length, truncation=True)["input_ids"]
    return {
        "image": unit(model.vision_model(pixel_values=pixels).pooler_output)[0].tolist(),
        "text": {"text": text, "ids": ids, "vector": unit(model.text_model(input_ids=torch.tensor([ids])).pooler_output)[0].tolist()},
    }


def blip(picture, folders, out):
    pixels = pixels_of(picture, folders["caption"], out / "blip.f32")
    length = {"min_length": TOKENS, "max_new_tokens": TOKENS}
    captioner = BlipForConditionalGeneration.from_pretrained(folders["caption"], dtype=torch.float32).eval()
    states = captioner.vision_model(pixel_values=pixels).last_hidden_state
    found = {"state": states[0, 0].tolist()}
    for name, beams in (("caption", 1), ("beam", BEAMS)):
        config = captioner.config.text_config
        ids = captioner.text_decoder.generate(
            input_ids=torch.tensor([[config.bos_token_id]]), encoder_hidden_states=states, eos_token_id=config.sep_token_id,
            pad_token_id=config.pad_token_id, num_beams=beams, **length,
        )
        found[name] = ids[0].tolist()
    del captioner
    retrieval = BlipForImageTextRetrieval.from_pretrained(folders["retrieval"], dtype=torch.float32).eval()
    found["image"] = unit(retrieval.vision_proj(retrieval.vision_model(pixel_values=pixels).last_hidden_state[:, 0]))[0].tolist()
    del retrieval
    answerer = BlipForQuestionAnswering.from_pretrained(folders["vqa"], dtype=torch.float32).eval()
    question = AutoTokenizer.from_pretrained(folders["vqa"])(QUESTION, return_tensors="pt")["input_ids"]
    answer = answerer.generate(
        input_ids=question, pixel_values=pixels, attention_mask=torch.ones_like(question), min_length=ANSWER_TOKENS, max_new_tokens=ANSWER_TOKENS
    )
    found["question"], found["answer"] = question[0].tolist(), answer[0].tolist()
    return found


@torch.no_grad()
def main():
    picture, out = Path(sys.argv[1]), Path(sys.argv[2])
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    models = out / "models"
    write_models(models)
    torch.set_num_threads(1)
    print("running the reference", flush=True)
    expected = {
        "texts": {"first": FIRST, "text": TEXT, "template": TEMPLATE, "question": QUESTION},
        "folders": FOLDERS, "tokens": TOKENS, "answerTokens": ANSWER_TOKENS, "beams": BEAMS, "labels": 1000,
        "clip": clip(picture, models / FOLDERS["clip"], out),
        "siglip": siglip(picture, models / FOLDERS["siglip"], out),
        "blip": blip(picture, {kind: models / folder for kind, folder in FOLDERS.items()}, out),
    }
    (out / "expected.json").write_text(json.dumps(expected))


main()
