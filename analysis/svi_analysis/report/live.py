"""The page of a run that goes on: how far its jobs are, and what its finished jobs have measured."""

import html
import json
import pathlib
import sys
import tempfile
import time

import h5py
import numpy as np

from .. import results
from . import page, sections

STATES = {"running": "running", "merging": "putting results together", "complete": "complete",
          "failed": "failed", "stopped": "stopped"}


def read_progress(folder):
    """progress.json as a dict; None where there is none that can be read."""
    try:
        value = json.loads((pathlib.Path(folder) / "progress.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("jobs", []), list) else None


def _number(value, default=0.0):
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else default


def duration(seconds):
    """'41 s', '7 min', '2 h 5 min'; 'not known' for None."""
    if not isinstance(seconds, (int, float)):
        return "not known"
    seconds = int(seconds)
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def progress_section(progress, now):
    """The part of the page that shows jobs; `now` is Unix time."""
    done, total = int(_number(progress.get("jobs_done"))), int(_number(progress.get("jobs_total")))
    state = str(progress.get("state", "running"))
    facts = [f"{done} of {total} jobs done", f"since {duration(progress.get('seconds'))}"]
    if state == "running":
        facts.append(f"time left: {duration(progress.get('remaining_seconds'))}")
    silent = now - _number(progress.get("heartbeat_unix"), now)
    if state in ("running", "merging") and silent > max(30.0, 10 * _number(progress.get("pace_seconds"))):
        facts.append(f"no sign of life for {duration(silent)}: has it been stopped? It goes on with --resume")
    if progress.get("message"):
        facts.append(str(progress["message"]))
    rows = []
    for job in progress.get("jobs", []):
        if not isinstance(job, dict) or job.get("state") != "running":
            continue
        fraction = min(1.0, max(0.0, _number(job.get("fraction"))))
        name = html.escape(str(job.get("name", "")))
        note = html.escape(str(job.get("note") or ""))
        rows.append(f'<tr><th scope="row">{name}</th><td><progress max="1" value="{fraction:.3f}" aria-label="{name}">'
                    f'</progress></td><td class="n">{100 * fraction:.0f} %</td><td class="n">'
                    f'{duration(job.get("remaining_seconds"))}</td><td>{note}</td></tr>')
    facts.append("what stands below is of finished jobs only")
    table = ""
    if rows:
        table = ('<div class="scroll" tabindex="0" role="region" aria-label="Running jobs"><table><thead><tr><th scope="col">'
                 'running</th><th scope="col">progress</th><th scope="col">done</th><th scope="col">left</th><th scope="col">'
                 f'note</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>')
    body = (f'<p class="value"><progress max="{max(1, total)}" value="{done}" aria-label="Jobs done"></progress></p>'
            f'<p id="progress-facts">{html.escape("; ".join(facts))}.</p>{table}')
    return sections.section("progress", f"Progress: {STATES.get(state, state)}", "", body)


def _arms_and_seeds(text):
    """[(arm, label)] and seeds of an INI file."""
    parsed = results.parsed_ini(text)
    arms = [(name[4:], parsed.get(name, "label", fallback=name[4:])) for name in parsed.sections() if name.startswith("arm.")]
    seeds = parsed.get("experiment", "seeds", fallback="0")
    return arms, [int(seed) for seed in seeds.split(",")], parsed.get("experiment", "question", fallback="")


def assemble(folder, target):
    """Puts the parts of finished jobs together as svi-experiment would at the end; False where they say nothing yet."""
    folder = pathlib.Path(folder)
    text = (folder / "original.ini").read_text(encoding="utf-8")
    arms, seeds, question = _arms_and_seeds(text)
    with h5py.File(target, "w") as out:
        for part in sorted((folder / "parts").glob("*.h5")):
            with h5py.File(part) as file:
                file.visititems(lambda _, node, out=out: _place(out, node) if isinstance(node, h5py.Dataset) else None)
        clip = next(iter(out.get("metrics/clip", {}).values()), None)
        if clip is None or clip.shape[:2] != (len(arms), len(seeds)):
            return False
        out.attrs.update({"format": results.FORMAT, "name": folder.resolve().name, "question": question})
        out["arm"] = np.array([name.encode() for name, _ in arms])
        out["arm"].attrs["labels"] = np.array([label for _, label in arms], h5py.string_dtype())
        out["seed"], out["clip"] = seeds, np.arange(clip.shape[3])
        out["scene"] = np.array([str(i) for i in range(clip.shape[2])], "S")
        frame = next(iter(out.get("metrics/frame", {}).values()), None)
        if frame is not None:
            out["frame"] = np.arange(frame.shape[3])
        out["original_ini"] = out["resolved_ini"] = text
    return True


def _place(out, block):
    """Copies one block of a part to its place in the whole dataset."""
    if "part_path" not in block.attrs:
        return
    path = results.text(block.attrs["part_path"])
    if not path.lstrip("/").startswith(("metrics/", "training/")) or block.dtype.kind != "f":
        return
    shape = tuple(int(size) for size in np.atleast_1d(block.attrs["part_shape"]))
    start = [int(index) for index in np.atleast_1d(block.attrs["part_start"])]
    if path not in out:
        whole = out.create_dataset(path, shape, "f8", fillvalue=np.nan)
        for key in ("unit", "meaning", "better", "higher_is_better"):
            if key in block.attrs:
                whole.attrs[key] = block.attrs[key]
    sizes = (1,) * (len(shape) - block.ndim) + block.shape
    place = tuple(slice(begin, begin + size) for begin, size in zip(start, sizes))
    out[path][place] = block[:].reshape(sizes)


def render(folder, options, reload):
    """HTML of the folder as it is now, and the run's state."""
    folder = pathlib.Path(folder)
    progress = read_progress(folder)
    state = str(progress.get("state")) if progress else ""
    final = folder / f"{folder.resolve().name}.h5"
    if final.exists() and state in ("", "complete"):
        return page.build(final, **options), "complete"
    if progress is None:
        progress = {"state": "running", "message": f"{folder} holds no progress.json yet: is the run on?"}
    before = {"progress": progress_section(progress, time.time())}
    reload = 0 if state in ("failed", "stopped") else reload
    with tempfile.TemporaryDirectory() as scratch:
        partial = pathlib.Path(scratch) / "partial.h5"
        try:
            if assemble(folder, partial):
                fewer = {**options, "most_scenes": 0, "criteria_file": None}  # films cost time, criteria want all of it
                return page.build(partial, **fewer, reload=reload, before=before), state
        except (OSError, KeyError, ValueError, results.ResultError):
            pass  # a part that is not readable yet: what there is of progress is shown all the same
    title = str(progress.get("experiment") or folder.resolve().name)
    return page.document(title, str(progress.get("question", "")), [], before, {"reload": reload},
                         "Made by analysis/report --live."), state


def follow(folder, target, options, every, times=None):
    """Writes the page again and again until the run is complete or has failed, or `times` pages are written."""
    folder, written = pathlib.Path(folder), 0
    if not folder.is_dir():
        raise results.ResultError(f"{folder} is no folder: give results/NAME, or wait until the run has made it")
    while True:
        text, state = render(folder, options, every)
        page.write(text, target)
        written += 1
        if written == 1:
            print(target, flush=True)
        if state in ("complete", "failed", "stopped"):
            sys.stderr.write(f"report: the run is {state}\n")
            return
        if times is not None and written >= times:
            return
        time.sleep(every)
