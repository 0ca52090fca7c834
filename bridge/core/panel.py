"""The content of a picture, independent of the library that draws it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """Points (x, y), in order; y is None where there is nothing to draw."""

    label: str
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True)
class Panel:
    """One picture: curves over a common x, some of them with an axis of their own on the right."""

    x_label: str
    curves: tuple[Curve, ...]
    y_label: str
    right: tuple[Curve, ...] = ()
    right_label: str = ""
    stepped: bool = True  # a value holds until the next point
