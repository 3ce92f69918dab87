#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Makes engine_options.json: layers' options and masks as PyTorch computes them in float64 (Debian's python3-torch). Weights and
# data are drawn from the generator of engine_curves.py and not stored: parameters unit / 2 (gammas: 1 + unit / 2), features
# unit, or below(vocabulary) for tokens, labels below(3); then three vectors of unit. Stored are the loss and the products of
# its gradient with these vectors.
#
# Keras pads `same` at the end where it cannot pad evenly; a masked step hands a recurrent state on.
#
#     python3 tests/golden/engine_options.py > tests/golden/engine_options.json
import json

import torch
import torch.nn.functional as F

from engine_curves import Generator, Weights
from engine_layers import from_image, head, to_image, turned

ROWS = 4


def same(y, sizes, strides, value=0.0):
    pads = []
    for axis in (1, 0) if len(sizes) == 2 else (0,):
        size, out = y.shape[2 + axis], -(-y.shape[2 + axis] // strides[axis])
        total = max((out - 1) * strides[axis] + sizes[axis] - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(y, pads, value=value)


def flat_head(p, y):
    return head(p, y.flatten(1))


def conv(p, y, filters, size, strides=(1, 1), bias=True):
    kernel = p.take(*size, y.shape[1], filters)
    return F.conv2d(y, kernel.permute(3, 2, 0, 1), p.take(filters) if bias else None, strides)


def strided(p, x, mask):
    y = F.relu(conv(p, to_image(x), 3, (3, 2), (2, 1), False))
    y = torch.tanh(conv(p, same(y, (2, 3), (2, 3)), 4, (2, 3), (2, 3)))
    return flat_head(p, from_image(y))


def maxima(p, x, mask):
    y = conv(p, same(to_image(x), (3, 3), (1, 1)), 3, (3, 3))
    y = F.max_pool2d(same(y, (3, 3), (2, 2), -1e300), 3, 2)
    return flat_head(p, from_image(F.max_pool2d(y, 2, (1, 2))))


def averages(p, x, mask):
    y = conv(p, same(to_image(x), (3, 3), (1, 1)), 3, (3, 3))
    parts = [F.avg_pool2d(same(z, (3, 1), (2, 2)), (3, 1), 2) for z in (y, torch.ones_like(y))]
    return flat_head(p, from_image(parts[0] / parts[1]))


def along(p, x, mask):
    y = x.transpose(1, 2)
    y = F.relu(F.conv1d(same(y, (3,), (2,)), p.take(3, 2, 4).permute(2, 1, 0), None, 2))
    y = F.conv1d(y, p.take(2, 4, 3).permute(2, 1, 0), p.take(3))
    parts = [F.avg_pool1d(same(z, (2,), (2,)), 2, 2) for z in (y, torch.ones_like(y))]
    return flat_head(p, (parts[0] / parts[1]).transpose(1, 2))


def depthwise(p, x, mask):
    y = conv(p, same(to_image(x), (2, 2), (1, 1)), 3, (2, 2))
    y = F.conv2d(same(y, (3, 2), (1, 1)), p.take(3, 2, 3, 1).permute(2, 3, 0, 1), None, groups=3)
    kernel, bias = p.take(2, 2, 3, 2), p.take(6)
    y = F.conv2d(y, kernel.permute(2, 3, 0, 1).reshape(6, 1, 2, 2), bias, (2, 1), groups=3)
    return flat_head(p, from_image(y))


def maximum_of_all(p, x, mask):
    return head(p, conv(p, to_image(x), 5, (2, 2)).amax((2, 3)))


def rows(p, x, mask):
    a = torch.sigmoid(x @ p.take(6, 6))
    b = (a * x + a).reshape(-1, 2, 3).transpose(1, 2).flatten(1)
    return head(p, torch.cat([b, x], 1))


def norm_options(p, x, mask):
    y = F.batch_norm(to_image(x), None, None, None, p.take(4), True, 0.0, 1e-2)
    p.take(8)
    y = F.batch_norm(torch.tanh(y), None, None, p.gamma(4), None, True, 0.0, 1e-3)
    p.take(8)
    y = F.group_norm(torch.tanh(y), 4, None, None, 1e-3)
    y = F.layer_norm(torch.tanh(from_image(y)), (4,), p.gamma(4), None, 1e-2)
    return flat_head(p, F.layer_norm(torch.tanh(y), (4,), None, p.take(4), 1e-3))


def curve_layers(p, x, mask):
    y = x @ p.take(5, 9) + p.take(9)
    parts = [F.elu(y, 0.3), F.leaky_relu(y, 0.3), torch.tanh(y), torch.sigmoid(y), F.softmax(y, 1), F.gelu(y), F.silu(y), F.relu(y), y]
    return head(p, torch.cat(parts, 1))


def embed(p, x, size):
    return F.embedding(x.long(), p.take(4, size))


GATES = {"simple": 1, "lstm": 4, "gru": 3}


def walk(p, x, mask, cell, h, backwards, bias=True, zeros=False):
    """Each step's state at its place in the input, and the last one."""
    n, steps, f = x.shape
    g = GATES[cell] * h
    w, u = p.take(f, g), p.take(h, g)
    b = p.take(2, g) if cell == "gru" and bias else (p.take(g) if bias else torch.zeros(g))
    b = b if b.dim() == 2 else torch.stack([b, torch.zeros(g)])
    if cell == "gru":
        w, u, b = turned(w, h), turned(u, h), turned(b, h)
    state, carry = torch.zeros(n, h), torch.zeros(n, h)
    outputs = [None] * steps
    for t in reversed(range(steps)) if backwards else range(steps):
        counts = torch.ones(n, 1, dtype=torch.bool) if mask is None else mask[:, t:t + 1]
        if cell == "lstm":
            new, new_carry = torch._VF.lstm_cell(x[:, t], (state, carry), w.T, u.T, b[0], b[1])
            carry = torch.where(counts, new_carry, carry)
        else:
            step = torch._VF.gru_cell if cell == "gru" else torch._VF.rnn_tanh_cell
            new = step(x[:, t], state, w.T, u.T, b[0], b[1])
        state = torch.where(counts, new, state)
        outputs[t] = torch.where(counts, state, torch.zeros_like(state)) if zeros else state
    return torch.stack(outputs, 1), state


def masked_backwards(cell):
    def model(p, x, mask):
        y, _ = walk(p, embed(p, x, 3), mask, cell, 3, True)
        return flat_head(p, y.flip(1))
    return model


def last_of_masked(cell):
    def model(p, x, mask):
        _, y = walk(p, embed(p, x, 3), mask, cell, 3, True, False)
        return head(p, y)
    return model


def both(cell, sequences, join, bias=True, masks=True):
    def model(p, x, mask):
        x, mask = embed(p, x, 2), mask if masks else None
        one, two = (walk(p, x, mask, cell, 3, back, bias, True) for back in (False, True))
        return flat_head(p, join(*(y[0 if sequences else 1] for y in (one, two))))
    return model


def attend(p, q, k, v, heads, size, value_size, outputs, hidden, bias=True):
    def project(x, width):
        kernel = p.take(x.shape[2], heads * width)
        y = x @ kernel + (p.take(heads * width) if bias else 0)
        return y.unflatten(2, (heads, width)).transpose(1, 2)
    q, k, v = project(q, size), project(k, size), project(v, value_size)
    scores = (q @ k.transpose(2, 3) / size ** 0.5).masked_fill(hidden, -1e9)
    y = (F.softmax(scores, 3) @ v).transpose(1, 2).flatten(2)
    kernel = p.take(heads * value_size, outputs)
    return y @ kernel + (p.take(outputs) if bias else 0)


def masked_mean(y, mask):
    return (y * mask.unsqueeze(2)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


def attention_masked(p, x, mask):
    y = embed(p, x, 4)
    y = y + attend(p, y, y, y, 2, 3, 2, 4, ~mask[:, None, None, :])
    return head(p, masked_mean(y, mask))


def attention_causal_masked(p, x, mask):
    y = embed(p, x, 4)
    later = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
    return head(p, masked_mean(attend(p, y, y, y, 2, 2, 2, 4, ~mask[:, None, None, :] | later), mask))


def attention_across(p, x, mask):
    words, others = x
    y = attend(p, others, embed(p, words, 4), embed(p, words, 2), 3, 2, 2, 5, ~mask[:, None, None, :], False)
    return head(p, y.mean(1))


def tagger(p, x, mask):
    y, _ = walk(p, embed(p, x, 3), mask, "lstm", 3, False)
    return head(p, y)


def tables(p, x, mask):
    numbers, pair = x
    y = F.embedding(pair.long(), p.take(4, 3)).flatten(1)
    return head(p, torch.cat([numbers, y], 1))


def positions(p, x, mask):
    y = x @ p.take(3, 2) + p.take(2)
    y = y + p.take(6, 2)[:4]
    return flat_head(p, y + p.take(4, 2))


IMAGE, TOKENS = (7, 6, 2), "tokens 6"
CASES = {
    "strided": (strided, [IMAGE]), "maxima": (maxima, [IMAGE]), "averages": (averages, [IMAGE]), "along": (along, [(9, 2)]),
    "depthwise": (depthwise, [IMAGE]), "maximum of all": (maximum_of_all, [IMAGE]), "rows": (rows, [(6,)]),
    "norm options": (norm_options, [(3, 3, 4)]), "curves": (curve_layers, [(5,)]),
    **{cell + " masked backwards": (masked_backwards(cell), [TOKENS]) for cell in GATES},
    **{cell + " last of masked": (last_of_masked(cell), [TOKENS]) for cell in GATES},
    "both concatenated": (both("lstm", True, lambda a, b: torch.cat([a, b], 2)), [TOKENS]),
    "both added": (both("gru", True, lambda a, b: a + b), [TOKENS]),
    "both multiplied": (both("simple", True, lambda a, b: a * b), [TOKENS]),
    "both averaged": (both("lstm", False, lambda a, b: (a + b) / 2, False, False), [TOKENS]),
    "attention masked": (attention_masked, ["tokens 5"]), "attention causal masked": (attention_causal_masked, ["tokens 5"]),
    "attention across": (attention_across, ["tokens 4", (3, 3)]),
    "tagger": (tagger, [TOKENS]), "tables": (tables, [(3,), "tokens 2"]), "positions": (positions, [(4, 3)]),
}


def run(model, inputs, seed):
    random = Generator(seed)
    counts = [int(i.split()[1]) if isinstance(i, str) else torch.Size(i).numel() for i in inputs]

    def draw(generator, rows):
        parts = [[] for _ in inputs]
        for _ in range(rows):
            for part, kind, count in zip(parts, inputs, counts):
                part.append([generator.below(4) if isinstance(kind, str) else generator.unit() for _ in range(count)])
        parts = [torch.tensor(part, dtype=torch.float64) for part in parts]
        return [part if isinstance(kind, str) else part.reshape(rows, *kind) for part, kind in zip(parts, inputs)]

    def call(p, parts):
        tokens = [part for part, kind in zip(parts, inputs) if isinstance(kind, str)]
        return model(p, parts[0] if len(parts) == 1 else parts, tokens[0] != 0 if tokens else None)

    dry = Weights(torch.zeros(3000))
    call(dry, draw(Generator(0), 2))
    flat = random.units(dry.at) / 2
    for begin, end in dry.gammas:
        flat[begin:end] += 1
    parts = draw(random, ROWS)
    flat.requires_grad_()
    logits = call(Weights(flat), parts).flatten(0, -2)
    labels = torch.tensor([random.below(3) for _ in range(len(logits))])
    if model is tagger:
        labels[(parts[0] == 0).flatten()] = -100
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    return {"parameters": dry.at, "loss": loss.item(),
            "products": [(random.units(dry.at) * flat.grad).sum().item() for _ in range(3)]}


def main():
    torch.set_default_dtype(torch.float64)
    cases = {name: run(model, inputs, 100 + i) for i, (name, (model, inputs)) in enumerate(CASES.items())}
    print(json.dumps({"torch": torch.__version__, "cases": cases}))


if __name__ == "__main__":
    main()
