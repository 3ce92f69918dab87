#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deals the 60,000 training images of Fashion-MNIST to a few institutions, unevenly.

For each class a share for each institution is drawn from a Dirichlet distribution; the smaller ALPHA, the more the
institutions differ in their classes. The same seed gives the same files on every machine. Writes, for each name,
OUT/NAME/images-idx3-ubyte and OUT/NAME/labels-idx1-ubyte, and prints how many images of each class everybody has.
OUT/test points to the 10,000 test images.
"""
import argparse
import gzip
import math
import pathlib
import random
import struct

CLASSES = 10


def read_idx(path, magic):
    """The dimensions and the bytes behind them."""
    with gzip.open(path) as file:
        content = file.read()
    rank = magic & 0xFF
    seen, *dimensions = struct.unpack_from(f">{1 + rank}I", content)
    if seen != magic or len(content) != 4 * (1 + rank) + math.prod(dimensions):
        raise SystemExit(f"{path}: not the IDX file expected here")
    return dimensions, memoryview(content)[4 * (1 + rank):]


def write_idx(path, magic, dimensions, pieces):
    with open(path, "wb") as file:
        file.write(struct.pack(f">{1 + len(dimensions)}I", magic, *dimensions))
        file.writelines(pieces)


def gamma(draw, alpha):
    """A draw from the gamma distribution (Marsaglia and Tsang), made of draw.random() alone, which never changes."""
    if alpha < 1:
        return gamma(draw, alpha + 1) * (1 - draw.random()) ** (1 / alpha)
    d = alpha - 1 / 3
    while True:
        z = math.sqrt(-2 * math.log(1 - draw.random())) * math.cos(2 * math.pi * draw.random())
        v = (1 + z / math.sqrt(9 * d)) ** 3
        if v > 0 and math.log(1 - draw.random()) < z * z / 2 + d - d * v + d * math.log(v):
            return d * v


def deal(labels, names, alpha, seed):
    """The image numbers of each name, ascending."""
    draw = random.Random(seed)
    parts = {name: [] for name in names}
    for label in range(CLASSES):
        numbers = [number for number, seen in enumerate(labels) if seen == label]
        keys = {number: draw.random() for number in numbers}
        numbers.sort(key=keys.__getitem__)
        shares = [gamma(draw, alpha) for _ in names]
        begin, cumulated = 0, 0.0
        for name, share in zip(names, shares):
            cumulated += share
            end = len(numbers) if name == names[-1] else round(len(numbers) * cumulated / sum(shares))
            parts[name] += numbers[begin:end]
            begin = end
    return {name: sorted(numbers) for name, numbers in parts.items()}


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--data", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
    options.add_argument("--out", type=pathlib.Path, required=True)
    options.add_argument("--names", nargs="+", default=["participant-1", "participant-2", "participant-3"])
    options.add_argument("--alpha", type=float, default=0.5)
    options.add_argument("--seed", type=int, default=2)
    arguments = options.parse_args()

    (count, height, width), images = read_idx(arguments.data / "train-images-idx3-ubyte.gz", 0x803)
    _, labels = read_idx(arguments.data / "train-labels-idx1-ubyte.gz", 0x801)
    if len(labels) != count:
        raise SystemExit(f"{arguments.data}: {count} images, but {len(labels)} labels")

    size = height * width
    print(f"{'':16} images" + "".join(f"{'class ' + str(label):>9}" for label in range(CLASSES)))
    for name, numbers in deal(labels, arguments.names, arguments.alpha, arguments.seed).items():
        folder = arguments.out / name
        folder.mkdir(parents=True, exist_ok=True)
        write_idx(folder / "images-idx3-ubyte", 0x803, [len(numbers), height, width],
                  (images[number * size:(number + 1) * size] for number in numbers))
        write_idx(folder / "labels-idx1-ubyte", 0x801, [len(numbers)], [bytes(labels[n] for n in numbers)])
        counts = [sum(labels[number] == label for number in numbers) for label in range(CLASSES)]
        print(f"{name:16} {len(numbers):6}" + "".join(f"{seen:9}" for seen in counts))

    test = arguments.out / "test"
    test.mkdir(exist_ok=True)
    for name in ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"):
        (test / name).symlink_to(arguments.data / f"t10k-{name}")


if __name__ == "__main__":
    main()
