"""Which result file serves which part of the paper, and with whose weights its numbers were made."""

import pathlib
from dataclasses import dataclass, field

from . import comparing, films, paper, results
from .points import Point, PointError
from .tabular import Cell

OFFICIAL, POCKET, FILES, UNKNOWN = "official weights", "pocket", "films as files", "weights not recorded"
NOT_MEASURED = Cell("not measured")
NOT_KNOWN = Cell("not known here")
CONSISTENT, CREATIVE, TALK, DANCE = "consistent", "creative", "talk", "dance"
ABLATION, STABILITY, ERRORS = "ablation", "stability", "errors"
ROLES = (CONSISTENT, CREATIVE, TALK, DANCE, ABLATION, STABILITY, ERRORS)

# Arms that may stand for a method, and the [method] type that makes any trained arm one.
METHODS = {
    paper.BASE: (("base", "base_chaining"), ()),
    paper.SHOT: (("svi_shot", "erft_shot", "shot"), ("svi_shot",)),
    paper.FILM: (("svi_film", "erft_film", "film"), ("svi_film",)),
    paper.TALK: (("svi_talk",), ("svi_talk",)),
    paper.DANCE: (("svi_dance",), ("svi_dance",)),
}
RECYCLED = ("erft", "svi", "full")  # stands for Shot where no arm has its condition


@dataclass
class Source:
    """A result file at work: its numbers per clip and per film, its settings, and what it is good for."""

    path: object
    result: results.Result
    whole: results.Result
    run: results.Run
    roles: list[str]
    weights: str
    used: dict = field(default_factory=dict)  # {(method, role): arm}, as cells were filled

    @property
    def clips(self):
        return len(self.result.clips)

    def _setting(self, arm, key):
        """A setting of an arm: its own, else the experiment's."""
        section, name = key.rsplit(".", 1)
        parsed = results.parsed_ini(self.run.resolved_ini or self.run.original_ini)
        common = parsed.get(section, name, fallback="") if parsed.has_section(section) else ""
        return self.run.overrides().get(arm, {}).get(key, common)

    def method_type(self, arm):
        """[method] type of an arm, '' where the settings do not tell."""
        return self._setting(arm, "method.type")

    def clip(self):
        """Width, height and frames of a clip, '' where the settings do not tell."""
        width, height, frames = (self._setting("", f"clip.{key}") for key in ("width", "height", "frames"))
        return f"{width} x {height}, {frames} frames" if width else ""

    def arm_of(self, method, candidates=None):
        """Index of the arm that stands for a method, or None."""
        arms = self.result.arms
        names, types = (candidates, ()) if candidates is not None else METHODS.get(method, ((), ()))
        found = [arm for arm in names if arm in arms]
        found += [arm for arm in arms if self._setting(arm, "method.type") in types and self._recycles(arm)]
        if not found and method == paper.SHOT:
            found = [arm for arm in RECYCLED if arm in arms and self._setting(arm, "method.type") not in
                     METHODS[paper.FILM][1] + METHODS[paper.TALK][1] + METHODS[paper.DANCE][1]]
        return arms.index(found[0]) if found else None

    def _recycles(self, arm):
        adapted = self._setting(arm, "model.lora") not in ("", "none", "off")
        return arm not in METHODS[paper.BASE][0] and (self.result.trained[self.result.arms.index(arm)] or adapted)

    def value(self, names, arm, length=None):
        """(quantity, interval) of the first of `names` that the file has, over films of `length` clips; else None."""
        for name in names:
            whole = next((q for q in self.whole.quantities if q.name == name), None)
            if whole is not None and length in (None, self.clips):
                found = comparing.value_at(self.whole, whole, Point.parse("film"), arm)
                if found.count:
                    return whole, found
            quantity = next((q for q in self.result.quantities if q.name == name), None)
            if quantity is None:
                continue
            point = Point.parse("film" if length is None else f"clips 1..{length}")
            if length is not None and name in SO_FAR:
                point = Point.parse(f"clip {length}")
            try:
                point.window(quantity.values.shape[-1])
            except PointError:
                continue
            found = comparing.value_at(self.result, quantity, point, arm)
            if found.count:
                return quantity, found
        return None


SO_FAR = tuple(name for column in paper.SO_FAR for name in paper.FOLLOWING[column])


def weights_of(run):
    """Whose weights made the films, by what provenance says of their files."""
    parsed = results.parsed_ini(run.resolved_ini or run.original_ini)
    if parsed.get("experiment", "kind", fallback="") == "measure":
        return FILES
    files = {key: value for key, value in run.provenance.items() if key.startswith("weights ")}
    # svi writes the identity of weights in their authors' layout, and the hash of files that it trained itself.
    if any(value.startswith("identity ") for value in files.values()):
        return OFFICIAL
    return POCKET if any(key.split()[1].startswith("dit.") for key in files) else UNKNOWN


def roles_of(path, result, whole, run):
    """What a file is good for, by its settings, arms and quantities."""
    parsed = results.parsed_ini(run.resolved_ini or run.original_ini)
    names = {quantity.name for quantity in result.quantities + whole.quantities}
    roles = [ERRORS] if "error_map" in results.diagnostics(path) else []
    if not names:
        return roles
    if names & {"mouth_lag", "sync_confidence"}:
        return [TALK, *roles]
    if "figure_lag" in names:
        return [DANCE, *roles]
    if any(arm in result.arms for row, arms, _ in paper.COMPONENTS if row.startswith("without") for arm in arms):
        roles.append(ABLATION)
    # A stream is one whose prompts change; that a method would follow one says nothing.
    story = parsed.get("data", "story_clips", fallback="") not in ("", "0", "1") or any(
        len(set(films.prompts(record.with_suffix(".mp4")))) > 1
        for record in pathlib.Path(path).parent.glob("videos/*/scene*.json"))
    return [CREATIVE, *roles] if story else [CONSISTENT, STABILITY, *roles]


def read(text):
    """The Source that 'PATH' or 'ROLE[,ROLE]=PATH' names."""
    head, sign, tail = text.partition("=")
    asked = [role.strip() for role in head.split(",")] if sign else []
    path = text
    if asked and set(asked) <= set(ROLES):
        path = tail
    elif asked and "/" not in head:
        raise paper.MappingError(f"'{text}': write PATH or ROLE=PATH, with ROLE out of {', '.join(ROLES)}")
    else:
        asked = []
    whole = results.read_films(path)
    try:
        result = results.read(path)
    except results.ResultError:
        result = results.read(path, only=[])
    run = results.read_run(path)
    return Source(path, result, whole, run, asked or roles_of(path, result, whole, run), weights_of(run))


def having(sources, role):
    """Those that serve a role: official weights before others, else as they came."""
    chosen = [source for source in sources if role in source.roles]
    return sorted(chosen, key=lambda source: source.weights != OFFICIAL)


def cell(sources, role, method, names, length=None, candidates=None):
    """(Cell, what it is measured by): the first file that has the method's arm, the quantity and the length."""
    for source in having(sources, role):
        arm = source.arm_of(method, candidates)
        found = None if arm is None else source.value(names, arm, length)
        if found is not None:
            source.used[method, role] = source.result.arms[arm]
            return Cell(found[1], source=source.weights), found[0].title
    return NOT_MEASURED, ""
