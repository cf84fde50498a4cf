"""Loss curves as inline SVG: small, readable on a phone, in colours that colour-blind readers can tell apart."""

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 360, 216  # user units; text of 12 is 12 pixels on the narrowest screen
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 8, 38
POINTS = 300  # more cannot be seen
STYLES = {"loss": "training", "heldout_loss": "held-out"}
Points = Sequence[tuple[float, float]]


def chart(curves: Mapping[str, Points], steps: float | None = None) -> str:
    """An <svg> of training and held-out loss by step; an empty string where nothing was logged.

    curves: "loss" and "heldout_loss", each (step, nats per token). steps: the last step of the plan, the axis's end.
    It is made of numbers and our own words alone, so there is nothing to escape.
    """
    curves = {key: thinned(curves.get(key, ())) for key in STYLES}
    points = [point for line in curves.values() for point in line]
    if not points:
        return ""
    xs, ys = ticks(0, max(steps or 0, *(x for x, _ in points), 1)), ticks(*bounds([y for _, y in points]))
    right, low, high = max(steps or 0, *(x for x, _ in points), 1), ys[0], ys[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / right
        return across, TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)

    said = ", ".join(
        f"{STYLES[key]} loss {line[-1][1]:.3f} at step {line[-1][0]:,g}" for key, line in curves.items() if line
    )
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Loss by step: {said}">']
    for y in ys:
        _, v = at(0, y)
        parts.append(f'<path class="grid" d="M{LEFT} {v:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{v + 4:.1f}" text-anchor="end">{_label(y, ys)}</text>')
    for x in [x for x in xs if x <= right]:
        u, _ = at(x, low)
        anchor = "end" if u > WIDTH - RIGHT - 12 else "middle"
        parts.append(f'<text x="{u:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="{anchor}">{_label(x, xs)}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 5}" text-anchor="middle">step</text>')
    turned = f'text-anchor="middle" transform="translate(11 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"'
    parts.append(f"<text {turned}>loss (nats per token)</text>")
    for key, line in curves.items():
        places = [at(*point) for point in line]
        if len(places) > 1:
            parts.append(f'<path class="{key}" d="M{"L".join(f"{u:.1f} {v:.1f}" for u, v in places)}"/>')
        if key == "heldout_loss" or len(places) == 1:
            shown = places if len(places) <= 40 else places[-1:]
            parts += [f'<circle class="{key}" cx="{u:.1f}" cy="{v:.1f}" r="2.6"/>' for u, v in shown]
    return "".join([*parts, "</svg>"])


def thinned(points: Points, most: int = POINTS) -> list[tuple[float, float]]:
    """At most so many points: neighbours become their mean. The last stays as it is."""
    if len(points) <= most:
        return list(points)
    body = points[:-1]
    size = math.ceil(len(body) / (most - 1))
    groups = [body[i : i + size] for i in range(0, len(body), size)]
    return [*((sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups), points[-1]]


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest, a little apart when they are one."""
    low, high = min(values), max(values)
    return (low, high) if high - low > 1e-9 * max(abs(low), abs(high), 1) else (low - 0.5, high + 0.5)


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers, equally far apart, from at most `low` to at least `high`; between 3 and 7 or so of them."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    gap = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / gap + 1e-9), math.ceil(high / gap - 1e-9)
    return [n * gap for n in range(first, last + 1)]


def _label(value: float, all_of_them: Sequence[float]) -> str:
    """With just the decimals that tell ticks apart; thousands as k."""
    gap = all_of_them[1] - all_of_them[0]
    if all_of_them[-1] >= 10_000:
        return f"{value / 1000:g}k" if value else "0"
    decimals = next((d for d in range(7) if abs(round(gap, d) - gap) < 1e-6 * gap), 6)
    return f"{value:,.{decimals}f}".replace("-", "−")
