"""Recovery, likelihood and the comparison of models."""

import numpy as np
import pytest

from wake2vec.figures.comparison import draw_comparison, held_out_texts
from wake2vec.figures.likelihood import draw_likelihood
from wake2vec.figures.recovery import draw_recovery


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_recovery_by_count_beside_chance_and_shuffled_parts(made, check, read):
    recoveries = {"init": made.recovery(0), "p1": made.recovery(1), "p3": made.recovery(2)}
    rank, top = check(draw_recovery(recoveries)).axes
    assert read.legend(rank.get_figure()) == ["initial rows", "P1", "P3", "shuffled parts", "a row by chance"]
    assert ticks(rank.xaxis)[:3] == ["1\n(420)", "2\n(150)", "3–5\n(80)"]
    lines = [container.lines[0] for container in rank.containers]
    assert lines[0].get_ydata().tolist() == [group["median_rank"] for group in recoveries["init"]["groups"]]
    assert lines[1].get_ydata().tolist() == [group["shuffled"]["median_rank"] for group in recoveries["init"]["groups"]]
    np.testing.assert_allclose(
        top.containers[4].lines[0].get_ydata(), [100 * g["top10"] for g in recoveries["p3"]["groups"]]
    )
    assert 1000.5 in [line.get_ydata()[0] for line in rank.lines]


def test_the_interval_of_a_rank_is_drawn_where_it_lies(made):
    recovery = made.recovery()
    bars = draw_recovery({"p1": recovery}).axes[0].containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [g["median_rank_interval"] for g in recovery["groups"]])


def test_recovery_without_some_or_all_groups(made, check, read):
    empty = {"count": "1", "coinages": 0, "parts": 0, "median_rank": None, "chance": {"median_rank": 1000.5}}
    some = made.recovery(classes=("2", "3-5"))
    some["groups"].insert(0, empty)
    some["groups"][1] |= {"shuffled": {"median_rank": None, "top10": None}, "median_rank_interval": None}
    assert ticks(check(draw_recovery({"p1": some})).axes[0].xaxis) == ["2\n(420)", "3–5\n(150)"]
    assert "No coinage" in read.notes(check(draw_recovery({"init": {"groups": [empty]}})).axes[0])
    check(draw_recovery({}))


def test_bits_per_byte_with_intervals_and_loss_by_class(made, check, read):
    scores = made.likelihoods()
    whole, classes = check(draw_likelihood(scores)).axes
    (errorbar,) = whole.containers
    assert errorbar.lines[0].get_ydata().tolist() == [score["bits_per_byte"] for score in scores.values()]
    bars = [bar[:, 1] for bar in errorbar.lines[2][0].get_segments()]
    np.testing.assert_allclose(bars, [score["interval"] for score in scores.values()])
    assert ticks(whole.xaxis) == ["base", "init", "P1", "P2", "P3"]
    assert read.legend(whole.get_figure()) == [
        "base tokens (21,034)",
        "new, seen in training (812)",
        "new, never seen (96)",
    ]
    # the base model has no new tokens, and no line leads from its tokens to those of another tokenizer
    drawn = [container.lines[0].get_xdata().tolist() for container in classes.containers]
    assert drawn == [[0], [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]]
    bars = [bar[:, 1] for bar in classes.containers[2].lines[2][0].get_segments()]
    expected = [scores[phase]["classes"]["new_seen"]["interval"] for phase in ("init", "p1", "p2", "p3")]
    np.testing.assert_allclose(bars, expected)


def test_tokens_that_the_injection_took_from_the_base_are_in_the_legend(made, check, read):
    scores = made.likelihoods()
    scores["base"]["classes"]["base"] |= {"tokens": 22_107}
    whole, classes = check(draw_likelihood(scores)).axes
    assert read.legend(whole.get_figure())[0] == "base tokens (21,034; base model 22,107)"


def test_a_word_list_that_saw_the_held_out_text_is_marked(made, check, read):
    whole, classes = check(draw_likelihood(made.likelihoods(("base", "p1"), leaked=True))).axes
    assert read.notes(whole) == "word list saw held-out text"


def test_likelihood_of_the_base_alone_or_of_nothing(made, check, read):
    whole, classes = check(draw_likelihood(made.likelihoods(("base",)))).axes
    assert read.notes(classes) == "no such tokens: new, seen in training; new, never seen"
    unsplit = made.likelihoods(("base",))
    unsplit["base"]["classes"] = {}
    assert "not split" in read.notes(check(draw_likelihood(unsplit)).axes[1])
    assert "No phase" in read.notes(check(draw_likelihood({})).axes[0])


def test_models_side_by_side(made, check, read):
    models = {
        "tiny": made.likelihoods(),
        "tiny-notebook": made.likelihoods(shift=0.2, leaked=True),
        "_lora-only": made.likelihoods(("base", "p2")),
        "not-yet-run": {},
    }
    (axes,) = check(draw_comparison(models)).axes
    assert ticks(axes.yaxis) == ["tiny", "tiny-notebook †", "_lora-only"]
    assert read.legend(axes.get_figure()) == ["base", "initial rows", "P1", "P2", "P3"]
    assert "† word list saw held-out text" in axes.get_xlabel()
    assert len(axes.containers) == 12
    assert axes.containers[0].lines[0].get_xdata().tolist() == [models["tiny"]["base"]["bits_per_byte"]]


def test_models_of_different_corpora_do_not_share_an_axis(made, check):
    models = {name: made.likelihoods() for name in ("a", "ulysses-with-a-very-long-name-indeed", "b")}
    corpora = {"a": "testbed", "b": "testbed", "ulysses-with-a-very-long-name-indeed": "ulysses"}
    figure = check(draw_comparison(models, corpora))
    assert [axes.get_title("left") for axes in figure.axes] == ["Held-out text of testbed", "Held-out text of ulysses"]
    assert [ticks(axes.yaxis) for axes in figure.axes] == [["a", "b"], ["ulysses-with-a-very-l…"]]


@pytest.mark.parametrize("count", [1, 12])
def test_few_and_many_models(made, check, count):
    figure = check(draw_comparison({f"model-{i}": made.likelihoods(shift=0.01 * i) for i in range(count)}))
    assert len(ticks(figure.axes[0].yaxis)) == count


def test_no_models(check, read):
    assert "No model" in read.notes(check(draw_comparison({})).axes[0])


def test_the_largest_font_still_fits(made, check):
    """Ticks that change with the size of a panel once left the label of the axis outside the figure."""
    scores = made.likelihoods()
    for score, bits in zip(scores.values(), (1.113, 0.938, 0.916, 0.82, 0.819), strict=True):
        score |= {"bits_per_byte": bits, "interval": [bits - 0.04, bits + 0.04]}
        score["classes"]["new_unseen"] = {"tokens": 0, "loss": None}
    check(draw_likelihood(scores, font_size=14))
    check(draw_recovery({"init": made.recovery(0), "p3": made.recovery(2)}, font_size=14))


def test_corpora_that_hold_out_the_same_bytes_are_one_text():
    corpora = {
        "a": {"name": "wake", "sha256": {"valid": "1"}},
        "b": {"name": "wake-whole", "sha256": {"valid": "1"}},
        "c": {"name": "other", "sha256": {"valid": "2"}},
    }
    assert held_out_texts(corpora) == {"a": "wake", "b": "wake", "c": "other"}
