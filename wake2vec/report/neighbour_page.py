"""The neighbour map in a report: a table that a reader searches, sorts and pages through.

`neighbour_map_table` is its first page, as any other table: all there is without JavaScript and in print. `packed` is
the whole of it as JSON, column by column; `with_map` puts that JSON and report/theme/neighbours.js, which takes over
the table, at the end of a finished page. So the words never pass through a renderer; what an HTML parser could mistake
for markup is written as \\u escapes, and the script shows text as text (`textContent`) only.

A report should go by mail. The strictest common limit is 10 MB a message, which is 7.5 MB of files in base64; figures
and text take some of it, so the words get at most LIMIT bytes. Where they are more, the most frequent in training are
shown and the report says where the others are.

    columns     [{"title", "kind", "values"}], a value a word. Kinds: "text"; "number"; "cosine" (null where there is
                none); "neighbours", which has instead k, base and new: a list of positions in `strings` and one of
                cosines in hundredths, k of each a word, with position -1 where there are fewer
    strings     base tokens and words that are somebody's neighbours
    per_page    rows of a page
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wake2vec.report.geometry_tables import AFTER, LABELS, NOTHING_MEASURED
from wake2vec.report.markdown import (
    NO_BREAK,
    NOTHING,
    Markdown,
    count,
    escape,
    interval,
    number,
    percent,
    table,
    visible,
)
from wake2vec.storage import read_text

LIMIT = 5_000_000  # bytes of JSON in a page
PER_PAGE = 50
DATA, SCRIPT = "neighbour_map.json", "neighbours.js"
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}

Values = Mapping[str, Any]


# For everyone: Markdown ----------------------------------------------------------------------------------------------


def neighbour_map_tables(values: Values, model: str) -> dict[str, str]:
    """What the tables have of the map: its first page, the paragraph above it, and the controls."""
    return {
        "neighbour_map": neighbour_map_table(values),
        "neighbour_map_text": neighbour_map_text(values, model),
        "neighbour_controls": neighbour_controls_table(values),
    }


def neighbour_map_table(values: Values) -> str:
    """The words most frequent in training with all that the map knows of them; the table's first page."""
    if not values.get("words"):
        return NOTHING_MEASURED
    header, align = zip(*((column["title"], column["align"]) for column in columns(values)), strict=True)
    rows = [[column["cell"](word) for column in columns(values)] for word in values["words"][:PER_PAGE]]
    return table(header, rows, "".join(align))


def neighbour_map_text(values: Values, model: str, limit: int = LIMIT) -> str:
    """What follows from the controls, and what the table shows of which words: two paragraphs."""
    if not values.get("words"):
        return NOTHING_MEASURED
    return f"{escape(_nearer(values))}\n\n{escape(_held(values, model, limit))}\n"


def _nearer(values: Values) -> str:
    """How many words lie nearer to their neighbours than vectors that are no words, at the first phase and the last."""
    shares = {phase: [kinds[kind]["above"] for kind in ("base", "new")] for phase, kinds in values["controls"].items()}
    shares = {phase: both for phase, both in shares.items() if None not in both}
    if not shares:
        return "There are too few words to compare them with anything."
    first, *others = shares
    near, among = (percent(share, 0) for share in shares[first])
    said = (
        f"Of the words {near} lie nearer to a base token than 97.5% of the vectors with their mean and covariance do, "
        f"and {among} nearer to another word ({LABELS[first]})"
    )
    for last in others[-1:]:
        near, among = (percent(share, 0) for share in shares[last])
        said += f"; {AFTER[last]} {near} and {among}"
    return f"{said}. Rows without a structure of their own would give about 2.5%."


def _held(values: Values, model: str, limit: int) -> str:
    total, held = len(values["words"]), shown(values, limit)
    path = f"results/{model}/neighbour_map.json"
    if held < total:
        which = (
            f"The table holds the {count(held)} words most frequent in training of the {count(total)} that got a row, "
            f"as many as {limit / 10**6:g} MB have room for; all of them are in {path}."
        )
    else:
        which = f"The table holds all {count(total)} words that got a row; {path} has them for other programs."
    if total > PER_PAGE:
        which += f" Without JavaScript it is the {PER_PAGE} most frequent in training."
    return which


def neighbour_controls_table(values: Values) -> str:
    """How near the nearest neighbours are beside what vectors that are no words have."""
    rows = []
    for phase, kinds in (values.get("controls") or {}).items():
        for kind, label in (("base", "base tokens"), ("new", "words of the other half")):
            control = kinds[kind]
            beside = [_band(control[name]) for name in ("random_direction", "same_covariance")]
            rows.append([AFTER[phase], label, number(control["mean"], 2), *beside, percent(control["above"], 0)])
    header = ["Rows", "Nearest of", "Words", "Random directions", "Same mean and covariance", "Words above"]
    return table(header, rows, "llrrrr") if rows else NOTHING_MEASURED


def _band(null: Values) -> str:
    return f"{number(null['mean'], 2)} {interval([null['low'], null['high']], 2)}".strip()


def columns(values: Values) -> list[dict[str, Any]]:
    """The table's columns: title, alignment, kind for the script, a word's value, and its cell in Markdown."""

    def text(title: str, of: Any) -> dict[str, Any]:
        return {"title": title, "align": "l", "kind": "text", "value": of, "cell": of}

    def figure(title: str, of: Any) -> dict[str, Any]:
        return {"title": title, "align": "r", "kind": "number", "value": of, "cell": lambda word: count(of(word))}

    def cosine(phase: str) -> dict[str, Any]:
        def of(word: Values) -> float | None:
            drift = word["phases"][phase].get("drift")
            return None if drift is None else round(drift, 3)

        title = f"Drift,{NO_BREAK}{LABELS[phase]}"
        return {"title": title, "align": "r", "kind": "cosine", "value": of, "cell": lambda word: number(of(word))}

    def near(phase: str) -> dict[str, Any]:
        of = {"value": lambda word: word["phases"][phase], "cell": lambda word: _near(word["phases"][phase])}
        return {"title": f"Nearest, {AFTER[phase]}", "align": "l", "kind": "neighbours", **of}

    first, *later = values["phases"]
    made = [text("Word", lambda word: word["word"]), text("Parts", lambda word: _joined(word["parts"]))]
    if "gold" in values["words"][0]:
        made.append(text("True parts", lambda word: _joined(word["gold"])))
    made += [figure("Seen", lambda word: word["count_train"]), figure("Held out", lambda word: word["count_valid"])]
    return [*made, *map(cosine, later), *map(near, [first, *later])]


def _joined(parts: Sequence[str] | None) -> str:
    return " + ".join(parts or ()) or NOTHING


def _near(found: Values) -> Markdown:
    """Base tokens, and on a line of their own the other words: as the script writes them."""
    base, new = (
        f"{NO_BREAK}· ".join(f"{name}{NO_BREAK}{number(_hundredths(cosine) / 100, 2)}" for name, cosine in near)
        for near in (found["base"], found["new"])
    )
    return Markdown(f"{escape(base or NOTHING)} [{escape(new or NOTHING)}]{{.words}}")


def _hundredths(cosine: float) -> int:
    return round(100 * cosine)


# For the script: JSON ------------------------------------------------------------------------------------------------


def shown(values: Values, limit: int = LIMIT) -> int:
    """How many words a page of at most `limit` bytes holds."""
    return _fitting(values, limit)[1]


def packed(values: Values, limit: int = LIMIT) -> str:
    """The map for the page, at most `limit` bytes of JSON; "null" for a run whose words got no rows."""
    return _fitting(values, limit)[0]


def _fitting(values: Values, limit: int) -> tuple[str, int]:
    words = values.get("words") or []
    while words:
        text = script_text(_columns_of(values, words))
        size = len(text.encode("utf-8"))
        if size <= limit:
            return text, len(words)
        words = words[: int(len(words) * min(0.99, 0.98 * limit / size))]
    return "null", 0


def script_text(data: Any) -> str:
    """JSON that may stand in an HTML <script>: nothing in it can be read as markup, or as the end of a line."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)


def _columns_of(values: Values, words: Sequence[Values]) -> dict[str, Any]:
    strings: dict[str, int] = {}
    made = []
    for column in columns(values):
        found = [column["value"](word) for word in words]
        about = {name: column[name] for name in ("title", "kind")}
        if column["kind"] == "neighbours":
            pairs = {kind: _pairs(found, kind, values["k"], strings) for kind in ("base", "new")}
            made.append(about | {"k": values["k"], **pairs})
        else:
            made.append(about | {"values": [visible(v) if isinstance(v, str) else v for v in found]})
    return {"columns": made, "strings": list(strings), "per_page": PER_PAGE}


def _pairs(found: Sequence[Values], kind: str, k: int, strings: dict[str, int]) -> list[list[int]]:
    """Positions in `strings` (which grows) and cosines in hundredths, k of each a word."""
    names, cosines = [], []
    for near in found:
        names += [strings.setdefault(visible(name), len(strings)) for name, _ in near[kind]]
        cosines += [_hundredths(cosine) for _, cosine in near[kind]]
        names += [-1] * (k - len(near[kind]))
        cosines += [0] * (k - len(near[kind]))
    return [names, cosines]


# In the page ---------------------------------------------------------------------------------------------------------


def has_map(tables: Path) -> bool:
    """Whether the table step found words to show."""
    return (tables / DATA).is_file() and read_text(tables / DATA) != "null"


def with_map(html: str, tables: Path, theme: Path) -> str:
    """The page with the map and its script before the end of the body; as it was where there is no map."""
    if not has_map(tables):
        return html
    above, end, below = html.rpartition("</body>")
    data = f'<script type="application/json" id="neighbour-map">{read_text(tables / DATA)}</script>'
    return f"{above}{data}\n<script>\n{read_text(theme / SCRIPT)}</script>\n{end}{below}"
