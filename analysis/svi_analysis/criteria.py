"""Criteria written down before a run, and whether its result meets them. The format: docs/analysis.md."""

import configparser
import dataclasses
import difflib
import pathlib
from dataclasses import dataclass

import numpy as np

from . import comparing, paired, results
from .points import Point, PointError
from .statistics import Interval, bootstrap_interval
from .tabular import Cell, Row, Table, number

TESTS = {  # test: terms it takes, keys it needs besides, keys it may have
    "above": (2, (), ()),
    "below": (2, (), ()),
    "within": (1, (), ("low", "high")),
    "ratio": (2, (), ("low", "high")),
    "difference": (2, (), ("low", "high")),
    "near": (2, ("percent",), ()),
    "above_middle": (3, (), ()),
    "below_middle": (3, (), ()),
}
COMMON = ("test", "quantity", "claim", "decide", "intervals")
ABOUT = ("title", "question", "result")


class CriteriaError(Exception):
    """A criteria file that cannot be used; the text names file, section, key and what would do."""


@dataclass(frozen=True)
class Term:
    """An arm's value at a place of its films, in one quantity; `name` is one of a diagnostic's own, as 'brightness'."""

    arm: str
    point: Point
    quantity: str
    name: str = ""

    @property
    def text(self):
        place = "" if self.name and self.point.text == "film" else self.point.text
        return ", ".join(filter(None, (self.arm, self.name, place)))


@dataclass(frozen=True)
class Criterion:
    """One section of the file."""

    name: str
    claim: str
    test: str
    terms: tuple
    low: float
    high: float
    percent: float
    decide: str  # "estimate" or "interval"
    intervals: str  # "scenes_and_seeds" or "films"


@dataclass(frozen=True)
class Criteria:
    """A file of them."""

    about: dict
    criteria: list


@dataclass(frozen=True)
class Verdict:
    """A criterion and what the result says to it."""

    criterion: Criterion
    met: bool
    values: list[Interval]  # of its terms
    measured: Interval  # what the test decides on
    needed: str


def _near(word, known):
    close = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def read(path):
    """Criteria of a file; CriteriaError where it is wrong. What needs the result is checked by `judge`."""
    path = pathlib.Path(path)
    parsed = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"))
    try:
        with path.open(encoding="utf-8") as file:
            parsed.read_file(file)
    except (OSError, UnicodeDecodeError) as error:
        raise CriteriaError(f"{path} cannot be read: {error}") from error
    except configparser.Error as error:
        raise CriteriaError(f"{path}: {' '.join(str(error).split())}") from error
    about = dict(parsed["about"]) if "about" in parsed else {}
    own = {key: about[key] for key in about if key not in parsed.defaults()}
    for key in own:
        if key not in ABOUT:
            raise CriteriaError(f"{path}: [about] {key}: no such key{_near(key, ABOUT)}")
    sections = [name for name in parsed.sections() if name != "about"]
    if not sections:
        raise CriteriaError(f"{path} holds no criterion: write a section such as [quality stays] with test, a and b")
    return Criteria(own, [_criterion(path, name, parsed[name], parsed.defaults()) for name in sections])


def _criterion(path, name, section, defaults):
    def wrong(key, text):
        return CriteriaError(f"{path}: [{name}] {key}: {text}")

    test = section.get("test")
    if test not in TESTS:
        raise wrong("test", f"'{test}' is no test{_near(test or '', list(TESTS))}")
    count, needed, optional = TESTS[test]
    letters = "abc"[:count]
    known = (*COMMON, *letters, *needed, *optional)
    for key in section:
        if key not in known and key not in defaults:
            raise wrong(key, f"test = {test} has no such key{_near(key, known)}")
    for key in (*letters, *needed, "quantity"):
        if key not in section:
            raise wrong(key, f"is missing; test = {test} needs {', '.join((*letters, *needed))} and quantity")
    if optional and not any(key in section for key in optional):
        raise wrong(" or ".join(optional), "is missing: one of them at least must be there")
    numbers = {"low": -np.inf, "high": np.inf, "percent": np.nan}
    for key in numbers:
        if key in section and key in known:
            try:
                numbers[key] = float(section[key])
            except ValueError as error:
                raise wrong(key, f"'{section[key]}' is no number") from error
    choices = {"decide": ("estimate", "interval"), "intervals": ("scenes_and_seeds", "films")}
    chosen = {key: section.get(key, values[0]) for key, values in choices.items()}
    for key, value in chosen.items():
        if value not in choices[key]:
            raise wrong(key, f"'{value}'{_near(value, choices[key])}")
    terms = []
    for letter in letters:
        try:
            terms.append(_term(section[letter], section["quantity"].strip()))
        except PointError as error:
            raise wrong(letter, f"{error}, as in '{letter} = erft, clip 50'") from error
    return Criterion(name, section.get("claim", name), test, tuple(terms), **numbers, **chosen)


def _term(text, quantity):
    """'ARM', 'ARM, PLACE' or, of a diagnostic, 'ARM, NAME' or 'ARM, NAME, PLACE'."""
    arm, *places = (part.strip() for part in text.split(","))
    name = ""
    if "/" in quantity and places:
        try:
            Point.parse(places[0])
        except PointError:
            name = places.pop(0)
    if len(places) > 1:
        raise PointError(f"'{text}' names more than one place")
    return Term(arm, Point.parse(places[0] if places else "film"), quantity, name)


def _quantity(path, result, term):
    """The result's quantity that a term names; 'loop_gain/gain' is one of a diagnostic."""
    name = term.quantity
    if "/" not in name:
        return result.quantity(name)
    diagnostic, _, key = name.rpartition("/")
    fields = results.read_diagnostic(path, diagnostic)
    if key not in fields:
        raise results.ResultError(f"{path} holds no {name}; it holds "
                                  + ", ".join(f"{diagnostic}/{other}" for other in fields))
    field, values = fields[key], fields[key].values
    if term.name:
        named = {str(label): (axis, index) for axis, dimension in enumerate(field.dimensions) if axis >= 2
                 for index, label in enumerate(field.axes.get(dimension, []))}
        if term.name not in named:
            raise results.ResultError(f"{name} has no {term.name}; it has {', '.join(named) or 'no named directions'}")
        axis, index = named[term.name]
        values = values.take(index, axis=axis)
    values = values.reshape(*values.shape[:2], 1, -1)
    return results.Quantity(name, field.unit, field.meaning, field.better, values, of_sets=True)


def _film_interval(values):
    """As svi-experiment's own table: films are resampled."""
    return bootstrap_interval(values)


def judge(path, criteria):
    """[Verdict] of the result file `path`. CriteriaError where a criterion does not fit the file."""
    result = results.read(path)
    wanted = criteria.about.get("result")
    if wanted and wanted != result.name:
        raise CriteriaError(f"{path} is the result of {result.name}, the criteria are for {wanted}")
    out = []
    for criterion in criteria.criteria:
        try:
            samples = []
            for term in criterion.terms:
                quantity = _quantity(path, result, term)
                samples.append(comparing.at_point(result, quantity, term.point, result.arm(term.arm)))
        except (results.ResultError, PointError) as error:
            raise CriteriaError(f"[{criterion.name}]: {error}") from error
        out.append(_verdict(criterion, samples))
    return out


def _own(criterion, values):
    """Interval of one term. An untrained arm's films, spread over all seeds, count once."""
    if values.shape[0] > 1 and np.all((values == values[:1]) | np.isnan(values)):
        values = values[:1]
    return _film_interval(values) if criterion.intervals == "films" else paired.interval(values)


def _inside(criterion, measured, low, high):
    """Whether the estimate, or the whole interval, lies in [low, high]. NaN lies nowhere."""
    ends = (measured.low, measured.high) if criterion.decide == "interval" else (measured.mean, measured.mean)
    return bool(low <= ends[0] and ends[1] <= high)


def _range(low, high):
    if np.isinf(low):
        return f"at most {number(high)}"
    return f"at least {number(low)}" if np.isinf(high) else f"{number(low)} to {number(high)}"


def _plain(difference):
    return Interval(difference.mean, difference.low, difference.high, difference.count)


def _verdict(criterion, samples):
    values = [_own(criterion, sample) for sample in samples]
    low, high, needed = criterion.low, criterion.high, None
    if criterion.test in ("above", "below"):
        upper, lower = values if criterion.test == "above" else values[::-1]
        measured = _plain(paired.difference(samples[0], samples[1]))
        return Verdict(criterion, bool(upper.low > lower.high), values, measured,
                       f"a {criterion.test} b, intervals apart")
    if criterion.test == "within":
        measured = values[0]
    elif criterion.test == "difference":
        measured = _plain(paired.difference(samples[0], samples[1]))
    elif criterion.test == "ratio":
        measured = paired.ratio(samples[0], samples[1])
    elif criterion.test == "near":
        low, high = 1 - criterion.percent / 100, 1 + criterion.percent / 100
        measured, needed = paired.ratio(samples[0], samples[1]), f"a / b {_range(low, high)}"
    else:
        measured = _plain(paired.difference(samples[0], (samples[1] + samples[2]) / 2))
        above = criterion.test == "above_middle"
        low, high = (0.0, np.inf) if above else (-np.inf, 0.0)
        needed = f"a {'above' if above else 'below'} (b + c) / 2"
    names = {"ratio": "a / b ", "difference": "a - b ", "within": "a "}
    needed = needed or names[criterion.test] + _range(low, high)
    if criterion.decide == "interval":
        needed += ", all of the interval"
    return Verdict(criterion, _inside(criterion, measured, low, high), values, measured, needed)


def table(result_name, criteria, verdicts):
    """The verdicts as a Table."""
    met = sum(verdict.met for verdict in verdicts)
    rows = []
    for verdict in verdicts:
        criterion = verdict.criterion
        shown = []
        for letter, term, value in zip("abc", criterion.terms, verdict.values):
            ends = "not measured" if value.count == 0 else (f"{number(value.mean)} [{number(value.low)}, "
                                                            f"{number(value.high)}]")
            shown.append(f"{letter} = {term.text}: {ends}")
        rows.append(Row(f"{criterion.name}: {criterion.claim}" if criterion.claim != criterion.name else criterion.name, [
            "pass" if verdict.met else "FAIL", criterion.terms[0].quantity, "; ".join(shown), verdict.needed,
            Cell(verdict.measured)]))
    title = criteria.about.get("title", "Criteria set beforehand")
    notes = [f"{met} of {len(verdicts)} criteria are met. Last column: the ratio where the test is ratio or near, else "
             "the difference, or the value itself for within; paired over scenes and training seeds."]
    if any(v.criterion.intervals == "films" for v in verdicts):
        notes.append("Intervals of single terms are over films where intervals = films, as in summary.json.")
    if criteria.about.get("question"):
        notes.insert(0, criteria.about["question"])
    return Table("criteria", f"{result_name}: {title}", ["verdict", "quantity", "values", "needed", "measured"], rows,
                 "criterion", notes)


def as_dict(verdicts):
    """For JSON: name, claim, verdict and numbers of each."""
    return [{"name": v.criterion.name, "claim": v.criterion.claim, "test": v.criterion.test, "met": v.met,
             "needed": v.needed, "measured": dataclasses.asdict(v.measured),
             "values": [dataclasses.asdict(value) for value in v.values]} for v in verdicts]
