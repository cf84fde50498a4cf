"""A changed setting reruns what depends on it: exactly the jobs that README's table names, no more and no fewer."""

import shutil

import pytest

OF_A_MODEL = {"summary": 1, "tables": 1, "report": 1, "paper_tables": 1, "paper": 1}
AFTER_P3 = {
    "p3": 1,
    "likelihood": 1,
    "generation": 1,
    "register": 1,
    "figure_register": 1,
    "geometry": 1,
    "change": 1,
    "recovery": 1,
    "projection": 1,
    "neighbour_map": 1,
    "figure_six_panel": 1,
    "figure_losses": 1,
    "figure_likelihood": 1,
    "figure_change": 1,
    "figure_projection": 1,
    "figure_objectives": 1,
    "figure_recovery": 1,
    "figure_surprisal": 1,
    "figure_comparison": 1,
    **OF_A_MODEL,
}
AFTER_P2 = AFTER_P3 | {"p2": 1, "likelihood": 2, "generation": 2, "register": 2}
AFTER_P1 = AFTER_P2 | {
    "p1": 1,
    "regimes": 1,
    "likelihood": 3,
    "generation": 3,
    "register": 3,
    "geometry": 2,
    "change": 2,
    "recovery": 2,
}
FROM_INIT = AFTER_P1 | {"initial_rows": 1, "likelihood": 4, "geometry": 3, "recovery": 3}
FROM_TOKENIZER = FROM_INIT | {"tokenizer": 1}
TRIAL = {"register_validation": 1, "figure_register_validation": 1}
NEW_MODEL = FROM_TOKENIZER | TRIAL | {"likelihood": 5}
ALL_FIGURES = {rule: 2 for rule in AFTER_P3 if rule.startswith("figure_")} | {"figure_comparison": 1}
ALL_FIGURES["figure_register_validation"] = 2


def notebook(**changes):
    """An edit of the run that nothing extends."""
    return {"models": {"tiny-notebook": changes}}


EDITS = {
    "nothing": ({}, {}),
    "a lambda of P3": (notebook(p3={"lambda_morpheme": 0.7}), AFTER_P3),
    "P2's rank": (notebook(p2={"rank": 4}), AFTER_P2),
    "P3's sequence": (notebook(p3={"sequence": 48}), AFTER_P3),  # and P1, which looks at it too, stays
    "what the base is held in from P2 on": (notebook(p2={"quantisation": "nf4"}), AFTER_P2),
    "what the base is held in at P3": (notebook(p3={"precision": "bfloat16"}), AFTER_P3),
    "P1's learning rate": (notebook(p1={"learning_rate": 0.5}), AFTER_P1),
    "rows of parts in P1": (notebook(p1={"rows": "factored", "weight_decay": 0}), AFTER_P1),
    "the initialisation": (notebook(initialisation={"radius": 2.0}), FROM_INIT),
    "the matching": (notebook(vocabulary={"match": "word"}), FROM_TOKENIZER),
    "a generation temperature": (
        notebook(generation={"temperatures": [1.1]}),
        {"generation": 3, "register": 3, "figure_register": 1, **OF_A_MODEL},
    ),
    "the battery's frequent words": (
        notebook(battery={"frequent": 100}),
        {"register": 3, "figure_register": 1, **TRIAL, **OF_A_MODEL},
    ),
    "the geometry's sample": (
        notebook(geometry={"sample": 200}),
        {
            "geometry": 3,
            "change": 2,
            "generation": 3,  # prompts are chosen by drift
            "register": 3,
            "figure_register": 1,
            "figure_six_panel": 1,
            "figure_change": 1,
            **OF_A_MODEL,
        },
    ),
    "the neighbour map's k": (notebook(geometry={"map_neighbours": 2}), {"neighbour_map": 1, "tables": 1, "report": 1}),
    "a title": (notebook(title="The notebooks"), OF_A_MODEL),
    "the figures' size": ({"figures": {"width": 6.5}}, {**ALL_FIGURES, "report": 2, "paper": 1}),
    "a new model": ({"models": {"new": {"extends": "tiny", "seed": 1}}}, NEW_MODEL),
    "a corpus's lexicon": (
        {"corpora": {"wake-whole": {"lexicon": {"min_count": 2}}}},
        {"lexicon": 1, "morphology": 1, **FROM_TOKENIZER, **TRIAL},
    ),
    "a corpus's synthetic words, which no run asks for": (
        {"corpora": {"wake": {"synthetic": {"forms": 30, "sentences": 40, "seed": 1}}}},
        {},
    ),
    "rows for synthetic words": (notebook(vocabulary={"synthetic": True}), {"synthetic": 1, **FROM_TOKENIZER}),
    "synthetic sentences in P1": (notebook(p1={"texts": ["train", "synthetic"]}), {"synthetic": 1, **AFTER_P1}),
    "a mirror for checkpoints": ({"tiers": {"mirror": "memory://elsewhere", "safety": "/nowhere"}}, {}),
    "how often checkpoints are saved": (notebook(p1={"checkpoint_every": 2}, p3={"keep_checkpoints": 1}), {}),
    "a regime's threshold": (notebook(regimes={"fried_gap": 0.1}), {"regimes": 1, **OF_A_MODEL}),
    "an unused recipe": ({"recipes": {"other": {"seed": 1}}}, {}),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_reruns_exactly_what_depends_on_it(finished, name):
    edit, expected = EDITS[name]
    assert finished.would_run(edit=edit) == expected


def test_one_models_report_needs_nothing_of_another(finished):
    jobs = finished.would_run("results/tiny/report.html", edit=notebook(p1={"learning_rate": 0.5}))
    assert jobs == {}


def test_the_bases_settings_rerun_everything_but_the_texts(finished):
    jobs = finished.would_run(edit={"bases": {"tiny-llama": {"steps": 21}}})
    assert jobs["pretrain"] == 1
    assert not {"testbed", "lexicon", "morphology"} & set(jobs)
    # the notebook's twin shares the base, so both models follow
    assert {rule: count for rule, count in jobs.items() if rule in ("p1", "report")} == {"p1": 2, "report": 2}


def test_a_changed_style_renders_again_and_a_touched_one_does_not(finished):
    report = finished.folder / "report"
    source = report.resolve()
    report.unlink()
    shutil.copytree(source, report, copy_function=shutil.copyfile)  # the same, only newer
    try:
        assert finished.would_run() == {}
        with open(report / "theme/wake.css", "a") as style:
            style.write("/* changed */")
        assert finished.would_run() == {"report": 2, "paper": 1}
    finally:
        shutil.rmtree(report)
        report.symlink_to(source)
