"""One table, written as Markdown, LaTeX, CSV or HTML. What is in it is decided elsewhere."""

import csv
import html
import io
import math
from dataclasses import dataclass, field

from .tables import ENDINGS, latex_text

NONE = "–"
PAPER = "paper"  # the first word of headings over numbers that are not ours


@dataclass(frozen=True)
class Cell:
    """An Interval or Difference, a number, or a text."""

    value: object = None
    signed: bool = False
    bold: bool = False
    source: str = ""  # where it comes from, if not from the table's result file; stands behind the value


@dataclass(frozen=True)
class Row:
    label: str
    cells: list
    kind: str = ""  # "paper": numbers that are not ours; "part": a heading between rows


@dataclass
class Table:
    """Columns are headings; every row has as many cells. Notes stand below."""

    name: str
    title: str
    columns: list[str]
    rows: list[Row]
    head: str = ""  # heading of the first column
    notes: list[str] = field(default_factory=list)


def cell_of(value):
    return value if isinstance(value, Cell) else Cell(value, signed=hasattr(value, "p"))


def number(value, signed=False):
    """Four significant digits (three and a sign where the sign matters)."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if 1e4 <= abs(value) < 1e7 and not signed:
        return f"{value:.0f}"
    return format(value, "+.3g" if signed else ".4g")


def p_text(value):
    """A p-value to two digits, without the false precision of very small ones."""
    if value is None or math.isnan(value):
        return NONE
    if value < 0.001:
        return "< .001"
    return "1" if value >= 0.9995 else f"{value:.2g}".replace("0.", ".", 1)


def parts(cell):
    """(main, interval) as texts; interval is '' where there is none."""
    cell = cell_of(cell)
    value = cell.value
    if value is None:
        return NONE, ""
    if isinstance(value, str):
        return value, ""
    if hasattr(value, "low"):
        if value.count == 0 or math.isnan(value.mean):
            return NONE, ""
        low, high = number(value.low, cell.signed), number(value.high, cell.signed)
        known = not (math.isnan(value.low) or math.isnan(value.high))
        return number(value.mean, cell.signed), f"[{low}, {high}]" if known else ""
    return number(float(value), cell.signed), ""


def markdown(table):
    def escape(text):
        return text.replace("|", "\\|").replace("\n", " ")

    def show(cell):
        main, ends = parts(cell)
        main = f"**{main}**" if cell_of(cell).bold else main
        source = f"({cell_of(cell).source})" if cell_of(cell).source else ""
        return escape(" ".join(filter(None, (main, ends, source))))

    out = [f"## {table.title}", "", f"| {table.head} | " + " | ".join(map(escape, table.columns)) + " |",
           "| --- |" + " --- |" * len(table.columns)]
    for row in table.rows:
        label = f"*{escape(row.label)}*" if row.kind else escape(row.label)
        out.append(f"| {label} | " + " | ".join(map(show, row.cells)) + " |")
    out += ["", *(line for note in table.notes for line in (note, ""))]
    return "\n".join(out)


def _latex_number(text):
    text = text.replace("∞", r"\infty").replace("<", "< ")
    if "e" in text:
        mantissa, power = text.split("e")
        text = f"{mantissa} \\cdot 10^{{{int(power)}}}"
    return text


def latex(table):
    """Needs the packages booktabs and graphicx."""
    def show(cell):
        cell = cell_of(cell)
        main, ends = parts(cell)
        if isinstance(cell.value, str) or main == NONE:
            return latex_text(main).replace(NONE, "--").replace("∞", r"$\infty$")
        main = _latex_number(main)
        main = f"$\\mathbf{{{main}}}$" if cell.bold else f"${main}$"
        source = f" {{\\scriptsize ({latex_text(cell.source)})}}" if cell.source else ""
        if not ends:
            return main + source
        low, high = (_latex_number(end) for end in ends[1:-1].split(", "))
        return f"{main} {{\\scriptsize $[{low}, {high}]$}}" + source

    out = [r"\begin{table}", r"\centering", f"\\caption{{{latex_text(table.title)}. "
           + " ".join(latex_text(note) for note in table.notes) + "}", f"\\label{{tab:{table.name}}}",
           r"\resizebox{\linewidth}{!}{%", r"\begin{tabular}{l" + "r" * len(table.columns) + "}", r"\toprule",
           " & ".join(map(latex_text, [table.head, *table.columns])) + r" \\", r"\midrule"]
    for row in table.rows:
        if row.kind == "part":
            out.append(f"\\multicolumn{{{len(table.columns) + 1}}}{{l}}{{\\emph{{{latex_text(row.label)}}}}} \\\\")
            continue
        label = f"\\emph{{{latex_text(row.label)}}}" if row.kind else latex_text(row.label)
        out.append(f"{label} & " + " & ".join(map(show, row.cells)) + r" \\")
    return "\n".join(out + [r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])


def csv_text(tables):
    """One line per cell of all tables, with all digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "row", "column", "source", "value", "low", "high", "p", "count", "text"])
    for table in tables:
        for row in table.rows:
            if row.kind == "part":
                continue
            for column, cell in zip(table.columns, row.cells):
                value = cell_of(cell).value
                theirs = column == PAPER or column.startswith(f"{PAPER},")
                line = [table.name, row.label, column, cell_of(cell).source or row.kind or (PAPER if theirs else "ours")]
                if value is None or isinstance(value, str):
                    line += ["", "", "", "", "", value or ""]
                elif hasattr(value, "low"):
                    p = repr(value.p) if hasattr(value, "p") else ""
                    line += [repr(value.mean), repr(value.low), repr(value.high), p, value.count, ""]
                else:
                    line += [repr(float(value)), "", "", "", "", ""]
                writer.writerow(line)
    return out.getvalue()


def html_table(table, heading="h3"):
    """A <figure> that scrolls by itself where it is wider than the page; labels are escaped."""
    def show(cell):
        main, ends = parts(cell)
        main = f"<b>{html.escape(main)}</b>" if cell_of(cell).bold else html.escape(main)
        kind = ' class="n"' if not isinstance(cell_of(cell).value, str) or len(main) < 16 else ""
        source = f"({cell_of(cell).source})" if cell_of(cell).source else ""
        small = " ".join(filter(None, (ends, source)))
        return f"<td{kind}>{main}" + (f" <small>{html.escape(small)}</small>" if small else "") + "</td>"

    out = ['<figure class="table">']
    if table.title:
        out.append(f"<figcaption><{heading}>{html.escape(table.title)}</{heading}></figcaption>")
    out.append(f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(table.title or table.name)}">'
               f'<table><thead><tr><th scope="col">{html.escape(table.head)}</th>')
    out += [f'<th scope="col">{html.escape(column)}</th>' for column in table.columns] + ["</tr></thead><tbody>"]
    for row in table.rows:
        if row.kind == "part":
            out.append(f'<tr class="part"><th scope="rowgroup" colspan="{len(table.columns) + 1}">'
                       f"{html.escape(row.label)}</th></tr>")
            continue
        kind = f' class="{row.kind}"' if row.kind else ""
        out.append(f'<tr{kind}><th scope="row">{html.escape(row.label)}</th>' + "".join(map(show, row.cells)) + "</tr>")
    out.append("</tbody></table></div>")
    out += [f'<p class="note">{html.escape(note)}</p>' for note in table.notes]
    return "".join(out) + "</figure>"


def write_all(tables, form):
    """All tables in one text; `form` is 'markdown', 'latex' or 'csv'."""
    if form == "csv":
        return csv_text(tables)
    return "\n".join({"markdown": markdown, "latex": latex}[form](table) for table in tables)


def deliver(tables, name, out=None, form="markdown"):
    """Prints the tables, or writes <out>/<name>.md, .tex and .csv and prints their paths."""
    if out is None:
        print(write_all(tables, form), end="")
        return
    out.mkdir(parents=True, exist_ok=True)
    for kind, ending in ENDINGS.items():
        path = out / f"{name}.{ending}"
        path.write_text(write_all(tables, kind), encoding="utf-8")
        print(path)
