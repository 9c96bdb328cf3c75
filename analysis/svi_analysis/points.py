"""Where along a film a quantity is taken: 'clip 50', 'clips 5..15', 'first', 'last', 'last tenth', 'film', 'drift'."""

import re
import warnings
from dataclasses import dataclass

import numpy as np

from .statistics import robust_slope

HELP = "'clip N' (from 1), 'clips N..M', 'first', 'last', 'last tenth', 'film' (mean of all) or 'drift' (slope per clip)"


class PointError(ValueError):
    """A text that names no place along a film."""


@dataclass(frozen=True)
class Point:
    """A place along a film, or its drift."""

    text: str
    first: int = 1  # counted from 1, as people do; negative: from the end
    last: int = 1
    drift: bool = False

    @staticmethod
    def parse(text):
        """The Point that `text` names; PointError says what would do."""
        plain = " ".join(text.lower().split())
        fixed = {"film": (1, -1), "first": (1, 1), "last": (-1, -1), "last tenth": (0, -1), "mean": (1, -1)}
        if plain == "drift":
            return Point("drift", drift=True)
        if plain in fixed:
            return Point(plain, *fixed[plain])
        one = re.fullmatch(r"(?:clip |frame |at )?(\d+)", plain)
        if one and int(one[1]) > 0:
            return Point(f"clip {one[1]}", int(one[1]), int(one[1]))
        many = re.fullmatch(r"(?:clips |frames )?(\d+) ?(?:\.\.|-) ?(\d+)", plain)
        if many and 0 < int(many[1]) <= int(many[2]):
            return Point(f"clips {many[1]}..{many[2]}", int(many[1]), int(many[2]))
        raise PointError(f"'{text}' is no place along a film: write {HELP}")

    def window(self, length):
        """First and one past the last index of a film of `length` clips; PointError where it is shorter."""
        if self.text == "last tenth":
            return length - max(1, round(length / 10)), length
        first, last = (value - 1 if value > 0 else length + value for value in (self.first, self.last))
        if last >= length:
            raise PointError(f"'{self.text}' lies beyond the {length} clips of these films")
        return first, last + 1

    def of(self, curves):
        """[..., clips] to [...]: mean over the place, NaNs left out; for 'drift' the robust slope from clip 2 on."""
        curves = np.asarray(curves, dtype=np.float64)
        if self.drift:
            flat = curves.reshape(-1, curves.shape[-1])
            return np.array([robust_slope(curve[1:]) for curve in flat]).reshape(curves.shape[:-1])
        begin, end = self.window(curves.shape[-1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no values is NaN, as meant
            return np.nanmean(curves[..., begin:end], axis=-1)
