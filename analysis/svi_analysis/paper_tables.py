"""The paper's tables from our result files."""

from . import comparing, paper
from .points import Point, PointError
from .tabular import Cell, Row, Table, p_text

MEANS = "Ours: mean [95 % interval] over scenes and training seeds; bold is the best mean, which is no test."


def _heading(column, quantity):
    return f"{column}: {quantity.title}" + (f", {quantity.direction}" if quantity.direction else "")


def _bold_best(quantity, values):
    """Cells of one column, the best mean bold."""
    scores = {index: quantity.badness(value.mean) for index, value in enumerate(values)
              if value is not None and value.count and value.mean == value.mean}
    scores = {index: score for index, score in scores.items() if score is not None}
    best = min(scores, key=scores.get, default=None)
    return [Cell(value, bold=index == best and len(scores) > 1) for index, value in enumerate(values)]


def _ours(result, quantities, arms, point):
    """[[Cell]] per arm, columns in the order of `quantities`."""
    columns = [_bold_best(quantity, [None if arm is None else comparing.value_at(result, quantity, point, arm)
                                     for arm in arms]) for quantity in quantities]
    return [list(row) for row in zip(*columns)]


def _lacking(found):
    lacking = [column for column, quantity in found.items() if quantity is None]
    return [f"No quantity of ours stands for {', '.join(lacking)}; --columns chooses one."] if lacking else []


def components(result, point="film", column_map=None, row_map=None):
    """Which component matters: base, fine-tuning without errors, ERFT without one error each, ERFT."""
    point = Point.parse(point)
    found = paper.columns(result, column_map)
    ours = {column: quantity for column, quantity in found.items() if quantity is not None}
    rows = paper.component_arms(result, row_map)
    theirs = [column for column in paper.COLUMNS if any(column in numbers for *_, numbers in rows)]
    cells = _ours(result, list(ours.values()), [arm for _, arm, _ in rows], point)
    out = []
    for (label, arm, numbers), row in zip(rows, cells):
        if arm is None and not numbers:
            continue
        out.append(Row(label, row + [f"{numbers[column]:.2f}" if column in numbers else None for column in theirs]))
    notes = [f"{MEANS} Place of the film: {point.text}.",
             "Columns that begin with 'paper' are " + paper.SCALE + ". Rows that are empty there are not among the "
             "paper's figures that svi records."]
    absent = [label for label, arm, _ in rows if arm is None]
    if absent:
        notes.append(f"The file has no arm for: {', '.join(absent)}.")
    return Table("components", f"{result.name}: what each error contributes",
                 [_heading(column, quantity) for column, quantity in ours.items()]
                 + [f"paper, {column}" for column in theirs], out, "method", notes + _lacking(found))


def consistent(results, lengths=paper.LENGTHS, column_map=None, arms=None):
    """Films of one scene held throughout, of each of `lengths` clips (the paper's 50 and 250 seconds)."""
    first = results[0]
    found = paper.columns(first, column_map)
    ours = {column: quantity for column, quantity in found.items() if quantity is not None}
    rows, missing = [], []
    for length in lengths:
        rows.append(Row(f"{length} clips ({length * paper.SECONDS_PER_CLIP} s at the paper's 5 s a clip)",
                        [""] * len(ours), "part"))
        for result in results:
            try:
                Point.parse(f"clips 1..{length}").window(len(result.clips))
            except PointError:
                missing.append(f"{result.name}, whose films have fewer than {length} clips")
                continue
            quantities = [result.quantity(quantity.name) for quantity in ours.values()]
            chosen = [arm for arm, name in enumerate(result.arms) if arms is None or name in arms]
            cells = _ours(result, quantities, chosen, Point.parse(f"clips 1..{length}"))
            for arm, row in zip(chosen, cells):
                label = result.labels[arm] if len(results) == 1 else f"{result.labels[arm]} ({result.name})"
                rows.append(Row(label, row))
    rows.append(Row("the paper, consistent setting", [""] * len(ours), "part"))
    for method, numbers in paper.CONSISTENT.items():
        rows.append(Row(f"{method} (paper's scale)", [f"{numbers[column]:.2f}" for column in ours], "paper"))
    notes = [f"{MEANS} Mean over the first clips of each film.",
             f"Last row: {paper.SCALE}; which of its two lengths it belongs to is not known here."]
    notes += [f"Left out: {'; '.join(dict.fromkeys(missing))}."] if missing else []
    return Table("consistent", "One scene held throughout: " + ", ".join(result.name for result in results),
                 [_heading(column, quantity) for column, quantity in ours.items()], rows, "method", notes + _lacking(found))


def _their_measures():
    """The paper's numbers whose measures ours are not, in one line."""
    return "; ".join(f"{method}: " + ", ".join(f"{name} {value:g}" for name, value in numbers.items()
                                               if name not in paper.CONDITIONAL) for method, numbers in paper.TOLD.items())


def conditional(result, lengths=paper.LENGTHS, column_map=None):
    """Films told a sound or a skeleton, of each of `lengths` clips: quality, distance as a set, and whether they follow."""
    chosen, names = column_map or {}, [quantity.name for quantity in result.quantities]
    found = {column: chosen[column] if column in chosen else next((name for name in candidates if name in names), "")
             for column, candidates in paper.FOLLOWING.items()}
    ours = {column: result.quantity(name) for column, name in found.items() if name}
    rows, missing = [], []
    for length in lengths:
        point = Point.parse(f"clips 1..{length}")
        try:
            point.window(len(result.clips))
        except PointError:
            missing.append(f"{length} clips, which these films do not have")
            continue
        rows.append(Row(f"{length} clips", [""] * len(ours), "part"))
        places = [Point.parse(f"clip {length}") if column in paper.SO_FAR else point for column in ours]
        columns = [_bold_best(quantity, [comparing.value_at(result, quantity, place, arm)
                                         for arm in range(len(result.arms))])
                   for quantity, place in zip(ours.values(), places)]
        columns = [[Cell(cell.value) for cell in cells] if column == paper.OFFSET else cells
                   for column, cells in zip(ours, columns)]  # the nearest to 0 is best, not the lowest
        rows += [Row(label, list(cells)) for label, cells in zip(result.labels, zip(*columns))]
    if paper.OFFSET in ours and ours[paper.OFFSET].name.startswith("figure"):
        theirs = paper.TOLD[paper.DANCE]
        rows.append(Row("SVI-Dance (paper's scale)", [f"{theirs[column]:.2f}" if column in theirs else None
                                                      for column in ours], "paper"))
    notes = [f"{MEANS} PSNR, SSIM and distance: mean over the first clips of each film; offset (frames, 0 is best) and "
             "confidence: over these clips as one film.",
             "The video distance is not FVD, offset and confidence are not those of SyncNet (Sync-D, Sync-C): "
             f"they compare arms of this table alone. The paper has, on other scales, {_their_measures()}."]
    notes += [f"Left out: {'; '.join(missing)}."] if missing else []
    return Table("conditional", f"{result.name}: films that follow what they are told",
                 [_heading(column, quantity) if column != paper.OFFSET else f"{column}: {quantity.title}, 0 is best"
                  for column, quantity in ours.items()], rows, "method", notes)


def ablation(results, runs, baseline=None, quantities=None, points=("first", "last", "drift")):
    """Any experiment's arms: what each changes, its values, and its difference to the baseline."""
    points = [Point.parse(point) for point in points]
    out = []
    for result, run in zip(results, runs):
        base = result.baseline(baseline if baseline in result.arms else None)
        if baseline is not None and baseline not in result.arms and len(results) == 1:
            result.arm(baseline)  # names the arms there are
        changes = run.overrides()
        chosen = [result.quantity(name) for name in quantities] if quantities else result.quantities[:3]
        compared = comparing.compare(result, base, points, chosen)
        out.extend(_ablation(result, quantity, base, points, compared, changes) for quantity in chosen)
        if compared:
            out[-1].notes.append(comparing.note(result, compared))
    return out


def _ablation(result, quantity, base, points, compared, changes):
    columns = ["what it changes"]
    columns += [heading for point in points for heading in (point.text, f"{point.text}, minus {result.labels[base]}",
                                                            "p, corrected")]
    rows = []
    cells = {point: _bold_best(quantity, [comparing.value_at(result, quantity, point, arm)
                                          for arm in range(len(result.arms))]) for point in points}
    for arm, label in enumerate(result.labels):
        row = ["; ".join(f"{key} = {value}" for key, value in changes.get(result.arms[arm], {}).items()) or "nothing"]
        for point in points:
            cell = cells[point][arm]
            row.append(Cell(cell.value, signed=point.drift, bold=cell.bold and not point.drift))
            found = next((c for c in compared if c.arm == arm and c.point == point and c.quantity is quantity), None)
            row += [None, None] if found is None else [Cell(found.difference, True), p_text(found.p_holm)]
        rows.append(Row(label, row))
    direction = f", {quantity.direction}" if quantity.direction else ""
    return Table(f"ablation-{result.name}-{quantity.name}", f"{result.name}: {quantity.title}{direction}", columns, rows,
                 "arm", [f"{quantity.name}: {quantity.meaning}."] if quantity.meaning else [])
