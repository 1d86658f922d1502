"""What CLIPModel, ChineseCLIPModel and SiglipModel compute, stage by stage. Keys are described in tests/golden/README.md."""

import torch

from .record import Expected, Preparation, rounded, unit

TEXTS = [
    "a photo of a cat",
    "a hut under a yellow sun",
    "stripes, in blue & orange!",
    "Grey letters: 123 of THEM",
    "a",
]
ODD_TEXTS = ["  Two\tspaces, _under_score a\u00b4b \u00c9t\u00e9 \u4f60\u597d\u2581x ", "!!!"]  # for SigLIP's cleaning
LONG_TEXT = "a very long text that " + "goes on and on, " * 40  # cut at 77 tokens


@torch.no_grad()
def record(model, folder, names, interpolated_size):
    """`names`: the pictures; `interpolated_size`: an image side other than the config's."""
    preparation, expected = Preparation(folder), Expected()
    texts = [*TEXTS, LONG_TEXT]
    limit = model.config.text_config.max_position_embeddings
    is_siglip = model.config.model_type == "siglip"
    texts += ODD_TEXTS if is_siglip else []
    padding = {"padding": "max_length"} if is_siglip else {}
    ids = [preparation.ids(text, limit, **padding) for text in texts]
    for index, row in enumerate(ids):
        output = model.get_text_features(input_ids=row)
        expected.tensor(f"text_hidden/{index}", output.last_hidden_state[0])
        expected.tensor(f"text_embeds/{index}", unit(output.pooler_output)[0])
    probabilities = {}
    for name in names:
        pixels = preparation.pixels(name)
        expected.tensor(f"pixels/{name}", pixels[0])
        expected.tensor(f"patches/{name}", model.vision_model.embeddings(pixels)[0])
        output = model.get_image_features(pixel_values=pixels)
        expected.tensor(f"vision/{name}", output.last_hidden_state[0])
        expected.tensor(f"image_embeds/{name}", unit(output.pooler_output)[0])
        # one text at a time, so that nothing is padded; the reference's padding changes nothing but rounding
        logits = torch.cat([model(input_ids=row, pixel_values=pixels).logits_per_image[0] for row in ids])
        expected.tensor(f"logits_per_image/{name}", logits)
        shares = logits.sigmoid() if is_siglip else logits.softmax(dim=-1)
        probabilities[name] = [rounded(value) for value in shares]
    interpolated = names[:1]
    for name in interpolated:
        pixels = preparation.pixels(name, interpolated_size)
        output = model.get_image_features(pixel_values=pixels, interpolate_pos_encoding=True)
        expected.tensor(f"interpolated/pixels/{name}", pixels[0])
        expected.tensor(f"interpolated/vision/{name}", output.last_hidden_state[0])
        expected.tensor(f"interpolated/image_embeds/{name}", unit(output.pooler_output)[0])
    expected.json = {
        "class": type(model).__name__,
        "pictures": names,
        "texts": texts,
        "text_ids": [row[0].tolist() for row in ids],
        "probabilities": probabilities,
        "interpolated": {"size": interpolated_size, "pictures": interpolated},
    }
    return expected
