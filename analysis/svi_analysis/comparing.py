"""Every arm against a baseline: differences, ratios, p-values, and how many comparisons that makes."""

from dataclasses import dataclass

import numpy as np

from . import paired
from .points import Point
from .statistics import Interval
from .tabular import Cell, Row, Table, p_text

POINTS = ("film", "last", "drift")
TOLD_APART = 0.05


@dataclass
class Comparison:
    """One arm against the baseline, in one quantity at one place of the film."""

    quantity: object  # results.Quantity
    point: Point
    arm: int
    ours: Interval
    base: Interval
    difference: paired.Difference
    ratio: Interval
    p_holm: float = np.nan

    @property
    def verdict(self):
        """'better', 'worse' or 'differs' where the corrected p-value tells the arms apart, else ''."""
        if not self.p_holm < TOLD_APART:
            return ""
        sign = {"higher": 1, "lower": -1}.get(self.quantity.better, 0) * np.sign(self.difference.mean)
        return {1: "better", -1: "worse"}.get(int(sign), "differs")


def at_point(result, quantity, point, arm):
    """[seed, scene]: an arm's values at a place of its films; an untrained arm's stand for every seed."""
    return paired.cover_seeds(quantity.at(point, arm), result.trained[arm] if result.trained else True)


def value_at(result, quantity, point, arm):
    """Mean and 95 % interval over scenes and training seeds."""
    # The same films for every seed are one seed's worth of knowledge, so the untrained arm is not spread here.
    return paired.interval(quantity.at(point, arm))


def compare(result, baseline, points=POINTS, quantities=None, arms=None):
    """All Comparisons, corrected together. `points` are texts for Point.parse."""
    found = []
    parsed = [point if isinstance(point, Point) else Point.parse(point) for point in points]
    for quantity in quantities or result.quantities:
        for point in parsed:
            base = at_point(result, quantity, point, baseline)
            for arm in range(len(result.arms)):
                if arm == baseline or (arms is not None and arm not in arms):
                    continue
                ours = at_point(result, quantity, point, arm)
                if np.isnan(ours - base).all():
                    continue
                found.append(Comparison(quantity, point, arm, value_at(result, quantity, point, arm),
                                        value_at(result, quantity, point, baseline), paired.difference(ours, base),
                                        paired.ratio(ours, base)))
    for comparison, p in zip(found, paired.holm([comparison.difference.p for comparison in found])):
        comparison.p_holm = float(p)
    return found


def note(result, comparisons):
    """How many comparisons were made, and what that means."""
    seeds = max((c.difference.seeds for c in comparisons), default=0)
    scenes = max((c.difference.scenes for c in comparisons), default=0)
    few = (f" With {seeds} training seed{'s' if seeds != 1 else ''} the intervals say little about how much another "
           "seed would change." if seeds < 4 else "")
    count = len(comparisons)
    return (f"Intervals: 95 %, from 10,000 resamples of {seeds} training seeds and {scenes} scenes, the same draw for "
            f"both arms. {count} comparison{'s were' if count != 1 else ' was'} made: were there no difference at all, about "
            f"{count / 20:.2g} of them would fall below p = .05 by chance. 'p, corrected' is Holm's, for all {count} "
            f"together.{few}")


def tables(result, baseline, comparisons):
    """One table per place of the film: rows are quantities and arms."""
    out = []
    for point in dict.fromkeys(comparison.point for comparison in comparisons):
        here = [c for c in comparisons if c.point == point]
        rows, last = [], None
        for c in here:
            if c.quantity is not last:
                last = c.quantity
                direction = f", {c.quantity.direction}" if c.quantity.direction else ""
                rows.append(Row(c.quantity.title + direction, [""] * 7, "part"))
            rows.append(Row(result.labels[c.arm], [
                Cell(c.ours, signed=point.drift), Cell(c.base, signed=point.drift), Cell(c.difference, True),
                Cell(c.ratio), p_text(c.difference.p), p_text(c.p_holm), c.verdict or "not told apart"]))
        title = {"film": "mean over the film", "drift": "drift, change per clip"}.get(point.text, point.text)
        title = f"{title} clip" if title in ("first", "last") else title
        out.append(Table(f"compare-{point.text.replace(' ', '-')}",
                         f"{result.name}: {title}, against {result.labels[baseline]}",
                         ["arm", result.labels[baseline], "difference", "ratio", "p", "p, corrected", "verdict"],
                         rows, "quantity and arm"))
    if out:
        out[-1].notes.append(note(result, comparisons))
    return out
