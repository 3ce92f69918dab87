#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Makes engine_curves.json: the losses of 200 training steps of small models as PyTorch computes them in float64 (Debian's
# python3-torch). Initial weights and data are not stored: both sides draw them from the generator below.
#
#     state <- state * 6364136223846793005 + 1442695040888963407 (mod 2^64), state begins as the model's seed
#     unit      (state >> 40) / 2^23 - 1            on [-1, 1), exact in float32
#     below(n)  (state >> 33) mod n
#
# Order: every parameter of the flat vector in the engine's layout, unit / 4 (gammas: 1 + unit / 4); then the features of all
# rows; then the labels, or numbers (tokens: see the functions below). Batches are taken in order, a step's begins where the last one's ended, and
# the first one follows the last. Moving statistics are drawn as all others and not used: losses are those of training.
#
#     python3 tests/golden/engine_curves.py > tests/golden/engine_curves.json
import json

import torch
import torch.nn.functional as F

from engine_layers import Cutter, from_image, head, to_image

STEPS = 200


class Generator:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state

    def unit(self):
        return (self.next() >> 40) / 2**23 - 1

    def below(self, bound):
        return (self.next() >> 33) % bound

    def units(self, count):
        return torch.tensor([self.unit() for _ in range(count)])


def dense(p, x, units):
    return x @ p.take(x.shape[-1], units) + p.take(units)


def convolve(p, x, filters):
    kernel = p.take(3, 3, x.shape[1], filters)
    return F.conv2d(x, kernel.permute(3, 2, 0, 1), p.take(filters), padding=1)


def mlp(p, x):
    return head(p, F.relu(dense(p, F.relu(dense(p, x, 16)), 16)), 4)


def regression(p, x):
    return dense(p, torch.tanh(dense(p, x, 12)), 2)


def cnn(p, x):
    y = F.max_pool2d(F.relu(convolve(p, to_image(x), 4)), 2)
    y = F.max_pool2d(F.relu(convolve(p, y, 6)), 2)
    return head(p, F.relu(dense(p, from_image(y).flatten(1), 12)), 4)


def normalize(p, y):  # a batch's; behind it in the layout the moving statistics
    channels = y.shape[1]
    y = F.batch_norm(y, None, None, p.gamma(channels), p.take(channels), True, 0.0, 1e-3)
    p.take(2 * channels)
    return y


def resnet(p, x):
    y = F.relu(normalize(p, convolve(p, to_image(x), 4)))
    z = F.relu(normalize(p, convolve(p, y, 4)))
    z = normalize(p, convolve(p, z, 4))
    return head(p, F.relu(y + z).mean((2, 3)), 4)


def lstm_layer(p, x, h):
    n, f = x.shape[0], x.shape[2]
    w, u, b = p.take(f, 4 * h), p.take(h, 4 * h), p.take(4 * h)
    zero = torch.zeros(1, n, h)
    return torch._VF.lstm(x, (zero, zero), [w.T, u.T, b, torch.zeros(4 * h)], True, 1, 0.0, True, False, True)[0]


def lstm(p, x):
    y = F.embedding(x.long(), p.take(12, 6))
    y = lstm_layer(p, lstm_layer(p, y, 8), 8)
    return head(p, F.relu(dense(p, y, 8)), 4)


def layer_norm(p, y):
    return F.layer_norm(y, y.shape[-1:], p.gamma(y.shape[-1]), p.take(y.shape[-1]), 1e-3)


def attend(p, x, heads):
    steps, d = x.shape[1:]
    parts = [(p.take(d, d), p.take(d)) for _ in range(3)]
    out_kernel, out_bias = p.take(d, d), p.take(d)
    hidden = torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1)
    y = x.transpose(0, 1)
    y, _ = F.multi_head_attention_forward(
        y, y, y, d, heads, torch.cat([w.T for w, _ in parts]), torch.cat([b for _, b in parts]), None, None, False, 0.0,
        out_kernel.T, out_bias, attn_mask=hidden, need_weights=False)
    return y.transpose(0, 1)


def gpt(p, x):
    y = F.embedding(x.long(), p.take(11, 8))
    y = y + p.take(x.shape[1], 8)
    for _ in range(2):
        y = y + attend(p, layer_norm(p, y), 2)
        y = y + dense(p, F.gelu(dense(p, layer_norm(p, y), 16)), 8)
    return head(p, layer_norm(p, y), 11)


class Weights(Cutter):
    """Cuts a flat vector, and notes which parts are gammas."""

    def __init__(self, flat):
        super().__init__(flat)
        self.gammas = []

    def gamma(self, count):
        self.gammas.append((self.at, self.at + count))
        return self.take(count)


def rows_of(shape, classes):
    def make(random, rows):
        size = torch.Size(shape).numel()
        features = random.units(rows * size).reshape(rows, *shape)
        return features, torch.tensor([random.below(classes) for _ in range(rows)])
    return make


def numbers_of(shape, targets):
    def make(random, rows):
        features = random.units(rows * torch.Size(shape).numel()).reshape(rows, *shape)
        return features, random.units(rows * targets).reshape(rows, targets)
    return make


# Tokens drawn one by one; the label of a step is (its token + the one before it, 0 at first) mod classes.
def sums(steps, vocabulary, classes):
    def make(random, rows):
        tokens = torch.tensor([random.below(vocabulary) for _ in range(rows * steps)]).reshape(rows, steps)
        before = F.pad(tokens, (1, 0))[:, :-1]
        return tokens, (tokens + before) % classes
    return make


# A first token drawn, each next one is (3 * token + 1 + below(2)) mod vocabulary; the label of a step is the next token.
def next_tokens(steps, vocabulary):
    def make(random, rows):
        lines = []
        for _ in range(rows):
            line = [random.below(vocabulary)]
            for _ in range(steps):
                line.append((3 * line[-1] + 1 + random.below(2)) % vocabulary)
            lines.append(line)
        lines = torch.tensor(lines)
        return lines[:, :-1], lines[:, 1:]
    return make


# Keras adds its epsilon before the bias correction of the second moment, PyTorch after it: PyTorch's is set anew each step.
def set_epsilon(optimizer, step, epsilon=1e-7):
    for group in optimizer.param_groups:
        if "betas" in group:
            group["eps"] = epsilon / (1 - group["betas"][1] ** step) ** 0.5


def sgd(rate, momentum):
    return lambda weights: torch.optim.SGD(weights, rate, momentum)


def adam(rate):
    return lambda weights: torch.optim.Adam(weights, rate)


def adamw(rate, decay):
    return lambda weights: torch.optim.AdamW(weights, rate, weight_decay=decay)


# Model, its data, rows in all and of a batch, optimiser, seed.
CASES = [
    (mlp, rows_of((10,), 4), 48, 16, sgd(0.05, 0.9), 1),
    (cnn, rows_of((8, 8, 2), 4), 24, 8, sgd(0.05, 0.5), 2),
    (resnet, rows_of((6, 6, 3), 4), 24, 8, sgd(0.05, 0.5), 3),
    (lstm, sums(7, 12, 4), 24, 8, adam(0.01), 4),
    (gpt, next_tokens(9, 11), 16, 8, adamw(0.003, 0.01), 5),
    (regression, numbers_of((6,), 2), 24, 8, adam(0.01), 6),
]


def main():
    torch.set_default_dtype(torch.float64)
    curves = {}
    for model, data, rows, batch, optimizer_of, seed in CASES:
        dry = Weights(torch.zeros(20000))
        model(dry, data(Generator(0), 2)[0])
        random = Generator(seed)
        flat = random.units(dry.at) / 4
        for begin, end in dry.gammas:
            flat[begin:end] += 1
        features, labels = data(random, rows)
        flat.requires_grad_()
        optimizer = optimizer_of([flat])
        losses = []
        for step in range(STEPS):
            first = step * batch % rows
            logits = model(Weights(flat), features[first:first + batch])
            wanted = labels[first:first + batch]
            if model is regression:
                loss = F.huber_loss(logits, wanted, delta=0.5)
            else:
                loss = F.cross_entropy(logits.flatten(0, -2), wanted.flatten())
            optimizer.zero_grad()
            loss.backward()
            set_epsilon(optimizer, step + 1)
            optimizer.step()
            losses.append(loss.item())
        curves[model.__name__] = {"parameters": dry.at, "losses": losses}
    print(json.dumps({"torch": torch.__version__, "curves": curves}))


if __name__ == "__main__":
    main()
