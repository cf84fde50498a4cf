"""The heartbeat as text: one table with a line a phase, and below it what needs words."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from wake2vec.heartbeat import words
from wake2vec.heartbeat.vitals import attention, nothing_found

WIDE, AIRY = 96, 110  # characters: below them two columns are left out, and the gaps are narrower
ARROWS = {"falling": " ↓", "rising": " ↑", "flat": " →", None: ""}
COLOURS = {"finished": "green", "interrupted": "yellow", "stopped": "red", None: "dim"}


def picture(report: Mapping[str, Any], width: int) -> Group:
    """What `vitals.look` returns, as something that rich prints into `width` characters."""
    report = words.printable(report)
    if said := nothing_found(report):
        return Group(Text(said))
    parts: list[Any] = [_table(report["phases"], width)]
    for phase in report["phases"]:
        parts += [Text(""), Text(f"{phase['model']} {phase['phase']}", "bold"), _details(phase, report["time"])]
    faults = [Text(f"{p['place']}: {p['error']}", "yellow") for p in report["places"] if p["error"]]
    return Group(*parts, *([Text(""), *faults] if faults else []))


def show(report: Mapping[str, Any], console: Console) -> None:
    console.print(picture(report, console.width))


def _table(phases: list[Mapping[str, Any]], width: int) -> Table:
    wide = ("bits/byte", "tokens/s") if width >= WIDE else ()
    table = Table(box=None, padding=(0, 2 if width >= AIRY else 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold", min_width=8)
    for title in ("", "step", "state", "loss", "held-out", *wide, "time left"):
        table.add_column(title, justify="left" if title in ("", "state") else "right", no_wrap=True)
    for phase in phases:
        speed = words.number(phase["tokens_per_second"], 0)
        cells = [phase["model"], phase["phase"], words.steps(phase["step"], phase["steps"])]
        cells += [Text(words.state(phase), _colour(phase)), _loss(phase["loss"]), _loss(phase["heldout_loss"])]
        cells += [words.number(phase["heldout_bits_per_byte"]), speed] if wide else []
        left = phase["seconds_left"]
        cells += ["–" if left is None else words.short(left)]
        table.add_row(*[cell if isinstance(cell, Text) else Text(cell) for cell in cells])
    return table


def _colour(phase: Mapping[str, Any]) -> str:
    return "bold red" if attention(phase) else COLOURS.get(phase["state"], "cyan")


def _loss(losses: Mapping[str, Any]) -> str:
    return f"{words.number(losses['last'])}{ARROWS[losses['trend']]}"


def _details(phase: Mapping[str, Any], now: float) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(min_width=9, max_width=24, overflow="fold")
    grid.add_column(overflow="fold")
    colours = {"stall": "bold red", "warning": "yellow"}
    for name, told in words.details(phase, now):
        grid.add_row(Text(f"  {name}", colours.get(name, "dim")), Text(told, colours.get(name, "")))
    return grid
