"""Lets a new CLIP see as the embedded BLIP does: its image encoder becomes the first blocks of BLIP's.

    python scripts/pictograms/clip-start.py RUN/model.gguf www/models/pictograms.gguf

The first file, written by `obscura train RUN --clip`, is changed in place; the second is only read. The text
encoder stays as new as it is. As in LiT (arXiv 2111.07991), what is left to learn is how texts belong to what an
image encoder sees already; unlike there, both then learn.

CLIP has a norm before its blocks that BLIP has not. It begins as near to nothing as a norm can be: it gives back
the scale that it takes away, which is measured on the page's samples. Needs numpy, gguf and pillow
(scripts/reference/requirements.txt).
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from PIL import Image

SAMPLES = Path(__file__).resolve().parents[2] / "www/samples"
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)
VISION = "vision_model."
SAME = ["embeddings.class_embedding", "post_layernorm.weight", "post_layernorm.bias"]
OF_A_BLOCK = ["layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"]


def read(path):
    """Its tensors as rows of numbers, by name."""
    tensors = GGUFReader(path).tensors
    return {tensor.name: dequantize(tensor.data, tensor.tensor_type).reshape(-1) for tensor in tensors}


def from_blip(blip, blocks):
    """BLIP's image encoder under CLIP's names."""
    given = {name: blip[VISION + name] for name in SAME}
    given["embeddings.patch_embedding.weight"] = blip[VISION + "embeddings.patch_embedding.weight"]
    given["embeddings.position_embedding.weight"] = blip[VISION + "embeddings.position_embedding"] + moved_bias(blip)
    for block in (f"encoder.layers.{number}." for number in range(blocks)):
        for kind in ("weight", "bias"):
            for layer in OF_A_BLOCK:
                given[f"{block}{layer}.{kind}"] = blip[f"{VISION}{block}{layer}.{kind}"]
            given[f"{block}self_attn.out_proj.{kind}"] = blip[f"{VISION}{block}self_attn.projection.{kind}"]
            thirds = np.split(blip[f"{VISION}{block}self_attn.qkv.{kind}"], 3)
            for name, third in zip("qkv", thirds):
                given[f"{block}self_attn.{name}_proj.{kind}"] = third
    return given


def moved_bias(blip):
    """CLIP's patch filters have no bias: it goes to the positions of the patches, of which the class token's is the first."""
    bias = blip[VISION + "embeddings.patch_embedding.bias"]
    places = len(blip[VISION + "embeddings.position_embedding"]) // len(bias)
    moved = np.tile(bias, (places, 1))
    moved[0] = 0
    return moved.reshape(-1)


def scale_of_tokens(given):
    """What the new norm divides by, on average over the patches of the samples."""
    width = len(given["embeddings.class_embedding"])
    filters = given["embeddings.patch_embedding.weight"].reshape(width, -1)
    side = int((filters.shape[1] // 3) ** 0.5)
    positions = given["embeddings.position_embedding.weight"].reshape(-1, width)[1:]
    across = int(len(positions) ** 0.5)
    deviations = []
    for path in sorted(SAMPLES.glob("*.webp")):
        picture = Image.open(path).convert("RGB").resize((side * across, side * across), Image.BICUBIC)
        pixels = (np.asarray(picture, dtype=np.float32) / 255 - MEAN) / DEVIATION  # [side, side, 3]
        patches = pixels.reshape(across, side, across, side, 3).transpose(0, 2, 4, 1, 3).reshape(across * across, -1)
        deviations.append((patches @ filters.T + positions).std(axis=1))
    return float(np.mean(deviations))


def main(clip_path, blip_path):
    clip = GGUFReader(clip_path, "r+")
    tensors = {tensor.name: tensor for tensor in clip.tensors}
    blocks = 1 + max(int(name.split(".")[3]) for name in tensors if name.startswith(VISION + "encoder.layers."))
    given = from_blip(read(blip_path), blocks)
    given["pre_layrnorm.weight"] = np.full_like(given["post_layernorm.weight"], scale_of_tokens(given))
    for name, values in given.items():
        tensors[VISION + name].data[:] = values.reshape(tensors[VISION + name].data.shape)
    clip.data.flush()
    print(f"{len(given)} tensors of {clip_path} are those of {blip_path} now; the norm before the blocks begins with {given['pre_layrnorm.weight'][0]:.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
