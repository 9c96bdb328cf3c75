"""What the scripts read of a result file (docs/result-format.md)."""

import pathlib
from dataclasses import dataclass

import h5py
import numpy as np

FORMAT = "1"
FIRST = ("pocket_quality", "pocket_consistency", "psnr")  # what people look at first


class ResultError(Exception):
    """A result file that cannot be used; the text says what would do."""


@dataclass(frozen=True)
class Quantity:
    """One quantity, one value per clip."""

    name: str
    unit: str
    meaning: str
    higher_is_better: bool | None  # None where there is no better side
    values: np.ndarray  # [arm, seed, scene, clip]

    def films(self, arm):
        """[films, clips] of an arm, films being seeds x scenes that were made."""
        films = self.values[arm].reshape(-1, self.values.shape[-1])
        return films[~np.isnan(films).all(axis=1)]

    @property
    def direction(self):
        return {True: "higher is better", False: "lower is better", None: ""}[self.higher_is_better]

    @property
    def title(self):
        return self.name if self.unit in ("", "1") else f"{self.name} ({self.unit})"


@dataclass(frozen=True)
class Result:
    """One experiment."""

    name: str
    question: str
    arms: list[str]
    labels: list[str]
    clips: np.ndarray  # counted from 0
    frames: int
    quantities: list[Quantity]


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def _strings(dataset):
    return [_text(value) for value in dataset[:]]


def _labels(arm, names):
    labels = [_text(value) for value in np.atleast_1d(arm.attrs.get("labels", []))]
    return labels if len(labels) == len(names) else names


def _quantity(name, dataset):
    better = dataset.attrs.get("higher_is_better")
    return Quantity(name, _text(dataset.attrs.get("unit", "")), _text(dataset.attrs.get("meaning", "")),
                    None if better is None else bool(better), dataset[:].astype(np.float64))


def order(names):
    """The names in the order in which they are shown."""
    known = [name for name in FIRST if name in names]
    return known + sorted(name for name in names if name not in known)


def read(path, only=None):
    """Reads what per-clip tables and figures need; `only` names the quantities wanted (default: all)."""
    path = pathlib.Path(path)
    try:
        with h5py.File(path) as file:
            return _read(path, file, only)
    except OSError as error:
        raise ResultError(f"{path} cannot be read: {error}; is it the NAME.h5 of a finished run?") from error


def _read(path, file, only):
    version = _text(file.attrs.get("format", "of no kind"))
    if version != FORMAT:
        raise ResultError(f"{path} has result format {version}, this reads {FORMAT}")
    group = file.get("metrics/clip", {})
    if not len(group) and only != []:
        raise ResultError(f"{path} holds no metrics: add a section such as [metric.psnr] to the experiment")
    names = order(list(group))
    only = names if only is None else only
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ResultError(f"{path} holds no {', '.join(unknown)}; it holds {', '.join(names)}")
    arms = _strings(file["arm"])
    return Result(_text(file.attrs.get("name", path.stem)), _text(file.attrs.get("question", "")), arms,
                  _labels(file["arm"], arms), file["clip"][:], file["frame"].shape[0] if "frame" in file else 0,
                  [_quantity(name, group[name]) for name in only])
