"""Figures. Colours are told apart by everyone (Okabe and Ito 2008); dashes and markers help in print."""

import math
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from .statistics import bootstrap_band

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = "osD^vP*X"
GREY = "#555555"

STYLE = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": GREY, "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.7,
    "axes.axisbelow": True, "xtick.color": GREY, "ytick.color": GREY, "figure.facecolor": "white",
    "svg.hashsalt": "svi",  # equal input, equal bytes
}


def arm_style(index):
    """Line colour, dashes and marker of an arm; the same in every figure."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index % len(DASHES)],
            "marker": MARKERS[index % len(MARKERS)]}


def _panel(axes, result, quantity):
    clips = result.clips + 1  # people count from 1
    for index, label in enumerate(result.labels):
        films = quantity.films(index)
        if not len(films):
            continue
        mean, low, high = bootstrap_band(films)
        style = arm_style(index)
        axes.fill_between(clips, low, high, color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(clips, mean, linewidth=1.6, markersize=4, label=label,
                  markevery=max(1, math.ceil(len(clips) / 8)), **style)
    axes.set_title(quantity.title, loc="left", fontsize=10, fontweight="bold")
    axes.set_title(quantity.direction, loc="right", fontsize=8, color=GREY)
    axes.set_xlabel("clip", color=GREY)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    margin = max(0.02 * (clips[-1] - clips[0]), 0.1)
    axes.set_xlim(clips[0] - margin, clips[-1] + margin)


def _films_text(result):
    counts = {len(quantity.films(arm)) for quantity in result.quantities for arm in range(len(result.arms))}
    counts.discard(0)
    if not counts:
        return "no films"
    low, high = min(counts), max(counts)
    return f"{high} films an arm" if low == high else f"{low} to {high} films an arm"


def _settle(figure):
    """Lays the figure out for good: the solver's last digits differ from process to process."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        box = axes.get_position()
        axes.set_position([round(value, 4) for value in box.bounds])


def drift(result):
    """Each quantity against the clip: mean over films and 95 % bootstrap band, one line per arm."""
    columns = min(3, len(result.quantities))
    rows = math.ceil(len(result.quantities) / columns)
    with plt.rc_context(STYLE):
        height = 2.5 * rows + 1.1
        figure, grid = plt.subplots(rows, columns, figsize=(max(3.7 * columns, 6.0), height), squeeze=False)
        for axes in grid.flat[len(result.quantities):]:
            axes.set_visible(False)
        for axes, quantity in zip(grid.flat, result.quantities):
            _panel(axes, result, quantity)
        handles = {}
        for axes in grid.flat:
            for handle, label in zip(*axes.get_legend_handles_labels()):
                handles.setdefault(label, handle)
        shown = [label for label in dict.fromkeys(result.labels) if label in handles]
        figure.suptitle(f"{result.name}: mean over {_films_text(result)}, band = 95 % bootstrap interval",
                        x=0.01, y=1 - 0.1 / height, ha="left", va="top", fontsize=10)
        figure.legend([handles[label] for label in shown], shown, loc="upper left", frameon=False,
                      bbox_to_anchor=(0.003, 1 - 0.3 / height), ncols=min(4, max(1, len(shown))),
                      handlelength=3.2, fontsize=9, borderaxespad=0)
        lines = math.ceil(len(shown) / 4)
        top = 1 - (0.35 + 0.22 * lines) / height
        figure.set_layout_engine("constrained", rect=(0.003, 0, 0.994, top), h_pad=0.06, w_pad=0.08)
        _settle(figure)
    return figure


def save(figure, folder, name):
    """Writes <folder>/<name>.png and .svg; returns their paths."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    with plt.rc_context(STYLE):
        figure.savefig(paths[0], dpi=160)
        figure.savefig(paths[1], metadata={"Date": None})
    plt.close(figure)
    return paths
