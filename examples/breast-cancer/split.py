#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deals the rows of wdbc.csv to a few institutions and a common test set.

Rows marked `test` become OUT/test.csv. Each row marked `train` goes to OUT/NAME.csv of the institution that a hash of
(seed, row) names, so that the same seed gives the same files on every machine. The column `split` is left out.
"""
import argparse
import csv
import hashlib
import pathlib

def owner_of(seed, row, names):
    digest = hashlib.sha256(f"{seed}:{row}".encode()).digest()
    return names[int.from_bytes(digest[:8], "big") % len(names)]


def main():
    here = pathlib.Path(__file__).resolve().parent
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=pathlib.Path, default=here)
    options.add_argument("--names", nargs="+", default=["participant-1", "participant-2", "participant-3"])
    arguments = options.parse_args()

    with open(here / "wdbc.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    split, label = header.index("split"), header.index("label")
    parts = {name: [] for name in [*arguments.names, "test"]}
    for number, row in enumerate(rows):
        parts["test" if row[split] == "test" else owner_of(arguments.seed, number, arguments.names)].append(row)

    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, content in parts.items():
        with open(arguments.out / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            for row in [header, *content]:
                writer.writerow(row[:split] + row[split + 1:])
        malignant = sum(row[label] == "malignant" for row in content)
        print(f"{name:16} {len(content):4} rows  {malignant:4} malignant  {len(content) - malignant:4} benign")


if __name__ == "__main__":
    main()
