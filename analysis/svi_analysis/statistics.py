"""The statistics of svi-experiment's own tables, number for number: see svi/metric/drift.hpp."""

import functools
from dataclasses import dataclass

import numpy as np

BOOTSTRAP_PURPOSE = 24  # svi::Purpose::bootstrap
RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean, the interval that resampling gives it, and how many values there were."""

    mean: float
    low: float
    high: float
    count: int


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011): four arrays of 32-bit words to four."""
    c = [np.asarray(word, dtype=np.uint64) for word in counter]
    k0, k1 = key
    mask = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c[0]
        p1 = np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), p1 & mask,
             (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p0 & mask]
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


@functools.lru_cache(maxsize=64)
def resample_indices(count, seed=0, resamples=RESAMPLES):
    """[resamples, count]: which values each resample takes; the same as svi::bootstrap_interval."""
    stream, block = np.meshgrid(np.arange(resamples), np.arange(count), indexing="ij")
    words = philox((block, np.zeros_like(block), stream, np.full_like(block, BOOTSTRAP_PURPOSE)),
                   (seed & 0xFFFFFFFF, seed >> 32))
    bits = (words[0] << np.uint64(32)) | words[1]
    share = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.minimum((share * count).astype(np.int64), count - 1)


@functools.lru_cache(maxsize=64)
def _resample_weights(count, seed=0):
    """[RESAMPLES, count]: how often each resample takes each value, over count."""
    weights = np.zeros((RESAMPLES, count))
    rows = np.repeat(np.arange(RESAMPLES), count)
    np.add.at(weights, (rows, resample_indices(count, seed).ravel()), 1.0 / count)
    return weights


def bootstrap_interval(values):
    """Percentile bootstrap of the mean, 95 %; NaNs are left out."""
    values = np.asarray(values, dtype=np.float64).ravel()
    kept = values[~np.isnan(values)]
    if kept.size == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    means = kept[resample_indices(kept.size)].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(kept.mean()), float(low), float(high), int(kept.size))


def bootstrap_band(curves):
    """Mean, low and high of [films, clips], each [clips]: whole films are resampled."""
    curves = np.asarray(curves, dtype=np.float64)
    band = np.full((3, curves.shape[1]), np.nan)
    known = ~np.isnan(curves)
    patterns, group = np.unique(known, axis=1, return_inverse=True)
    for g in range(patterns.shape[1]):
        films, clips = patterns[:, g], group.ravel() == g
        if not films.any():
            continue
        kept = curves[np.ix_(films, clips)]
        means = _resample_weights(kept.shape[0]) @ kept
        band[0, clips] = kept.mean(axis=0)
        band[1:, clips] = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return band


@functools.lru_cache(maxsize=2)
def _pairs(count):
    """Later and earlier index, and distance, of every pair of `count` clips."""
    later, earlier = np.tril_indices(count, -1)
    return later, earlier, (later - earlier).astype(np.float64)


def robust_slope(curve):
    """Median slope over all pairs of clips (Theil 1950, Sen 1968); NaNs are left out."""
    curve = np.asarray(curve, dtype=np.float64)
    if np.isnan(curve).all():
        return float("nan")
    later, earlier, distance = _pairs(curve.size)
    slopes = (curve[later] - curve[earlier]) / distance
    slopes = slopes[~np.isnan(slopes)]
    return float(np.median(slopes)) if slopes.size else float("nan")


@dataclass(frozen=True)
class Cell:
    """One quantity of one arm, over films (seed, scene)."""

    whole_film: Interval
    first_clip: Interval
    last_clip: Interval
    drift_per_clip: Interval  # from the second clip on: the first has no seam before it

    FIELDS = ("whole_film", "first_clip", "last_clip", "drift_per_clip")


def summarise(curves):
    """The Cell of [films, clips]. Films that are NaN throughout were not made."""
    made = [curve for curve in np.asarray(curves) if not np.isnan(curve).all()]
    return Cell(bootstrap_interval([np.nanmean(curve) for curve in made]),
                bootstrap_interval([curve[0] for curve in made]),
                bootstrap_interval([curve[-1] for curve in made]),
                bootstrap_interval([robust_slope(curve[1:]) for curve in made]))
