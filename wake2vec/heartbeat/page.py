"""The heartbeat as one self-contained page: every text escaped, no script, nothing fetched; light and dark."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wake2vec.errors import UserError
from wake2vec.heartbeat import words
from wake2vec.heartbeat.curves import chart
from wake2vec.heartbeat.vitals import attention, nothing_found
from wake2vec.storage import write_text

TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
{% if every %}<meta http-equiv="refresh" content="{{ every }}">
{% endif %}<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<style>
:root { --ink: #1b1b1b; --soft: #595959; --page: #f6f6f4; --card: #fff; --edge: #d9d9d9; --train: #0072b2;
  --held: #b34700; --good: #00664b; --bad: #a30000; --warn: #7a4b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e6; --soft: #a8a8a8; --page: #161616; --card: #202020;
  --edge: #444; --train: #56b4e9; --held: #e69f00; --good: #4fd1a5; --bad: #ff8f80; --warn: #f0c674; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 78rem; background: var(--page); color: var(--ink);
  font: 1rem/1.45 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0; }
.when { color: var(--soft); margin: 0 0 1rem; }
main { display: grid; gap: 1rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 23rem), 1fr)); }
section { background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; padding: .8rem 1rem;
  min-width: 0; }
section.look { border-color: var(--bad); }
h2 { font-size: 1.1rem; margin: 0 0 .3rem; display: flex; gap: .3rem .8rem; justify-content: space-between;
  flex-wrap: wrap; }
.state { font-weight: 600; color: var(--soft); }
.going, .finished { color: var(--good); } .look .state, .stall { color: var(--bad); font-weight: 600; }
.interrupted, .warning { color: var(--warn); }
progress { display: block; width: 100%; height: .5rem; accent-color: var(--train); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr)); gap: .3rem .8rem; margin: .4rem 0; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-variant-numeric: tabular-nums; }
figure { margin: .6rem 0; } svg { display: block; width: 100%; max-width: 34rem; height: auto; }
svg text { font-size: 12px; fill: var(--soft); } .grid { stroke: var(--edge); stroke-width: 1; }
path.loss, path.heldout_loss { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
path.loss { stroke: var(--train); } path.heldout_loss { stroke: var(--held); stroke-dasharray: 5 3; }
circle.loss { fill: var(--train); } circle.heldout_loss { fill: var(--held); }
figcaption { display: flex; flex-wrap: wrap; gap: 0 1.2rem; font-size: .9rem; }
figcaption span { display: inline-flex; align-items: center; gap: .4rem; } .key { width: 28px; flex: none; }
ul { list-style: none; margin: .5rem 0 0; padding: 0; font-size: .95rem; } li { margin: .2rem 0; }
li b { font-weight: 600; }
</style>
</head>
<body>
<header>
<h1>{{ title }}</h1>
<p class="when">Looked at {{ when }}{% if every %}; this page comes anew every {{ every }} seconds{% endif %}.</p>
{% for place in places if place.error %}<p class="warning">{{ place.place }}: {{ place.error }}</p>
{% endfor %}</header>
<main>
{% if nothing %}<p>{{ nothing }}</p>
{% endif %}{% for phase in phases %}<section{% if phase.look %} class="look"{% endif %}>
<h2><span>{{ phase.model }} {{ phase.phase }}</span>
<span class="state {{ 'going' if phase.going else phase.state or '' }}">{{ phase.said }}</span></h2>
{% if phase.share is not none %}<progress max="1" value="{{ phase.share }}" aria-label="steps done"></progress>
{% endif %}<dl>
{% for name, value in phase.numbers %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
{% endfor %}</dl>
{% if phase.chart %}<figure>{{ phase.chart }}
<figcaption>{% for key, name in legend if phase.curves[key] %}<span>\
<svg class="key" viewBox="0 0 28 8" aria-hidden="true"><path class="{{ key }}" d="M0 4H28"/>\
{% if key == "heldout_loss" %}<circle class="{{ key }}" cx="14" cy="4" r="2.6"/>{% endif %}</svg>\
{{ name }}</span>{% endfor %}</figcaption></figure>
{% endif %}<ul>
{% for name, told in phase.details %}<li{% if name in ("stall", "warning") %} class="{{ name }}"{% endif %}>\
<b>{{ name }}</b>: {{ told }}</li>
{% endfor %}</ul>
</section>
{% endfor %}</main>
</body>
</html>
"""


def page(report: dict[str, Any], every: float | None = None) -> str:
    """What `vitals.look` returns as HTML. every: seconds after which the page loads itself again."""
    from jinja2 import Environment
    from markupsafe import Markup

    report = words.printable(report)
    phases = [
        phase
        | {
            "look": attention(phase),
            "said": words.state(phase),
            "share": _share(phase["step"], phase["steps"]),
            "numbers": _numbers(phase),
            "chart": Markup(chart(phase["curves"], phase["steps"])),  # of numbers alone
            "details": words.details(phase, report["time"]),
        }
        for phase in report["phases"]
    ]
    return (
        Environment(autoescape=True)
        .from_string(TEMPLATE)
        .render(
            title=_title(phases),
            when=datetime.fromtimestamp(report["time"], UTC).strftime("%d %B %Y, %H:%M:%S UTC"),
            every=max(1, round(every)) if every else None,
            places=report["places"],
            nothing=nothing_found(report),
            phases=phases,
            legend=[("loss", "training loss"), ("heldout_loss", "held-out loss")],
        )
    )


def write_page(report: dict[str, Any], path: str | Path, every: float | None = None) -> None:
    """Write the page, whole or not at all. Raises UserError where it cannot be written."""
    try:
        write_text(path, page(report, every))
    except OSError as error:
        raise UserError(f"--html: {path} cannot be written ({error.strerror or error}). Name another file.") from None


def _title(phases: list[dict[str, Any]]) -> str:
    """`wake2vec: 2 training, 1 stalled`."""
    said = [phase["said"] for phase in phases]
    return "wake2vec: " + (", ".join(f"{said.count(s)} {s}" for s in dict.fromkeys(said)) or "nothing trains")


def _share(step: float | None, steps: float | None) -> float | None:
    return None if step is None or not steps or steps < 0 else min(max(step / steps, 0.0), 1.0)


def _numbers(phase: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known, name by name."""
    left = phase["seconds_left"]
    found = [
        ("step", words.steps(phase["step"], phase["steps"]).replace("/", " of ")),
        ("time left", words.short(left) if left is not None else "–"),
    ]
    for key, name in (("loss", "loss"), ("heldout_loss", "held-out loss")):
        trend = phase[key]["trend"]
        found.append((name, words.number(phase[key]["last"]) + (f", {trend}" if trend else "")))
    found += [
        ("bits per byte", words.number(phase["heldout_bits_per_byte"])),
        ("best step", words.number(phase["best_step"], 0)),
        ("tokens/s", words.number(phase["tokens_per_second"], 0)),
        ("heard of", words.ago(phase["age"]) if phase["age"] is not None else "–"),
    ]
    return [(name, value) for name, value in found if value != "–"]
