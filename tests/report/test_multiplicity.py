"""The geometry's p-values are corrected in three families, and what the report says goes by the corrected ones."""

import numpy as np
import pytest

from tests.report.report_results import make_results
from wake2vec.geometry.dimension import measure_dimension
from wake2vec.geometry.isotropy import measure_isotropy
from wake2vec.geometry.norms import measure_norms
from wake2vec.geometry.nulls import SHUFFLES, gaussian_rows
from wake2vec.geometry.similarity import measure_similarity
from wake2vec.geometry.vectors import Rows
from wake2vec.report.calibration_tables import corrected, directions_table, permuted_table
from wake2vec.report.geometry_tables import isotropy_table
from wake2vec.report.multiplicity import FAMILIES, _counts, _made_by, adjusted, compared
from wake2vec.report.readings import place, read_norms
from wake2vec.report.summary import summarise


def null(p):
    return {"mean": 0.5, "low": 0.4, "high": 0.6, "p": p}


def test_benjamini_and_hochberg_by_hand():
    # p .01 .02 .03 .20 of four: 4 p / rank = .04 .04 .04 .20
    names = ["isotropy.new.eigenvector", "drift.new", "overlap", "pip_loss"]
    values = {f"p1.{name}.null": null(p) for name, p in zip(names, (0.02, 0.01, 0.2, 0.03), strict=True)}
    found = adjusted(values)
    q = [found[f"p1.{name}.null"]["p_adjusted"] for name in names]
    assert q == pytest.approx([0.04, 0.04, 0.2, 0.04])
    assert [found[f"geometry.chance.{name}"] for name in ("tests", "below", "found")] == [4, 3, 3]
    assert "p_adjusted" not in values["p1.drift.new.null"], "what was given is left alone"


def test_base_rows_that_nothing_changed_count_once():
    values = {f"{phase}.isotropy.base.eigenvector.null": null(0.01) for phase in ("init", "p1", "p3")}
    assert adjusted(values)["geometry.chance.tests"] == 1
    assert adjusted(values | {"p3.drift.base.changed_rows": 5})["geometry.chance.tests"] == 2


def test_what_is_sure_about_structure_does_not_thin_out_what_is_asked_of_the_groups():
    """Eighty figures far from structureless rows, and twenty comparisons of groups of which one has p = 0.04."""
    sure = {f"p1.isotropy.new.x{i}.null": null(1e-6) for i in range(80)}
    asked = {f"p1.permuted.isotropy.x{i}.null": null(0.04 if i == 0 else 0.3 + i / 40) for i in range(19)}
    asked["p1.recovery.3-5.null"] = null(0.9)
    found = adjusted(sure | asked)
    assert found["p1.permuted.isotropy.x0.null"]["p_adjusted"] > 0.7  # of a hundred, it was 0.05
    assert found["geometry.labels.tests"] == 19 and found["geometry.labels.found"] == 0
    assert found["geometry.parts.tests"] == 1 and found["p1.recovery.3-5.null"]["p_adjusted"] == 0.9
    assert found["geometry.chance.found"] == 80


def test_a_large_difference_that_stands_alone_is_found():
    """Longer new rows, and nothing else of which the groups differ, after two phases: the least p that the shuffles can
    give must survive the correction for all that is asked beside it.
    """
    rng, summary = np.random.default_rng(0), {}
    for phase in ("p1", "p3"):
        base, new = (gaussian_rows(np.full(150, 10.0), 16, rng) for _ in range(2))
        rows = Rows(base * rng.normal(1, 0.05, (150, 1)), new * rng.normal(1.1, 0.05, (150, 1)))
        found = {
            "norms": measure_norms(rows, 0),
            "isotropy": measure_isotropy(rows, 0, draws=2),
            "dimension": measure_dimension(rows, 0, draws=2),
            "similarity": measure_similarity(rows, 0, pairs=500),
        }
        summary |= compared(phase, found)
    values = adjusted(summary)
    assert values["geometry.labels.tests"] == 20 and values["geometry.labels.found"] < 5
    for phase in ("p1", "p3"):
        d, null = values[f"{phase}.permuted.norms.cohens_d"], values[f"{phase}.permuted.norms.cohens_d.null"]
        assert place(d, null) == "above" and read_norms(d, [1, 3], 0.9, null).startswith("New rows are longer")


@pytest.mark.parametrize("family", ["labels", "parts"])
def test_the_least_p_of_shuffles_is_small_enough_for_a_family(family):
    """Of a run with every phase, measure and kind of row: 1 / (1 + SHUFFLES) times what is asked beside it."""
    summary = summarise(make_results())
    asked = [name for name in summary if _counts(name, summary, FAMILIES[family])]
    together = [name for name in asked if _made_by(name, family, summary) == "open"]
    assert 0 < len(together) < len(asked) and len(together) / (1 + SHUFFLES) < 0.05


def test_what_an_initialisation_puts_in_does_not_thin_out_what_is_asked_of_trained_rows():
    sure = {f"init.recovery.{group}.null": null(0.002) for group in ("1", "2", "3-5", "6-10", "11+")}
    asked = {f"p1.recovery.{group}.null": null(p) for group, p in {"1": 0.04, "2": 0.3, "3-5": 0.5}.items()}
    found = adjusted(sure | asked)
    assert found["p1.recovery.1.null"]["p_adjusted"] == pytest.approx(0.12)  # of all eight, it was 0.053
    assert all(found[name]["p_adjusted"] == 0.002 for name in sure)
    assert [found[f"geometry.parts.{name}"] for name in ("tests", "below", "found")] == [8, 6, 5]


def test_what_no_table_shows_counts_nowhere():
    assert "geometry.chance.tests" not in adjusted({"p1.isotropy.all.eigenvector.null": null(0.01)})


def test_nulls_without_a_p_and_those_of_other_measures_do_not_count():
    values = {"p1.neighbours.null": null(0.01), "p1.isotropy.new.eigenvector.null": null(None), "p1.overlap.null": None}
    assert adjusted(values) == values


def test_a_few_chance_findings_among_many_tests_are_none():
    p = np.random.default_rng(0).uniform(size=100)
    found = adjusted({f"p1.isotropy.new.x{i}.null": null(float(one)) for i, one in enumerate(p)})
    assert found["geometry.chance.below"] >= 2 and found["geometry.chance.found"] == 0
    assert (
        "Of 100 figures" in corrected(found)
        and "about 5" in corrected(found)
        and "corrected for their number, 0" in corrected(found)
    )


def test_the_sentence_goes_by_the_corrected_p():
    name = "init.isotropy.new.eigenvector"
    one = {name: 0.39, f"{name}.interval": [0.38, 0.4], f"{name}.null": null(0.04)}
    crowd = {f"init.drift.x{i}.null": null(0.5) for i in range(60)}
    assert "Less even" in isotropy_table(adjusted(one))
    assert "Indistinguishable from no structure" in isotropy_table(adjusted(one | crowd))


def test_comparisons_and_directions_reach_the_summary_and_its_tables():
    summary = summarise(make_results())
    assert summary["p1.permuted.dimension.d90"] == -8.0 and summary["p1.permuted.dimension.d90.rows"] == 40
    assert summary["p1.permuted.dimension.d90.null"]["p_adjusted"] >= 0.005
    assert summary["p3.directions"] == 0.66 and summary["p3.directions.centred.null"]["p"] == 0.4
    assert summary["geometry.labels.tests"] == 3 * (1 + 2 + 1 + 1)  # isotropy, dimension, norms, KS
    assert summary["geometry.parts.tests"] == 3 * (2 + 4) + 2  # directions, recovery, and P3's words left out
    assert "Lower in new rows" in permuted_table(summary) and "No measurable difference" in permuted_table(summary)
    lines = directions_table(summary).splitlines()
    assert "draws most of these words" in next(line for line in lines if r"0\.66" in line)
    assert "share a direction" in next(line for line in lines if r"0\.53" in line)
    assert "no more than all new words" in next(line for line in lines if "words left out" in line)
    assert "no more than all new words" in next(line for line in lines if r"0\.01 " in line)


def test_a_group_too_small_to_compare_has_no_difference():
    assert compared("p1", {"isotropy": {"permuted": {"rows": 3, "reason": "3 rows"}}}) == {}


def test_words_that_an_objective_draws_do_not_thin_out_those_that_it_left_out():
    drawn = {f"p3.recovery.{group}.null": {"p": 0.002} for group in ("1", "2", "3-5", "6-10", "11+")}
    open_question = {"p3.recovery.held_out.null": {"p": 0.04}, "p3.directions.held_out.null": {"p": 0.6}}
    weighted = adjusted(drawn | open_question | {"p3.objective.morpheme.weight": 0.1})
    assert weighted["p3.recovery.held_out.null"]["p_adjusted"] == 0.08  # of two
    alike = adjusted(drawn | open_question | {"p3.objective.morpheme.weight": 0})
    assert alike["p3.recovery.held_out.null"]["p_adjusted"] < 0.05  # of seven, five of them sure
