"""The laws of the last word on the limits hold for all inputs, and every line of it is needed."""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.core.limiter import ceiling as code

z3 = pytest.importorskip("z3", reason="z3-solver is missing: ./run setup installs it")
import ceiling_proof as proof  # noqa: E402

SOURCE = Path(code.__file__).read_text(encoding="utf-8")
MODULE = ast.parse(SOURCE)


@pytest.mark.promise("ceilings")
def test_every_law_is_proven() -> None:
    for law, claim in proof.laws(proof.results(MODULE)):
        assert proof.counterexample(claim) is None, law


# --- by examples, which also see the words --------------------------------------------------------

CEILING: Any = SimpleNamespace(
    charge_current=200.0, discharge_current=250.0, cell_voltage=3.65, min_cell_voltage=2.5,
    dead_cell=2.0, charge_temperature=(0.0, 55.0), discharge_temperature=(-20.0, 60.0),
    silence=300.0, failsafe=SimpleNamespace(charge_current=20.0, discharge_current=30.0),
)  # fmt: skip
CALM = {"highest": 3.3, "lowest": 3.2, "voltage": 52.0, "coldest": 20.0, "hottest": 25.0,
        "voltage_age": 1.0}  # fmt: skip
UNKNOWN: dict[str, float | None] = dict.fromkeys(CALM)
USUAL = "the ceiling of the configuration"
NAN = math.nan

CHARGE = [
    (CALM, 200, USUAL),
    ({**UNKNOWN, "voltage_age": 300.0}, 200, USUAL),
    ({**UNKNOWN, "voltage_age": 300.1}, 20, "no voltage within ceiling.silence"),
    ({**CALM, "voltage_age": NAN}, 20, "no voltage within ceiling.silence"),
    ({**CALM, "highest": 3.6499}, 200, USUAL),
    ({**CALM, "highest": 3.65}, 0, "a cell is at ceiling.cell_voltage"),
    ({**CALM, "highest": NAN}, 0, "a cell is at ceiling.cell_voltage"),
    ({**CALM, "voltage": 58.4}, 0, "the pack voltage is at ceiling.cell_voltage times the cells"),
    ({**CALM, "voltage": 58.39}, 200, USUAL),
    (
        {**CALM, "lowest": 2.0},
        0,
        "a cell is at ceiling.dead_cell, it must not be charged without inspection",
    ),
    ({**CALM, "lowest": 2.01}, 200, USUAL),
    ({**CALM, "voltage": 32.0}, 0, "the pack voltage is at ceiling.dead_cell times the cells"),
    ({**CALM, "voltage": 32.1}, 200, USUAL),
    ({**CALM, "coldest": 0.0, "hottest": 55.0}, 200, USUAL),
    ({**CALM, "coldest": -0.1}, 0, "colder than ceiling.charge_temperature"),
    ({**CALM, "hottest": 55.1}, 0, "hotter than ceiling.charge_temperature"),
]
DISCHARGE = [
    (CALM, 250, USUAL),
    ({**UNKNOWN, "voltage_age": math.inf}, 250, USUAL),
    ({**CALM, "lowest": 2.51}, 250, USUAL),
    ({**CALM, "lowest": 2.5}, 0, "a cell is at ceiling.min_cell_voltage"),
    ({**CALM, "lowest": NAN}, 0, "a cell is at ceiling.min_cell_voltage"),
    (
        {**CALM, "voltage": 40.0},
        0,
        "the pack voltage is at ceiling.min_cell_voltage times the cells",
    ),
    ({**CALM, "voltage": 40.1}, 250, USUAL),
    ({**CALM, "coldest": -20.0, "hottest": 60.0}, 250, USUAL),
    ({**CALM, "coldest": -20.1}, 0, "colder than ceiling.discharge_temperature"),
    ({**CALM, "hottest": 60.1}, 0, "hotter than ceiling.discharge_temperature"),
]
LIMITS = [(50, 60, 50), (70, 60, 60), (60, 60, 60), (-1, 60, 0), (NAN, 60, 0), (math.inf, 60, 60)]


def check_examples(module: Any) -> None:
    for seen, highest, words in CHARGE:
        assert module.highest_charge_current(module.Seen(**seen), CEILING, 16) == (highest, words)
    for seen, highest, words in DISCHARGE:
        found = module.highest_discharge_current(module.Seen(**seen), CEILING, 16)
        assert found == (highest, words)
    careless = copy.deepcopy(CEILING)
    careless.failsafe.charge_current = 900.0
    blind = module.Seen(**{**UNKNOWN, "voltage_age": math.inf})
    assert module.highest_charge_current(blind, careless, 16)[0] == 200
    assert module.highest_charge_voltage(CEILING, 16) == (3.65 * 16, USUAL)
    for limit, highest, lower in LIMITS:
        assert module.lower(limit, highest) == lower


def test_examples() -> None:
    check_examples(code)


# --- no part of it can be broken unnoticed --------------------------------------------------------

OTHER_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt, ast.LtE),
    ast.IsNot: (ast.Is,),
    ast.Is: (ast.IsNot,),
}
OTHER_NAMES = {
    "highest": ("lowest",), "lowest": ("highest",), "coldest": ("hottest",),
    "hottest": ("coldest",), "voltage": ("highest", "lowest"),
    "cell_voltage": ("min_cell_voltage", "dead_cell"),
    "dead_cell": ("min_cell_voltage", "cell_voltage"),
    "min_cell_voltage": ("dead_cell", "cell_voltage"),
    "charge_temperature": ("discharge_temperature",),
    "discharge_temperature": ("charge_temperature",),
    "charge_current": ("discharge_current",), "discharge_current": ("charge_current",),
    "silence": ("cell_voltage",),
}  # fmt: skip


def mutants() -> Iterator[tuple[str, ast.Module]]:
    """Every version of the code in which one small thing is wrong, with words for it."""
    for function in (f for f in MODULE.body if isinstance(f, ast.FunctionDef)):
        for node in ast.walk(function):
            for words, change in _changes(node):
                if node is function.body[0]:
                    continue  # the docstring
                line = getattr(node, "lineno", function.lineno)
                yield f"{function.name}:{line} {words}", _mutated(node, change)


_ALWAYS, _NEVER = (ast.parse(words, mode="eval").body for words in ("2.0 > 1.0", "1.0 > 2.0"))
Change = Callable[[Any], None]


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """What can be wrong about one node of the syntax tree."""
    if isinstance(node, ast.Compare):
        for other in OTHER_COMPARISONS[type(node.ops[0])]:
            yield other.__name__, lambda n, other=other: n.ops.__setitem__(0, other())
    if isinstance(node, ast.BoolOp):
        yield "or for and", lambda n: setattr(n, "op", ast.Or())
        for at in range(len(node.values)):
            yield f"without condition {at}", lambda n, at=at: n.values.__setitem__(at, _ALWAYS)
    if isinstance(node, ast.UnaryOp):
        yield "without not", _without_not
    if isinstance(node, ast.Attribute):
        for name in OTHER_NAMES.get(node.attr, ()):
            yield f"{name} for {node.attr}", lambda n, name=name: setattr(n, "attr", name)
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield "1 for 0", lambda n: setattr(n, "value", 1.0)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield "other words", lambda n: setattr(n, "value", "?")
    if isinstance(node, ast.If):
        yield "never", lambda n: setattr(n, "test", _NEVER)
        yield "always", lambda n: setattr(n, "test", _ALWAYS)
    if isinstance(node, ast.BinOp):
        yield "plus", lambda n: setattr(n, "op", ast.Add())
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store):
        yield "swapped", lambda n: n.elts.reverse()
    if isinstance(node, ast.Call):
        yield "swapped", lambda n: n.args.reverse()
        yield "the first alone", lambda n: n.args.__setitem__(1, n.args[0])
        yield "the second alone", lambda n: n.args.__setitem__(0, n.args[1])


def _without_not(node: ast.UnaryOp) -> None:
    """`not x` becomes `not not x`."""
    node.operand = ast.UnaryOp(ast.Not(), node.operand)


def _mutated(node: ast.AST, change: Change) -> ast.Module:
    node._is_here = True  # type: ignore[attr-defined]
    module = copy.deepcopy(MODULE)
    del node._is_here  # type: ignore[attr-defined]
    change(next(one for one in ast.walk(module) if hasattr(one, "_is_here")))
    return ast.fix_missing_locations(module)


def passes_the_examples(module: ast.Module) -> bool:
    names: dict[str, Any] = {"__name__": "mutant"}
    exec(compile(module, "mutant", "exec"), names)
    try:
        check_examples(SimpleNamespace(**names))
    except (AssertionError, TypeError):
        return False
    return True


MUTANTS = list(mutants())


def test_there_are_many_mutants() -> None:
    assert len(MUTANTS) > 150
    assert passes_the_examples(MODULE)


def test_no_mutant_is_left() -> None:
    """Each is noticed by an example or by the proof, or is the same function in other words."""
    left = [
        words
        for words, module in MUTANTS
        if passes_the_examples(module)
        and proof.is_proven(module)
        and not proof.are_equal(MODULE, module)
    ]
    assert left == []


@pytest.mark.slow
def test_every_mutant_breaks_the_proof() -> None:
    """The proof alone. It does not see the words of a reason, and knows no sums."""
    left = []
    for words, module in MUTANTS:
        if "other words" in words or "plus" in words:
            continue
        if proof.is_proven(module) and not proof.are_equal(MODULE, module):
            left.append(words)
    assert left == []


@pytest.mark.parametrize(
    "broken",
    [
        ("not seen.highest < ceiling.cell_voltage:", "seen.highest > ceiling.cell_voltage:"),
        ("not seen.coldest >= coldest:", "seen.coldest < coldest:"),
        ("if not limit >= 0.0:", "if limit < 0.0:"),
        ("seen.lowest is not None and not seen.lowest > ceiling.dead_cell",
         "not seen.lowest > ceiling.dead_cell"),
        ("return ceiling.discharge_current", "return ceiling.charge_current"),
    ],
)  # fmt: skip
def test_the_proof_fails_when_the_code_is_broken(broken: tuple[str, str]) -> None:
    right, wrong = broken
    assert right in SOURCE
    assert not proof.is_proven(ast.parse(SOURCE.replace(right, wrong, 1)))
