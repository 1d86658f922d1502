"""Zero-shot classification by the protocol of CLIP's paper, computed with the classes of `transformers`.

Every label is put into each of the 80 templates; each sentence's vector is brought to length one, a label's vectors
are averaged, the mean is brought to length one (`zeroshot_classifier` of the paper's notebook, and
`build_zero_shot_classifier` of open_clip). Scores are cosines with the picture's vector, and the softmax of those times
the logit scale; BLIP's own code divides by its temperature, which the checkpoints of `transformers` lack: 0.07, its
initial value.
"""

import json
from pathlib import Path

import torch

from . import checkpoints
from .record import Expected, Preparation, unit

LABELS = Path(__file__).resolve().parents[2] / "www" / "labels" / "imagenet.json"
PLACES = [0, 1, 134, 207, 281, 517, 657, 744, 836, 999]  # two of these are the same words
MODELS = ["clip-quick", "clip-gelu", "blip-retrieval"]
FILES = ["landscape.png", "portrait.png", "tiny.png", "alpha.png"]
TEMPERATURE = 0.07
LONGEST = {"CLIPModel": 77, "BlipForImageTextRetrieval": 35}


def text_vector(model, ids):
    if hasattr(model, "text_proj"):
        return unit(model.text_proj(model.text_encoder(input_ids=ids).last_hidden_state[:, 0]))[0]
    return unit(model.get_text_features(input_ids=ids).pooler_output)[0]


def image_vector(model, pixels):
    if hasattr(model, "vision_proj"):
        return unit(model.vision_proj(model.vision_model(pixel_values=pixels).last_hidden_state[:, 0]))[0]
    return unit(model.get_image_features(pixel_values=pixels).pooler_output)[0]


@torch.no_grad()
def record(golden: Path, made):
    """`golden`: the folder of the checkpoints' folders, which are there; `made`: the checkpoints by name."""
    known = json.loads(LABELS.read_text())
    labels, templates = [known["labels"][place] for place in PLACES], known["templates"]
    expected = Expected()
    expected.json = {"labels": labels, "pictures": FILES, "scales": {}}
    for name in MODELS:
        checkpoint, folder = made[name], golden / name / "model"
        kind = checkpoint.classes[0]
        model, preparation = checkpoints.load(checkpoint, folder, kind), Preparation(folder)
        rows = []
        for label in labels:
            sentences = [template.replace("{}", label) for template in templates]
            vectors = [text_vector(model, preparation.ids(text, LONGEST[kind])) for text in sentences]
            rows.append(unit(torch.stack(vectors).mean(dim=0)))
        classifier = torch.stack(rows)  # [labels, P]
        scale = model.logit_scale.exp().item() if kind == "CLIPModel" else 1 / TEMPERATURE
        expected.tensor(f"vectors/{name}", classifier)
        expected.json["scales"][name] = scale
        for picture in FILES:
            cosines = classifier @ image_vector(model, preparation.pixels(picture))
            expected.tensor(f"cosines/{name}/{picture}", cosines)
            expected.tensor(f"probabilities/{name}/{picture}", (scale * cosines).softmax(dim=0))
    expected.write(golden / "zero-shot")
