#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Makes engine_rules.json: what optimisers, schedules and losses give as PyTorch computes them in float64 (Debian's
# python3-torch). Inputs are drawn from the generator of engine_curves.py and not stored.
#
#     python3 tests/golden/engine_rules.py > tests/golden/engine_rules.json
#
# The engine's rules are Keras'. Where PyTorch has the same rule with its small constant in another place, its options are set
# so that both say the same:
#
#     Adam, AdamW   PyTorch adds epsilon behind the bias correction of the second moment, Keras before it: PyTorch's is set to
#                   epsilon / sqrt(1 - beta_2^t) for step t
#     Adagrad       Keras: sqrt(sum + epsilon). PyTorch: sqrt(sum) + epsilon, with epsilon 0 and a sum that begins at Keras'
#                   initial accumulator + epsilon
#     RMSprop       Keras: sqrt(v + epsilon). PyTorch: sqrt(v) + epsilon. No option makes one the other: both are compared
#                   with an epsilon of 1e-30
#     SGD           Keras keeps the rate in the velocity, PyTorch outside of it: the same while the rate is constant, so
#                   schedules are compared without momentum
#     norms         PyTorch's clip_grad_norm_ divides by norm + 1e-6; the rule without that is spelled out here
#     losses        PyTorch's mean of a weighted cross-entropy divides by the sum of the weights, Keras' by the number of
#                   rows: rows' losses are weighted and averaged here. Quantile: its formula
import json

import torch
import torch.nn.functional as F
from torch.optim import lr_scheduler

from engine_curves import Generator, set_epsilon

STEPS, TENSORS = 12, (25, 15)
ROWS, OUTPUTS = 7, 4


def clip_value(flat, limit):
    torch.nn.utils.clip_grad_value_([flat], limit)


def clip_norms(flat, limit):
    for part in flat.grad.split(TENSORS):
        part *= min(1, limit / part.norm())


def clip_global_norm(flat, limit):
    flat.grad *= min(1, limit / flat.grad.norm())


def adagrad(weights):
    return torch.optim.Adagrad(weights, 0.05, initial_accumulator_value=0.1 + 1e-7, eps=0)


def rmsprop(**options):
    return lambda weights: torch.optim.RMSprop(weights, 0.01, alpha=0.9, eps=1e-30, **options)


def sgd(**options):
    return lambda weights: torch.optim.SGD(weights, 0.1, **options)


def adam(**options):
    return lambda weights: torch.optim.Adam(weights, 0.02, **options)


# Name: optimiser, clipping, schedule.
OPTIMIZERS = {
    "sgd": (sgd(), None, None),
    "momentum": (sgd(momentum=0.9), None, None),
    "nesterov": (sgd(momentum=0.9, nesterov=True), None, None),
    "sgd l2": (sgd(momentum=0.5, weight_decay=0.1), None, None),
    "sgd clipped by value": (sgd(), lambda flat: clip_value(flat, 0.5), None),
    "sgd clipped by norms": (sgd(), lambda flat: clip_norms(flat, 2), None),
    "adam clipped by global norm": (adam(), lambda flat: clip_global_norm(flat, 2), None),
    "adam": (adam(), None, None),
    "adam other betas": (adam(betas=(0.8, 0.95)), None, None),
    "adamw": (lambda weights: torch.optim.AdamW(weights, 0.02, weight_decay=0.1), None, None),
    "adagrad": (adagrad, None, None),
    "rmsprop": (rmsprop(), None, None),
    "rmsprop momentum": (rmsprop(momentum=0.8), None, None),
    "rmsprop centred": (rmsprop(centered=True), None, None),
    "rmsprop centred momentum": (rmsprop(centered=True, momentum=0.8), None, None),
    "steps": (sgd(), None, lambda optimizer: lr_scheduler.StepLR(optimizer, 5, 0.3)),
    "cosine": (sgd(), None, lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, STEPS, 0.1 * 0.2)),
    "warm-up": (adam(), None, lambda optimizer: lr_scheduler.LinearLR(optimizer, 1 / 4, 1, 3)),
}


def run_optimizer(make, clip, schedule):
    random = Generator(11)
    flat = random.units(sum(TENSORS)).requires_grad_()
    optimizer = make([flat])
    scheduler = schedule(optimizer) if schedule else None
    for step in range(STEPS):
        flat.grad = random.units(sum(TENSORS))
        if clip:
            clip(flat)
        set_epsilon(optimizer, step + 1)
        optimizer.step()
        if scheduler:
            scheduler.step()
    return flat.tolist()


WEIGHTS = torch.tensor([0.5, 2, 1, 3], dtype=torch.float64)


def categorical(smoothing, weights):
    def loss(z, labels, targets):
        return (F.cross_entropy(z, labels, label_smoothing=smoothing, reduction="none") * weights[labels]).mean()
    return loss


def binary(smoothing, zero, one):
    def loss(z, labels, targets):
        y = (targets > 0).double()
        return F.binary_cross_entropy_with_logits(z, (1 - smoothing) * y + smoothing / 2, y * one + (1 - y) * zero)
    return loss


def quantile(level):
    def loss(z, labels, targets):
        return torch.maximum(level * (targets - z), (level - 1) * (targets - z)).mean()
    return loss


# Of outputs 4 * unit, labels below the number of outputs and targets 4 * unit, drawn one after the other (binary: 1 where a
# target is above 0).
LOSSES = {
    "categorical": categorical(0, torch.ones(OUTPUTS)),
    "categorical smoothed": categorical(0.1, torch.ones(OUTPUTS)),
    "categorical weighted": categorical(0, WEIGHTS),
    "categorical smoothed weighted": categorical(0.2, WEIGHTS),
    "binary": binary(0, 1, 1),
    "binary smoothed weighted": binary(0.1, 0.5, 3),
    "squared error": lambda z, labels, targets: F.mse_loss(z, targets),
    "absolute error": lambda z, labels, targets: F.l1_loss(z, targets),
    "huber": lambda z, labels, targets: F.huber_loss(z, targets, delta=0.7),
    "quantile": quantile(0.9),
}


def run_loss(loss):
    random = Generator(12)
    outputs = (4 * random.units(ROWS * OUTPUTS).reshape(ROWS, OUTPUTS)).requires_grad_()
    labels = torch.tensor([random.below(OUTPUTS) for _ in range(ROWS)])
    targets = 4 * random.units(ROWS * OUTPUTS).reshape(ROWS, OUTPUTS)
    value = loss(outputs, labels, targets)
    value.backward()
    return {"loss": value.item(), "gradient": outputs.grad.flatten().tolist()}


def main():
    torch.set_default_dtype(torch.float64)
    print(json.dumps({
        "torch": torch.__version__,
        "optimizers": {name: run_optimizer(*case) for name, case in OPTIMIZERS.items()},
        "losses": {name: run_loss(loss) for name, loss in LOSSES.items()}}))


if __name__ == "__main__":
    main()
