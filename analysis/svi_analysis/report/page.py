"""Puts the page together and writes it."""

import html
import json
import os
import pathlib
import tempfile

from .. import comparing, results
from .. import criteria as criteria_module
from . import data, media, sections

HERE = pathlib.Path(__file__).resolve().parent
POLICY = ("default-src 'none'; img-src data:; media-src blob: data:; style-src 'unsafe-inline'; "
          "script-src 'unsafe-inline'")
NAMES = {"progress": "Progress", "short": "In short", "criteria": "Criteria", "films": "Films", "curves": "Along the film",
         "compared": "Compared", "numbers": "Numbers", "gain": "Loop gain", "errors": "Errors", "training": "Training",
         "configuration": "Configuration", "provenance": "Provenance"}


def script_json(value):
    """JSON that can stand inside a <script>."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def document(title, question, facts, parts, values, foot):
    """The whole page. `parts` are {name: HTML}, empty ones are left out; `values` is what the scripts draw."""
    parts = {name: part for name, part in parts.items() if part}
    links = "".join(f'<li><a href="#{name}">{NAMES[name]}</a></li>' for name in parts)
    chips = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    style = (HERE / "page.css").read_text(encoding="utf-8")
    scripts = "".join(f"<script>{(HERE / name).read_text(encoding='utf-8')}</script>"
                      for name in ("chart.js", "player.js", "page.js"))
    values = {"curves": [], "training": [], "scenes": [], "clips": 0, "reload": 0, **values}
    return (f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(title)}</title><link rel=\"icon\" href=\"data:,\"><style>{style}</style></head><body>"
            f'<header class="top"><p class="eyebrow">Result of an svi experiment</p><h1>{html.escape(title)}</h1>'
            f'<p class="question">{html.escape(question)}</p><ul class="facts">{chips}</ul></header>'
            f'<nav aria-label="Parts of this page"><ul>{links}</ul></nav><main>{"".join(parts.values())}'
            "<noscript><p>Films and curves need JavaScript; the tables do not.</p></noscript></main>"
            f"<footer><p>{html.escape(foot)}</p></footer>"
            f'<script type="application/json" id="data">{script_json(values)}</script>{scripts}</body></html>\n')


def plural(count, word):
    return f"{count} {word}" + ("" if count == 1 else "s")


def _facts(result, run):
    films = max((len(q.films(arm)) for q in result.quantities if not q.of_sets for arm in range(len(result.arms))), default=0)
    facts = [plural(len(result.arms), "arm"), plural(len(result.seeds), "training seed"),
             plural(len(result.scenes), "held-out scene"), plural(len(result.clips), "clip") + " a film"]
    if result.frames:
        facts.append(plural(result.frames, "frame") + (f" at {result.fps:g} a second" if result.fps else ""))
    if films:
        facts.append(f"up to {plural(films, 'film')} an arm")
    return facts + ([run.provenance["started"][:10]] if run.provenance.get("started") else [])


def _diagnostic(path, name, needed):
    """Fields of a diagnostic; {} where it is not there or lacks what a figure needs."""
    if name not in results.diagnostics(path):
        return {}
    fields = results.read_diagnostic(path, name)
    return fields if any(key in fields for key in needed) else {}


def build(path, baseline=None, primary=None, criteria_file=None, most_scenes=3, limit=8e6, reload=0, before=None):
    """HTML of one result file; `before` are parts shown first, {name: HTML}; `limit` is in bytes."""
    path = pathlib.Path(path)
    result, run, frames = results.read(path), results.read_run(path), results.read_frames(path)
    base = result.baseline(baseline)
    quantity = result.quantity(primary) if primary else result.quantities[0]
    comparisons = comparing.compare(result, base)
    table = None
    if criteria_file:
        asked = criteria_module.read(criteria_file)
        table = criteria_module.table(result.name, asked, criteria_module.judge(path, asked))
    values = {"curves": data.curves(result, frames), "training": data.training(result, run), "clips": len(result.clips),
              "reload": reload}
    parts = dict(before or {})
    later = {
        "compared": sections.compared(result, base, comparisons), "numbers": sections.numbers(result),
        "gain": sections.loop_gain(result, _diagnostic(path, "loop_gain", ["gain"])),
        "errors": sections.error_maps(result, _diagnostic(path, "error_map", ["one_step_rms", "one_step_spectrum",
                                                                             "drift_spectrum"])),
        "training": sections.training_chart(values["training"]), "configuration": sections.configuration(result, run),
        "provenance": sections.provenance(run)}
    spent = len(script_json(values)) + sum(map(len, later.values())) + 60000
    values["scenes"], left_out = media.scenes(path.parent, result, most_scenes, max(0, limit - spent))
    parts.update({"short": sections.cards(result, quantity, base, comparisons), "criteria": sections.criteria(table),
                  "films": sections.film_player(values["scenes"], left_out, len(result.clips)),
                  "curves": sections.curve_chart(values["curves"]), **later})
    foot = (f"Made by analysis/report from {path.name}. Intervals and p-values come from counter-based random numbers: the "
            "same file gives the same digits.")
    return document(result.name, result.question, _facts(result, run), parts, values, foot)


def write(text, target):
    """Writes the page whole or not at all."""
    target = pathlib.Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    number, partial = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(partial, 0o644)
    os.replace(partial, target)
    return target
