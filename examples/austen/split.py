#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives each of a few institutions a part of a novel by Jane Austen, and keeps a part of each for the test.

The novels come from Debian's r-cran-janeaustenr. Lines are joined to paragraphs, one a line; characters outside ASCII are
written as the nearest ASCII ones. Writes OUT/NAME/text.txt for each name and OUT/test/text.txt, and prints how much everybody has.
"""
import argparse
import pathlib
import subprocess
import unicodedata

NOVELS = ["prideprejudice", "emma", "persuasion"]
TRAIN, TEST = 180_000, 40_000  # characters of each
PROGRAM = 'suppressMessages(library(janeaustenr)); cat(enc2utf8({novel}), sep = "\\n")'


def read(novel):
    """The novel without its title page, a paragraph a line."""
    run = subprocess.run(["Rscript", "--vanilla", "-e", PROGRAM.format(novel=novel)], capture_output=True, check=False)
    if run.returncode != 0:
        raise SystemExit("no novels: apt-get install r-cran-janeaustenr\n" + run.stderr.decode(errors="replace").strip())
    text = unicodedata.normalize("NFKD", run.stdout.decode("utf-8")).encode("ascii", "ignore").decode()
    paragraphs = [" ".join(block.split()) for block in text.split("\n\n")]
    paragraphs = [paragraph for paragraph in paragraphs if paragraph]
    begin = next(i for i, paragraph in enumerate(paragraphs) if len(paragraph) > 60)
    return "\n".join(paragraphs[begin:])


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--out", type=pathlib.Path, required=True)
    options.add_argument("--names", nargs="+", default=["participant-1", "participant-2", "participant-3"])
    arguments = options.parse_args()
    if len(arguments.names) > len(NOVELS):
        raise SystemExit(f"at most {len(NOVELS)} names: there is one novel for each")
    test = []
    for name, novel in zip(arguments.names, NOVELS):
        text = read(novel)
        folder = arguments.out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "text.txt").write_text(text[:TRAIN], encoding="ascii")
        test.append(text[TRAIN:TRAIN + TEST])
        print(f"{name:16} {TRAIN:9,} characters of {novel}")
    (arguments.out / "test").mkdir(exist_ok=True)
    (arguments.out / "test" / "text.txt").write_text("\n".join(test), encoding="ascii")


if __name__ == "__main__":
    main()
