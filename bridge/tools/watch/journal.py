"""The live view for a pipe or a file: one line appended where something changed."""

from __future__ import annotations

from bridge.tools.watch.state import Limit, State
from bridge.tools.watch.view import View

QUIET_S = 10.0  # s; without any change, a line this often shows that the view still runs


class Journal:
    """What is new since it was last asked. Every line begins with the seconds since `started`."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._written_at = -QUIET_S
        self._connection = ""
        self._decision: object = None
        self._refused = 0

    def lines(self, view: View, now: float) -> list[str]:
        """The lines to append now; mostly none. now: monotonic seconds."""
        news = [*self._on_connection(view), *self._on_refusals(view), *self._on_state(view, now)]
        return [f"{now - self._started:9.1f} s  {line}" for line in news]

    def _on_connection(self, view: View) -> list[str]:
        connection = view.connection
        if view.connected and view.service:
            connection += f", the bridge is {view.service}"
        if connection == self._connection:
            return []
        self._connection = connection
        return [connection]

    def _on_refusals(self, view: View) -> list[str]:
        new = min(view.refused - self._refused, len(view.refusals))
        self._refused = view.refused
        latest_last = list(view.refusals)[:new][::-1]
        return [f"refused {r.where} = {r.value}: {r.reason}" for r in latest_last]

    def _on_state(self, view: View, now: float) -> list[str]:
        state = view.state
        if state is None:
            return []
        limits = [(limit.value, limit.reason) for limit in state.limits]
        decision = (state.stage, state.doubt, state.alarms, limits)
        if decision == self._decision and now - self._written_at < QUIET_S:
            return []
        self._decision = decision
        self._written_at = now
        return [_summary(state)]


def _summary(state: State) -> str:
    readings = (("Dc/0/Voltage", "{:.2f} V"), ("Dc/0/Current", "{:+.1f} A"), ("Soc", "{:.1f} %"))
    known = [(form, state.number(path)) for path, form in readings]
    parts = [state.stage, *(form.format(value) for form, value in known if value is not None)]
    parts += [f"doubt: {state.doubt}"] if state.doubt else []
    parts += [_limit(limit) for limit in state.limits]
    parts += [f"{name} {'alarm' if level == 2 else 'warning'}" for name, level in state.alarms]
    return "  ".join(parts)


def _limit(limit: Limit) -> str:
    if limit.value is None:
        return f"{limit.name} withdrawn ({limit.reason})"
    decimals = 2 if limit.unit == "V" else 1
    return f"{limit.name} {limit.value:.{decimals}f} {limit.unit} ({limit.reason})"
