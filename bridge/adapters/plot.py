"""Pictures, by matplotlib: an optional extra, imported only to draw."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from bridge.core.panel import Curve, Panel

FORMATS = (".svg", ".png", ".pdf")


class CannotPlot(Exception):
    """matplotlib is missing, or the file's format is not supported, or it cannot be written."""


def check(file: str) -> None:
    """Check, before the work begins, that a picture can be drawn. Raises CannotPlot."""
    if Path(file).suffix.lower() not in FORMATS:
        raise CannotPlot(f"{file}: a name that ends in {', '.join(FORMATS)} is needed")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise CannotPlot(
            "matplotlib is not installed: pip install matplotlib, or leave --plot out"
        ) from None


def draw(panels: list[Panel], title: str, file: str) -> None:
    """Draw the panels below each other into a file. Raises CannotPlot."""
    check(file)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.8 * len(panels)), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, panel)
    try:
        figure.savefig(file)
    except OSError as problem:
        raise CannotPlot(f"{file}: {problem.strerror or problem}") from None


def _draw_panel(axis: Any, panel: Panel) -> None:
    axis.set_xlabel(panel.x_label)
    axis.set_ylabel(panel.y_label)
    axis.grid(True, alpha=0.3)
    drawn_as = "steps-post" if panel.stepped else "default"
    lines = [
        _draw_curve(axis, curve, f"C{n}", "-", drawn_as) for n, curve in enumerate(panel.curves)
    ]
    if panel.right:
        right = axis.twinx()
        right.set_ylabel(panel.right_label)
        first = len(panel.curves)
        lines += [
            _draw_curve(right, curve, f"C{n}", "--", drawn_as)
            for n, curve in enumerate(panel.right, start=first)
        ]
    axis.legend(handles=lines, loc="best", fontsize="small")


def _draw_curve(axis: Any, curve: Curve, colour: str, style: str, drawn_as: str) -> Any:
    xs = [x for x, _ in curve.points]
    ys = [math.nan if y is None else y for _, y in curve.points]
    (line,) = axis.plot(
        xs, ys, label=curve.label, color=colour, linestyle=style, drawstyle=drawn_as
    )
    return line
