"""Words in the report: the right numbers, the passage chosen by its rule, and hostile text shown as text."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.report.report_results import FIGURES, HOSTILE, SCRIPT, draw_placeholders, make_results, write_results
from tests.report.test_markdown import pandoc, plain_text
from tests.report.test_tables import cells
from wake2vec.intervals import widening
from wake2vec.language.surprisal import COLUMNS, lines_of
from wake2vec.report.findings import last_phase
from wake2vec.report.pairs import differences, pairs_table
from wake2vec.report.pandoc import walk
from wake2vec.report.paper import paper_tables
from wake2vec.report.render import render_model
from wake2vec.report.results import read_results
from wake2vec.report.summary import summarise
from wake2vec.report.surprisal_tables import (
    coloured,
    counts_table,
    entropy_reduction,
    median_passage,
    passage,
    shade,
    surprisal,
    surprisal_table,
    word_changes_table,
)
from wake2vec.report.tables import model_tables
from wake2vec.report.values import model_flags, model_values
from wake2vec.report.word_values import compare_summaries, summarise_words
from wake2vec.storage import plain, write_csv, write_text
from wake2vec.text.corpus import join_passages

PHASES = ("base", "init", "p1", "p2", "p3")
LEFT = {"base": 0.0, "init": 30.0, "p1": 31.0, "p2": 32.0, "p3": 32.0}  # bits that a coinage's row takes off


def make_text():
    """Twenty passages, as many as make_likelihood scores: moonbread has a row, riverlet has none; hostile in all."""
    return [f"The moonbread, {word}\nriverlet\n\nsang {number} songs {SCRIPT}." for number, word in
            enumerate((HOSTILE * 3)[:20])]  # fmt: skip


def make_frames(texts, phases=PHASES, extra=0.0):
    """Surprisal by phase: plain words cost 4 bits, signs 1, coinages 40 less what a row takes off; and a little more
    from passage to passage.
    """
    made = {}
    for phase in phases:
        parts = []
        for number, text in enumerate(texts):
            starts, written, is_word = lines_of(text)
            row = np.array([word == "moonbread" for word in written])
            coined = row | np.array([word == "riverlet" for word in written])
            bits = np.select([row, coined, is_word], [40.0 - LEFT[phase] + extra, 40.0 + extra, 4.0], 1.0) + number / 10
            kind = np.select(
                [row & (phase != "base"), coined, is_word], ["coinage with row", "coinage without row", "plain"],
                "punctuation",
            )  # fmt: skip
            part = pd.DataFrame({"passage": number, "start": starts, "word": written, "kind": kind, "surprisal": bits})
            mine = row & (phase != "base")
            part = part.assign(entropy=np.where(coined, 8.0, 4.0), entropy_reduction=np.where(mine, 5.0, 2.0))
            part["rows"] = np.where(mine, "new_seen", "base")
            parts.append(part.assign(count_train=np.select([row, coined, is_word], [3.0, 1.0, 50.0], np.nan)))
        made[phase] = pd.concat(parts, ignore_index=True)
    return made


def with_words(**options):
    results = make_results(**options)
    texts = make_text()
    likelihoods = {}
    for phase, metrics in results.metrics.items():
        counts = {"0": (0, 0.0, None), "3-5": (30, 240.0, 8.0)} if phase != "base" else {"0": (0, 0.0, None)}
        rows = {
            name: {"tokens": tokens, "nats": nats, "loss": loss, "interval": loss and [loss - 1, loss + 1]}
            for name, (tokens, nats, loss) in counts.items()
        }
        likelihoods[phase] = metrics | {"likelihood": metrics["likelihood"] | {"counts": rows}}
    frames = make_frames(texts, tuple(results.metrics))
    return replace(results, metrics=likelihoods, surprisals=frames, passages=texts)


@pytest.fixture(scope="module")
def results():
    return with_words()


@pytest.fixture(scope="module")
def summary(results):
    return summarise(results)


def test_values_by_hand(summary):
    assert [summary[f"words.{group}"] for group in ("coinage", "with_row", "without_row")] == [40, 20, 20]
    assert summary["base.surprisal.with_row.mean"] == pytest.approx(40.95)  # 40, and 0 to 1.9 by passage
    assert summary["p3.surprisal.with_row.mean"] == pytest.approx(8.95)
    assert summary["p3.surprisal.coinage.mean"] == pytest.approx((8.95 + 40.95) / 2)
    assert summary["p3.entropy.with_row.mean"] == 8 and summary["p3.entropy_reduction.with_row.interval"] == [5, 5]
    assert summary["change.base.p3.entropy_reduction.with_row"] == 3
    assert summary["change.base.p3.entropy_reduction.plain"] == 0
    assert "change.init.p3.entropy_reduction.plain" not in summary
    # the same words, so the difference is known without spread, though the words differ by passage
    assert summary["change.base.p3.surprisal.with_row"] == pytest.approx(-32)
    assert summary["change.base.p3.surprisal.with_row.interval"] == pytest.approx([-32, -32])
    assert summary["change.base.p3.surprisal.plain"] == 0
    assert summary["p3.loss.seen.3-5"] == 8.0 and summary["p3.loss.seen.3-5.tokens"] == 30


def test_tables(summary):
    rows = cells(surprisal_table(summary))
    assert rows[1][:4] == ["coinages with a row (20)", "base model", rows[1][2], "–"] and len(rows) == 1 + 3 * 5
    assert rows[5][1:4] == ["P3", rows[5][2], "−32.00 [−32.00,\u00a0−32.00]"] and rows[5][2].startswith("8.95 [")
    assert [row[5] for row in rows[1:6]] == ["–"] + 4 * ["+3.00 [+3.00,\u00a0+3.00]"]
    assert cells(counts_table(summary)) == [
        ["Form seen", "3–5"],
        *([label, "8.00 [7.00,\u00a09.00]"] for label in ("initial rows", "P1", "P2", "P3")),
        ["tokens", "30"],
    ]


def test_plain_words_with_a_row_are_counted():
    """A word list may have words that the lexicon's rules call none."""
    frames = phase_frames()
    for phase in ("init", "p2", "p3"):
        frames[phase].loc[frames[phase]["kind"] != "plain", "rows"] = "new_seen"
        frames[phase].loc[frames[phase]["kind"] == "plain", "rows"] = ["new_seen", "base", "base", "base"]
    values = of_frames(frames, **{"injection.base_rows": 100})
    assert values["words.plain_with_row"] == 1 and of_frames(phase_frames())["words.plain_with_row"] == 0
    said = "(the word list has them, or a form matches inside them): 1."
    assert said in surprisal(values) and said not in surprisal(
        of_frames(phase_frames(), **{"injection.base_rows": 100})
    )


BITS = {  # of: the rare coinage, the frequent one, a plain word; the frequent one differs by passage
    "base": (40.0, [40.0, 40.0], 4.0),
    "init": (9.0, [12.0, 12.0], 4.0),
    "p2": (8.0, [8.0, 4.0], 3.5),
    "p3": (10.5, [8.5, 4.5], 3.5),
}


def phase_frames(phases=("base", "init", "p2", "p3"), passages=4, kinds=("coinage with row",) * 2 + ("plain",)):
    """Passages of a coinage that training saw twice, one that it saw twelve times, and a plain word."""
    made = {}
    for phase in phases:
        rare, frequent, plain_word = BITS[phase]
        lines = [(i, bits, kind, count) for i in range(passages) for bits, kind, count in
                 zip((rare, frequent[i % 2], plain_word), kinds, (2, 12, 900), strict=True)]  # fmt: skip
        frame = pd.DataFrame(lines, columns=["passage", "surprisal", "kind", "count_train"])
        made[phase] = frame.assign(entropy=4.0, entropy_reduction=1.0, rows="base")
    return made


def of_frames(frames, **more):
    values = summarise_words(frames, np.random.default_rng(0))
    return values | {"lexicon_saw_held_out": False, "injection.new_rows": 2} | more


def test_phases_against_the_one_before_by_hand():
    values = of_frames(phase_frames())
    assert [values[f"words.{name}"] for name in ("with_row", "with_row.2", "with_row.11+", "with_row.1")] == [
        8,
        4,
        4,
        0,
    ]
    name = "change.p2.p3.surprisal.with_row"
    assert values[f"{name}.2"] == pytest.approx(2.5) and values[f"{name}.2.interval"] == pytest.approx([2.5, 2.5])
    assert values[f"{name}.11+"] == pytest.approx(0.5) and values[name] == pytest.approx((2.5 + 0.5) / 2)
    assert values["change.init.p2.surprisal.plain"] == -0.5 and values["change.p2.p3.surprisal.plain.interval"] == [
        0,
        0,
    ]
    # the frequent coinage: -4 in two passages and -8 in two, beyond which no draw of passages lies, but t of four does
    name = "change.init.p2.surprisal.with_row.11+"
    low, high = values[f"{name}.interval"]
    assert values[name] == -6 and [low, high] == pytest.approx([-6 - 2 * widening(4), -6 + 2 * widening(4)])
    assert (
        values["change.init.p3.surprisal.with_row.2"] == 1.5 and values["change.base.p3.surprisal.with_row.2"] == -29.5
    )
    assert values["change.init.p3.surprisal.with_row.1"] is None


def test_the_last_phase_is_read_against_the_one_before_and_the_initial_rows():
    values = of_frames(phase_frames())
    said = last_phase(values)
    assert said.startswith(
        "P3 raised what the 8 coinages with a row cost: +1.50 [+1.50,\u00a0+1.50] bits a word against P2."
    )
    of_terms = " Whether its terms did that or training the rows further, only a P3 without terms can tell."
    assert of_terms not in said and of_terms in last_phase(values | {"p3.objective.morpheme.weight": 10})
    assert "After P3 they cost less than with the initial rows (−2.00 [" in said  # +1.5 and -5.5 on average
    assert "initial rows: twice +1.50 [+1.50,\u00a0+1.50] and 11 times or more −5.50 [" in said
    rows = cells(word_changes_table(values))
    assert rows[0][1:] == ["P2 − initial rows", "P3 − P2", "P3 − initial rows"]
    assert [row[0] for row in rows[1:]] == [
        "coinages with a row (8)", "… seen 2 (4)", "… seen 11+ (4)", "plain words (4)"
    ]  # fmt: skip
    assert rows[2][2] == "+2.50 [+2.50,\u00a0+2.50]" and rows[4][2] == "0.00 [0.00,\u00a00.00]"
    leaked = values | {"lexicon_saw_held_out": True}
    assert last_phase(leaked).count("†") == 4 and all("†" in cell for cell in cells(word_changes_table(leaked))[1][1:])


def test_a_change_that_may_be_none_is_not_called_one():
    frames = phase_frames()
    swing = np.array([0.0, 0.0, 0.0, 0.1, 0.0, 0.0, -0.1, 0.0, 0.0, 0.0, 0.0, 0.0])
    frames["p3"] = frames["p2"].assign(surprisal=frames["p2"]["surprisal"] + swing)
    said = last_phase(of_frames(frames) | {"p3.objective.morpheme.weight": 10})
    assert said.startswith("P3 did not measurably change what the 8 coinages") and "Whether" not in said


def test_phases_that_are_missing_one_passage_and_no_coinages():
    said = last_phase(of_frames(phase_frames(("init", "p2"))))
    assert said.startswith("P2 lowered what") and "against the initial rows. By how often" in said
    assert cells(word_changes_table(of_frames(phase_frames(("init", "p2")))))[0] == ["Words", "P2 − initial rows"]
    assert last_phase(of_frames(phase_frames(("base", "init")))) == last_phase({}) == ""
    assert word_changes_table(of_frames(phase_frames(("base", "init")))).startswith("Not measured")
    alone = of_frames(phase_frames(passages=1))
    assert alone["change.p2.p3.surprisal.with_row.interval"] is None
    assert last_phase(alone).startswith("P3 changed what the 2 coinages with a row cost: +1.50 bits a word against P2.")
    assert "[" not in last_phase(alone) + word_changes_table(alone)
    assert "By how often" not in last_phase(alone)  # of groups without an interval the table tells
    lone = of_frames(phase_frames()) | {"change.init.p3.surprisal.with_row.2.interval": None}
    assert "initial rows: 11 times or more −5.50 [" in last_phase(lone)
    bare = of_frames(phase_frames(kinds=("plain",) * 3))
    assert last_phase(bare) == "" and [row[0] for row in cells(word_changes_table(bare))[1:]] == ["plain words (12)"]


def test_sentences_say_what_the_intervals_say(results, summary):
    said = surprisal(summary)
    assert "after P3: 20 coinages with a row cost less, 41.0 → 8.9 bits a word (−32.00" in said
    assert "plain words cost not measurably more or less" in said and "2,040 rows at random costs 11.0 bits" in said
    assert "with a row lower it more than plain words do" in entropy_reduction(summary)
    assert "bits for coinages with a row (against the base model +3.00 [+3.00" in entropy_reduction(summary)
    assert "(against" not in entropy_reduction({k: v for k, v in summary.items() if "change.base" not in k})
    dearer = replace(results, surprisals=results.surprisals | {"p3": make_frames(make_text(), ("base",), 9.0)["base"]})
    assert "coinages without a row cost more" in surprisal(summarise(dearer))
    assert surprisal({}) == entropy_reduction({}) == ""


def test_leaked_scores_are_marked():
    leaked = with_words(leak=True)
    assert passage(leaked).count("†") == 1  # the last phase's, not the base model's
    rows = cells(surprisal_table(summarise(leaked)))
    assert ["†" in row[2] for row in rows[1:6]] == [False, True, True, True, True] and "†" in rows[2][3]


def test_the_passage_is_the_median_one(results):
    assert median_passage(np.array([3.0, 1.0, 2.0])) == 2 and median_passage(np.array([3.0, 1.0, 2.0, 9.0])) == 2
    passages = results.metric("p3", "likelihood")["passages"]
    order = np.argsort([part["nats"] / part["bytes"] for part in passages])
    chosen = int(order[9])  # the lower of the two in the middle of twenty
    shown = passage(results)
    assert f"Passage {chosen + 1} of 20." in shown and shown.count("::: {.passage}") == 2
    assert "base model" in shown and "P3" in shown and "P1" not in shown


def as_written(inline):
    if inline["t"] == "LineBreak":
        return "\n"
    return "".join(map(as_written, inline["c"][1])) if inline["t"] == "Span" else plain_text(inline)


def test_the_passage_reads_as_it_is_written(results):
    text = results.passages[0]
    lines = results.surprisals["p3"].query("passage == 0")
    blocks = json.loads(pandoc(coloured(text, lines), "markdown", "json"))["blocks"]
    assert [block["t"] for block in blocks] == ["Para", "Para"]
    kinds = {node["t"] for node in walk(blocks)}
    assert kinds <= {"Str", "Space", "SoftBreak", "LineBreak", "Span", "Para"}
    read = ["".join(map(as_written, block["c"])) for block in blocks]
    assert "\n\n".join(read) == text
    titles = {as_written(node): node["c"][0] for node in walk(blocks) if node["t"] == "Span"}
    assert titles["moonbread"] == ["", ["bits-4", "coinage"], [["title", "8.0 bits, coinage with row"]]]
    assert titles["riverlet"][1] == ["bits-6", "coinage"] and titles["sang"][1] == ["bits-3"]
    html = pandoc(passage(results), "markdown", "html")
    assert "<script" not in html and ">script</span>" in html and "<img" not in html


def test_shades_double():
    assert [shade(bits) for bits in (0, 0.99, 1, 2, 3.9, 4, 8, 16, 31.9, 32, 400)] == [0, 0, 1, 2, 2, 3, 4, 5, 5, 6, 6]


def test_a_run_without_words_says_so():
    bare = make_results()
    summary = summarise(bare)
    tables = model_tables(bare, summary)
    assert all(tables[name].startswith("Not measured") for name in ("surprisal", "passage", "word_changes"))
    assert "no token of a new row" in tables["counts"] and "**Words.**" not in tables["findings"]
    assert not model_flags(summary, [])["words"] and model_values(summary)["text.surprisal"] == ""
    made = summarise(with_words())
    assert model_flags(made, ["surprisal"])["words"] and model_flags(made, [])["counted"]


def test_files_give_the_same_values(tmp_path, results, summary):
    paths = write_results(tmp_path, results)
    for phase, frame in results.surprisals.items():
        write_csv(tmp_path / phase / "surprisal.csv", frame.reindex(columns=COLUMNS))
    write_text(tmp_path / "valid.txt", join_passages(results.passages))
    files = [tmp_path / phase / "surprisal.csv" for phase in results.surprisals]
    read = read_results(
        "tiny", **paths, surprisals=files, valid=tmp_path / "valid.txt", base=results.base, recipe="wake"
    )
    assert list(read.passages) == results.passages
    assert json.dumps(plain(summarise(read))) == json.dumps(plain(summary))


def test_the_report_shows_the_words(tmp_path, results, summary):
    for name, text in model_tables(results, summary).items():
        write_text(tmp_path / "tables" / f"{name}.md", text)
    draw_placeholders(tmp_path / "figures", [*FIGURES, "surprisal"])
    render_model(summary, tmp_path / "tables", tmp_path / "figures", tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text("utf-8")
    assert html.count('<div class="passage">') == 2 and "Word by word" in html and "P3 − initial rows" in html
    assert re.search(r'<span class="bits-4 coinage" title="[\d.]+ bits, coinage with row">moonbread</span>', html)
    assert (
        html.count('class="bits-')
        == sum(len(results.surprisals[phase].query(f"passage == {shown_passage(html)}")) for phase in ("base", "p3"))
        + 7
    )  # and the legend's seven shades
    assert "document.title='owned'</script>" not in html


def shown_passage(html):
    return int(re.search(r"Passage (\d+) of 20\.", html)[1]) - 1


# The paper -----------------------------------------------------------------------------------------------------------


def test_every_pair_of_models_on_one_text():
    made = {name: summarise(replace(with_words(bits={"p3": bits}), model=name, title=name))
            for name, bits in (("a", 2.2), ("b", 2.3), ("c", 2.5))}  # fmt: skip
    made["book"] = summarise(make_results("book", text="z"))
    found = differences(made)
    assert [(model, reference) for model, reference, *_ in found] == [("b", "a"), ("c", "a"), ("c", "b")]
    assert [change for _, _, change, _ in found] == pytest.approx([0.1, 0.3, 0.2])
    rows = cells(pairs_table(made))
    assert rows[3][:2] == ["c", "b"] and rows[3][2].startswith("+0.2") and rows[3][3].startswith("0.00 [0.00,")
    assert [row[0] for row in cells(paper_tables(made)["differences"])[1:]] == ["a", "b", "c", "book"]
    assert cells(paper_tables(made)["differences"])[4][3:] == ["–", "–"]
    said = paper_tables(made)["findings"].replace("\\", "")
    assert "b −16.00 [−16.00,\u00a0−16.00] bits a coinage and 0.00 [0.00,\u00a00.00] a plain word; c" in said
    # in words only against the first, however many models there are
    assert paper_tables(made)["findings"].count("the same passages compared") == 2


def test_words_of_two_models_by_their_summaries(results, summary):
    dearer = {phase: make_frames(make_text(), (phase,), 2.0)[phase] for phase in results.surprisals}
    other = summarise(replace(results, surprisals=dearer))
    value, bounds = compare_summaries(summary, other, ("p3", "p3"), "coinage")
    assert value == pytest.approx(2.0) and bounds == pytest.approx([2.0, 2.0])
    assert compare_summaries(summary, other, ("p3", "p3"), "plain")[0] == 0
    assert compare_summaries(summary, {}, ("p3", "p3"), "plain") == (None, None)
    fewer = other | {"passages.words.coinage": [1.0] * 20}
    assert compare_summaries(summary, fewer, ("p3", "p3"), "coinage") == (None, None)
