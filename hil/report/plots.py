"""Charts of a run as SVG text that stands inside the HTML: nothing is loaded from elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from hil.report.verdict import Plot

_COLOURS = ("#00587c", "#b5541c", "#3a7d44", "#7b3f8c", "#6b6b6b")
_FEW = 4
"""Points of a line that are marked as such: one alone would not be seen."""

_LABEL_IN = 0.2
"""Room of one upright label across the chart, inches: two that are nearer would be printed over each other."""


def labels(marks: Sequence[tuple[float, str]], room: float) -> list[tuple[float, str]]:
    """Place and words of each label: marks nearer to a label's own than ``room`` share that label, in their order."""
    found: list[tuple[float, str]] = []
    for when, text in sorted(marks, key=lambda mark: mark[0]):
        if found and when - found[-1][0] < room:
            found[-1] = (found[-1][0], f"{found[-1][1]}, {text}")
        else:
            found.append((when, text))
    return found


def draw(plot: Plot, *, width_in: float = 9.0, height_in: float = 2.6) -> str:
    """The plot as an ``<svg>`` element. The same plot gives the same text."""
    import matplotlib as mpl  # half a second, which a command that draws nothing need not wait
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot()
    for (name, points), colour in zip(plot.series.items(), _COLOURS * (1 + len(plot.series) // len(_COLOURS)), strict=False):
        axes.plot(
            [t for t, _ in points],
            [value for _, value in points],
            label=name,
            color=colour,
            linewidth=1.4,
            marker="o" if len(points) < _FEW else "",
            markersize=4,
        )
    for when, _ in plot.marks:
        axes.axvline(when, color="#999999", linewidth=0.7, linestyle=":")
    first, last = axes.get_xlim()
    for when, text in labels(plot.marks, (last - first) * _LABEL_IN / width_in):
        axes.annotate(text, (when, 1.0), xycoords=("data", "axes fraction"), rotation=90, fontsize=7, va="top", ha="right", color="#555555")
    axes.set_xlabel(plot.over)
    axes.set_ylabel(plot.unit)
    if plot.from_zero:
        axes.set_ylim(bottom=0)
    if all(len(points) < _FEW for points in plot.series.values()):
        axes.set_xticks(sorted({t for points in plot.series.values() for t, _ in points}))
    axes.set_title(plot.title, fontsize=10, loc="left")
    axes.grid(visible=True, color="#eeeeee")
    axes.spines[["top", "right"]].set_visible(False)
    if len(plot.series) > 1:
        axes.legend(fontsize=8, frameon=False)
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": plot.title, "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    prefix = "p" + str(sum(plot.title.encode()))  # ids of several plots share one page
    svg = re.sub(r'id="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return re.sub(
        r'<svg [^>]*?viewBox="([^"]+)"[^>]*>',
        rf'<svg xmlns="http://www.w3.org/2000/svg" '
        rf'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="\1" role="img" aria-label="{plot.title}">',
        svg,
        count=1,
    )
