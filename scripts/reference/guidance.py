"""The states of CLIP's text encoder, as generators of pictures take them: `CLIPTextModelWithProjection`.

`hidden_states[layer]` with and without the final norm, of texts as they are and padded to the full length with the
end-of-text token, as Stable Diffusion pads. Keys are described in tests/golden/README.md.
"""

import json
from pathlib import Path

import torch
from transformers import CLIPTextModelWithProjection

from .record import Expected, Preparation

TEXTS = ["a hut under a yellow sun", "stripes, in blue & orange!"]
LAYERS = [-1, -2, 0]


@torch.no_grad()
def record(golden: Path, out: Path, names):
    expected = Expected()
    for name in names:
        folder = golden / name / "model"
        width = json.loads((folder / "config.json").read_text())["projection_dim"]  # elsewhere it is said twice
        settings = {"projection_dim": width, "dtype": torch.float32, "attn_implementation": "eager"}
        model = CLIPTextModelWithProjection.from_pretrained(folder, **settings).eval()
        tokenizer = Preparation(folder).tokenizer
        norm = model.text_model.final_layer_norm
        for index, text in enumerate(TEXTS):
            for padded in (False, True):
                ids = tokenizer(text, return_tensors="pt")["input_ids"]
                if padded:
                    length = model.config.max_position_embeddings
                    ids = torch.nn.functional.pad(ids, (0, length - ids.shape[1]), value=int(ids[0, -1]))
                output = model(input_ids=ids, output_hidden_states=True)
                key = f"{name}/{index}/{'padded' if padded else 'plain'}"
                expected.tensor(f"pooled/{key}", output.text_embeds[0])
                for layer in LAYERS:
                    states = output.hidden_states[layer]
                    expected.tensor(f"states/{key}/{layer}", states[0])
                    expected.tensor(f"normed/{key}/{layer}", norm(states)[0])
                assert torch.allclose(norm(output.hidden_states[-1]), output.last_hidden_state)
    expected.json = {"models": names, "texts": TEXTS, "layers": LAYERS}
    expected.write(out)
