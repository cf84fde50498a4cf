"""The λ sweep: gains and costs as they are, and terms without words in words."""

import pytest

from wake2vec.figures.sweep import draw_sweep

VERDICTS = ("still", "trained", "controls", "generalises")


def gain(mean):
    return {"mean": mean, "low": mean - 0.02, "high": mean + 0.03}


def entry(term, value, verdict="trained", shuffled=True):
    gains = {"trained": gain(0.1 * value), "heldout": gain(0.02 * value), "random": gain(0.01 * value)}
    gains["shuffled"] = gain(0.015 * value) if shuffled else None
    return {"term": term, "lambda": value, "gain": gains, "cost": gain(0.004 * value), "verdict": verdict}


def sweep(*entries):
    return {"entries": list(entries)}


@pytest.mark.parametrize(("width", "font_size"), [(7.0, 12.0), (3.5, 6.0), (7.0, 8.0), (10.0, 16.0)])
def test_five_terms_at_any_size(check, width, font_size):
    terms = ("morpheme", "direction", "device", "repulsion", "norm")
    entries = [entry(t, v, VERDICTS[i % 4]) for i, t in enumerate(terms) for v in (0.3, 1.0, 3.0)]
    check(draw_sweep(sweep(*entries), width=width, font_size=font_size))


def test_gains_start_at_nothing_and_rise_with_lambda(check, read):
    figure = check(draw_sweep(sweep(entry("morpheme", 3.0, "generalises"), entry("morpheme", 1.0))))
    left, right = figure.axes
    trained = left.containers[0].lines[0]
    assert trained.get_ydata().tolist() == pytest.approx([0, 0.1, 0.3])  # in order of λ, whatever the file's
    assert right.containers[0].lines[0].get_ydata().tolist() == pytest.approx([0, 0.004, 0.012])
    assert [label.get_text() for label in left.get_xticklabels()] == ["0", "1", "3"]
    assert read.notes(left) == "1: trained words only; 3: generalises"
    assert read.legend(figure) == ["trained words", "held-out words", "random control", "shuffled base"]


def test_a_term_without_a_control_or_without_words(check, read):
    norm = entry("norm", 1.0, shuffled=False)
    norm["gain"]["random"] = None
    nothing = {"term": "device", "lambda": 1.0, "cost": gain(0.0), "verdict": "no_words"}
    figure = check(draw_sweep(sweep(norm, nothing)))
    assert read.legend(figure) == ["trained words", "held-out words"]
    assert "no held-out words" in read.notes(figure.axes[2])
    check(draw_sweep(sweep()))


def test_one_lambda_of_one_term(check):
    check(draw_sweep(sweep(entry("repulsion", 0.05))))
