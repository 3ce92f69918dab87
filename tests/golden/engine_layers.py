#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Makes engine_layers.json: losses and gradients of small models as PyTorch computes them in float64 (Debian's python3-torch).
# The parameters are one flat vector in the engine's layout (Keras' shapes and gate orders); each model below cuts it up and
# hands it to PyTorch's own functions, so the gradient comes back in the same layout.
#
#     python3 tests/golden/engine_layers.py > tests/golden/engine_layers.json
import json

import torch
import torch.nn.functional as F


class Cutter:
    def __init__(self, flat):
        self.flat, self.at = flat, 0

    def take(self, *shape):
        count = 1
        for size in shape:
            count *= size
        part = self.flat[self.at:self.at + count].reshape(shape)
        self.at += count
        return part


def head(p, x, classes=3):
    kernel = p.take(x.shape[-1], classes)
    return x @ kernel + p.take(classes)


def lstm(p, x):
    n, h, f = x.shape[0], 4, x.shape[2]
    w, u, b = p.take(f, 4 * h), p.take(h, 4 * h), p.take(4 * h)
    zero = torch.zeros(1, n, h)
    out, _, _ = torch._VF.lstm(x, (zero, zero), [w.T, u.T, b, torch.zeros(4 * h)], True, 1, 0.0, True, False, True)
    return head(p, out[:, -1])


def turned(m, h):  # Keras: update, reset, candidate; PyTorch: reset, update, candidate
    z, r, c = m[..., :h], m[..., h:2 * h], m[..., 2 * h:]
    return torch.cat([r, z, c], -1)


def gru(p, x):
    n, h, f = x.shape[0], 4, x.shape[2]
    w, u, b = p.take(f, 3 * h), p.take(h, 3 * h), p.take(2, 3 * h)
    weights = [turned(w, h).T, turned(u, h).T, turned(b[0], h), turned(b[1], h)]
    out, _ = torch._VF.gru(x, torch.zeros(1, n, h), weights, True, 1, 0.0, True, False, True)
    return head(p, out.reshape(n, -1))


def simple(p, x):
    n, h, f = x.shape[0], 4, x.shape[2]
    w, u, b = p.take(f, h), p.take(h, h), p.take(h)
    out, _ = torch._VF.rnn_tanh(x, torch.zeros(1, n, h), [w.T, u.T, b, torch.zeros(h)], True, 1, 0.0, True, False, True)
    return head(p, out.reshape(n, -1))


def attention(p, x):
    n, steps, d = x.shape
    heads, k = 2, 2
    parts = [(p.take(d, heads * k), p.take(heads * k)) for _ in range(3)]
    out_kernel, out_bias = p.take(heads * k, d), p.take(d)
    mask = torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1)
    y, _ = F.multi_head_attention_forward(
        x.transpose(0, 1), x.transpose(0, 1), x.transpose(0, 1), d, heads,
        torch.cat([w.T for w, _ in parts]), torch.cat([b for _, b in parts]), None, None, False, 0.0,
        out_kernel.T, out_bias, attn_mask=mask, need_weights=False)
    return head(p, y.transpose(0, 1).reshape(n, -1))


def to_image(x):
    return x.permute(0, 3, 1, 2)


def from_image(x):
    return x.permute(0, 2, 3, 1)


def convolutions(p, x):
    kernel, bias = p.take(3, 3, 2, 4), p.take(4)
    y = F.relu(F.conv2d(to_image(x), kernel.permute(3, 2, 0, 1), bias, padding=1))
    depth, bias = p.take(3, 3, 4, 2), p.take(8)
    y = F.conv2d(y, depth.permute(2, 3, 0, 1).reshape(8, 1, 3, 3), bias, groups=4)
    y = F.avg_pool2d(F.silu(y), 2)
    return head(p, from_image(y).flatten(1))


def causal(p, x):
    kernel, bias = p.take(3, 2, 5), p.take(5)
    y = F.conv1d(F.pad(x.transpose(1, 2), (2, 0)), kernel.permute(2, 1, 0), bias)
    y = F.max_pool1d(F.elu(y), 2)
    return head(p, y.transpose(1, 2).flatten(1))


def norms(p, x):
    y = F.batch_norm(to_image(x), None, None, p.take(4), p.take(4), True, 0.0, 1e-3)
    p.take(8)  # the moving statistics
    y = F.gelu(y)
    y = F.group_norm(y, 2, p.take(4), p.take(4), 1e-3)
    y = F.layer_norm(from_image(y), (4,), p.take(4), p.take(4), 1e-3)
    return head(p, F.leaky_relu(y, 0.2).mean((1, 2)))


CASES = [(lstm, (3, 5, 3)), (gru, (3, 5, 3)), (simple, (3, 5, 3)), (attention, (2, 5, 4)), (convolutions, (2, 6, 6, 2)),
         (causal, (3, 8, 2)), (norms, (5, 3, 4, 4))]


def count_parameters(model, x):
    p = Cutter(torch.zeros(4000))
    model(p, x)
    return p.at


def main():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(7)
    cases = []
    for model, shape in CASES:
        x = torch.rand(shape) * 2 - 1
        labels = torch.randint(0, 3, (shape[0],))
        flat = (torch.rand(count_parameters(model, x)) * 2 - 1).requires_grad_()
        loss = F.cross_entropy(model(Cutter(flat), x), labels)
        loss.backward()
        cases.append({"name": model.__name__, "rows": shape[0], "features": x.flatten().tolist(), "labels": labels.tolist(),
                      "parameters": flat.tolist(), "loss": loss.item(), "gradient": flat.grad.tolist()})
    print(json.dumps({"torch": torch.__version__, "cases": cases}))


if __name__ == "__main__":
    main()
