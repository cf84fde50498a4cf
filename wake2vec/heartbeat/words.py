"""Times, ages, sizes and trends in human words, and what is said of a phase."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

UNITS = ((86400, "day", "d"), (3600, "hour", "h"), (60, "minute", "min"), (1, "second", "s"))
LOSSES = {"loss": "loss", "heldout_loss": "held-out"}
SKEW = 10.0  # seconds by which two clocks that are right may differ
FLAT = 0.002  # of its level: a change by less is none


def duration(seconds: float) -> str:
    """`40 seconds`, `14 minutes`, `1 hour 20 minutes` or `3 days 4 hours`: rounded down."""
    return " ".join(f"{n:,} {name}{'' if n == 1 else 's'}" for n, name, _ in _parts(seconds))


def short(seconds: float) -> str:
    """The same for a narrow column: `40 s`, `14 min`, `1 h 20 min`."""
    return " ".join(f"{n:,} {unit}" for n, _, unit in _parts(seconds))


def _parts(seconds: float) -> list[tuple[int, str, str]]:
    """The largest unit that fits, and, of hours and days, what remains in the next smaller one."""
    whole = max(int(seconds), 0)
    for (length, name, unit), (smaller, *names) in zip(UNITS, (*UNITS[1:], (1, "", "")), strict=True):
        if whole >= length:
            rest = whole % length // smaller if length >= 3600 else 0
            return [(whole // length, name, unit)] + ([(rest, *names)] if rest else [])
    return [(0, "second", "s")]


def ago(seconds: float | None) -> str:
    """How long ago something was that is `seconds` old: `4 minutes ago`; what lies in the future is said to."""
    if seconds is None:
        return "at an unknown time"
    if seconds < -SKEW:
        return f"{duration(-seconds)} in the future: a clock is wrong"
    return "just now" if seconds < 5 else f"{duration(seconds)} ago"


def size(number_of_bytes: float) -> str:
    """`512 bytes`, `1.4 MiB`, `12 GiB`."""
    if number_of_bytes < 1024:
        return f"{number_of_bytes:.0f} bytes"
    power = min(int(math.log(number_of_bytes, 1024)), 4)
    value = number_of_bytes / 1024**power
    return f"{value:,.1f} {'KMGT'[power - 1]}iB" if value < 10 else f"{value:,.0f} {'KMGT'[power - 1]}iB"


def number(value: float | None, decimals: int = 3) -> str:
    """A value with its decimals and thousands; a dash where there is none."""
    return "–" if value is None else f"{value:,.{decimals}f}"


def trend(points: Sequence[tuple[float, float]]) -> str | None:
    """`falling`, `flat` or `rising`: whether the line through (step, value) points goes down, nowhere or up.

    It is flat when the change from its one end to the other is within 0.2 % of the values' mean, or within two standard
    errors. None for fewer than two points.
    """
    steps, values = [p[0] for p in points], [p[1] for p in points]
    if len(points) < 2 or len(set(steps)) < 2:
        return None
    slope, start = statistics.linear_regression(steps, values)
    span, error = max(steps) - min(steps), 0.0
    if len(points) > 2:
        squares = sum((y - start - slope * x) ** 2 for x, y in points)
        spread = sum((x - statistics.fmean(steps)) ** 2 for x in steps)
        error = span * math.sqrt(squares / (len(points) - 2) / spread)
    if abs(slope * span) <= max(FLAT * abs(statistics.fmean(values)), 2 * error):
        return "flat"
    return "falling" if slope < 0 else "rising"


def several(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def printable(value: Any) -> Any:
    """The same values, no text in them with a control character: names and messages are not to be trusted."""
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable(item) for item in value]
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in value)
    return value


# What is said of a phase, on a terminal and on a page -----------------------------------------------------------------


def steps(step: float | None, of: float | None) -> str:
    """`150/400`; a dash for what is not known."""
    return f"{number(step, 0)}/{number(of, 0)}" if of is not None else number(step, 0)


def state(phase: Mapping[str, Any]) -> str:
    """In a word."""
    return "stalled" if phase["stalled"] else phase["state"] or "unknown"


def details(phase: Mapping[str, Any], now: float) -> list[tuple[str, str]]:
    """(name, what is to be said) of a phase (`vitals.phase_vitals`), in the order of urgency; only what there is."""
    said = [("stall", phase["stall"])] if phase["stall"] else []
    said += [("warning", warning) for warning in phase["warnings"]]
    if phase["going"]:
        said += [(name, tail(phase[key])) for key, name in LOSSES.items() if phase[key]["trend"]]
    said += [(tier["tier"], contents(tier, now)) for tier in phase["tiers"]]
    aside = [f"{phase[name]} {name}" for name in ("rejected", "superseded") if phase[name]]
    said += [("aside", f"checkpoints moved aside: {several(aside)}")] if aside else []
    return [*said, ("resume", phase["resume"]["why"])]


def tail(losses: Mapping[str, Any]) -> str:
    """`3.41 3.38 3.30: falling`, of the last five values; the trend may be that of more."""
    return f"{' '.join(number(value) for _, value in losses['tail'][-5:])}: {losses['trend']}"


def contents(tier: Mapping[str, Any], now: float) -> str:
    """Checkpoints and snapshots at a place, newest first."""
    if tier["error"]:
        return "not to be seen from here"
    said = [checkpoint(found, now) for found in tier["checkpoints"]]
    if (snapshots := tier["snapshots"])["count"]:
        age = ago(None if snapshots["time"] is None else now - snapshots["time"])
        many = f"{snapshots['count']} snapshot{'' if snapshots['count'] == 1 else 's'}"
        said.append(f"{many}, the newest of step {number(snapshots['step'], 0)} ({age})")
    return "; ".join(said) or "no checkpoint"


def checkpoint(found: Mapping[str, Any], now: float) -> str:
    """`checkpoint-150 valid (4 minutes ago, 1.4 GiB)`, or why it is not."""
    if not found["valid"]:
        return f"{found['name']} not valid: {found['fault']}"
    age = ago(None if found["time"] is None else now - found["time"])
    return f"{found['name']} valid ({age}, {size(found['bytes'])})"
