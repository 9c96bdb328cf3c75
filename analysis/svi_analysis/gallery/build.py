"""Writes the page: a heading, and for each suite its films under one player."""

import html
import pathlib

from .. import tabular
from ..report import page, sections
from . import collect

HERE = pathlib.Path(__file__).resolve().parent
POLICY = "default-src 'none'; img-src data:; media-src 'self' file:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
COLOURS = ("", "--a1", "--a0", "--a2", "--a3")  # of the truth, the base, the cure, others
SAYS = ("Each suite begins with one picture and makes a film clip by clip, every clip from the end of the one before. The base "
        "drifts away from the picture; error recycling (ERFT) is meant to keep the film to it. These are films of svi's "
        "small worlds, 32 x 32 or 24 x 24 pixels, made on a processor in minutes, of the first scene of each suite, "
        "whichever way it went.")
TITLES = {"consistent": "Consistent: one prompt, 10 clips", "consistent_long": "Consistent, long: one prompt, 50 clips",
          "creative": "Creative: a storyline, 10 clips", "creative_long": "Creative, long: a storyline, 50 clips",
          "talk": "Talk: a mouth that is told a sound", "dance": "Dance: a dancer who is told a skeleton"}


def _title(suite):
    return TITLES.get(suite["name"], suite["name"])


def _numbers(suite):
    """A table of the numbers under the films, '' where there are none."""
    rows, columns = [], []
    for film in suite["films"]:
        if not film["numbers"]:
            continue
        columns = [f"{entry['name']}{', ' + entry['unit'] if entry['unit'] else ''}: {place}"
                   for entry in film["numbers"] for place in ("first clip", "last clip")]
        rows.append(tabular.Row(film["label"], [entry[key] or tabular.NONE for entry in film["numbers"]
                                                for key in ("first", "last")]))
    if not rows:
        return ""
    note = f"Mean over {page.plural(suite['scenes'], 'film')} of an arm; the films above are of one scene."
    return tabular.html_table(tabular.Table(suite["name"], "", columns, rows, "arm", [note]))


def _suite(index, suite):
    figures = []
    for place, film in enumerate(suite["films"]):
        colour = COLOURS[min(place if suite["films"][0]["arm"] == "truth" else place + 1, len(COLOURS) - 1)]
        style = f' style="--arm: var({colour})"' if colour else ""
        label = f"{_title(suite)}: {film['label']}"
        figures.append(f'<figure{style}><video src="films/{html.escape(film["file"])}" controls muted playsinline '
                       f'preload="auto" aria-label="{html.escape(label)}"></video>'
                       f"<figcaption>{html.escape(film['label'])}</figcaption></figure>")
    told = '<p class="prompt" aria-live="off"></p>' if len(set(suite["prompts"])) > 1 else (
        f'<p class="prompt">{html.escape(suite["prompts"][0])}</p>' if suite["prompts"] and suite["prompts"][0] else "")
    seconds = f", {suite['frames'] / suite['fps']:.0f} s at {suite['fps']:g} frames a second" if suite["fps"] else ""
    facts = f'{html.escape(suite["question"])} {suite["clips"]} clips{seconds}.'
    body = (f'<div class="card suite" data-suite="{index}">{sections.player_bar(suite["clips"])}'
            f'<div class="films">{"".join(figures)}</div>{told}</div>{_numbers(suite)}')
    return sections.section(suite["name"], _title(suite), facts, body)


def document(suites):
    """The page as text. The same suites give the same bytes."""
    style = "".join(path.read_text(encoding="utf-8") for path in (page.HERE / "page.css", HERE / "gallery.css"))
    scripts = "".join(f"<script>{path.read_text(encoding='utf-8')}</script>"
                      for path in (page.HERE / "player.js", HERE / "gallery.js"))
    links = "".join(f'<li><a href="#{suite["name"]}">{html.escape(suite["name"].replace("_", " "))}</a></li>'
                    for suite in suites)
    values = [{"clips": suite["clips"], "prompts": suite["prompts"]} for suite in suites]
    return ('<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>svi: films with and without error recycling</title><link rel="icon" href="data:,"><style>{style}</style>'
            '</head><body><header class="top"><p class="eyebrow">svi</p><h1>Films with and without error recycling</h1>'
            f'<p class="question">{SAYS}</p></header><nav aria-label="Suites"><ul>{links}</ul></nav>'
            f"<main>{''.join(_suite(index, suite) for index, suite in enumerate(suites))}</main>"
            "<footer><p>Made by analysis/gallery from results of benchmarks/suites. Films are compressed for this page; numbers "
            "are of the films as they were made.</p></footer>"
            f'<script type="application/json" id="data">{page.script_json(values)}</script>{scripts}</body></html>\n')


def write(target):
    """Writes index.html of the gallery in `target` from what collect.update() left there; returns its path."""
    return page.write(document(collect.read(target)), pathlib.Path(target) / "index.html")
