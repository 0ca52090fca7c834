"""Proves the laws of bridge/core/limiter/ceiling.py for all inputs, by a solver (z3).

The functions are translated from their syntax tree, so what is proven is the code itself. The laws
are written here a second time, in other words than the code.

A floating point number is a real number, or NaN. The functions only compare numbers, so it does not
matter that there are more real numbers, and infinity is one that is larger than all others. A value
that may be unknown has one flag more.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import z3

PRODUCT = z3.Function("product", z3.RealSort(), z3.RealSort(), z3.RealSort())
"""Any function at all: what is proven for every one is proven for the product, rounded or not."""
WORDS = "words"  # a text: no law is about its content
LARGEST_PACK = 5 * 256  # V: more than the settings allow


@dataclass(frozen=True)
class Number:
    """A number. is_nan: it is NaN instead; is_none: it is unknown (None) instead."""

    value: Any
    is_nan: Any = False
    is_none: Any = False

    def __mul__(self, other: Number) -> Number:
        return Number(PRODUCT(self.value, other.value), z3.Or(self.is_nan, other.is_nan))


def number(name: str) -> Number:
    """A number of the configuration, which are checked."""
    return Number(z3.Real(name))


def any_float(name: str) -> Number:
    return Number(z3.Real(name), z3.Bool(f"{name} is NaN"))


def unknown_or_float(name: str) -> Number:
    return Number(z3.Real(name), z3.Bool(f"{name} is NaN"), z3.Bool(f"{name} is None"))


def constant(value: float) -> Number:
    return Number(z3.RealVal(value))


def _comparable(a: Number, b: Number) -> Any:
    return z3.Not(z3.Or(a.is_nan, b.is_nan))


def is_less(a: Number, b: Number) -> Any:
    return z3.And(_comparable(a, b), a.value < b.value)


def at_most(a: Number, b: Number) -> Any:
    return z3.And(_comparable(a, b), a.value <= b.value)


def is_equal(a: Number, b: Number) -> Any:
    return z3.And(_comparable(a, b), a.value == b.value)


COMPARE: dict[type, Callable[[Number, Number], Any]] = {
    ast.Lt: is_less,
    ast.LtE: at_most,
    ast.Gt: lambda a, b: is_less(b, a),
    ast.GtE: lambda a, b: at_most(b, a),
}


# --- what the functions are about: every input is any number, a reading may be unknown ------------

SEEN = {
    name: unknown_or_float(f"seen.{name}")
    for name in ("highest", "lowest", "voltage", "coldest", "hottest")
} | {"voltage_age": any_float("seen.voltage_age")}
CEILING: dict[str, Any] = {
    name: number(f"ceiling.{name}")
    for name in (
        "charge_current", "discharge_current", "cell_voltage", "min_cell_voltage", "dead_cell",
        "silence",
    )
} | {
    name: (number(f"{name}[0]"), number(f"{name}[1]"))
    for name in ("charge_temperature", "discharge_temperature")
} | {
    "failsafe": {
        name: number(f"ceiling.failsafe.{name}") for name in ("charge_current", "discharge_current")
    }
}  # fmt: skip
CELLS, LIMIT, ZERO = number("cells"), any_float("limit"), constant(0)


def _sound_ceilings() -> Any:
    """What the configuration file is checked for. Of the measurements nothing is taken for sure."""
    c = CEILING
    currents = [c["charge_current"], c["discharge_current"], c["failsafe"]["charge_current"]]
    return z3.And(
        *(at_most(ZERO, current) for current in currents),
        at_most(ZERO, c["cell_voltage"] * CELLS),
        at_most(c["cell_voltage"] * CELLS, constant(LARGEST_PACK)),
    )


# --- the translation ------------------------------------------------------------------------------


class Translator:
    """Turns the functions of a module into expressions of the solver.

    `crashes`: under which conditions a None would be used as a number; each must be impossible.
    """

    def __init__(self, module: ast.Module) -> None:
        self._functions = {f.name: f for f in module.body if isinstance(f, ast.FunctionDef)}
        self.crashes: list[Any] = []

    def call(self, name: str, arguments: list[Any], path: Any = True) -> Any:
        function = self._functions[name]
        names = [argument.arg for argument in function.args.args]
        return self._run(function.body, dict(zip(names, arguments, strict=True)), path)

    def _run(self, body: list[ast.stmt], names: dict[str, Any], path: Any) -> Any:
        statement, rest = body[0], body[1:]
        if isinstance(statement, ast.Return) and statement.value is not None:
            return self._value(statement.value, names, path)
        if isinstance(statement, ast.If):
            test = self._truth(statement.test, names, path)
            yes = self._run([*statement.body, *rest], dict(names), z3.And(path, test))
            no = self._run([*statement.orelse, *rest], dict(names), z3.And(path, z3.Not(test)))
            return _either(test, yes, no)
        if isinstance(statement, ast.Assign):
            self._assign(statement.targets[0], self._value(statement.value, names, path), names)
        elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            raise NotImplementedError(ast.dump(statement))
        return self._run(rest, names, path)

    def _assign(self, target: ast.expr, value: Any, names: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
            names[target.id] = value
        elif isinstance(target, ast.Tuple):
            for one, part in zip(target.elts, value, strict=True):
                self._assign(one, part, names)
        else:
            raise NotImplementedError(ast.dump(target))

    def _value(self, node: ast.expr, names: dict[str, Any], path: Any) -> Any:
        if isinstance(node, ast.Constant):
            return WORDS if isinstance(node.value, str) else constant(node.value)
        if isinstance(node, ast.Name):
            return WORDS if node.id.isupper() else names[node.id]
        if isinstance(node, ast.Attribute):
            return self._value(node.value, names, path)[node.attr]
        if isinstance(node, ast.Tuple):
            return tuple(self._value(part, names, path) for part in node.elts)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return self._known(node.left, names, path) * self._known(node.right, names, path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self.call(
                node.func.id, [self._value(part, names, path) for part in node.args], path
            )
        raise NotImplementedError(ast.dump(node))

    def _known(self, node: ast.expr, names: dict[str, Any], path: Any) -> Number:
        """A value that is used as a number, so that it must not be None here."""
        value = self._value(node, names, path)
        self.crashes.append(z3.And(path, value.is_none))
        known: Number = value
        return known

    def _truth(self, node: ast.expr, names: dict[str, Any], path: Any) -> Any:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return z3.Not(self._truth(node.operand, names, path))
        if isinstance(node, ast.BoolOp):
            is_and, truths = isinstance(node.op, ast.And), []
            for part in node.values:
                truths.append(self._truth(part, names, path))
                path = z3.And(path, truths[-1] if is_and else z3.Not(truths[-1]))
            return z3.And(*truths) if is_and else z3.Or(*truths)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            operator, right = node.ops[0], node.comparators[0]
            if isinstance(operator, (ast.Is, ast.IsNot)):
                is_none = self._value(node.left, names, path).is_none
                return is_none if isinstance(operator, ast.Is) else z3.Not(is_none)
            sides = (self._known(part, names, path) for part in (node.left, right))
            return COMPARE[type(operator)](*sides)
        raise NotImplementedError(ast.dump(node))


def _either(test: Any, yes: Any, no: Any) -> Any:
    if isinstance(yes, tuple):
        return tuple(_either(test, a, b) for a, b in zip(yes, no, strict=True))
    if yes is WORDS:
        return WORDS
    return Number(z3.If(test, yes.value, no.value), z3.If(test, yes.is_nan, no.is_nan))


# --- the laws -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Results:
    """What the functions give for all inputs at once.

    ccl, dcl, cvl: the ceilings. lower_of_…: the limit that is published.
    """

    cvl: Number
    ccl: Number
    dcl: Number
    lower_of_ccl: Number
    lower_of_dcl: Number
    lower_of_cvl: Number
    crashes: Any


def results(module: ast.Module) -> Results:
    """The functions of this module, translated."""
    code = Translator(module)
    cvl, _ = code.call("highest_charge_voltage", [CEILING, CELLS])
    ccl, _ = code.call("highest_charge_current", [SEEN, CEILING, CELLS])
    dcl, _ = code.call("highest_discharge_current", [SEEN, CEILING, CELLS])
    published = [code.call("lower", [LIMIT, one]) for one in (ccl, dcl, cvl)]
    return Results(cvl, ccl, dcl, *published, z3.Or(*code.crashes))


def _at_or_above(reading: Number, threshold: Number) -> Any:
    """Known, and not certainly below: a NaN counts as reaching it."""
    return z3.And(z3.Not(reading.is_none), z3.Or(reading.is_nan, reading.value >= threshold.value))


def _at_or_below(reading: Number, threshold: Number) -> Any:
    return z3.And(z3.Not(reading.is_none), z3.Or(reading.is_nan, reading.value <= threshold.value))


def _outside(window: tuple[Number, Number]) -> Any:
    """The coldest or the hottest place is known, and not certainly inside."""
    (low, high), cold, hot = window, SEEN["coldest"], SEEN["hottest"]
    return z3.Or(
        z3.And(z3.Not(cold.is_none), z3.Or(cold.is_nan, cold.value < low.value)),
        z3.And(z3.Not(hot.is_none), z3.Or(hot.is_nan, hot.value > high.value)),
    )


def laws(r: Results) -> Iterator[tuple[str, Any]]:
    """Each law by its name."""
    c, s = CEILING, SEEN
    full, empty, dead = c["cell_voltage"], c["min_cell_voltage"], c["dead_cell"]
    no_charge = {
        "a cell at cell_voltage": _at_or_above(s["highest"], full),
        "V / N at cell_voltage": _at_or_above(s["voltage"], full * CELLS),
        "a cell at dead_cell": _at_or_below(s["lowest"], dead),
        "V / N at dead_cell": _at_or_below(s["voltage"], dead * CELLS),
        "a place outside charge_temperature": _outside(c["charge_temperature"]),
    }
    no_discharge = {
        "a cell at min_cell_voltage": _at_or_below(s["lowest"], empty),
        "V / N at min_cell_voltage": _at_or_below(s["voltage"], empty * CELLS),
        "a place outside discharge_temperature": _outside(c["discharge_temperature"]),
    }
    age = s["voltage_age"]
    is_blind = z3.Or(age.is_nan, age.value > c["silence"].value)
    failsafe, charge, discharge = (
        c["failsafe"]["charge_current"], c["charge_current"], c["discharge_current"]
    )  # fmt: skip
    for words, danger in no_charge.items():
        yield f"CCL is 0 A with {words}", z3.Implies(danger, is_equal(r.lower_of_ccl, ZERO))
    for words, danger in no_discharge.items():
        yield f"DCL is 0 A with {words}", z3.Implies(danger, is_equal(r.lower_of_dcl, ZERO))
    yield (
        "without a voltage within silence, CCL is at most the file's failsafe",
        z3.Implies(is_blind, at_most(r.lower_of_ccl, failsafe)),
    )
    for name, published, highest in (
        ("CCL", r.lower_of_ccl, charge),
        ("DCL", r.lower_of_dcl, discharge),
        ("CVL", r.lower_of_cvl, full * CELLS),
    ):
        yield f"{name} is never above its ceiling", at_most(published, highest)
        yield f"{name} is a number, not negative", at_most(ZERO, published)
        yield (
            f"{name} is never above the limit that was decided, and 0 where that is no number",
            z3.If(at_most(ZERO, LIMIT), at_most(published, LIMIT), is_equal(published, ZERO)),
        )
    # Nor does it lower anything without one of these reasons, or every house would be dark.
    is_safe = z3.Not(z3.Or(*no_charge.values()))
    yield (
        "without a reason, CCL may reach its ceiling",
        z3.Implies(z3.And(is_safe, z3.Not(is_blind)), is_equal(r.ccl, charge)),
    )
    yield (
        "without a voltage, and no other reason, CCL may reach the file's failsafe",
        z3.Implies(
            z3.And(is_safe, is_blind), z3.Or(is_equal(r.ccl, failsafe), is_equal(r.ccl, charge))
        ),
    )
    yield (
        "without a reason, DCL may reach its ceiling",
        z3.Implies(z3.Not(z3.Or(*no_discharge.values())), is_equal(r.dcl, discharge)),
    )
    yield "the ceiling of CVL is that of all cells", is_equal(r.cvl, full * CELLS)
    yield (
        "a limit within its ceiling stays as it is",
        z3.Implies(
            z3.And(at_most(ZERO, LIMIT), at_most(LIMIT, r.ccl)), is_equal(r.lower_of_ccl, LIMIT)
        ),
    )
    yield "no unknown value is used as a number", z3.Not(r.crashes)


def counterexample(claim: Any) -> str | None:
    """Inputs for which the claim does not hold; None where it is proven for all."""
    solver = z3.Solver()
    solver.add(_sound_ceilings(), z3.Not(claim))
    answer = solver.check()
    assert answer != z3.unknown, "the solver gave up"
    return str(solver.model()) if answer == z3.sat else None


def is_proven(module: ast.Module) -> bool:
    """Whether this code keeps all laws for all inputs."""
    return counterexample(z3.And(*(claim for _, claim in laws(results(module))))) is None


def are_equal(one: ast.Module, other: ast.Module) -> bool:
    """Whether two versions of the code publish the same for all inputs."""
    a, b = results(one), results(other)
    pairs = (
        (a.cvl, b.cvl), (a.ccl, b.ccl), (a.dcl, b.dcl), (a.lower_of_cvl, b.lower_of_cvl),
        (a.lower_of_ccl, b.lower_of_ccl), (a.lower_of_dcl, b.lower_of_dcl),
    )  # fmt: skip
    return counterexample(z3.And(*(is_equal(x, y) for x, y in pairs))) is None
