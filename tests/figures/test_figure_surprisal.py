"""The figure of surprisal: it shows the means of the words, and looks right with much or little to show."""

import numpy as np
import pandas as pd
import pytest

from wake2vec.figures.surprisal import FEWEST, bins, draw_surprisal

PHASES = ("base", "init", "p1", "p2", "p3")


def frames(phases=PHASES, words=600, coined=0.2, with_rows=True, seed=0):
    """Made-up surprisal.csv by phase: coinages fall from 40 bits to 9 with a row, common words cost least."""
    rng = np.random.default_rng(seed)
    is_coinage = rng.random(words) < coined
    zipf = np.where(is_coinage, 0, rng.uniform(1, 7.5, words)).round(2)
    rank = pd.Series(np.where(zipf > 0, np.ceil(10 ** (7.5 - zipf)), np.nan))
    seen = rng.choice([0, 1, 2, 4, 8, 30], words)
    has_row = is_coinage & (seen > 1) & with_rows
    made = {}
    for place, phase in enumerate(phases):
        bits = np.where(is_coinage, np.where(has_row & (phase != "base"), 10 - place / 2, 40.0), 9 - zipf - place / 20)
        kind = np.select(
            [has_row & (phase != "base"), is_coinage], ["coinage with row", "coinage without row"], "plain"
        )
        made[phase] = pd.DataFrame(
            {"passage": np.arange(words) * 10 // words, "surprisal": bits + rng.gamma(1, 0.2, words), "kind": kind,
             "zipf_rank": pd.array(rank, "Int64"), "count_train": seen,
             "entropy_reduction": np.maximum(0, 4 - zipf / 2 - place / 10)}
        )  # fmt: skip
    return made


def heights(axes):
    return [container.lines[0].get_ydata() for container in axes.containers]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_the_marks_are_the_means_of_their_words(check, read):
    made = frames()
    rank, phase, count, entropy = check(draw_surprisal(made)).axes
    kinds = made["p3"]["kind"].to_numpy()
    coined = np.char.startswith(kinds.astype(str), "coinage")
    assert phase.get_ylim() == count.get_ylim() and {axes.get_yscale() for axes in (rank, phase, count)} == {"log"}
    assert ticks(phase.xaxis) == ["base", "init", "P1", "P2", "P3"]
    for shown, kind in zip(heights(phase), ("coinage with row", "coinage without row", "plain"), strict=True):
        np.testing.assert_allclose(shown, [frame["surprisal"][kinds == kind].mean() for frame in made.values()])
    seen = made["p3"]["count_train"]
    groups = [seen == 0, seen == 1, seen == 2, seen == 4, seen == 8, seen == 30]
    for shown, of in zip(heights(count), ("base", "init", "p3"), strict=True):
        np.testing.assert_allclose(shown, [made[of]["surprisal"][coined & group].mean() for group in groups])
    assert ticks(count.xaxis)[0] == f"0\n({(coined & (seen == 0)).sum()})" and ticks(count.xaxis)[3].startswith("3–5")
    ranks = made["p3"]["zipf_rank"]
    names = ("1–10", "11–100", "101–1k", "1k–10k", "10k–100k", "100k+")
    within = [~coined & ranks.between(10**n + (n > 0), 10 ** (n + 1)).fillna(False) for n in range(5)]
    within.append(~coined & (ranks > 100_000).fillna(False))
    assert ticks(rank.xaxis)[:6] == [f"{name}\n({lines.sum()})" for name, lines in zip(names, within, strict=True)]
    assert ticks(entropy.xaxis) == ticks(rank.xaxis) and entropy.get_yscale() == "linear"
    reduced = [made[of]["entropy_reduction"][within[4]].mean() for of in ("base", "init", "p3")]
    np.testing.assert_allclose([shown[4] for shown in heights(entropy)[::2]], reduced)
    names = read.legend(rank.get_figure())
    assert names[:3] == ["base", "initial rows", "P3"] and f"plain words ({(kinds == 'plain').sum()})" in names


@pytest.mark.parametrize(
    "options",
    [{"phases": ("base",)}, {"phases": ("base", "init", "p1")}, {"coined": 0.0}, {"with_rows": False}, {"coined": 1.0},
     {"words": 40}, {"words": 60000}],
)  # fmt: skip
def test_much_or_little_to_show(check, options):
    check(draw_surprisal(frames(**options)))


def test_nothing_to_show(check, read):
    assert "No phase was scored" in read.notes(check(draw_surprisal({})).axes[0])
    without = draw_surprisal(frames(coined=0.0))
    assert "too few coinages" in read.notes(without.axes[2])


def test_the_largest_and_the_smallest_font(check):
    check(draw_surprisal(frames(), font_size=14))
    check(draw_surprisal(frames(), width=5, font_size=7))


def test_bins_leave_out_what_is_rare_and_part_the_rest():
    values = np.array([0.0] * FEWEST + [1.0] * FEWEST + [2.0] * (FEWEST - 1) + [3.0] * FEWEST)
    edges = {"zero": (0, 0), "one": (0.01, 2), "two": (2, 3), "three": (3, 9)}
    found = bins(values, np.ones(len(values), bool), edges)
    assert list(found) == ["zero", "one", "three"] and all(mask.sum() == FEWEST for mask in found.values())
