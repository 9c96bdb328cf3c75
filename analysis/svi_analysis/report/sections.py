"""The parts of the page, each a function that gives HTML, or '' where there is nothing to show."""

import html

import numpy as np

from .. import comparing, paired, paper_figures, results
from ..figures import STYLE, plt
from ..points import Point
from ..tabular import Cell, Row, Table, html_table, number, p_text
from . import media

escape = html.escape


def section(name, title, text, body):
    """One part of the page with its heading."""
    intro = f"<p>{text}</p>" if text else ""
    return (f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{escape(title)}</h2>{intro}{body}'
            "</section>")


def details(title, body, opened=False):
    return f"<details{' open' if opened else ''}><summary>{escape(title)}</summary>{body}</details>"


def options(entries):
    return "".join(f'<option value="{i}">{escape(entry["title"])}</option>' for i, entry in enumerate(entries))


def _sparkline(values, arm, low, high):
    """A small curve; a picture for the eye, its numbers stand elsewhere."""
    if np.isfinite(values).sum() < 2:
        return ""
    x = np.linspace(3, 217, len(values))
    y = 41 - 36 * (values - low) / ((high - low) or 1)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y) if not np.isnan(b))
    return (f'<svg viewBox="0 0 220 46" preserveAspectRatio="none" aria-hidden="true"><polyline points="{points}" '
            f'fill="none" stroke-width="2" vector-effect="non-scaling-stroke" style="stroke:var(--a{arm % 7})"/></svg>')


def cards(result, quantity, baseline, comparisons):
    """One card per arm: its last clip, and its difference to the baseline there."""
    last, out = Point.parse("last"), []
    means = [paired.band(quantity.values[arm])[0] for arm in range(len(result.arms))]
    low, high = np.nanmin(means), np.nanmax(means)
    for arm, label in enumerate(result.labels):
        value = comparing.value_at(result, quantity, last, arm)
        if value.count == 0:
            continue
        unit = f" {escape(quantity.unit)}" if quantity.unit not in ("", "1") else ""
        found = next((c for c in comparisons if c.arm == arm and c.quantity is quantity and c.point == last), None)
        if arm == baseline:
            against = "<p>what the others are compared with</p>"
        elif found is None:
            against = "<p>not compared</p>"
        else:
            d = found.difference
            against = (f"<p>{number(d.mean, True)} [{number(d.low, True)}, {number(d.high, True)}] against "
                       f"{escape(result.labels[baseline])}, corrected p {p_text(found.p_holm)}</p>"
                       f'<p class="verdict {found.verdict}">{found.verdict or "not told apart"}</p>')
        out.append(f'<div class="card" style="--arm:var(--a{arm % 7})"><h3>{escape(label)}</h3><div class="value">'
                   f"{number(value.mean)}{unit} <small>[{number(value.low)}, {number(value.high)}]</small></div>{against}"
                   f"{_sparkline(means[arm], arm, low, high)}</div>")
    text = (f"{escape(quantity.title)} at the last clip" + (f"; {quantity.direction}" if quantity.direction else "")
            + ". In brackets: 95 % interval over scenes and training seeds. Small curves: the mean along the film, all on "
            "one scale.")
    return section("short", "In short", text, f'<div class="cards">{"".join(out)}</div>')


def player_bar(clips):
    """What a Player of player.js is worked with."""
    speeds = "".join(f'<option value="{s}"{" selected" if s == 1 else ""}>{s} x</option>' for s in (0.5, 1, 2, 4))
    return ('<div class="bar"><button type="button" class="play">Play</button>'
            '<input type="range" min="0" max="1000" value="0" aria-label="Place in the film">'
            f'<span class="readout">clip 1 of {clips}</span><label>speed <select aria-label="Speed">{speeds}</select></label>'
            "</div>")


def film_player(scenes, left_out, clips):
    if not scenes:
        return ""
    buttons = "".join(f'<button type="button" class="scene" data-scene="{i}" aria-pressed="{str(i == 0).lower()}">scene '
                      f'{scene["number"]}</button>' for i, scene in enumerate(scenes))
    note = f'<p class="note">{left_out} more scenes are in the folder videos/.</p>' if left_out else ""
    body = (f'<div class="card" id="films-player"><div class="bar" role="group" aria-label="Scene">{buttons}</div>'
            f'{player_bar(clips)}<div class="films"></div></div>{note}')
    return section("films", "Films", "Arms that start from the same scene with the same noise, side by side and in step. "
                   "First the truth, where it is known.", body)


def _chart(name, entries, what):
    return (f'<div class="card" id="{name}"><div class="bar"><label>{what} <select>{options(entries)}</select></label>'
            '<label><input type="checkbox" checked> intervals</label><span class="readout where" aria-live="off"></span>'
            f'</div><div class="plot"></div><div class="legend" role="group" aria-label="Arms to show"></div>'
            f'<p class="note meaning">{escape(entries[0]["meaning"])}</p></div>')


def curve_chart(entries):
    if not entries:
        return ""
    return section("curves", "Along the film", "Mean over scenes and training seeds, with its 95 % interval. Point at the "
                   "picture, or use the arrow keys, to read values; the buttons below switch arms on and off; a click goes "
                   "to that place in the films.", _chart("curves-chart", entries, "quantity"))


def training_chart(entries):
    if not entries:
        return ""
    return section("training", "Training", "Mean over training seeds; the band reaches from the lowest to the highest.",
                   _chart("training-chart", entries, "curve"))


def compared(result, baseline, comparisons):
    if not comparisons:
        return ""
    tables = comparing.tables(result, baseline, comparisons)
    note, tables[-1].notes = tables[-1].notes, []
    body = "".join(details(table.title, html_table(Table(table.name, "", table.columns, table.rows, table.head)), i == 0)
                   for i, table in enumerate(tables))
    for verdict in ("better", "worse"):
        body = body.replace(f'<td class="n">{verdict}</td>', f'<td class="n verdict {verdict}">{verdict}</td>')
    return section("compared", f"Compared with {result.labels[baseline]}",
                   "Scene by scene and seed by seed: what of a difference is not chance.",
                   body + f'<p class="note" id="comparisons-note">{escape(note[0])}</p>')


def numbers(result):
    """Every quantity: whole film, first and last clip, drift."""
    heads = {"film": "whole film", "first": "first clip", "last": "last clip", "drift": "drift per clip"}
    out = []
    for index, quantity in enumerate(result.quantities):
        rows = []
        for arm, label in enumerate(result.labels):
            cells = [Cell(comparing.value_at(result, quantity, Point.parse(point), arm), signed=point == "drift")
                     for point in heads]
            rows.append(Row(label, cells))
        direction = f", {quantity.direction}" if quantity.direction else ""
        body = html_table(Table(quantity.name, "", list(heads.values()), rows, "arm"))
        body += f'<p class="note">{escape(quantity.meaning)}</p>' if quantity.meaning else ""
        out.append(details(quantity.title + direction, body, index == 0))
    return section("numbers", "Numbers", "Mean and 95 % interval over scenes and training seeds. Drift is the median slope "
                   "over all pairs of clips, from clip 2 on.", "".join(out)) if out else ""


def loop_gain(result, fields):
    if not fields:
        return ""
    rows, names = paper_figures.gain_rows(fields)
    table = []
    for arm, label in enumerate(result.labels):
        cells = []
        for d in range(len(names)):
            gain, low, high = (rows[name][arm, d] for name in ("gain", "gain_low", "gain_high"))
            cells.append("–" if np.isnan(gain) else f"{number(gain)} [{number(low)}, {number(high)}]")
        table.append(Row(label, cells))
    picture = media.svg_uri(paper_figures.gains(fields, result.labels, f"{result.name}: loop gain"), plt, STYLE)
    body = (f'<div class="drawn" tabindex="0" role="region" aria-label="Figure of loop gains"><img src="{picture}" alt="Loop '
            'gain per direction and arm, and the error it predicts clip by clip beside the measured one; the gains stand in '
            f'the table below."></div>{html_table(Table("gains", "Loop gain per direction", names, table, "arm"))}')
    return section("gain", "Loop gain", "What a clip makes of a disturbance of the picture it starts from: below 1 it "
                   "shrinks, above 1 it grows from clip to clip.", body)


def error_maps(result, fields):
    if not fields:
        return ""
    figure = paper_figures.errors(fields, result.arms, result.labels, f"{result.name}: one-step errors and drift")
    picture = media.svg_uri(figure, plt, STYLE)
    body = (f'<div class="drawn" tabindex="0" role="region" aria-label="Figure of errors"><img src="{picture}" alt="One-step '
            'errors by noise level, frame and place, and spectra, beside the drift of films."></div>')
    return section("errors", "Errors", "The errors of single steps, which error recycling feeds on, beside what films really "
                   "drift by.", body)


def criteria(table):
    if table is None:
        return ""
    text = html_table(Table(table.name, "", table.columns, table.rows, table.head, table.notes))
    for verdict in ("pass", "FAIL"):
        text = text.replace(f'<td class="n">{verdict}</td>', f'<td class="{verdict.lower()}">{verdict}</td>')
    return section("criteria", table.title.split(": ", 1)[-1], "Written down before the run; each is met or not.", text)


def configuration(result, run):
    """What differs between arms, then every setting with those lines marked."""
    if not run.resolved_ini:
        return ""
    parsed = results.parsed_ini(run.resolved_ini)
    changes = run.overrides()
    common = {f"{name}.{key}": value for name in parsed.sections() for key, value in parsed.items(name)}
    keys = list(dict.fromkeys(key for arm in changes.values() for key in arm))
    body = ""
    if keys:
        head = "".join(f'<th scope="col">{escape(label)}</th>' for label in result.labels)
        rows = []
        for key in keys:
            cells = []
            for arm in result.arms:
                own = changes.get(arm, {})
                changed = ' class="differs"' if key in own else ""
                cells.append(f'<td{changed}>{escape(own.get(key, common.get(key, "–")))}</td>')
            rows.append(f'<tr><th scope="row">{escape(key)}</th>{"".join(cells)}</tr>')
        body += ('<div class="scroll" tabindex="0" role="region" aria-label="What differs between arms"><table><thead><tr>'
                 f'<th scope="col">setting</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>')
    lines, here = [], ""
    for line in run.resolved_ini.splitlines():
        if line.startswith("["):
            here = line.strip("[] ")
        key = line.partition("=")[0].strip()
        text = escape(line)
        lines.append(f"<mark>{text}</mark>" if f"{here}.{key}" in keys else text)
    settings = "\n".join(lines)
    body += details("Every setting, defaults too (resolved.ini); marked: what an arm changes", f"<pre>{settings}</pre>")
    if run.original_ini:
        body += details("The experiment as it was given (original.ini)", f"<pre>{escape(run.original_ini)}</pre>")
    return section("configuration", "Configuration", "Highlighted: what an arm sets differently from the common file.", body)


def provenance(run):
    if not run.provenance:
        return ""
    items = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in sorted(run.provenance.items()))
    return section("provenance", "Provenance", "What made these numbers.", f'<dl class="made card">{items}</dl>')

