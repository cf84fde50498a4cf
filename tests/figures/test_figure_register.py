"""The figures of the register battery and of its trial."""

import numpy as np

from tests.report.report_register import make_register, make_validation
from wake2vec.figures.register import PANELS, draw_register, draw_validation

TEMPERATURES = (0.5, 0.8, 1.0, 1.2)


def test_every_measure_by_temperature_beside_its_landmarks(check, read):
    registers = {phase: make_register(phase, TEMPERATURES) for phase in ("p1", "p2", "p3")}
    figure = check(draw_register(registers, font_size=14))
    assert [axes.get_title("left") for axes in figure.axes] == [title for title, _, _ in PANELS.values()]
    assert read.legend(figure) == ["P1", "P2", "P3", "held-out Wake", "plain English", "shuffled Wake"]
    coinages = figure.axes[0]
    np.testing.assert_allclose(coinages.containers[0].lines[0].get_ydata(), [3, 3, 12, 3])
    means = [line.get_ydata()[0] for line in coinages.lines if len(set(line.get_ydata())) == 1][:3]
    np.testing.assert_allclose(means, [6, 0.6, 5.4])
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == ["0.5", "0.8", "1", "1.2"]


def test_one_phase_one_temperature_and_no_interval(check):
    values = make_register(temperatures=(0.8,))
    for group in values["groups"]:
        for measured in group["values"].values():
            measured["interval"] = None
    for found in values["landmarks"]:
        found["plain"] = {"pieces": 0} | dict.fromkeys(PANELS)
    check(draw_register({"p1": values}))


def test_nothing_to_draw_is_said(check, read):
    figure = check(draw_register({"p1": make_register() | {"groups": [], "landmarks": []}}))
    assert "No sample" in read.notes(figure.axes[0])
    check(draw_register({}))


def test_the_trial(check, read):
    values = make_validation()
    values["mixtures"]["scrambled"]["parsed"] |= {"rho": None, "interval": [None, None], "orders": False}
    figure = check(draw_validation(values, font_size=14))
    assert [axes.get_title("left") for axes in figure.axes] == [title for title, _, _ in PANELS.values()]
    notes = dict(zip(PANELS, map(read.notes, figure.axes), strict=True))
    assert notes["coinages"] == "rho 0.90, in order" and notes["distinct_2"] == "rho −0.90, in order"
    assert notes["burrows"] == "rho 0.01, not in order" and notes["parsed"] == "rho 0.90 and undefined, not in order"
    np.testing.assert_allclose(figure.axes[0].containers[0].lines[0].get_ydata(), [6, 7.5, 9, 10.5, 12])
