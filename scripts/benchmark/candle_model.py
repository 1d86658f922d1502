"""Writes BLIP's weights for candle: safetensors with the tied head in it, as the official file has it, and GGUF files of
Q8_0 and Q4_0, the formats of obscura's q8 and q4.

    python scripts/benchmark/candle_model.py OUT
"""

import sys
from pathlib import Path

from gguf import GGMLQuantizationType, GGUFWriter, quants
from safetensors.numpy import load_file, save_file

WORDS, HEAD = "text_decoder.bert.embeddings.word_embeddings.weight", "text_decoder.cls.predictions.decoder"


def is_matrix(name, tensor):
    return tensor.ndim == 2 and name.endswith(".weight") and "embeddings" not in name


def main():
    out = Path(sys.argv[1]) / "candle-model"
    out.mkdir(parents=True, exist_ok=True)
    weights = load_file(Path(sys.argv[1]) / "models" / "blip-base-caption" / "model.safetensors")
    weights[f"{HEAD}.weight"] = weights[WORDS]
    weights[f"{HEAD}.bias"] = weights["text_decoder.cls.predictions.bias"]
    for kind in (GGMLQuantizationType.Q8_0, GGMLQuantizationType.Q4_0):
        writer = GGUFWriter(out / f"{kind.name.lower()}.gguf", "blip")
        for name, tensor in weights.items():
            quantized = is_matrix(name, tensor)
            data = quants.quantize(tensor, kind) if quantized else tensor
            writer.add_tensor(name, data, raw_dtype=kind if quantized else None)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    save_file(weights, out / "model.safetensors")


main()
