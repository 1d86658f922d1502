"""The BLIP that is trained: all heads over one text transformer, and its momentum model."""

import copy
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipForQuestionAnswering,
)

from .. import vocabularies
from ..checkpoints import Checkpoint, seeded
from ..configurations import blip_config, blip_preprocessor, transformer

TEMPERATURE, SMOOTHING = 0.07, 0.1
WORDS = (
    "the red blue green yellow black white grey square circle triangle cat dog sun hut house tree left right of "
    "above under next to on in and two three one is what where how many there yes no picture"
).split()
PIECES = [*"?,a", "##s", "##ed", "##ing"]


class Shared(torch.nn.Module):
    """BLIP with all of its heads; encoder and decoder share all but self-attention, as its pretraining ties them.

    `named_parameters` names each shared parameter once, by its place in the text encoder, and the decoder's
    tied matrix by that of the token table: those are the names of the file and of the gradients.
    """

    def __init__(self, config):
        super().__init__()
        retrieval, answering, captioning = (
            kind._from_config(BlipConfig(**copy.deepcopy(config)), attn_implementation="eager")
            for kind in (BlipForImageTextRetrieval, BlipForQuestionAnswering, BlipForConditionalGeneration)
        )
        self.temperature = torch.nn.Parameter(torch.tensor(TEMPERATURE))
        self.vision_model, self.text_encoder = retrieval.vision_model, retrieval.text_encoder
        self.vision_proj, self.text_proj, self.itm_head = retrieval.vision_proj, retrieval.text_proj, retrieval.itm_head
        self.text_decoder = answering.text_decoder
        decoder, encoder = self.text_decoder.bert, self.text_encoder
        decoder.embeddings = encoder.embeddings
        for mine, its in zip(decoder.encoder.layer, encoder.encoder.layer, strict=True):
            mine.crossattention, mine.intermediate, mine.output = its.crossattention, its.intermediate, its.output
        head = self.text_decoder.cls.predictions
        head.decoder.weight, head.decoder.bias = encoder.embeddings.word_embeddings.weight, head.bias
        answering.vision_model = captioning.vision_model = self.vision_model
        answering.text_encoder, captioning.text_decoder = encoder, self.text_decoder
        # views on the same modules; in a dict, so that no parameter is registered twice
        self.classes = {"retrieval": retrieval, "answering": answering, "captioning": captioning}

    def weights(self):
        return {name: value for name, value in self.named_parameters() if name != "temperature"}

    @torch.no_grad()
    def take(self, weights):
        """Sets every parameter; a name too many or too few is an error."""
        mine = self.weights()
        assert mine.keys() == weights.keys(), sorted(mine.keys() ^ weights.keys())
        for name, value in mine.items():
            value.copy_(weights[name])
        return self.eval()


def checkpoint():
    """Loud enough to learn from: the library's own initialisation leaves every gradient near zero."""
    vision = {**transformer(24, 48, 2, 2, "gelu", 1e-5), "image_size": 32, "patch_size": 8}
    text = {**transformer(24, 48, 2, 2, "gelu", 1e-12), "max_position_embeddings": 16, "label_smoothing": SMOOTHING}
    words = entries()
    config = blip_config(vision, text, 16, len(words) + 2, words.index("[SEP]"))
    names = ["BlipForConditionalGeneration", "BlipForImageTextRetrieval", "BlipForQuestionAnswering"]
    return Checkpoint("blip", names, config, blip_preprocessor(32), seed=61)


def entries():
    specials = ["[PAD]", *(f"[unused{n}]" for n in range(4)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return specials + PIECES + WORDS


def save(made, folder: Path):
    """The model's folder and, beside it, the momentum model: the same names, perturbed, rounded to float16."""
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(made.config, architectures=made.classes)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "preprocessor_config.json").write_text(json.dumps(made.preprocessor, indent=2) + "\n")
    vocabularies.save_bert_tokenizer(folder, entries(), decoder_tokens=True)
    names = Shared(made.config).weights()
    weights = {name: torch.from_numpy(seeded(made.seed, name, value, made)) for name, value in names.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    noise = {name: torch.from_numpy(seeded(made.seed + 1, name, value, made)) for name, value in names.items()}
    momentum = {name: (0.8 * value + 0.2 * noise[name]).half() for name, value in weights.items()
                if not name.startswith("text_decoder.") and not name.startswith("itm_head.")}
    save_file(momentum, folder.parent / "momentum.safetensors", metadata={"format": "pt"})


def load(made, folder: Path):
    """The model and its momentum model. The parts that the latter lacks are the former's: nothing uses them."""
    weights = load_file(folder / "model.safetensors")
    model, momentum = (Shared(made.config).take(given) for given in
                       (weights, {**weights, **load_file(folder.parent / "momentum.safetensors")}))
    return model, momentum.requires_grad_(False)


