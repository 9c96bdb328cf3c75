#!/usr/bin/env python3
"""Writes tests/data/metric/slopes.tsv: SciPy's Theil-Sen slope and level of drifting curves.

Needs SciPy 1.17 (pip install scipy==1.17.1); not part of the build. A line is the slope, the level at the first clip
(scipy.stats.theilslopes with method="joint"), and the values, `nan` where a clip has none. Run from anywhere:
tests/metric/make_slopes.py
"""
import pathlib

import numpy as np
from scipy.stats import theilslopes

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "metric" / "slopes.tsv"


def curves():
    random = np.random.default_rng(20)
    yield [5.0, 3.0]
    yield [1.0, 2.0, 4.0]
    yield [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]
    yield [0.9, 0.7, 0.8, 0.3]  # six slopes: the median lies between two
    for count in (5, 6, 9, 12, 25, 50):
        clip = np.arange(count)
        yield 30 - 0.3 * clip + random.normal(0, 2, count)  # a decline under noise
        yield 0.8 * np.exp(-clip / 8) + random.normal(0, 0.02, count)  # one that levels off
        wild = 12 + 0.1 * clip + random.normal(0, 0.5, count)
        wild[random.integers(count)] = 300
        yield wild
        gaps = -4 + random.standard_cauchy(count)
        gaps[random.choice(count, count // 4, replace=False)] = np.nan
        yield gaps


def main():
    lines = []
    for values in curves():
        values = np.array(values, dtype=float)
        clip = np.flatnonzero(~np.isnan(values))
        slope, level, _, _ = theilslopes(values[clip], clip, method="joint")
        lines.append("\t".join(repr(float(x)) for x in (slope, level, *values)))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
