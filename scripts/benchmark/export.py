"""Exports the models of scripts/benchmark/prepare.py for onnxruntime: as float32, with int8 weights and activations
(dynamic quantization), and with weights in 4-bit blocks.

    python scripts/benchmark/export.py OUT

CLIP and SigLIP get the names that transformers.js asks for. BLIP is cut as its users cut it: the vision encoder, what the decoder
attends to (keys and values of the picture, once a picture), and the decoder with its cache as inputs and outputs.
"""

import logging
import sys
import warnings
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from torch import nn
from transformers import (
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipForQuestionAnswering,
    CLIPModel,
    SiglipModel,
)
from transformers import logging as transformers_logging

OPSET, BLOCK, INT8_LEVEL = 17, 32, 4
EXACT = {"dtype": torch.float32, "attn_implementation": "eager"}


def causal(length, past=0):
    """[1, 1, length, past + length]: nothing later is attended to."""
    rows, columns = torch.arange(length) + past, torch.arange(past + length)
    return ((columns[None] > rows[:, None]).to(torch.float32) * -1e9)[None, None]


class ClipImage(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model.visual_projection(self.model.vision_model(pixel_values=pixel_values).pooler_output)


class ClipText(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        text = self.model.text_model
        states = text.embeddings(input_ids=input_ids)
        mask = causal(input_ids.shape[1])
        for layer in text.encoder.layers:
            found = layer(states, attention_mask=mask)
            states = found[0] if isinstance(found, tuple) else found
        states = text.final_layer_norm(states)
        pooled = states[torch.arange(states.shape[0]), input_ids.argmax(dim=-1)]
        return self.model.text_projection(pooled)


class SiglipImage(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model.vision_model

    def forward(self, pixel_values):
        return self.model(pixel_values=pixel_values).pooler_output


class SiglipText(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model.text_model

    def forward(self, input_ids):
        states = self.model.embeddings(input_ids=input_ids)
        for layer in self.model.encoder.layers:
            found = layer(states, attention_mask=None)  # what fills a text up is seen, too
            states = found[0] if isinstance(found, tuple) else found
        return self.model.head(self.model.final_layer_norm(states)[:, -1])


class BlipImage(nn.Module):
    def __init__(self, model, projection):
        super().__init__()
        self.vision, self.projection = model.vision_model, projection

    def forward(self, pixel_values):
        states = self.vision(pixel_values=pixel_values).last_hidden_state
        return states, self.projection(states[:, 0])


class Context(nn.Module):
    """Keys and values of what the decoder attends to."""

    def __init__(self, decoder):
        super().__init__()
        self.layers = decoder.bert.encoder.layer

    def forward(self, states):
        found = []
        for layer in self.layers:
            attention = layer.crossattention.self
            found += [split(attention.key(states), attention), split(attention.value(states), attention)]
        return tuple(found)


def split(states, attention):
    shape = (*states.shape[:-1], attention.num_attention_heads, attention.attention_head_size)
    return states.view(shape).transpose(1, 2)


def attend(block, states, key, value, mask=None):
    attention = block.self
    scores = split(attention.query(states), attention) @ key.transpose(-1, -2) / attention.attention_head_size**0.5
    if mask is not None:
        scores = scores + mask
    mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2)
    return block.output(mixed.reshape(states.shape), states)


class Decoder(nn.Module):
    """Reads new tokens: [texts, tokens]; gives the logits after the last and the cache with them in it."""

    def __init__(self, decoder):
        super().__init__()
        self.bert, self.head = decoder.bert, decoder.cls

    def forward(self, input_ids, past, context):
        embeddings, length = self.bert.embeddings, past[0].shape[2]
        positions = torch.arange(input_ids.shape[1]) + length
        states = embeddings.word_embeddings(input_ids) + embeddings.position_embeddings(positions)
        states, present = embeddings.LayerNorm(states), []
        mask = causal(input_ids.shape[1], length)
        for place, layer in enumerate(self.bert.encoder.layer):
            attention = layer.attention.self
            key = torch.cat([past[2 * place], split(attention.key(states), attention)], dim=2)
            value = torch.cat([past[2 * place + 1], split(attention.value(states), attention)], dim=2)
            present += [key, value]
            states = attend(layer.attention, states, key, value, mask)
            states = attend(layer.crossattention, states, context[2 * place], context[2 * place + 1])
            states = layer.feed_forward_chunk(states)
        return (self.head(states[:, -1]), *present)


class Question(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, states):
        text = self.encoder.embeddings(input_ids=input_ids)
        for layer in self.encoder.encoder.layer:
            text = layer(text, encoder_hidden_states=states)
            text = text[0] if isinstance(text, tuple) else text
        return text


def export(module, arguments, path, inputs, outputs, dynamic):
    """The three files: NAME.onnx, NAME_quantized.onnx, NAME_q4.onnx; what is there already stays."""
    last = path.with_name(f"{path.stem}_q4.onnx")
    if last.exists():
        return
    print(f"exporting {path.name}", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        module.eval(), arguments, path, input_names=inputs, output_names=outputs, dynamic_axes=dynamic, opset_version=OPSET,
        dynamo=False,
    )
    quantize_dynamic(path, path.with_name(f"{path.stem}_quantized.onnx"), weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm", "Gather"])
    quantizer = MatMulNBitsQuantizer(onnx.load(path), block_size=BLOCK, is_symmetric=True, accuracy_level=INT8_LEVEL)
    quantizer.process()
    onnx.save_model(quantizer.model.model, last)


def export_clip(models):
    folder = models / "clip-vit-base-patch32"
    model = CLIPModel.from_pretrained(folder, **EXACT)
    out = folder / "onnx"
    export(ClipImage(model), (torch.zeros(1, 3, 224, 224),), out / "vision_model.onnx", ["pixel_values"], ["image_embeds"],
           {"pixel_values": {0: "pictures"}, "image_embeds": {0: "pictures"}})
    ids = torch.tensor([[49406, 320, 1125, 49407], [49406, 539, 49407, 0]])
    export(ClipText(model), (ids,), out / "text_model.onnx", ["input_ids"], ["text_embeds"],
           {"input_ids": {0: "texts", 1: "tokens"}, "text_embeds": {0: "texts"}})


def export_siglip(models):
    folder = models / "siglip2-base-patch32-256"
    model = SiglipModel.from_pretrained(folder, **EXACT)
    out = folder / "onnx"
    export(SiglipImage(model), (torch.zeros(1, 3, 256, 256),), out / "vision_model.onnx", ["pixel_values"], ["pooler_output"],
           {"pixel_values": {0: "pictures"}, "pooler_output": {0: "pictures"}})
    export(SiglipText(model), (torch.zeros(2, 64, dtype=torch.long),), out / "text_model.onnx", ["input_ids"], ["pooler_output"],
           {"input_ids": {0: "texts"}, "pooler_output": {0: "texts"}})


def export_blip(models):
    out = models / "blip-base-caption" / "onnx"
    captioner = BlipForConditionalGeneration.from_pretrained(models / "blip-base-caption", **EXACT)
    retrieval = BlipForImageTextRetrieval.from_pretrained(models / "blip-base-retrieval", **EXACT)
    export(BlipImage(captioner, retrieval.vision_proj), (torch.zeros(1, 3, 384, 384),), out / "vision.onnx", ["pixel_values"], ["states", "image_embeds"], {})
    del retrieval
    layers, heads = len(captioner.text_decoder.bert.encoder.layer), captioner.config.text_config.num_attention_heads
    names = [f"{kind}.{layer}" for layer in range(layers) for kind in ("key", "value")]
    states = torch.randn(1, 577, 768)
    context = [f"context.{name}" for name in names]
    export(Context(captioner.text_decoder), (states,), out / "context.onnx", ["states"], context,
           {"states": {1: "states"}, **{name: {2: "states"} for name in context}})
    past, present = [f"past.{name}" for name in names], [f"present.{name}" for name in names]
    dynamic = {"input_ids": {0: "texts", 1: "tokens"}, "logits": {0: "texts"}, **{name: {2: "states"} for name in context},
               **{name: {0: "texts", 2: "past"} for name in past}, **{name: {0: "texts", 2: "all"} for name in present}}
    cache = tuple(torch.randn(2, heads, 3, 64) for _ in names)
    seen = tuple(torch.randn(1, heads, 577, 64) for _ in names)
    export(Decoder(captioner.text_decoder), (torch.tensor([[30522, 2], [30522, 7]]), cache, seen), out / "decoder.onnx",
           ["input_ids", *past, *context], ["logits", *present], dynamic)
    del captioner
    answerer = BlipForQuestionAnswering.from_pretrained(models / "blip-base-vqa", **EXACT)
    export(Question(answerer.text_encoder), (torch.tensor([[101, 2054, 2003, 102]]), states), models / "blip-base-vqa" / "onnx" / "question.onnx",
           ["input_ids", "states"], ["question"], {"input_ids": {1: "tokens"}, "question": {1: "tokens"}})


@torch.no_grad()
def main():
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")  # of shapes that the trace takes as constant: they are
    models = Path(sys.argv[1]) / "models"
    export_clip(models)
    export_siglip(models)
    export_blip(models)
    (models / "exported").touch()


main()
