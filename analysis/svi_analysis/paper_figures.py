"""The paper's figures from our result files: stability, one-step errors beside real drift, loop gain."""

import math
import warnings

import numpy as np

from . import paired, results
from .figures import GREY, STYLE, _settle, arm_style, plt
from .results import ResultError


def over(field, keep):
    """Mean over every dimension of a diagnostic but `keep`, in that order; NaNs are left out."""
    lost = tuple(index for index, name in enumerate(field.dimensions) if name not in keep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        values = np.nanmean(field.values, axis=lost) if lost else field.values
    left = [name for name in field.dimensions if name in keep]
    return np.transpose(values, [left.index(name) for name in keep])


def axis(field, name):
    """Values along a dimension; counted from 0 where the file gives none."""
    return field.axes.get(name, np.arange(field.values.shape[field.dimensions.index(name)]))


def own(field):
    """Names of a diagnostic's own dimensions."""
    return field.dimensions[2:]


def smoothed(values, width):
    """Mean over `width` neighbours along the last axis; NaNs are left out, ends see fewer."""
    if width <= 1:
        return values
    known = ~np.isnan(values)

    def total(array):
        return np.apply_along_axis(lambda row: np.convolve(row, np.ones(width), "same"), -1, array)

    with np.errstate(invalid="ignore", divide="ignore"):
        return total(np.where(known, values, 0.0)) / total(known.astype(float))


def _grid(count, columns=3, size=(3.9, 2.9), top=0.75):
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure, grid = plt.subplots(rows, columns, figsize=(max(size[0] * columns, 6), size[1] * rows + top), squeeze=False)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return figure, list(grid.flat[:count])


def _titles(axes, left, right="", xlabel="", ylabel=""):
    right, ylabel = right.replace("^2", "²"), ylabel.replace("^2", "²")
    axes.set_title(left, loc="left", fontsize=10, fontweight="bold")
    axes.set_title(right, loc="right", fontsize=8, color=GREY)
    axes.set_xlabel(xlabel, color=GREY)
    axes.set_ylabel(ylabel, color=GREY)


def _finish(figure, title, handles=None, below=0.0):
    """Title at the top left, one legend for all panels, `below` inches left free, layout settled."""
    height = figure.get_figheight()
    figure.suptitle(title, x=0.01, y=1 - 0.1 / height, ha="left", va="top", fontsize=10)
    top = 0.4
    if handles:
        columns = min(4, len(handles))
        figure.legend(handles.values(), handles.keys(), loc="upper left", frameon=False, ncols=columns, fontsize=9,
                      bbox_to_anchor=(0.003, 1 - 0.3 / height), handlelength=3.2, borderaxespad=0)
        top += 0.22 * math.ceil(len(handles) / columns)
    figure.set_layout_engine("constrained", rect=(0.003, below / height, 0.994, 1 - (top + below) / height),
                             h_pad=0.06, w_pad=0.08)
    _settle(figure)
    return figure


def stability(series, quantities, title, per_frame):
    """The paper's Figure 5: each quantity against the frame (or clip), one line per method with its band.

    `series` is [(label, x, {quantity name: [seed, scene, time]})]; `quantities` are results.Quantity.
    """
    with plt.rc_context(STYLE):
        figure, panels = _grid(len(quantities), columns=2, size=(5.4, 2.7))
        handles = {}
        for axes, quantity in zip(panels, quantities):
            for index, (label, x, values) in enumerate(series):
                if quantity.name not in values or np.isnan(values[quantity.name]).all():
                    continue
                mean, low, high = paired.band(values[quantity.name])
                style = arm_style(index)
                axes.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
                handles[label], = axes.plot(x, mean, linewidth=1.3 if per_frame else 1.7, markersize=4,
                                            markevery=max(1, math.ceil(len(x) / 8)), **style)
            _titles(axes, quantity.title, quantity.direction, "frame" if per_frame else "clip")
            axes.margins(x=0.01)
        return _finish(figure, title, handles)


def _series_of(path, names, per_frame, arms, smooth, several):
    """[(label, x, {name: [seed, scene, time]})] of one file, and its Quantities."""
    result = results.read_frames(path, names) if per_frame else results.read(path, names)
    out = []
    for index, (arm, label) in enumerate(zip(result.arms, result.labels)):
        if arms and arm not in arms:
            continue
        values = {q.name: smoothed(q.values[index], smooth) for q in result.quantities}
        if not values or all(np.isnan(v).all() for v in values.values()):
            continue
        length = next(iter(values.values())).shape[-1]
        out.append((f"{label} ({result.name})" if several else label, np.arange(length) + 1, values))
    return result, out


def stability_of(paths, wanted=None, arms=None, against="auto", smooth=1):
    """stability() of result files: up to four quantities or those `wanted`, against 'frame', 'clip' or 'auto'."""
    first = results.read(paths[0])
    framed = {quantity.name for quantity in results.read_frames(paths[0]).quantities}
    names = wanted or [quantity.name for quantity in first.quantities][:4]
    per_frame = against == "frame" or (against == "auto" and set(names) <= framed)
    if per_frame:
        if wanted is None:
            names = list(results.order(list(framed)))[:4]
        lacking = [name for name in names if name not in framed]
        if lacking or not names:
            raise ResultError(f"{paths[0]} has no values per frame of {', '.join(lacking) or 'any'}; it has those of "
                              f"{', '.join(sorted(framed)) or 'none'}")
    if len(paths) == 1:
        for arm in arms or []:
            first.arm(arm)  # names the arms there are
    series, quantities = [], {}
    for path in paths:
        result, found = _series_of(path, names, per_frame, arms, smooth, len(paths) > 1)
        series += found
        quantities.update({q.name: q for q in result.quantities if q.name not in quantities})
    if not series:
        raise ResultError(f"{paths[0]} holds no films of these arms")
    length = max(len(x) for _, x, _ in series)
    title = (f"{first.name}: stability over {length} {'frames' if per_frame else 'clips'}; band = 95 % interval over scenes "
             "and training seeds" + (f"; moving mean over {smooth}" if smooth > 1 else ""))
    return stability(series, [quantities[name] for name in names], title, per_frame)


def _lines(axes, field, along, arms, handles):
    """One line per arm of a field against one of its own dimensions; the band is that of seeds."""
    x = axis(field, along).astype(np.float64) + (along == "clip")  # people count clips from 1
    values = over(field, ("arm", "seed", along))
    for index, label in arms:
        if np.isnan(values[index]).all():
            continue
        mean, low, high = paired.band(values[index][:, None])
        style = arm_style(index)
        axes.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
        handles[label], = axes.plot(x, mean, linewidth=1.6, markersize=4, markevery=max(1, math.ceil(len(x) / 8)), **style)


def _spread(values, count):
    """Indices of `count` of the values, evenly spread, both ends among them."""
    return sorted({round(i) for i in np.linspace(0, len(values) - 1, min(count, len(values)))})


def _pictures(fields, arm):
    """[(what, field, [(text, picture)])]: one-step errors at three noise levels, the drift of films at three clips."""
    out = []
    one_step = "one_step_pixel_map" if "one_step_pixel_map" in fields else "one_step_map"  # decoded, as drift is
    for name, along, what, form in ((one_step, "sigma", "one-step error", "σ = {:.2g}"),
                                    ("drift_map", "clip", "drift of films", "clip {:.0f}")):
        if name not in fields or along not in own(fields[name]):
            continue
        field = fields[name]
        place = [dimension for dimension in own(field) if dimension != along][-2:]
        values = over(field, ("arm", along, *place))[arm]
        if not np.isnan(values).all():
            x = axis(field, along)
            out.append((what, field, [(form.format(float(x[i]) + (along == "clip")), values[i])
                                      for i in _spread(values, 3)]))
    return out


def _map_row(figure, bottom, height, groups, tops, label):
    """Draws an arm's pictures in a row; `bottom` and `height` in inches. `tops` are the brightest values."""
    width, total = figure.get_size_inches()

    def place(left, low, wide, high):
        return figure.add_axes((left / width, low / total, wide / width, high / total))

    side, half = min(height - 0.65, 1.5), (width - 0.3) / 2
    figure.text(0.12 / width, (bottom + height - 0.08) / total, label, fontsize=10, fontweight="bold", va="top")
    for g, (what, field, pictures) in enumerate(groups):
        left = 0.15 + g * half
        for c, (text, picture) in enumerate(pictures):
            axes = place(left + c * (side + 0.12), bottom + 0.1, side, side)
            shown = axes.imshow(picture, cmap="viridis", vmin=0, vmax=tops[what], interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(f"{what}, {text}" if c == 0 else text, loc="left", fontsize=8, color=GREY, pad=3)
        bar = figure.colorbar(shown, cax=place(left + len(pictures) * (side + 0.12), bottom + 0.1, 0.1, side))
        bar.ax.tick_params(labelsize=7, length=2)
        bar.ax.set_title(field.unit if field.unit != "1" else "RMS", fontsize=7, color=GREY)
        bar.outline.set_visible(False)


def errors(fields, arms, labels, title, pictured=None):
    """The paper's Figure 6: one-step errors by noise level, frame and place; beside them what a film drifts by.

    `fields` are /diagnostic/error_map; `pictured` are the indices of the arms whose maps are shown (default: the first
    and the last).
    """
    kinds = [("one_step_rms", "sigma", "one-step error by noise level", "σ", None),
             ("one_step_rms", "latent_frame", "one-step error by frame", "latent frame", None),
             ("mean_error_rms", "sigma", "its mean (biased) part", "σ", None),
             ("drift_rms", "clip", "drift of films", "clip", None),
             ("size_ratio", "sigma", "drift over one-step error", "σ", "log"),
             ("map_correlation", "sigma", "correlation of both maps", "σ", None),
             ("one_step_spectrum", "k", "spectrum of one-step errors", "spatial frequency, cycles a picture", "log"),
             ("drift_spectrum", "k", "spectrum of the drift of films", "spatial frequency, cycles a picture", "log")]
    kinds = [kind for kind in kinds if kind[0] in fields and kind[1] in own(fields[kind[0]])]
    if not kinds:
        raise ResultError("/diagnostic/error_map holds none of one_step_rms, one_step_spectrum, drift_spectrum")
    pictured = list(dict.fromkeys([0, len(arms) - 1])) if pictured is None else pictured
    maps = [(labels[arm], groups) for arm in pictured if (groups := _pictures(fields, arm))]
    tops = {}  # one scale of colours for all arms: they are to be compared
    for what, _, pictures in (group for _, groups in maps for group in groups):
        tops[what] = max(tops.get(what, 1e-12), *(float(np.nanmax(picture)) for _, picture in pictures))
    row = 2.2  # inches of an arm's pictures
    with plt.rc_context(STYLE):
        figure, panels = _grid(len(kinds), top=0.75 + row * len(maps))
        handles = {}
        for axes, (name, along, heading, xlabel, scale) in zip(panels, kinds):
            field = fields[name]
            _lines(axes, field, along, list(enumerate(labels)), handles)
            if scale:
                axes.set_yscale(scale)
            if name == "size_ratio":  # 1: errors of one step are as large as what a chain drifts by
                axes.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
            _titles(axes, heading, field.unit if field.unit != "1" else "", xlabel)
        _finish(figure, title, handles, below=row * len(maps))
        for i, (label, groups) in enumerate(maps):
            _map_row(figure, row * (len(maps) - 1 - i), row, groups, tops, label)
        return figure


def errors_of(path, maps=None):
    """errors() of a result file; `maps` names the arms with pictures."""
    result = results.read(path, only=[])
    fields = results.read_diagnostic(path, "error_map")
    pictured = [result.arm(name) for name in maps] if maps else None
    return errors(fields, result.arms, result.labels, f"{result.name}: one-step errors, and the drift of real films", pictured)


def gain_rows(fields):
    """{quantity: [arm, direction] of mean gain, low and high} averaged over seeds; names of the directions."""
    gain = fields["gain"]
    along = own(gain)[-1] if own(gain) else None
    keep = ("arm", along) if along else ("arm",)
    rows = {name: over(fields[name], keep) for name in ("gain", "gain_low", "gain_high") if name in fields}
    rows.setdefault("gain_low", rows["gain"])
    rows.setdefault("gain_high", rows["gain"])
    names = [str(name) for name in axis(gain, along)] if along else ["all"]
    return {name: values.reshape(values.shape[0], -1) for name, values in rows.items()}, names


def gains(fields, labels, title):
    """Loop gain per direction and arm, with intervals; beside it the error it predicts clip by clip, and the real one."""
    if "gain" not in fields:
        raise ResultError("/diagnostic/loop_gain holds no gain")
    rows, names = gain_rows(fields)
    # The prediction in which a scene's own part of the error lasts is the one that docs/science.md tabulates.
    predicted = next((name for name in ("predicted_rms_lasting", "predicted_rms") if name in fields), None)
    curves = [name for name in ("measured_rms", predicted) if name in fields]
    shown = range(len(names)) if curves else []
    with plt.rc_context(STYLE):
        figure, panels = _grid(1 + len(shown), columns=3)
        handles = {}
        axes = panels[0]
        for index, label in enumerate(labels):
            if np.isnan(rows["gain"][index]).all():
                continue
            style = arm_style(index)
            place = np.arange(len(names)) + 0.7 * ((index + 0.5) / len(labels) - 0.5)
            ends = [rows["gain"][index] - rows["gain_low"][index], rows["gain_high"][index] - rows["gain"][index]]
            axes.errorbar(place, rows["gain"][index], np.maximum(ends, 0), fmt=style["marker"], color=style["color"],
                          markersize=5, elinewidth=1.5, capsize=2.5)
            handles[label] = plt.Line2D([], [], linewidth=1.6, markersize=4, **style)
        axes.axhline(1, color=GREY, linewidth=1, linestyle=":")
        turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 7 else {}
        axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=8, **turned)
        axes.grid(False, axis="x")
        _titles(axes, "loop gain per direction", "below 1 heals", "direction")
        for axes, direction in zip(panels[1:], shown):
            for name in curves:
                _gain_curves(axes, fields[name], direction, labels, name == predicted)
            unit = fields[curves[0]].unit
            axes.set_ylim(bottom=0)
            _titles(axes, names[direction].replace("_", " "), "line: measured, dots: predicted", "clip",
                    unit if unit != "1" else "error, RMS")
        return _finish(figure, title, handles)


def _gain_curves(axes, field, direction, labels, predicted):
    keep = [name for name in own(field) if name != "clip"]
    values = over(field, ("arm", "seed", *keep, "clip"))
    if keep:
        values = values.reshape(*values.shape[:2], -1, values.shape[-1])[:, :, direction]
    x = np.arange(values.shape[-1]) + 1
    for index in range(len(labels)):
        if np.isnan(values[index]).all():
            continue
        mean, low, high = paired.band(values[index][:, None])
        style = arm_style(index)
        if predicted:
            axes.plot(x, mean, linestyle="none", marker=".", markersize=4, color=style["color"])
            continue
        axes.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(x, mean, color=style["color"], linestyle=style["linestyle"], linewidth=1.5)
