"""What an optimizer makes of the gradients: learning rates, clipping, AdamW."""

import copy
import math

import torch

from ..record import rounded
from .losses import caption

BETAS, EPSILON, DECAY, CLIP_NORM = [0.9, 0.999], 1e-8, 0.05, 1.0
PEAK, FLOOR, WARM_UP, STEPS = 2e-3, 1e-5, 2, 5


def learning_rate(step):
    if step < WARM_UP:
        return PEAK * (step + 1) / WARM_UP
    return FLOOR + (PEAK - FLOOR) * 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / (STEPS - WARM_UP)))


def is_matrix(value):
    """Decayed: at least two axes longer than one; so neither biases and norms nor the class token, [1, 1, D]."""
    return sum(axis > 1 for axis in value.shape) >= 2


def take_steps(model, batch):
    """Some steps of AdamW on LM alone, the same batch at each. Changes the model; returns losses, gradient norms."""
    groups = [
        {"params": [value for value in model.parameters() if is_matrix(value)], "weight_decay": DECAY},
        {"params": [value for value in model.parameters() if not is_matrix(value)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=BETAS, eps=EPSILON)
    losses, norms = [], []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        loss, _ = caption(model, batch)
        loss.backward()
        norms.append(rounded(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)))
        optimizer.step()
        losses.append(rounded(loss.detach()))
    return losses, norms


def record_steps(expected, model, batch, names):
    """The steps, and the parameters `names` after them; how far float64 is from these says what a test may ask."""
    exact = copy.deepcopy(model).double()
    model = copy.deepcopy(model)
    losses, norms = take_steps(model, batch)
    exact_losses, _ = take_steps(exact, batch.as_in(exact))
    named, exactly = model.weights(), exact.weights()
    distances = {name: (named[name] - exactly[name]).abs().max() for name in names}
    expected.json["steps"] = {
        "betas": BETAS, "epsilon": EPSILON, "weight_decay": DECAY, "clip_norm": CLIP_NORM, "peak": PEAK,
        "floor": FLOOR, "warm_up": WARM_UP, "steps": STEPS,
        "learning_rates": [rounded(learning_rate(step)) for step in range(STEPS)],
        "losses": losses, "gradient_norms": norms, "loss_afterwards": rounded(caption(model, batch)[0].detach()),
        "losses_in_float64": exact_losses,
        "distance_from_float64": {name: rounded(value.detach(), 3) for name, value in distances.items()},
        "untouched": [name for name, value in named.items() if value.grad is None],
        "not_decayed": [name for name, value in named.items() if not is_matrix(value)],
    }
    for name in names:
        expected.tensor(f"steps.{name}", named[name])
