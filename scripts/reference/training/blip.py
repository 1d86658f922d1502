"""Records BLIP's losses on four pictures, one step of the momentum model and of its queues."""

from pathlib import Path

import torch

from ..record import Expected, Preparation, rounded, unit
from . import losses, model as models
from .gradients import record_loss
from .losses import Batch
from .steps import record_steps

PICTURES = ["landscape.png", "grey.png", "alpha.png", "portrait.png"]
TEXTS = ["a hut under a yellow sun", "two grey squares", "red and blue circles next to the green tree", "a cat"]
QUESTIONS = ["what is under the sun?", "how many squares?", "is the tree left of the circles?", "what?"]
ANSWERS = [["a hut", "house"], ["two"], ["yes", "no", "left of the tree"], ["a black cat"]]  # of each question
WEIGHTS = [[0.7, 0.3], [1.0], [0.5, 0.3, 0.2], [1.0]]
ALPHA, MOMENTUM, QUEUE = 0.4, 0.995, 8
FEW = [  # parameters of every part, recorded where all of them would be too much
    "vision_model.embeddings.class_embedding",
    "vision_model.encoder.layers.0.mlp.fc1.weight",
    "text_encoder.embeddings.word_embeddings.weight",
    "text_encoder.encoder.layer.1.crossattention.self.value.weight",
    "text_decoder.bert.encoder.layer.0.attention.self.query.weight",
    "text_decoder.cls.predictions.bias",
]


def record(out: Path):
    made, expected = models.checkpoint(), Expected()
    models.save(made, out / "model")
    model, momentum = models.load(made, out / "model")
    batch = prepare(Preparation(out / "model"), expected, made.config["text_config"])
    random = torch.Generator().manual_seed(3)
    queues = [unit(torch.randn(QUEUE, made.config["image_text_hidden_size"], generator=random)) for _ in range(2)]
    for name, queue in zip(("image", "text"), queues):
        expected.tensor(f"input.{name}_queue", queue)
    losses.check_against_classes(model, batch)
    seen = record_contrast(expected, model, momentum, batch, queues)
    record_match(expected, model, batch, seen, random)
    record_loss(expected, "lm", model, lambda model: losses.caption(model, batch.as_in(model)))
    record_loss(expected, "vqa", model, lambda model: losses.answer(model, batch.as_in(model)))
    record_loss(expected, "vqa_weighted", model, lambda model: losses.weighted_answer(model, batch.as_in(model)), FEW)
    leaking = losses.answer(model, batch, masked=False)[0]
    expected.json["losses"]["vqa_leaking"] = {"loss": rounded(leaking.detach())}
    record_momentum(expected, model, momentum, batch, queues, QUEUE - len(batch.ids))
    record_steps(expected, model, batch, [*FEW, "vision_model.encoder.layers.0.layer_norm1.weight"])
    expected.write(out)


def prepare(preparation, expected, config):
    """The batch, its inputs recorded."""

    def padded(name, texts, first=None):
        rows = [preparation.ids(text, config["max_position_embeddings"])[0] for text in texts]
        assert not any((row == 5).any() for row in rows), "a word is unknown"
        assert len({len(row) for row in rows}) > 2, "lengths should differ"
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=0)
        if first is not None:
            ids[:, 0] = first
        expected.json[name] = {"texts": texts, "lengths": [len(row) for row in rows], "ids": ids.tolist()}
        return ids

    dec, enc = config["bos_token_id"], config["bos_token_id"] + 1
    expected.json = {
        "pictures": PICTURES, "temperature": models.TEMPERATURE, "alpha": ALPHA, "momentum": MOMENTUM,
        "label_smoothing": models.SMOOTHING,
        "tokens": {"pad": 0, "cls": 6, "sep": config["sep_token_id"], "dec": dec, "enc": enc},
    }
    weights = sum(WEIGHTS, [])
    batch = Batch(
        pixels=torch.cat([preparation.pixels(name) for name in PICTURES]),
        ids=padded("captions", TEXTS),
        questions=padded("questions", QUESTIONS),
        answers=padded("answers", sum(ANSWERS, []), dec),
        question_of=[row for row, texts in enumerate(ANSWERS) for _ in texts],
        weights=torch.tensor(weights), enc=enc, dec=dec,
    )
    expected.json["answers"].update(question_of=batch.question_of, weights=weights)
    expected.tensor("input.pixels", batch.pixels)
    return batch


def record_contrast(expected, model, momentum, batch, queues):
    """ITC with soft targets; its value with hard ones."""
    everything = losses.candidates(momentum, batch, queues)
    rows = len(batch.ids)
    for name, vectors in zip(("image", "text"), everything):
        expected.tensor(f"itc.momentum_{name}_features", vectors[:rows])
    wanted = losses.soft_targets(*everything, rows, ALPHA)
    for name, value in zip(("image_to_text", "text_to_image"), wanted):
        expected.tensor(f"itc.{name}_targets", value)

    def contrast(model):
        given = ([value.to(model.temperature.dtype) for value in each] for each in (everything, wanted))
        return losses.contrast(model, batch.as_in(model), *given)

    record_loss(expected, "itc", model, contrast)
    hard, _ = losses.contrast(model, batch, everything, losses.soft_targets(*everything, rows, 0.0))
    expected.json["losses"]["itc_hard"] = {"loss": rounded(hard.detach())}
    return contrast(model)[1]


def record_match(expected, model, batch, seen, random):
    """ITM with negatives drawn by ITC's similarities."""
    chances = [losses.negative_weights(seen[name]) for name in ("text_to_image", "image_to_text")]
    negatives = [torch.multinomial(each, 1, generator=random)[:, 0] for each in chances]
    for name, weights, indices in zip(("image", "text"), chances, negatives):
        expected.tensor(f"itm.{name}_negative_weights", weights)
        expected.json[f"{name}_negatives"] = indices.tolist()
    record_loss(expected, "itm", model, lambda model: losses.match(model, batch.as_in(model), negatives))


@torch.no_grad()
def record_momentum(expected, model, momentum, batch, queues, pointer):
    """One step of the momentum model, and the queues after this batch's vectors went into them."""
    mine, its = model.weights(), momentum.weights()
    for name in FEW[:4]:
        expected.tensor(f"momentum_after.{name}", MOMENTUM * its[name] + (1 - MOMENTUM) * mine[name])
    _, *vectors = losses.features(momentum, batch)
    rows = len(batch.ids)
    assert QUEUE % rows == 0
    for name, queue, new in zip(("image", "text"), queues, vectors):
        after = queue.clone()
        after[pointer : pointer + rows] = new
        expected.tensor(f"queue_after.{name}", after)
    expected.json["queue"] = {"size": QUEUE, "pointer": pointer, "pointer_after": (pointer + rows) % QUEUE}
