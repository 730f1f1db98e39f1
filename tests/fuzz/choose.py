#!/usr/bin/python3
"""Prints the inputs that together reach the most of a target, for its corpus.

    choose.py CONTROL_FILE COUNT

CONTROL_FILE is what libFuzzer's -merge leaves: the names of files, and what
each of them reaches. One after the other, that file is taken which reaches the
most that none did before, for its size, until there are COUNT.
"""
import os
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    count = int(lines[0])
    names = lines[2:2 + count]
    reached = {}
    for line in lines[2 + count:]:
        kind, _, rest = line.partition(" ")
        if kind == "FT":
            index, *features = rest.split()
            reached[names[int(index)]] = set(features)
    return reached


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    left = read(sys.argv[1])
    size = {name: os.path.getsize(name) for name in left}
    for _ in range(int(sys.argv[2])):
        best = max(left, default=None,
                   key=lambda name: (len(left[name]) / (1000 + size[name]),
                                     name))
        if best is None or not left[best]:
            break
        print(best)
        new = left.pop(best)
        for features in left.values():
            features -= new


if __name__ == "__main__":
    main()
