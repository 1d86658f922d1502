"""Where BLIP looks: cross-attention for the words of a caption, Grad-CAM for image-text matching.

The first is `cross_attentions` of the reference's decoder. The second is what LAVIS's `compute_gradcam` and ALBEF's
demonstration do: the cross-attention of one layer times its gradient (of the matching head's "yes"), clamped at zero,
averaged over heads. The gradient is PyTorch's own. Both are recorded for every layer, so that the tests see how far a
gradient goes back. Keys are described in tests/golden/README.md.
"""

import json
from pathlib import Path

import torch
from transformers import BlipForConditionalGeneration, BlipForImageTextRetrieval

from .blip import QUESTION_LIMIT, TEXTS
from .record import Expected, Preparation


def load(model_class, folder):
    return model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def cross_attentions(transformer, ids, states, **options):
    """The last states, [1, T, W], and each layer's probabilities, [1, heads, T, 1 + N], in the graph."""
    layers = transformer.encoder.layer
    found = []
    hooks = [
        layer.crossattention.self.register_forward_hook(lambda _, __, output: found.append(output[1])) for layer in layers
    ]
    output = transformer(input_ids=ids, encoder_hidden_states=states, **options).last_hidden_state
    for hook in hooks:
        hook.remove()
    assert len(found) == len(layers)
    return output, found


@torch.no_grad()
def record_caption(expected, golden: Path, names):
    """`caption/<picture>/<layer>`: [T - 1, N], one row for each token that was written after [DEC]."""
    model, preparation = load(BlipForConditionalGeneration, golden / "model"), Preparation(golden / "model")
    captions = json.loads((golden / "expected.json").read_text())["captions"]
    for name in names:
        states = model.vision_model(pixel_values=preparation.pixels(name)).last_hidden_state
        ids = torch.tensor([captions[name]["greedy"]["ids"][:-1]])
        hidden, maps = cross_attentions(model.text_decoder.bert, ids, states, is_decoder=True)
        logits = model.text_decoder(input_ids=ids, encoder_hidden_states=states).logits
        assert torch.equal(model.text_decoder.cls(hidden), logits), "the maps are not those of the captions' decoder"
        for layer, probabilities in enumerate(maps):
            expected.tensor(f"caption/{name}/{layer}", probabilities[0, :, :, 1:].mean(0))


def record_matching(expected, golden: Path, names):
    """`match/<picture>/<text>/<layer>`: [T, N], one row for each token, [CLS] and [SEP] included."""
    model, preparation = load(BlipForImageTextRetrieval, golden / "model"), Preparation(golden / "model")
    for name in names:
        with torch.no_grad():
            states = model.vision_model(pixel_values=preparation.pixels(name)).last_hidden_state
        for index, text in enumerate(TEXTS):
            hidden, maps = cross_attentions(model.text_encoder, preparation.ids(text, QUESTION_LIMIT), states)
            loss = model.itm_head(hidden[:, 0])[:, 1].sum()
            for layer, gradient in enumerate(torch.autograd.grad(loss, maps)):
                localised = maps[layer][0, :, :, 1:] * gradient[0, :, :, 1:].clamp(0)
                expected.tensor(f"match/{name}/{index}/{layer}", localised.mean(0))


def record(golden: Path, out: Path, kinds, names):
    """`kinds`: which folders of `golden` hold the captions and the matches."""
    expected = Expected()
    captions, matches = kinds
    record_caption(expected, golden / captions, names)
    record_matching(expected, golden / matches, names)
    expected.json = {"pictures": names, "captions": captions, "matches": matches, "texts": TEXTS}
    expected.write(out)
