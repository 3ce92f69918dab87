#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deals the rows of wdbc.csv to three institutions and a common test set.

Rows marked `test` become test.csv. Each row marked `train` goes to the institution that a hash of (seed, row)
names, so that the same seed gives the same files on every machine. The column `split` is left out.
"""
import argparse
import csv
import hashlib
import pathlib

PARTS = 3


def part_of(seed, row):
    digest = hashlib.sha256(f"{seed}:{row}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % PARTS


def main():
    here = pathlib.Path(__file__).resolve().parent
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=pathlib.Path, default=here)
    arguments = options.parse_args()

    with open(here / "wdbc.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    split, label = header.index("split"), header.index("label")
    files = {f"participant-{part + 1}.csv": [] for part in range(PARTS)} | {"test.csv": []}
    for number, row in enumerate(rows):
        name = "test.csv" if row[split] == "test" else f"participant-{part_of(arguments.seed, number) + 1}.csv"
        files[name].append(row)

    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with open(arguments.out / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            for row in [header, *content]:
                writer.writerow(row[:split] + row[split + 1:])
        malignant = sum(row[label] == "malignant" for row in content)
        print(f"{name:18} {len(content):4} rows  {malignant:4} malignant  {len(content) - malignant:4} benign")


if __name__ == "__main__":
    main()
