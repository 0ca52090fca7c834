"""The head of the live view: the battery's name, its readings, and how fresh they are."""

from __future__ import annotations

from bridge.tools.watch.state import State
from bridge.tools.watch.text import Line, Span, age, both_ends, printable
from bridge.tools.watch.view import View

STAGE_STYLES = {
    "fresh": "good",
    "aging": "warn",
    "waiting": "warn",
    "stale": "bad",
    "lost": "bad",
}
SHORT = {"temperature": "temp"}  # all five groups fit on a line of 80, the next stage included
SOON_S = 10.0  # while fresh, a next stage that is further away is not shown


def head(view: View, width: int, now: float) -> list[Line]:
    """Three lines, and one more for each of: no connection, a doubt, raised alarms."""
    state = view.state
    name = state.name if state and state.name else "Virtual battery"
    where = [view.ident]
    if state is not None and state.instance is not None:
        where.append(f"instance {state.instance}")
    title = [Span(" "), Span(name, "title"), Span("  " + ", ".join(where), "dim")]
    lines = [both_ends(title, _link(view), width)]
    if not view.connected:
        lines.append([Span(f" {view.connection}", "bad")])
    if state is not None:
        lines += [_readings(state, width), _freshness(view, state, now)]
    if state is not None and state.doubt:
        lines.append([Span(f" doubt: {state.doubt}", "warn")])
    if state is not None and state.alarms:
        lines.append(_alarms(state))
    return lines


def _link(view: View) -> Line:
    if not view.connected:
        return []
    if view.service == "offline":
        return [Span("the bridge is offline ", "bad")]
    return [Span(view.connection + " ", "dim")]


def _readings(state: State, width: int) -> Line:
    readings = (
        ("Dc/0/Voltage", "{:.2f} V"),
        ("Dc/0/Current", "{:+.1f} A"),
        ("Dc/0/Power", "{:+.0f} W"),
        ("Soc", "{:.1f} %"),
        ("Dc/0/Temperature", "{:.1f} °C"),
    )
    line: Line = []
    for path, form in readings:
        value = state.number(path)
        text = "--" + form[form.index("}") + 1 :] if value is None else form.format(value)
        line.append(Span(f" {text:<11}", "dim" if value is None else "strong"))
    mode = state.values.get("Info/ChargeMode")
    return both_ends(line, [Span(f"{printable(mode)} ")] if isinstance(mode, str) else [], width)


def _freshness(view: View, state: State, now: float) -> Line:
    """The stage, the next one when it is near, and how long each group has been silent."""
    since = view.seconds_to_add(now)
    line = [Span(f" {state.stage}", STAGE_STYLES.get(state.stage, "bad"))]
    if not view.is_in_contact:
        line = [Span(f" was {state.stage}", "bad")]
    elif state.next_stage and state.next_in is not None:
        left_s = state.next_in - since
        if state.stage != "fresh" or left_s < SOON_S:
            line.append(Span(f", {state.next_stage} in {age(left_s)}", "warn"))
    for group, seconds in state.ages:
        silent = "--" if seconds is None else age(seconds + since)
        line.append(Span(f"  {SHORT.get(group, group)} {silent}", "dim" if seconds is None else ""))
    return line


def _alarms(state: State) -> Line:
    words = {1: ("warning", "warn"), 2: ("alarm", "bad")}
    return [Span(f" {name} {words[level][0]}  ", words[level][1]) for name, level in state.alarms]


def nothing_yet(view: View) -> list[Line]:
    """What is shown until the first state message of the bridge arrives."""
    if not view.connected:
        return [[], [Span(" Waiting for the broker.")]]
    nothing = f" Nothing has come on {view.topics.state} yet. Is it running, with this name?"
    return [[], [Span(" Waiting for the bridge.")], [Span(nothing, "dim")]]
