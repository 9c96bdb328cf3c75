"""Differences and ratios between arms, with what scenes and training seeds leave open.

Films of different arms share scene and rollout noise, so an arm is compared with another film by film. Each resample
draws training seeds, and independently of them scenes, with replacement; all arms get the same draw. (Both are crossed:
every seed is tried on every scene. Owen 2007 calls this the pigeonhole bootstrap; it is a little too wide where scenes
and seeds interact, and with the two or three seeds of a small study too narrow in what it says of seeds.)

Draws are Philox numbers of (level, resample, position): the same input gives the same digits everywhere.
"""

import functools
from dataclasses import dataclass

import numpy as np

from .statistics import LEVEL, Interval, resample_indices

RESAMPLES = 10000
BAND_RESAMPLES = 2000  # for bands over more than MANY points, to stay quick
MANY = 200
SEED_LEVEL, SCENE_LEVEL = 1, 2  # keys of the two streams of random numbers


@functools.lru_cache(maxsize=64)
def _weights(count, level, resamples):
    """[resamples, count]: how often each resample takes each of `count`."""
    weights = np.zeros((resamples, count))
    rows = np.repeat(np.arange(resamples), count)
    np.add.at(weights, (rows, resample_indices(count, level, resamples).ravel()), 1.0)
    return weights


def cover_seeds(values, trained):
    """[seed, scene, ...] where an untrained arm's one seed stands for all of them: it would give the same films."""
    if trained or values.shape[0] < 2:
        return values
    filled = ~np.isnan(values).reshape(values.shape[0], -1).all(axis=1)
    if filled.sum() != 1:
        return values
    return np.broadcast_to(values[filled.argmax()], values.shape)


def _jointly(arrays):
    """The arrays where all of them are known, without seeds and scenes where none is."""
    known = ~np.any([np.isnan(array) for array in arrays], axis=0)
    seeds, scenes = known.any(axis=1), known.any(axis=0)
    return [np.where(known, array, np.nan)[np.ix_(seeds, scenes)] for array in arrays]


def resampled_means(arrays, resamples=RESAMPLES):
    """Means of each array [seed, scene] and, [resamples] each, of its resamples; the same draws for all.

    Cells that are NaN in any array are left out of all. Also returns how many seeds and scenes were left.
    """
    arrays = _jointly(arrays)
    seeds, scenes = arrays[0].shape
    if seeds == 0 or scenes == 0:
        return [np.nan] * len(arrays), [np.full(resamples, np.nan)] * len(arrays), (0, 0)
    by_seed = _weights(seeds, SEED_LEVEL, resamples)
    by_scene = _weights(scenes, SCENE_LEVEL, resamples)
    known = ~np.isnan(arrays[0])
    count = ((by_seed @ known) * by_scene).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may hit unknown cells only
        drawn = [((by_seed @ np.where(known, array, 0.0)) * by_scene).sum(axis=1) / count for array in arrays]
    return [float(np.nanmean(array)) for array in arrays], drawn, (seeds, scenes)


def _ends(drawn):
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return np.nan, np.nan
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def interval(values):
    """Mean of [seed, scene] and its 95 % interval over seeds and scenes."""
    (mean,), (drawn,), (seeds, scenes) = resampled_means([values])
    return Interval(mean, *_ends(drawn), int((~np.isnan(values)).sum()) if seeds * scenes else 0)


@dataclass(frozen=True)
class Difference:
    """Mean of an arm minus that of another, over the films that both have."""

    mean: float
    low: float
    high: float
    p: float  # two-sided
    seeds: int
    scenes: int

    @property
    def count(self):
        return self.seeds * self.scenes


def difference(a, b):
    """a - b of [seed, scene] each, with 95 % interval and p-value.

    p is twice the share of resamples on the other side of 0: below .05 where the interval leaves 0 out. But never less
    than 2^(1 - n) for n scenes (n seeds where there is one scene): that is what a sign-flip test of n pairs can reach,
    and the bootstrap of very few pairs promises more.
    """
    (mean, _), (drawn, _), (seeds, scenes) = resampled_means([a - b, a])
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return Difference(np.nan, np.nan, np.nan, np.nan, 0, 0)
    if mean == 0 and np.all(drawn == 0):
        return Difference(0.0, 0.0, 0.0, 1.0, seeds, scenes)
    tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
    least = 2.0 ** (1 - (scenes if scenes > 1 else seeds))
    p = min(1.0, max(2 * (tail + 1) / (drawn.size + 1), least))
    return Difference(mean, *_ends(drawn), float(p), seeds, scenes)


def ratio(a, b):
    """mean(a) / mean(b) of [seed, scene] each, with 95 % interval.

    Where mean(b) changes sign in over 2.5 % of the resamples the ratio is anything: the interval is then infinite.
    """
    (mean_a, mean_b), (drawn_a, drawn_b), (seeds, scenes) = resampled_means([a, b])
    if seeds * scenes == 0 or mean_b == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    known = ~np.isnan(drawn_b)
    crossed = np.mean(drawn_b[known] * np.sign(mean_b) <= 0)
    if crossed > (1 - LEVEL) / 2:
        return Interval(mean_a / mean_b, -np.inf, np.inf, seeds * scenes)
    with np.errstate(divide="ignore"):
        low, high = _ends(drawn_a[known] / drawn_b[known])
    return Interval(mean_a / mean_b, low, high, seeds * scenes)


def band(values):
    """Mean, low and high, [3, clips], of [seed, scene, clips]: as interval(), clip by clip."""
    clips = values.shape[2]
    resamples = RESAMPLES if clips <= MANY else BAND_RESAMPLES
    out = np.full((3, clips), np.nan)
    made = ~np.isnan(values).all(axis=2)
    values = values[np.ix_(made.any(axis=1), made.any(axis=0))] if made.any() else values[:0]
    if not values.size:
        return out
    by_seed = _weights(values.shape[0], SEED_LEVEL, resamples)
    by_scene = _weights(values.shape[1], SCENE_LEVEL, resamples)
    for begin in range(0, clips, 64):  # a few clips at a time: memory stays small for films of thousands of frames
        part = values[..., begin:begin + 64]
        known = ~np.isnan(part)
        flat = lambda array: (by_seed @ array.reshape(array.shape[0], -1)).reshape(-1, *array.shape[1:])  # noqa: E731
        total = np.einsum("rsc,rs->rc", flat(np.where(known, part, 0.0)), by_scene)
        count = np.einsum("rsc,rs->rc", flat(known.astype(np.float64)), by_scene)
        held = known.any(axis=(0, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = total / count
            out[0, begin:begin + 64] = np.where(known, part, 0.0).sum(axis=(0, 1)) / known.sum(axis=(0, 1))
        if held.any():
            ends = np.nanquantile(drawn[:, held], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
            out[1:, begin:begin + part.shape[-1]][:, held] = ends
    return out


def holm(values):
    """p-values corrected for their number (Holm 1979): NaNs stay and are not counted."""
    values = np.asarray(values, dtype=np.float64)
    out = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    ranked = known[np.argsort(values[known], kind="stable")]
    largest = 0.0
    for rank, index in enumerate(ranked):
        largest = max(largest, min(1.0, (known.size - rank) * values[index]))
        out[index] = largest
    return out
