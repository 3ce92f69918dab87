#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same training steps in PyTorch, for entente-bench-engine, which starts this and asks.

One line asks, one answers:

    product THREADS SECONDS                 ->  GFLOP/s of a large matrix product
    MODEL BATCH THREADS SECONDS             ->  median seconds of a step, and the settings it had

The settings of a model are the best found in a first short try of all that make sense for it:
memory formats, the optimiser's loop over tensors one by one or all together, a recurrent layer's
time first or batch first. What the environment decides (the kernels of OpenBLAS and of PyTorch
itself) is a matter of whoever starts this.
"""
import itertools
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_flush_denormal(True)
torch.manual_seed(1)


class ImageModel(nn.Module):
    """Convolutions (kernel, filters; None: pooling), then dense layers."""

    def __init__(self, channels, side, kernel, plan, dense):
        super().__init__()
        layers = []
        for filters in plan:
            if filters is None:
                layers.append(nn.MaxPool2d(2))
                side //= 2
                continue
            layers += [nn.Conv2d(channels, filters, kernel, padding=kernel // 2), nn.ReLU()]
            channels = filters
        layers += [nn.Flatten(), nn.Linear(channels * side * side, dense), nn.ReLU(), nn.Linear(dense, 10)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


class TextModel(nn.Module):
    """Embedding and two LSTMs; `hidden` dense units and an output at each step, or at the last one alone."""

    def __init__(self, vocabulary, size, units, hidden, outputs, time_first):
        super().__init__()
        self.time_first = time_first
        self.embedding = nn.Embedding(vocabulary, size)
        self.lstm = nn.LSTM(size, units, num_layers=2, batch_first=not time_first)
        self.hidden = nn.Linear(units, hidden) if hidden else None
        self.output = nn.Linear(hidden or units, outputs)

    def forward(self, x):
        y, _ = self.lstm(self.embedding(x.t() if self.time_first else x))
        if self.hidden is None:
            return self.output(y[-1] if self.time_first else y[:, -1])
        y = self.output(F.relu(self.hidden(y)))
        return (y.transpose(0, 1) if self.time_first else y).reshape(-1, y.shape[-1])


class GptBlock(nn.Module):
    def __init__(self, size, heads, length):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.into, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.wide, self.narrow = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
        self.register_buffer("unseen", torch.ones(length, length, dtype=torch.bool).triu(1))

    def forward(self, x):
        batch, length, size = x.shape
        q, k, v = self.into(self.norm_1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = (q * (q.shape[-1] ** -0.5)) @ k.transpose(-1, -2)
        seen = F.softmax(scores.masked_fill(self.unseen, float("-inf")), dim=-1) @ v
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, size))
        return x + self.narrow(F.gelu(self.wide(self.norm_2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary, length, size, heads, layers):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, size)
        self.positions = nn.Parameter(torch.zeros(length, size))
        self.blocks = nn.Sequential(*[GptBlock(size, heads, length) for _ in range(layers)])
        self.norm, self.output = nn.LayerNorm(size), nn.Linear(size, vocabulary)

    def forward(self, x):
        y = self.output(self.norm(self.blocks(self.tokens(x) + self.positions)))
        return y.reshape(-1, y.shape[-1])


def tokens(batch, length, vocabulary):
    return torch.randint(0, vocabulary, (batch, length))


def mlp():
    return nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10))


def labels(count, classes):
    return torch.randint(0, classes, (count,))


# name: (model given the settings, features of a batch, labels of a batch, optimiser, settings to try)
PLAIN, IMAGE, TEXT = {}, {"channels_last": (False, True)}, {"time_first": (False, True)}
MODELS = {
    "mlp": (lambda s: mlp(), lambda n: torch.rand(n, 784), lambda n: labels(n, 10), "sgd", PLAIN),
    "cnn": (lambda s: ImageModel(1, 28, 5, [32, None, 64, None], 512), lambda n: torch.rand(n, 1, 28, 28),
            lambda n: labels(n, 10), "sgd", IMAGE),
    "cnn4": (lambda s: ImageModel(3, 32, 3, [32, 32, None, 64, 64, None], 512), lambda n: torch.rand(n, 3, 32, 32),
             lambda n: labels(n, 10), "sgd", IMAGE),
    "text_lstm": (lambda s: TextModel(10000, 128, 128, 64, 10, s["time_first"]), lambda n: tokens(n, 80, 10000),
                  lambda n: labels(n * 80, 10), "adam", TEXT),
    "char_lstm": (lambda s: TextModel(90, 8, 256, 0, 90, s["time_first"]), lambda n: tokens(n, 80, 90),
                  lambda n: labels(n, 90), "sgd", TEXT),
    "gpt": (lambda s: Gpt(96, 128, 256, 4, 4), lambda n: tokens(n, 128, 96), lambda n: labels(n * 128, 96),
            "adamw", PLAIN),
}
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def step_of(name, batch, settings):
    make, features_of, labels_of, optimizer_name, _ = MODELS[name]
    model, features, targets = make(settings), features_of(batch), labels_of(batch)
    if settings.get("channels_last"):
        model, features = (thing.to(memory_format=torch.channels_last) for thing in (model, features))
    optimizer = OPTIMIZERS[optimizer_name](model.parameters(), lr=1e-4, foreach=settings["foreach"])

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(features), targets).backward()
        optimizer.step()

    return step


def median_seconds(call, seconds):
    times, begin = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < seconds:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return statistics.median(times)


chosen = {}


def best_step(name, batch, threads, seconds):
    if (name, batch, threads) not in chosen:
        choices = dict(MODELS[name][4], foreach=(False, True))
        tried = []
        for values in itertools.product(*choices.values()):
            settings = dict(zip(choices, values))
            step = step_of(name, batch, settings)
            step()
            tried.append((median_seconds(step, seconds / 2), len(tried), settings, step))
        chosen[name, batch, threads] = min(tried)[2:]
    return chosen[name, batch, threads]


def answer(line):
    words = line.split()
    threads, seconds = int(words[-2]), float(words[-1])
    torch.set_num_threads(threads)
    if words[0] == "product":
        side = 768
        a, b = torch.rand(side, side), torch.rand(side, side)
        return f"{2 * side ** 3 / median_seconds(lambda: a @ b, seconds) / 1e9}"
    settings, step = best_step(words[0], int(words[1]), threads, seconds)
    named = ",".join(key for key, value in settings.items() if value) or "plain"
    return f"{median_seconds(step, seconds)} {named}"


if __name__ == "__main__":
    print("ready", flush=True)
    for asked in sys.stdin:
        print(answer(asked), flush=True)
