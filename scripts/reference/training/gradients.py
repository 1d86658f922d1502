"""Gradients, and the proof that they are right."""

import copy

import torch

from ..record import rounded, unit


def gradients(model, loss):
    """Name -> gradient of what the loss depends on."""
    names, values = zip(*model.named_parameters())
    found = torch.autograd.grad(loss, values, allow_unused=True)
    return {name: gradient for name, gradient in zip(names, found) if gradient is not None}


def check_differences(model, loss_of):
    """In float64: along one random direction of each parameter, the slope is what the gradient says."""
    parameters, random = dict(model.named_parameters()), torch.Generator().manual_seed(7)
    found = gradients(model, loss_of(model)[0])
    step = 1e-5
    for name, gradient in found.items():
        direction = unit(torch.randn(gradient.numel(), generator=random, dtype=torch.float64)).view(gradient.shape)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameters[name] += sign * step * direction
                values.append(loss_of(model)[0].item())
                parameters[name] -= sign * step * direction
        slope, expected = (values[0] - values[1]) / (2 * step), (gradient * direction).sum().item()
        assert abs(slope - expected) < 1e-7 + 1e-5 * abs(expected), (name, slope, expected)
    return found


def record_loss(expected, key, model, loss_of, only=None):
    """The loss, what can be looked at, and all gradients (or those named by `only`).

    `loss_of` is called with the float32 model and with a float64 copy.
    """
    loss, seen = loss_of(model)
    found = gradients(model, loss)
    exact = check_differences(copy.deepcopy(model).double(), loss_of)
    assert found.keys() == exact.keys()
    largest = max(value.norm() for value in exact.values())
    worst = max((found[name] - value).norm() / (value.norm() + 1e-3 * largest) for name, value in exact.items())
    assert worst < 1e-4, (key, worst)
    expected.tensor(f"{key}.loss", loss.reshape(1))
    for name, value in seen.items():
        expected.tensor(f"{key}.{name}", value)
    for name, value in found.items():
        if only is None or name in only:
            expected.tensor(f"{key}.grad.{name}", value)
    norm = torch.stack([value.norm() for value in found.values()]).norm()
    expected.json.setdefault("losses", {})[key] = {
        "loss": rounded(loss.detach()), "gradient_norm": rounded(norm), "parameters": len(found),
        "distance_from_float64": rounded(worst, 3),
    }
