"""Every table and figure of the paper: its numbers beside ours, and for each number of ours whose weights made it."""

from . import figures, paper, paper_figures, results, tabular
from . import paper_sources as sources_module
from .paper_sources import ABLATION, CONSISTENT, CREATIVE, DANCE, ERRORS, NOT_KNOWN, STABILITY, TALK
from .tabular import Cell, Row, Table

MEASURED_BY = "measured by"


def _published(numbers, column):
    return Cell(numbers[column]) if column in numbers else NOT_KNOWN


def _heading(clips):
    return f"ours, {clips} clips ({clips * paper.SECONDS_PER_CLIP} s at 5 s a clip)"


def _rows(sources, role, method, numbers, columns, lengths, candidates=None):
    """One row per column of the paper's table: its number, ours at each length, and the quantity of ours."""
    out = []
    for column, names in columns.items():
        found = [sources_module.cell(sources, role, method, names, length, candidates) for length in lengths]
        titles = list(dict.fromkeys(title for _, title in found if title))
        out.append(Row(f"{method}: {column}", [_published(numbers, column), *(cell for cell, _ in found),
                                               "; ".join(titles) or "–"]))
    return out


def _stand_ins(sources, role, chosen):
    """{column of the paper: names of ours}, each file's own choice first; no name serves two columns of a file."""
    out = {column: [] for column in paper.COLUMNS}
    for source in sources_module.having(sources, role):
        held = results.Result(source.result.name, "", source.result.arms, source.result.labels, source.result.clips, 0,
                              source.result.quantities + [q for q in source.whole.quantities if q.name not in
                                                          {known.name for known in source.result.quantities}])
        for column, quantity in paper.columns(held, chosen).items():
            if quantity is not None and quantity.name not in out[column]:
                out[column].append(quantity.name)
    return out


def _arms(sources, role):
    """A note on which arm of which file stands for which method."""
    texts = []
    for source in sources:
        for (method, used_role), arm in source.used.items():
            if used_role == role:
                label = source.result.labels[source.result.arms.index(arm)]
                made = source.method_type(arm)
                texts.append(f"{method}: arm {arm} ({label}{f'; method {made}' if made else ''}) of {source.result.name}")
    return [f"Arms that stand for the paper's methods: {'; '.join(dict.fromkeys(texts))}."] if texts else []


def _table1(sources, role, title, published, methods, chosen):
    columns = _stand_ins(sources, role, chosen)
    rows = [row for method in methods
            for row in _rows(sources, role, method, published.get(method, {}), columns, paper.LENGTHS)]
    notes = ["The paper's numbers: VBench++ x 100. Which of its two lengths (50 s, 250 s) they belong to is not known here, "
             "nor are the rows of other methods."]
    return Table(f"table1-{role}", title, [tabular.PAPER, *map(_heading, paper.LENGTHS), MEASURED_BY], rows,
                 "method: column", notes + _arms(sources, role))


def _conditional(sources):
    rows = []
    for role, method in ((TALK, paper.TALK), (DANCE, paper.DANCE)):
        numbers = paper.TOLD[method]
        columns = {column: paper.TOLD_BY[column] for column in numbers}
        # The paper's length where a file has it, else the whole films of what there is.
        lengths = [paper.TOLD_CLIPS[method]]
        clips = [source.clips for source in sources_module.having(sources, role)]
        if clips and max(clips) < lengths[0]:
            lengths = [max(clips)]
        rows.append(Row(f"{role}: ours of {lengths[0]} clips, the paper's of {paper.TOLD_CLIPS[method]}", [""] * 3, "part"))
        rows += _rows(sources, role, f"{paper.BASE} ({role})", {}, columns, lengths, sources_module.METHODS[paper.BASE][0])
        rows += _rows(sources, role, method, numbers, columns, lengths)
    notes = ["Films of 300 s (talk) and of 50 s (dance). Sync-C and FVD are SyncNet's and I3D's; what a small world has "
             "instead (confidence of a lag, distance of pairs of frames) has another scale, and nothing stands for Sync-D."]
    return Table("conditional", "Films that follow a sound or a skeleton", [tabular.PAPER, "ours", MEASURED_BY], rows,
                 "method: column", notes + _arms(sources, TALK) + _arms(sources, DANCE))


def _ablation(sources, chosen):
    columns = _stand_ins(sources, ABLATION, chosen)
    rows = [row for label, candidates, numbers in paper.COMPONENTS
            for row in _rows(sources, ABLATION, label, numbers, columns, [None], candidates)]
    notes = ["Ours: mean over all clips of the films. The paper's: VBench++ x 100."]
    return Table("ablation", "Ablation: what each error contributes", [tabular.PAPER, "ours, whole films", MEASURED_BY],
                 rows, "row: column", notes + _arms(sources, ABLATION))


def _log(sources, chosen):
    names = _stand_ins(sources, CREATIVE, chosen)[paper.IMAGING]
    rows = []
    for method, numbers in paper.DEVELOPMENT_LOG.items():
        cells = []
        for number, length in zip(numbers, paper.LENGTHS):
            cells += [Cell(number), sources_module.cell(sources, CREATIVE, method, names, length)[0]]
        rows.append(Row(method, cells))
    headings = [heading for length in paper.LENGTHS
                for heading in (f"{tabular.PAPER}, log, {length} prompts", f"ours, {length} clips")]
    return Table("log", "The authors' development log", headings, rows, "method",
                 ["The log does not name its score. It looks like imaging quality, which is what stands beside it: "
                  + (", ".join(names) or "nothing") + "."])


def tables(sources, chosen=None):
    """All tables. `chosen` maps columns of the paper to quantities, as for paper.columns."""
    return [
        _table1(sources, CONSISTENT, "Table 1, first half: one prompt held throughout", paper.CONSISTENT,
                (paper.BASE, paper.SHOT, paper.FILM), chosen),
        _table1(sources, CREATIVE, "Table 1, second half: a stream of prompts", paper.CREATIVE,
                (paper.BASE, paper.SHOT, paper.FILM), chosen),
        _conditional(sources), _ablation(sources, chosen), _log(sources, chosen)]


def _figure5(sources, folder):
    found = sources_module.having(sources, STABILITY)
    if not found:
        return [], "not measured: give the result of experiments/stability.ini, or of any experiment with films."
    longest = max(found, key=lambda source: source.clips)
    alike = [source for source in found if source.clips == longest.clips and source.weights == longest.weights
             and [q.name for q in source.result.quantities] == [q.name for q in longest.result.quantities]]
    figure = paper_figures.stability_of([source.path for source in alike])
    text = (f"{', '.join(source.result.name for source in alike)}: {longest.clips} clips, {longest.result.frames} frames, "
            f"{longest.weights}. The paper's films have 4,800 frames; its curves are not known here as numbers.")
    return figures.save(figure, folder, "figure5"), text


def _figure6(sources, folder):
    found = sources_module.having(sources, ERRORS)
    if not found:
        return [], ("not measured: give the result of experiments/error_maps.ini, or of any experiment with "
                    "[diagnostic.error_map].")
    figure = paper_figures.errors_of(found[0].path)
    return (figures.save(figure, folder, "figure6"),
            f"{found[0].result.name}, {found[0].weights}. The paper's maps are not known here as numbers.")


def _sources_table(sources):
    rows = []
    for source in sources:
        files = [f"{key.split(' ', 1)[1]} {value.split()[-1][:12]}" for key, value in sorted(source.run.provenance.items())
                 if key.startswith("weights ")]
        rows.append(Row(source.result.name, [", ".join(source.roles) or "nothing of the paper", source.weights, source.clip(),
                                             f"{len(source.result.scenes)} x {max(1, len(source.result.seeds))}",
                                             str(source.clips), ", ".join(files) or "–"]))
    return Table("results", "What was read", ["serves", "weights", "clips of", "scenes x seeds", "clips", "files"], rows,
                 "result", ["'Official weights' are files in the layout in which their authors publish them; svi writes their "
                            "identity, first letters above, but has no list of official ones to compare it with. 'Pocket' are "
                            "small weights that svi trained in a drawn world."])


def _counts(all_tables):
    """How many of our cells were measured with which weights."""
    cells = [tabular.cell_of(cell) for table in all_tables for row in table.rows if row.kind != "part"
             for column, cell in zip(table.columns, row.cells) if column.startswith("ours")]
    out = {}
    for cell in cells:
        out[cell.source or cell.value] = out.get(cell.source or cell.value, 0) + 1
    return out


def write(sources, folder, chosen=None):
    """Writes paper.md, tables.csv, tables.tex and the figures into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = tables(sources, chosen)
    parts = [*(tabular.markdown(table) for table in made)]
    written = []
    for name, heading, draw in (("figure5", "Figure 5: stability", _figure5), ("figure6", "Figure 6: errors", _figure6)):
        paths, text = draw(sources, folder)
        written += paths
        picture = f"![{heading}]({name}.png)\n\n" if paths else ""
        parts.append(f"## {heading}\n\n{picture}{text}\n")
    counts = ", ".join(f"{count} {what}" for what, count in sorted(_counts(made).items()))
    head = ("# The paper again\n\nLi et al. 2025, *Stable Video Infinity: Infinite-Length Video Generation with Error "
            "Recycling*, arXiv 2510.09212. Under *paper* stands what it prints, as far as svi records it; everything else is "
            "ours, with its 95 % interval over scenes and training seeds, and in brackets whose weights made the films. "
            "Numbers of the pocket have other scales than the paper's: what can be compared is the order of rows.\n\n"
            f"Of our cells: {counts}.\n")
    page = folder / "paper.md"
    page.write_text("\n".join([head, *parts, tabular.markdown(_sources_table(sources))]), encoding="utf-8")
    for form, ending in (("csv", "csv"), ("latex", "tex")):
        written.append(folder / f"tables.{ending}")
        written[-1].write_text(tabular.write_all(made, form), encoding="utf-8")
    return [page, *written]
