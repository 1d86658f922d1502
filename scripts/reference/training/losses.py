"""BLIP's losses: ITC, ITM, LM, and the loss of question answering."""

import contextlib
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from .model import SMOOTHING, TEMPERATURE


@dataclass
class Batch:
    """Pictures with texts, padded; ids start with [CLS]. `answers` start with [DEC], one row an answer."""

    pixels: torch.Tensor  # [4, 3, S, S]
    ids: torch.Tensor  # [4, T]
    questions: torch.Tensor  # [4, Q]
    answers: torch.Tensor  # [7, A]
    question_of: list  # of each answer
    weights: torch.Tensor  # of each answer
    enc: int
    dec: int

    def as_in(self, model):
        """With the model's precision."""
        dtype = model.temperature.dtype
        return replace(self, pixels=self.pixels.to(dtype), weights=self.weights.to(dtype))

    def started(self, token):
        ids = self.ids.clone()
        ids[:, 0] = token
        return ids

    def firsts(self):
        """The first answer of each question."""
        return self.answers[[self.question_of.index(row) for row in range(len(self.questions))]]


def mask(ids):
    return (ids != 0).long()


def targets(ids):
    return ids.masked_fill(ids == 0, -100)


def smoothed_cross_entropy(logits, labels):
    """The loss of each label, 0 where it is -100, and how many are not. A second opinion to F.cross_entropy."""
    logs = logits.log_softmax(dim=-1)
    kept = labels != -100
    true = logs.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return -((1 - SMOOTHING) * true + SMOOTHING * logs.mean(dim=-1)) * kept, kept.sum()


@contextlib.contextmanager
def masked_cross_attention(model):
    """Makes cross-attention heed its mask.

    `transformers` 5.23 takes one and loses it on the way (BlipTextAttention.forward drops it), so a padded
    question leaks its padding into the answer. BLIP's own code masks it.
    """

    def hand_on(_module, args, given):
        return args, {**given, "encoder_attention_mask": given["attention_mask"]}

    layers = [*model.text_encoder.encoder.layer]  # the decoder's cross-attentions are these very modules
    hooks = [layer.crossattention.self.register_forward_pre_hook(hand_on, with_kwargs=True) for layer in layers]
    yield
    for hook in hooks:
        hook.remove()


def features(model, batch):
    """The image's states, and the unit vectors of images and of texts."""
    states = model.vision_model(pixel_values=batch.pixels).last_hidden_state
    text = model.text_encoder(input_ids=batch.ids, attention_mask=mask(batch.ids)).last_hidden_state
    return (
        states,
        F.normalize(model.vision_proj(states[:, 0]), dim=-1),
        F.normalize(model.text_proj(text[:, 0]), dim=-1),
    )


@torch.no_grad()
def candidates(momentum, batch, queues):
    """What ITC compares with: the momentum model's vectors of this batch, then the queue's. [4 + queue, P] each."""
    _, images, texts = features(momentum, batch)
    return torch.cat([images, queues[0]]), torch.cat([texts, queues[1]])


@torch.no_grad()
def soft_targets(images, texts, rows, alpha):
    """alpha * softmax(momentum similarities) + (1 - alpha) * identity, both directions. [4, 4 + queue] each"""
    hard = torch.eye(rows, len(images), dtype=images.dtype)
    directions = (images, texts), (texts, images)
    soft = [(mine[:rows] @ others.T / TEMPERATURE).softmax(dim=1) for mine, others in directions]
    return [alpha * each + (1 - alpha) * hard for each in soft]


def contrast(model, batch, everything, wanted):
    """ITC. Returns the loss and what can be looked at."""
    images, texts = everything
    _, image, text = features(model, batch)
    image_to_text = image @ texts.T / model.temperature
    text_to_image = text @ images.T / model.temperature
    losses = [
        -(similarities.log_softmax(dim=1) * target).sum(dim=1).mean()
        for similarities, target in zip((image_to_text, text_to_image), wanted)
    ]
    return sum(losses) / 2, {
        "image_features": image, "text_features": text, "image_to_text": image_to_text, "text_to_image": text_to_image,
    }


@torch.no_grad()
def negative_weights(similarities):
    """The chances (not summing to one) of each other pair of the batch to be a row's negative; none for its own."""
    rows = len(similarities)
    return (similarities[:, :rows].softmax(dim=1) + 1e-4).fill_diagonal_(0)


def match(model, batch, negatives):
    """ITM over the pairs, then each text with a wrong image, then each image with a wrong text."""
    image_negatives, text_negatives = negatives
    states = model.vision_model(pixel_values=batch.pixels).last_hidden_state
    ids = batch.started(batch.enc)
    states = torch.cat([states, states[image_negatives], states])
    ids = torch.cat([ids, ids, ids[text_negatives]])
    hidden = model.text_encoder(
        input_ids=ids, attention_mask=mask(ids), encoder_hidden_states=states,
        encoder_attention_mask=torch.ones(states.shape[:2], dtype=torch.long),
    ).last_hidden_state
    logits = model.itm_head(hidden[:, 0])
    rows = len(batch.ids)
    labels = torch.tensor([1] * rows + [0] * 2 * rows)
    return F.cross_entropy(logits, labels), {"logits": logits}


def caption(model, batch):
    """LM: the class's own loss."""
    ids = batch.started(batch.dec)
    output = model.classes["captioning"](
        pixel_values=batch.pixels, input_ids=ids, attention_mask=mask(ids), labels=targets(ids)
    )
    return output.loss, {"logits": output.logits}


def answer(model, batch, masked=True):
    """VQA with one answer a question: the class's own loss, its mask made to work."""
    ids = batch.firsts()
    with masked_cross_attention(model) if masked else contextlib.nullcontext():
        output = model.classes["answering"](
            input_ids=batch.questions, attention_mask=mask(batch.questions), pixel_values=batch.pixels,
            decoder_input_ids=ids, decoder_attention_mask=mask(ids), labels=targets(ids),
        )
    return output.loss, {}


def weighted_answer(model, batch):
    """VQA as BLIP's own training sums it: all answers, weighted, tokens summed, over the number of questions."""
    with masked_cross_attention(model):
        states = model.vision_model(pixel_values=batch.pixels).last_hidden_state
        question = model.text_encoder(
            input_ids=batch.questions, attention_mask=mask(batch.questions), encoder_hidden_states=states
        ).last_hidden_state[batch.question_of]
        output = model.text_decoder(
            input_ids=batch.answers, attention_mask=mask(batch.answers), encoder_hidden_states=question,
            encoder_attention_mask=mask(batch.questions)[batch.question_of], labels=targets(batch.answers),
            reduction="none",
        )
    return (batch.weights * output.loss).sum() / len(batch.pixels), {"logits": output.logits, "losses": output.loss}


def check_against_classes(model, batch):
    """The losses above are what the classes say, and their masks keep padding out."""
    ids = batch.started(batch.dec)
    states = model.vision_model(pixel_values=batch.pixels).last_hidden_state
    logits = model.text_decoder(input_ids=ids, attention_mask=mask(ids), encoder_hidden_states=states).logits
    values, count = smoothed_cross_entropy(logits[:, :-1], targets(ids)[:, 1:])
    torch.testing.assert_close(values.sum() / count, caption(model, batch)[0])

    pairs = model.classes["retrieval"](input_ids=batch.started(batch.enc), pixel_values=batch.pixels,
                                       attention_mask=mask(batch.ids), use_itm_head=True).itm_score
    rows = torch.arange(len(ids))
    torch.testing.assert_close(match(model, batch, (rows.flip(0), rows.flip(0)))[1]["logits"][: len(ids)], pairs)
    cosines = model.classes["retrieval"](input_ids=batch.ids, pixel_values=batch.pixels,
                                         attention_mask=mask(batch.ids), use_itm_head=False).itm_score
    _, image, text = features(model, batch)
    torch.testing.assert_close(image @ text.T, cosines)

    _, seen = weighted_answer(model, batch)  # each answer once more, with nothing padded and so no mask
    for index, row in enumerate(batch.question_of):
        question = batch.questions[row : row + 1, : mask(batch.questions[row]).sum()]
        written = batch.answers[index : index + 1, : mask(batch.answers[index]).sum()]
        hidden = model.text_encoder(input_ids=question, encoder_hidden_states=states[row : row + 1]).last_hidden_state
        logits = model.text_decoder(input_ids=written, encoder_hidden_states=hidden).logits
        values, _ = smoothed_cross_entropy(logits[:, :-1], written[:, 1:])
        torch.testing.assert_close(values.sum(), seen["losses"][index])
