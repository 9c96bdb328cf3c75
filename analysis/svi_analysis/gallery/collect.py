"""Takes films, prompts and numbers of suites out of their result folders, and keeps them small."""

import json
import pathlib

from .. import comparing, films, results
from ..points import Point
from ..report import media
from ..tabular import number

FACTS = "gallery.json"
LEVELS = (*media.LEVELS, 48)  # constant rate factors tried in turn
LIMIT = 100_000  # bytes of one film
# The numbers under the films: the first two of these that the result has. Of a storyline, whether the film does what the
# prompt says; of one prompt, whether it stays what it was.
SHOWN = ("mouth_lag_confidence", "figure_lag_confidence", "pocket_quality")
OF_STORY, OF_ONE_PROMPT = ("pocket_motion", "psnr"), ("pocket_consistency", "psnr")


class GalleryError(Exception):
    """Something the gallery cannot be made of; the text says what would do."""


def result_file(folder):
    """The .h5 of a result folder."""
    folder = pathlib.Path(folder)
    found = [path for path in sorted(folder.glob("*.h5")) if path.name != "header.h5"]
    if not found:
        raise GalleryError(f"{folder} holds no result file: give the folder of a finished run, results/NAME")
    return next((path for path in found if path.stem == folder.resolve().name), found[0])


def smallest(path, limit):
    """The film as H.264 of at most `limit` bytes, as good as that allows."""
    for level in LEVELS:
        made = media.encode(path, level)
        if len(made) <= limit:
            return made
    raise GalleryError(f"{path} does not fit into {limit} bytes; allow more with --limit")


def numbers(result, arm, story):
    """[{name, unit, first, last}] of an arm: means over films of the first and the last clip."""
    out = []
    for name in SHOWN + (OF_STORY if story else OF_ONE_PROMPT):
        quantity = next((q for q in result.quantities if q.name == name), None)
        if quantity is None or len(out) == 2:
            continue
        ends = [comparing.value_at(result, quantity, Point.parse(place), arm) for place in ("first", "last")]
        out.append({"name": name, "unit": "" if quantity.unit == "1" else quantity.unit,
                    **{key: number(end.mean) if end.count else "" for key, end in zip(("first", "last"), ends)}})
    return out


def suite(folder, arms, scene=0):
    """What the page says of a suite, and {file name: path} of its films. `arms` are those shown, after the truth."""
    path = result_file(folder)
    result, run = results.read(path), results.read_run(path)
    found = films.scenes(folder)
    if scene not in found:
        raise GalleryError(f"{folder} has no films of scene {scene}; it has those of {', '.join(map(str, found))}")
    shown = [(films.TRUTH, "the truth", None)] if films.TRUTH in found[scene] else []
    for name in arms:
        index = result.arm(name)
        if media.safe(name) not in found[scene]:
            raise GalleryError(f"{folder} has no film of arm {name}: set [evaluation] videos above {scene}")
        shown.append((media.safe(name), result.labels[index], index))
    size = results.parsed_ini(run.resolved_ini).get("experiment", "size", fallback="")
    title = result.name.removeprefix("suite_").removesuffix(f"_{size}")
    facts = {"name": title, "question": result.question, "clips": len(result.clips), "fps": result.fps,
             "frames": result.frames, "scenes": len(result.scenes), "size": size,
             "made": run.provenance.get("started", "")[:10],
             "prompts": films.prompts(found[scene][shown[-1][0]]), "films": []}
    sources, story = {}, len(set(facts["prompts"])) > 1
    for arm, label, index in shown:
        file = f"{title}-{arm}.mp4"
        sources[file] = found[scene][arm]
        facts["films"].append({"file": file, "arm": arm, "label": label,
                               "numbers": [] if index is None else numbers(result, index, story)})
    return facts, sources


def update(target, folders, arms, scene=0, limit=LIMIT):
    """Adds suites to the gallery in `target`, or replaces them; the order is that of the first time."""
    target = pathlib.Path(target)
    known = read(target) if (target / FACTS).exists() else []
    for folder in folders:
        facts, sources = suite(folder, arms, scene)
        (target / "films").mkdir(parents=True, exist_ok=True)
        for file, path in sources.items():
            (target / "films" / file).write_bytes(smallest(path, limit))
        places = [index for index, other in enumerate(known) if other["name"] == facts["name"]]
        known[places[0] if places else len(known):places[0] + 1 if places else len(known)] = [facts]
    (target / FACTS).write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(target):
    """The suites of the gallery in `target`."""
    path = pathlib.Path(target) / FACTS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise GalleryError(f"{path} cannot be read ({error}): give result folders to make a gallery from") from error
