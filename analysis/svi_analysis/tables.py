"""Tables per quantity, one row per arm, as Markdown, LaTeX or CSV."""

import csv
import io
import math

from .statistics import Cell, summarise

COLUMNS = {"whole_film": "whole film", "first_clip": "first clip", "last_clip": "last clip",
           "drift_per_clip": "drift per clip"}
COST = {"per_film": ("evaluations", "evaluations a film"), "per_second": ("evaluations", "evaluations"),
        "tokens": ("thousand tokens", "thousand tokens"), "seconds": ("s", "seconds"), "peak_memory": ("GiB", "peak GiB")}
COST_NOTE = ("Function evaluations of the model per film and, like its tokens and the machine's time, per second of film; "
             "highest memory of the process. Time and memory are of the machine that ran it.")
ENDINGS = {"markdown": "md", "latex": "tex", "csv": "csv"}


def cells(result):
    """{quantity: [Cell per arm]}, in the order of the file."""
    return {quantity.name: [summarise(quantity.films(arm)) for arm in range(len(result.arms))]
            for quantity in result.quantities}


def number(value, signed=False):
    """Four significant digits, as svi-experiment prints them (three and a sign for slopes)."""
    return format(value, "+.3g" if signed else ".4g")


def interval(value, signed=False):
    """'mean [low, high]', or '-' where nothing was measured."""
    if value.count == 0 or math.isnan(value.mean):
        return "-"
    return f"{number(value.mean, signed)} [{number(value.low, signed)}, {number(value.high, signed)}]"


def _row(cell, text=interval):
    return [text(getattr(cell, field), field == "drift_per_clip") for field in Cell.FIELDS]


def _cost_fields(result):
    """Those that the file tells; older files have evaluations alone."""
    return [field for field in COST if any(not math.isnan(getattr(cost, field)) for cost in result.cost)] or list(COST)[:2]


def _cost_row(cost, fields):
    return ["-" if math.isnan(getattr(cost, field)) else number(getattr(cost, field)) for field in fields]


def _heading(quantity):
    return quantity.title + (f", {quantity.direction}" if quantity.direction else "")


def _note(result, table):
    counts = {cell.whole_film.count for row in table.values() for cell in row} - {0}
    films = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(max(counts, default=0))
    return (f"{len(result.clips)} clips a film, {films} films an arm; mean [95 % bootstrap interval] over films; "
            "drift = median slope over pairs of clips from clip 2 on")


def markdown(result):
    table = cells(result)
    escape = lambda text: text.replace("|", "\\|")  # noqa: E731
    out = [f"# {result.name}", ""]
    if result.question:
        out += [result.question, ""]
    out += [_note(result, table) + ".", ""]
    for quantity in result.quantities:
        out += [f"## {_heading(quantity)}", ""]
        if quantity.meaning:
            out += [f"{quantity.name}: {quantity.meaning}.", ""]
        out += ["| arm | " + " | ".join(COLUMNS.values()) + " |", "| --- |" + " --- |" * len(COLUMNS)]
        for label, cell in zip(result.labels, table[quantity.name]):
            out.append(f"| {escape(label)} | " + " | ".join(_row(cell)) + " |")
        out.append("")
    if result.cost:
        fields = _cost_fields(result)
        out += ["## Cost", "", COST_NOTE, "",
                "| arm | " + " | ".join(COST[field][1] for field in fields) + " |", "| --- |" + " --- |" * len(fields)]
        for label, cost in zip(result.labels, result.cost):
            out.append(f"| {escape(label)} | " + " | ".join(_cost_row(cost, fields)) + " |")
        out.append("")
    return "\n".join(out)


_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
          "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
          ">": r"\textgreater{}"}


def latex_text(text):
    """Text that LaTeX prints as it is."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _latex_interval(value, signed=False):
    if value.count == 0 or math.isnan(value.mean):
        return "--"
    mean, low, high = (number(part, signed).replace("e", r"\mathrm{e}") for part in (value.mean, value.low, value.high))
    return f"${mean}$ {{\\scriptsize $[{low}, {high}]$}}"


def latex(result):
    """Needs the package booktabs."""
    table = cells(result)
    out = [f"% {result.name}; {_note(result, table)}"]
    for quantity in result.quantities:
        out += [r"\begin{table}", r"\centering", f"\\caption{{{latex_text(_heading(quantity))}. "
                f"{latex_text(_note(result, table))}.}}", f"\\label{{tab:{result.name}-{quantity.name}}}",
                r"\begin{tabular}{l" + "r" * len(COLUMNS) + "}", r"\toprule",
                "arm & " + " & ".join(COLUMNS.values()) + r" \\", r"\midrule"]
        for label, cell in zip(result.labels, table[quantity.name]):
            out.append(latex_text(label) + " & " + " & ".join(_row(cell, _latex_interval)) + r" \\")
        out += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    if result.cost:
        fields = _cost_fields(result)
        out += [r"\begin{table}", r"\centering", f"\\caption{{{COST_NOTE}}}",
                f"\\label{{tab:{result.name}-cost}}", r"\begin{tabular}{l" + "r" * len(fields) + "}", r"\toprule",
                "arm & " + " & ".join(COST[field][1] for field in fields) + r" \\", r"\midrule"]
        out += [latex_text(label) + " & " + " & ".join(_cost_row(cost, fields)) + r" \\"
                for label, cost in zip(result.labels, result.cost)]
        out += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(out)


def csv_text(result):
    """One line per quantity, arm and statistic, with all digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["quantity", "unit", "higher_is_better", "arm", "label", "statistic", "mean", "low", "high", "films"])
    table = cells(result)
    for quantity in result.quantities:
        better = "" if quantity.higher_is_better is None else int(quantity.higher_is_better)
        for arm, label, cell in zip(result.arms, result.labels, table[quantity.name]):
            for field in Cell.FIELDS:
                value = getattr(cell, field)
                writer.writerow([quantity.name, quantity.unit, better, arm, label, field, repr(value.mean),
                                 repr(value.low), repr(value.high), value.count])
    for arm, label, cost in zip(result.arms, result.labels, result.cost):
        for field in _cost_fields(result):
            writer.writerow(["cost", COST[field][0], 0, arm, label, field, repr(getattr(cost, field)), "", "", ""])
    return out.getvalue()


FORMATS = {"markdown": markdown, "latex": latex, "csv": csv_text}
