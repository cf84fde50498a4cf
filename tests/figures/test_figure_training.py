"""Loss curves of the phases, and the terms of P3's objective."""

import numpy as np
import pandas as pd
import pytest

from wake2vec.figures.losses import column, draw_losses
from wake2vec.figures.objectives import draw_objectives


def test_three_phases_in_sequence_on_one_loss_axis(made, check, read):
    histories = made.histories()
    figure = check(draw_losses(histories, {"p1": {"best_step": 144}}))
    assert [axes.get_title("left") for axes in figure.axes] == ["P1", "P2", "P3"]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert read.legend(figure) == ["training batches", "training sample", "held-out text", "gap", "best step"]
    for axes, history in zip(figure.axes, histories.values(), strict=True):
        train, sample, held_out = axes.lines[:3]
        assert sample.get_ydata().tolist() == history["train_sample_loss"].dropna().tolist()
        assert held_out.get_ydata().tolist() == history["heldout_loss"].dropna().tolist()
        (gap,) = axes.collections
        low, high = gap.get_datalim(axes.transData).intervaly
        assert low == pytest.approx(sample.get_ydata().min()) and high == pytest.approx(held_out.get_ydata().max())


def test_the_best_step_is_the_runs_or_the_lowest_held_out(made, read):
    histories = made.histories(("p1", "p2"))
    figure = draw_losses(histories, {"p1": {"best_step": 144}})
    evaluated = histories["p2"].dropna(subset="heldout_loss")
    lowest = int(evaluated["step"][evaluated["heldout_loss"].idxmin()])
    assert [read.notes(axes) for axes in figure.axes] == ["best step 144", f"best step {lowest}"]


def test_p3_shows_the_language_models_loss_not_the_sum_of_terms(made):
    history = made.history("p3", in_loss=True)
    line = draw_losses({"p3": history}).axes[0].lines[0]
    assert line.get_ydata().tolist() == history["loss_lm"].tolist() != history["train_loss"].tolist()


def test_one_phase_alone(made, check):
    assert len(check(draw_losses(made.histories(("p1",)))).axes) == 1


def test_evaluated_once_or_never(made, check, read):
    once, never = made.history("p1", evaluated=10**6), made.history("p2").drop(columns="heldout_loss")
    figure = check(draw_losses({"p1": once, "p2": never}))
    assert [read.notes(axes) for axes in figure.axes] == ["evaluated once, at step 0", "held-out text not evaluated"]


@pytest.mark.parametrize("history", [None, pd.DataFrame({"step": [], "train_loss": []})])
def test_nothing_logged_is_said(history, check, read):
    assert "nothing logged" in read.notes(check(draw_losses({"p1": history})).axes[0])


def test_a_single_step(check):
    check(draw_losses({"p1": pd.DataFrame({"step": [1], "train_loss": [5.0]})}))


def test_a_column_leaves_out_what_was_not_measured():
    steps, values = column(pd.DataFrame({"step": [0, 1, 2], "a": [1.0, None, 3.0]}), "a")
    assert steps.tolist() == [0, 2] and values.tolist() == [1, 3]
    assert column(pd.DataFrame({"step": [0]}), "b")[0].size == 0


@pytest.mark.parametrize(("in_loss", "sizes"), [(False, "Length of a row's step"), (True, "Gradient norms, weighted")])
def test_every_term_its_size_and_its_pairs(made, check, read, in_loss, sizes):
    history = made.history("p3", in_loss=in_loss)
    figure = check(draw_objectives(history, {"morpheme": 1, "repulsion": 0.05, "norm": 0.01}))
    assert [axes.get_title("left") for axes in figure.axes] == [
        "Language model term", "Morpheme term", "Repulsion term", "Norm term",
        sizes, "Word and part pairs",
    ]  # fmt: skip
    assert [read.notes(axes) for axes in figure.axes[:4]] == ["", "λ = 1", "λ = 0.05", "λ = 0.01"]
    values = [axes.lines[0].get_ydata().tolist() for axes in figure.axes[:2]]
    assert values == [history[c].tolist() for c in ("loss_lm" if in_loss else "train_loss", "loss_morpheme")]
    shown, pairs = figure.axes[4:]
    assert len(shown.lines) == 4 and shown.get_yscale() == "log"
    assert len(pairs.lines) == 3 and read.notes(pairs) == "change: trained +0.130, held-out +0.014, random +0.012"


def test_further_terms_and_the_control_of_a_permuted_base(made, check, read):
    history = made.history("p3")
    evaluated = history["cosine_heldout_pairs"].notna()
    history["cosine_shuffled_pairs"] = history["cosine_random_pairs"] - 0.02
    for term in ("direction", "device"):
        for number, kind in enumerate(("trained", "heldout", "random")):
            history[f"{term}_{kind}"] = np.where(evaluated, 0.2 - 0.05 * number + 1e-3 * history["step"], np.nan)
    history["loss_direction"], history["step_direction"] = 0.4, 0.01
    figure = check(draw_objectives(history, {"direction": 3.0}))
    titles = [axes.get_title("left") for axes in figure.axes]
    # nothing was trained on devices
    assert titles[2] == "Direction term" and titles[-2:] == ["Word and part pairs", "Ways along affixes"]
    assert read.notes(figure.axes[-1]) == "change: trained +0.240, held-out +0.240, random +0.240"
    assert len(figure.axes[-2].lines) == 4 and "shuffled base" in read.legend(figure)


def test_terms_that_were_not_used_have_no_panel_and_zero_steps_are_said(made, check, read):
    history = made.history("p3").drop(columns=["loss_repulsion", "step_repulsion", "loss_norm"])
    history["step_norm"] = 0.0
    figure = check(draw_objectives(history))
    assert [axes.get_title("left") for axes in figure.axes][:3] == [
        "Language model term",
        "Morpheme term",
        "Length of a row's step",
    ]
    assert read.notes(figure.axes[2]) == "zero throughout: norm"


@pytest.mark.parametrize(
    "history",
    [
        pd.DataFrame({"step": [1, 2], "train_loss": [3.0, 2.0]}),
        pd.DataFrame({"step": [1], "grad_lm": [0.0]}),
        pd.DataFrame({"step": [1], "step_lm": [0.0]}),
        pd.DataFrame({"step": [], "train_loss": []}),
        pd.DataFrame({"step": [0], "loss_lm": [3.0], "cosine_trained_pairs": [0.2], "cosine_random_pairs": [np.nan]}),
    ],
)
def test_short_or_empty_histories(history, check):
    check(draw_objectives(history))
