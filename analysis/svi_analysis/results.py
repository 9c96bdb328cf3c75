"""What the scripts read of a result file (docs/result-format.md)."""

import configparser
import pathlib
from dataclasses import dataclass, field, replace

import h5py
import numpy as np

FORMAT = "1"
FIRST = ("pocket_quality", "pocket_consistency", "psnr")  # what people look at first
DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "one": "1 is best", "": ""}


class ResultError(Exception):
    """A result file that cannot be used; the text says what would do."""


@dataclass(frozen=True)
class Quantity:
    """One quantity, one value per clip (or per frame)."""

    name: str
    unit: str
    meaning: str
    better: str  # "higher", "lower", "one" (nearest to 1), "" where there is no better side
    values: np.ndarray  # [arm, seed, scene, clip]; a quantity of sets of films has one scene
    of_sets: bool = False  # measured on all scenes of a seed at once, such as a Frechet distance
    memo: dict = field(default_factory=dict, repr=False, compare=False)  # of at()

    def films(self, arm):
        """[films, clips] of an arm, films being seeds x scenes that were made."""
        films = self.values[arm].reshape(-1, self.values.shape[-1])
        return films[~np.isnan(films).all(axis=1)]

    def at(self, point, arm):
        """[seed, scene]: an arm's values at a points.Point of its films. Slopes of long films are worth keeping."""
        if (point, arm) not in self.memo:
            self.memo[point, arm] = point.of(self.values[arm])
        return self.memo[point, arm]

    @property
    def higher_is_better(self):
        """True, False, or None where neither side is."""
        return {"higher": True, "lower": False}.get(self.better)

    @property
    def direction(self):
        return DIRECTIONS[self.better]

    @property
    def title(self):
        return self.name if self.unit in ("", "1") else f"{self.name} ({self.unit})"

    def badness(self, value):
        """What is smallest for the best value; None where no side is better."""
        return {"higher": -value, "lower": value, "one": abs(value - 1)}.get(self.better)


@dataclass(frozen=True)
class Cost:
    """What the films of an arm cost, mean over films; NaN where none was made."""

    per_film: float  # function evaluations
    per_second: float  # the same for a second of film
    tokens: float = np.nan  # thousands of tokens for a second of film
    seconds: float = np.nan  # of the run's machine for a second of film
    peak_memory: float = np.nan  # GiB of the process, at most

    @staticmethod
    def of(evaluations, frames, fps, films=None):
        """Of [..., clip] of one arm; `films` maps tokens, seconds and peak_memory to [...] where the file has them."""
        with np.errstate(invalid="ignore", divide="ignore"):
            made = ~np.isnan(evaluations).all(axis=-1)
            film, length = np.nansum(evaluations[made], axis=-1), np.nansum(frames[made], axis=-1)
            if not film.size:
                return Cost(np.nan, np.nan)
            of_second = {name: float(values[made].sum() / length.sum() * fps) for name, values in (films or {}).items()}
            if "tokens" in of_second:
                of_second["tokens"] /= 1000
            if "peak_memory" in of_second:
                of_second["peak_memory"] = float(films["peak_memory"][made].max() / 2**30)
            return Cost(float(film.mean()), float(film.sum() / length.sum() * fps), **of_second)


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
    seeds: list[int] = field(default_factory=list)
    scenes: list[str] = field(default_factory=list)
    trained: list[bool] = field(default_factory=list)  # an arm that is not trained has one seed, good for all
    fps: float = 0.0
    cost: list["Cost"] = field(default_factory=list)  # of the arms; empty where the file tells none

    def quantity(self, name):
        """The quantity of that name; ResultError names those there are."""
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise ResultError(f"{self.name} holds no {name}; it holds {', '.join(q.name for q in self.quantities)}")

    def arm(self, name):
        """Index of an arm; ResultError names those there are."""
        if name not in self.arms:
            raise ResultError(f"{self.name} has no arm {name}; its arms are {', '.join(self.arms)}")
        return self.arms.index(name)

    def baseline(self, name=None):
        """Index of the arm that others are compared with: `name`, or 'base', or the first."""
        if name is not None:
            return self.arm(name)
        return self.arms.index("base") if "base" in self.arms else 0


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def strings(dataset):
    return [text(value) for value in dataset[:]]


def _labels(arm, names):
    labels = [text(value) for value in np.atleast_1d(arm.attrs.get("labels", []))]
    return labels if len(labels) == len(names) else names


def direction_of(attributes):
    """"higher", "lower", "one" or "": the attribute `better`, or `higher_is_better` of older files."""
    better = attributes.get("better")
    if better is not None:
        return text(better) if text(better) in DIRECTIONS else ""
    old = attributes.get("higher_is_better")
    return "" if old is None else ("higher" if old else "lower")


def _quantity(name, dataset, of_sets=False):
    values = dataset[:].astype(np.float64)
    return Quantity(name, text(dataset.attrs.get("unit", "")), text(dataset.attrs.get("meaning", "")),
                    direction_of(dataset.attrs), values[:, :, None] if of_sets else values, of_sets)


def order(names):
    """The names in the order in which they are shown."""
    known = [name for name in FIRST if name in names]
    return known + sorted(name for name in names if name not in known)


def opened(path, use):
    """use(file) of the open result file; what is wrong with it becomes a ResultError."""
    path = pathlib.Path(path)
    try:
        with h5py.File(path) as file:
            version = text(file.attrs.get("format", "of no kind"))
            if version != FORMAT:
                raise ResultError(f"{path} has result format {version}, this reads {FORMAT}")
            return use(file)
    except OSError as error:
        raise ResultError(f"{path} cannot be read: {error}; is it the NAME.h5 of a finished run?") from error


def read(path, only=None):
    """Reads what per-clip tables and figures need; `only` names the quantities wanted (default: all)."""
    return opened(path, lambda file: _read(pathlib.Path(path), file, only))


def _read(path, file, only):
    clip, sets = file.get("metrics/clip", {}), file.get("metrics/set", {})
    names = order(list(clip)) + sorted(name for name in sets if name not in clip)
    if not names and only != []:
        raise ResultError(f"{path} holds no metrics: add a section such as [metric.psnr] to the experiment")
    only = names if only is None else only
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ResultError(f"{path} holds no {', '.join(unknown)}; it holds {', '.join(names)}")
    return _result(path, file, [_quantity(name, clip[name]) if name in clip else _quantity(name, sets[name], True)
                                for name in only])


def _result(path, file, quantities):
    arms = strings(file["arm"])
    frames = file["frame"] if "frame" in file else None
    fps = 0.0 if frames is None else float(frames.attrs.get("fps", 0.0))
    return Result(text(file.attrs.get("name", path.stem)), text(file.attrs.get("question", "")), arms,
                  _labels(file["arm"], arms), file["clip"][:], 0 if frames is None else frames.shape[0], quantities,
                  [int(seed) for seed in file["seed"][:]] if "seed" in file else [],
                  strings(file["scene"]) if "scene" in file else [], _trained(file, arms),
                  fps, _cost(file, len(arms), fps))


def _cost(file, arms, fps):
    if "cost/evaluations" not in file:
        return []
    evaluations, frames = (file[f"cost/{name}"][:].astype(np.float64) for name in ("evaluations", "frames"))
    films = {path.split("/")[1]: file[path][:].astype(np.float64)
             for path in ("cost/tokens", "timing/seconds", "timing/peak_memory") if path in file}
    return [Cost.of(evaluations[arm], frames[arm], fps, {name: values[arm] for name, values in films.items()})
            for arm in range(arms)]


def parsed_ini(ini):
    """A ConfigParser of INI text as svi-experiment reads it; empty where the text is none."""
    parsed = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"), strict=False)
    parsed.optionxform = str
    try:
        parsed.read_string(ini)
    except configparser.Error:
        parsed.clear()
    return parsed


def _trained(file, arms):
    """Which arms are trained: by the settings; else those with a training curve; else those with several seeds."""
    parsed = parsed_ini(text(file["resolved_ini"][()]) if "resolved_ini" in file else "")
    if all(f"arm.{arm}" in parsed for arm in arms) and parsed.get("training", "steps", fallback=""):
        steps = parsed.get("training", "steps")
        return [parsed.get(f"arm.{arm}", "training.steps", fallback=steps) != "0" for arm in arms]
    group = file.get("training", {})
    if "loss" in group and group["loss"].ndim == 3 and group["loss"].shape[0] == len(arms):
        return [bool(known) for known in np.isfinite(group["loss"][:]).any(axis=(1, 2))]
    clips = list(file.get("metrics/clip", {}).values())
    if not clips or clips[0].shape[1] < 2:
        return [True] * len(arms)
    return [bool(known) for known in np.isfinite(clips[0][:, 1:]).any(axis=(1, 2, 3))]


def read_frames(path, names=None):
    """The quantities that have one value per frame, as a Result whose quantities are [arm, seed, scene, frame]."""
    def use(file):
        group = file.get("metrics/frame", {})
        wanted = [name for name in order(list(group)) if names is None or name in names]
        return _result(pathlib.Path(path), file, [_quantity(name, group[name]) for name in wanted])
    return opened(path, use)


def read_films(path):
    """The quantities that have one value per film, or one per set of films, as a Result: [arm, seed, scene or 1, 1]."""
    def use(file):
        films, sets = file.get("metrics/film", {}), file.get("metrics/film_set", {})
        found = [_quantity(name, films[name]) for name in sorted(films)]
        found += [_quantity(name, sets[name], True) for name in sorted(sets) if name not in films]
        return _result(pathlib.Path(path), file, [replace(quantity, values=quantity.values[..., None]) for quantity in found])
    return opened(path, use)


@dataclass(frozen=True)
class Run:
    """What a result file says about the run that made it."""

    original_ini: str
    resolved_ini: str
    provenance: dict[str, str]
    training: dict[str, np.ndarray]  # [arm, seed, step]
    units: dict[str, str]

    def overrides(self):
        """{arm: {'section.key': value}}: what each arm changes."""
        parsed = parsed_ini(self.resolved_ini or self.original_ini)
        return {section[4:]: {key: value for key, value in parsed.items(section) if key != "label"}
                for section in parsed.sections() if section.startswith("arm.")}


def read_run(path):
    """Settings, provenance and training curves."""
    def use(file):
        ini = {name: text(file[name][()]) if name in file else "" for name in ("original_ini", "resolved_ini")}
        made = file["provenance"].attrs if "provenance" in file else {}
        curves = {name: data for name, data in file.get("training", {}).items() if data.ndim == 3}
        return Run(ini["original_ini"], ini["resolved_ini"], {key: text(value) for key, value in made.items()},
                   {name: data[:].astype(np.float64) for name, data in curves.items()},
                   {name: text(data.attrs.get("unit", "")) for name, data in curves.items()})
    return opened(path, use)


@dataclass(frozen=True)
class Field:
    """One dataset of a diagnostic."""

    name: str
    unit: str
    meaning: str
    better: str
    values: np.ndarray  # [arm, seed, own dimensions]
    dimensions: list[str]
    axes: dict[str, np.ndarray]  # values of the own dimensions, where the file gives them


def _field(name, dataset):
    dimensions, axes = [], {}
    for index, dimension in enumerate(dataset.dims):
        scale = dimension[0] if len(dimension) else None
        label = dimension.label or (pathlib.PurePosixPath(scale.name).name if scale is not None else f"axis{index}")
        dimensions.append(label)
        if index >= 2 and scale is not None:
            axes[label] = np.array(strings(scale)) if scale.dtype.kind in "SO" else scale[:]
        elif label in dataset.attrs and np.size(dataset.attrs[label]) == dataset.shape[index]:
            axes[label] = np.atleast_1d(dataset.attrs[label])
    return Field(name, text(dataset.attrs.get("unit", "")), text(dataset.attrs.get("meaning", "")),
                 direction_of(dataset.attrs), dataset[:].astype(np.float64), dimensions, axes)


def diagnostics(path):
    """Names of the diagnostics that a file holds."""
    return opened(path, lambda file: sorted(file.get("diagnostic", {})))


def read_diagnostic(path, name):
    """{quantity: Field} of /diagnostic/<name>; ResultError where it is not there."""
    def use(file):
        group = file.get("diagnostic", {})
        if name not in group:
            raise ResultError(f"{path} holds no /diagnostic/{name}: add a section [diagnostic.{name}] to the experiment "
                              f"and run it again; it holds {', '.join(sorted(group)) or 'no diagnostics'}")
        return {key: _field(key, data) for key, data in group[name].items() if isinstance(data, h5py.Dataset)
                and data.dtype.kind in "fiu" and data.ndim >= 2}
    return opened(path, use)
