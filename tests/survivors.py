"""Mutants that the quick tests do not notice, and why they do not matter: see tests/mutants.py."""

from __future__ import annotations

import re

SPEED = "only faster: what is taken from before is the same. tests/unit/test_cost.py counts calls"
WORDS = "a word of a message"
AT_IMPORT = "runs only at import, before mutmut changes it"

ARGUED: dict[str, str] = {
    """\
- last = before.situation
+ last = None""": SPEED,
    """\
- latches = _all_updated(built, before.latches, changed)
+ latches = _all_updated(built, before.latches, None)""": SPEED,
    """\
- if changed is None or last is None:
+ if changed is None or last is not None:""": SPEED,
    """\
- known = None if earlier is None else earlier.measurements
+ known = None""": SPEED,
    """\
- or known is None
- or earlier.config is not config
+ or known is None and earlier.config is not config""": SPEED,
    """\
- for limit, a, b in zip(LIMIT_NAMES, one, other, strict=True):
+ for limit, a, b in zip(LIMIT_NAMES, one, other, strict=False):""": "all have three members",
    """\
- (spec.name, getattr(ceiling, spec.name, float("inf"))),
+ (spec.name, getattr(ceiling, spec.name, float("INF"))),""": "the same number",
    """\
- return next(filter(None, (_above(name, limit, spec, value) for name, limit in both)), "")
+ return next(filter(None, (_above(name, limit, spec, value) for name, limit in both)), None)""": (
        "the caller only asks whether there are words"
    ),
    """\
- return bool(value < in_file)
+ return bool(value <= in_file)""": "the caller has already let pass what is equal",
    """\
- fall = ((s.balancing_voltage or 0) - (s.float_voltage or s.charge_voltage)) * config.cells
+ fall = ((s.balancing_voltage or 1) - (s.float_voltage or s.charge_voltage)) * config.cells""": (
        "drawn only where a balancing voltage is set"
    ),
    """\
- if abs(size) < limits.jump:
+ if abs(size) <= limits.jump:""": "limits.jump is a little less than the jump, so never equal",
    """\
- full = f"counted as full: {words}" if highest >= 100 - SPARE else ""
+ full = f"counted as full: {words}" if highest > 100 - SPARE else ""\
""": "a sum of charges that is exactly this number",
    """\
- return Stage.LOST if age > life.lost else Stage.STALE, max(0.0, age), life
+ return Stage.LOST if age > life.lost else Stage.STALE, max(1.0, age), life""": (
        "the age of a value that is stale already; it is only shown"
    ),
    """\
- latch = Latch(f"{limit} blocked", None, update)
+ latch = Latch(f"{limit} blocked", update)""": AT_IMPORT,
    """\
- return Cap(level, "waiting for the first measurements")
+ return Cap(level, None)""": WORDS,
    """\
- shown = "unknown" if voltage is None else f"at {voltage:.2f} V"
+ shown = "XXunknownXX" if voltage is None else f"at {voltage:.2f} V\"""": WORDS,
    """\
- shown = text if len(text) <= 40 else text[:37] + "…"
+ shown = text if len(text) <= 40 else text[:37] + "XX…XX\"""": WORDS,
    """\
- return ""
+ return "XXXX\"""": WORDS,
    """\
- return f"{self.low:g} to {self.high:g} {self.quantity.unit}".rstrip()
+ return f"{self.low:g} to {self.high:g} {self.quantity.unit}".lstrip()""": WORDS,
}
"""The changed lines, as `./run mutants` prints them, and the argument."""

_SENTENCE = re.compile(r"""f?"[^"]* [^"]*"|f?'[^']* [^']*'""")
_ONLY_WORDS = ("raise Refused(", "raise Unreadable(")


def only_words(change: str) -> bool:
    """Whether a change touches only a message: a text in quotes with a space, or a refusal's.

    A text without a space may be a name, so a change of it counts.
    """
    before = [line[2:] for line in change.splitlines() if line.startswith("- ")]
    after = [line[2:] for line in change.splitlines() if line.startswith("+ ")]
    return len(before) == len(after) and all(map(_same_but_for_words, before, after))


def _same_but_for_words(before: str, after: str) -> bool:
    if before.startswith(_ONLY_WORDS) and after.startswith(_ONLY_WORDS):
        return True
    return _SENTENCE.sub('""', before) == _SENTENCE.sub('""', after)
