"""What the page's own scripts draw: curves with bands, as plain lists."""

import warnings

import numpy as np

from .. import paired, results

MOST_POINTS = 600  # of a curve; longer ones are thinned by averaging neighbours


def rounded(values):
    """A list with five significant digits; None for NaN."""
    return [None if not np.isfinite(value) else float(f"{value:.5g}") for value in np.asarray(values, dtype=np.float64)]


def thinned(x, values):
    """x and [..., time] with at most MOST_POINTS times: neighbours are averaged."""
    width = -(-len(x) // MOST_POINTS)
    if width <= 1:
        return x, values
    whole = len(x) // width * width
    known = ~np.isnan(values[..., :whole])
    shape = (*values.shape[:-1], -1, width)
    total = np.where(known, values[..., :whole], 0.0).reshape(shape).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return x[:whole].reshape(-1, width)[:, -1], total / known.reshape(shape).sum(axis=-1)


def _range(values):
    """Mean, smallest and largest of [seed, 1, time], [3, time]; NaN where no seed has a value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.array([np.nanmean(values, axis=(0, 1)), np.nanmin(values, axis=(0, 1)), np.nanmax(values, axis=(0, 1))])


def _series(labels, values, band):
    """[{arm, label, mean, low, high}] of [arm, seed, scene, time]; arms without a value are left out."""
    out = []
    for arm, label in enumerate(labels):
        if np.isnan(values[arm]).all():
            continue
        mean, low, high = band(values[arm])
        out.append({"arm": arm, "label": label, "mean": rounded(mean), "low": rounded(low), "high": rounded(high)})
    return out


def _entry(title, quantity, labels, values, x, xlabel, band=paired.band):
    x, values = thinned(x, values)
    return {"title": title, "unit": quantity.unit if quantity.unit != "1" else "", "better": quantity.direction,
            "one": quantity.better == "one", "meaning": quantity.meaning, "xlabel": xlabel, "x": [int(v) for v in x],
            "series": _series(labels, values, band)}


def curves(result, frames):
    """Entries for every quantity against the clip, then for those per frame."""
    out = [_entry(quantity.title, quantity, result.labels, quantity.values, result.clips + 1, "clip")
           for quantity in result.quantities]
    for quantity in frames.quantities:
        x = np.arange(quantity.values.shape[-1]) + 1
        out.append(_entry(f"{quantity.title}, frame by frame", quantity, result.labels, quantity.values, x, "frame"))
    return [entry for entry in out if entry["series"]]


def training(result, run):
    """Entries for every curve of training that holds anything."""
    out = []
    for name in sorted(run.training, key=lambda name: (name != "loss", name)):
        values = run.training[name][:, :, None]
        if values.shape[0] != len(result.arms):
            continue
        quantity = results.Quantity(name, run.units.get(name, ""), "", "", values)
        entry = _entry(name.replace("_", " "), quantity, result.labels, values, np.arange(values.shape[-1]) + 1, "step",
                       _range)
        if entry["series"]:
            out.append(entry)
    return out
