"""Rows of results, their budgets, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """The most that is allowed: of the ratio to the echo, or of the value itself."""

    most: float
    of_ratio: bool = False

    def words(self, unit: str) -> str:
        return f"{self.most:g} x" if self.of_ratio else f"{self.most:g} {unit}"


def times_echo(most: float) -> Budget:
    """So many times what the echo needs."""
    return Budget(most, of_ratio=True)


@dataclass(frozen=True)
class Row:
    """One result. echo: what the echo has in its place, None where it has nothing of the kind."""

    what: str
    value: float
    unit: str
    echo: float | None = None
    budget: Budget | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.echo if self.echo else None

    @property
    def is_over(self) -> bool:
        """Whether it is more than its budget allows; a ratio that cannot be had is."""
        if self.budget is None:
            return False
        measured = self.ratio if self.budget.of_ratio else self.value
        return measured is None or measured > self.budget.most

    def columns(self) -> tuple[str, ...]:
        return (
            self.what,
            _number(self.value, self.unit),
            "" if self.echo is None else _number(self.echo, self.unit),
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "" if self.budget is None else self.budget.words(self.unit),
            "" if self.budget is None else ("OVER" if self.is_over else "ok"),
        )


HEAD = ("measure", "bridge", "echo", "ratio", "budget", "")


def table(rows: Iterable[Row]) -> str:
    """All rows under one head, numbers to the right."""
    lines = [HEAD, *(row.columns() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(cells, widths) for cells in lines)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [f"{cell:>{width}}" for cell, width in others]
    return "  ".join([f"{first[0]:<{first[1]}}", *padded]).rstrip()


def _number(value: float, unit: str) -> str:
    """Three significant figures, no exponent."""
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:.{decimals}f} {unit}".rstrip()


def median(values: Iterable[float]) -> float:
    return quantile(values, 0.5)


def quantile(values: Iterable[float], share: float) -> float:
    """The value that this share of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]
