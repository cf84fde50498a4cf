"""What a plan says: what is left, what to change, what lies on the disk, and how it reads."""

import pytest
from pydantic import ValidationError

from tests.model.test_memory import TINYLLAMA, llama, run
from wake2vec.config import load
from wake2vec.errors import UserError
from wake2vec.model import host
from wake2vec.model.memory import estimator
from wake2vec.model.plan import plan
from wake2vec.model.plan_page import gib, page, plain_name
from wake2vec.settings import Plan

GIB = 2**30
FORMS = [{"word": f"w{i // 2}", "count_train": 2 + i % 7} for i in range(44_990)]
INJECTION = {"forms": FORMS, "reused": [{}] * 12, "not_injectable": [{}] * 400}


GPUS = Plan().gpus
ARCHITECTURE = {"kind": "hub", "architecture": "LlamaForCausalLM", "tied": False, "trust_remote_code": False}
ARCHITECTURE |= {"rows": 32_000, "hidden": 2048, "parameters": 1_100_048_384}


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A function: a run's block and GPUs -> its plan, on TinyLlama."""
    folder = tmp_path_factory.mktemp("bases") / "tinyllama"
    llama(*TINYLLAMA, dtype="bfloat16").save_pretrained(folder)

    def of(model, gpus=GPUS, name="tl-1.1b", injection=INJECTION, **changes):
        return plan(name, folder / "config.json", ARCHITECTURE | changes, injection, model, gpus)

    return of


def test_what_is_left_and_what_is_missing(planned):
    model = run(precision="bfloat16", quantisation="nf4")
    needs = planned(model)
    assert needs["highest"]["peak"] == max(numbers["peak"] for numbers in needs["phases"].values())
    left = {gpu["name"]: gpu["left"] for gpu in needs["gpus"]}
    assert left == {name: usable * GIB - needs["highest"]["peak"] for name, usable in GPUS.items()}
    assert min(left.values()) > 0 and needs["advice"] == []
    assert "It fits T4, L4, A100-40GB and H100." in page(needs) and "To make it smaller" not in page(needs)


def test_a_phase_may_hold_the_base_in_another_precision(planned):
    changed = {"p2_quantisation": "nf4", "p2_precision": "bfloat16"}
    mixed = planned(run(phases=["p1", "p2"], **changed))
    whole, four_bit = (
        planned(run(phases=["p1", "p2"], precision=precision, quantisation=quantisation))
        for precision, quantisation in (("float32", "none"), ("bfloat16", "nf4"))
    )
    assert mixed["phases"] == {"p1": whole["phases"]["p1"], "p2": four_bit["phases"]["p2"]}
    assert mixed["merge"] == whole["merge"]
    assert "| base (P1: float32, P2: NF4 and bfloat16) |" in page(mixed)
    assert "| base (NF4 and bfloat16) |" in page(four_bit)
    with pytest.raises(ValidationError, match="cannot train 4-bit weights"):
        run(p2_kind="full", p2_quantisation="nf4")
    run(quantisation="nf4", p2_kind="full", p2_quantisation="none")


def test_what_the_plan_leaves_out_is_said(planned):
    shared = page(planned(run(phases=["p1", "p2", "p3"], p3_rows="factored")))
    assert "The rows of P3 share the vectors of their parts" in shared
    assert "share the vectors" not in page(planned(run()))


def test_bytes_to_fetch_to_keep_and_to_merge(planned):
    needs = planned(run(phases=["p1", "p2"], precision="bfloat16", p1_optimizer="adafactor"))
    assert needs["download"] == {"bytes": 2 * 1_100_048_384, "dtype": "bfloat16"}
    one = 44_990 * 2048 * 4  # a matrix of new rows
    factored = 2 * 4 * (44_990 + 2048)
    assert needs["disk"]["p1"]["checkpoint"] == 2 * one + factored
    assert needs["disk"]["p1"]["state"] == 3 * (2 * one + factored + 2 * one)
    assert needs["disk"]["p1"]["published"] == 3 * 2 * one
    assert needs["disk"]["p2"] == {"checkpoint": 12 * 5_586_944, "state": 48 * 5_586_944, "published": 4 * 5_586_944}
    # merging is in float32, whatever the run's precision
    joined = 4 * (32_000 + 44_990) * 2048
    assert needs["merge"] == 4 * 1_100_048_384 + 2 * one + 4 * 5_586_944 + 2 * joined
    assert needs["merged"] == 4 * 1_100_048_384 + 2 * one
    assert f"float32, takes {needs['merged'] / GIB:.1f} GiB" in page(needs)


def merged(model, change):
    return model | {key: {**model[key], **value} if isinstance(value, dict) else value for key, value in change.items()}


def test_advice_is_what_the_changed_run_needs(planned):
    model = run(phases=["p1", "p2"], p1_batch=8, p1_sequence=512, p2_batch=3)
    needs = planned(model, {"small": 2.0})
    order = [next(iter(line["settings"])) for line in needs["advice"]]
    assert order[:2] == ["quantisation", "precision"] and order[-2:] == ["vocabulary", "head"]
    assert [line["science"] for line in needs["advice"]] == [False] * (len(order) - 1) + [True]
    estimate, together = estimator(llama(*TINYLLAMA)), model
    peaks = {phase: numbers["peak"] for phase, numbers in needs["phases"].items()}
    for line in needs["advice"]:
        alone, together = merged(model, line["settings"]), merged(together, line["settings"])
        fires = together["vocabulary"]["min_fires"] if "vocabulary" in line["settings"] else 0
        few = sum(form["count_train"] >= fires for form in FORMS)
        assert line["saves"] == max(peaks[phase] - estimate(alone, phase, few)["peak"] for phase in peaks)
        assert line["peak"] == max(estimate(together, phase, line["rows"])["peak"] for phase in peaks)
        assert line["gpus"][0]["left"] == 2 * GIB - line["peak"]
    by_batch = next(line["settings"] for line in needs["advice"] if "batch" in line["settings"].get("p1", {}))
    assert by_batch == {"p1": {"batch": 4, "accumulate": 2}}  # three sequences do not halve
    assert next(line["rows"] for line in needs["advice"] if "vocabulary" in line["settings"]) == 32_135


def test_synthetic_words_keep_their_rows_whatever_min_fires_is(planned):
    coined = [{"word": f"s{i}", "count_train": 0, "count_synthetic": 2} for i in range(1000)]
    needs = planned(run(phases=["p1"]), {"small": 2.0}, injection=INJECTION | {"forms": FORMS + coined})
    assert next(line["rows"] for line in needs["advice"] if "vocabulary" in line["settings"]) == 32_135 + 1000


def test_advice_keeps_to_what_the_configuration_accepts_and_to_what_helps(planned):
    needs = planned(run(phases=["p2"], p2_kind="full"), {"small": 4.0})
    changes = [line["settings"] for line in needs["advice"]]
    assert {"quantisation": "nf4"} not in changes  # refused beside kind: full
    assert {"precision": "bfloat16"} in changes and {"p2": {"kind": "lora"}} in changes
    smaller = run(phases=["p1", "p2"], precision="bfloat16", quantisation="nf4", p2_sequence=512)
    only_p2 = planned(smaller, {"T4": 12.0})
    assert only_p2["phases"]["p1"]["peak"] < 12 * GIB < only_p2["phases"]["p2"]["peak"]
    assert [list(line["settings"]) for line in only_p2["advice"]][0] == ["p2"]


def test_a_head_that_would_be_lost_is_warned_of(planned):
    warning = "what the head has learnt is lost"
    assert warning in page(planned(run(phases=["p1"], head="tie_all"), {}))
    assert warning not in page(planned(run(phases=["p1"], head="shared"), {}))
    assert not planned(run(phases=["p1"], head="tie_all"), {}, tied=True)["overwrites_head"]


def test_older_gpus_have_a_column_where_it_matters(planned):
    half = planned(run(phases=["p2"], precision="bfloat16", quantisation="nf4", p2_sequence=512), {"T4": 15.0})
    assert half["gpus"][0]["left"] > 0 > half["gpus"][0]["left_unfused"]
    text = page(half)
    assert "T4 (with flash attention)" in text and "| without flash attention (GiB) |" in text
    float32 = planned(run(phases=["p1"]), {"T4": 15.0})  # no fused kernel anywhere
    assert float32["gpus"][0]["left"] == float32["gpus"][0]["left_unfused"]
    assert "without flash attention" not in page(float32)


def test_the_page_shows_the_gradients_of_every_phase(planned):
    needs = planned(run(phases=["p1", "p2"]), {})
    [line] = [line for line in page(needs).splitlines() if line.startswith("| gradients, once")]
    assert [cell.strip() for cell in line.split("|")[2:4]] == [gib(n["gradients"]) for n in needs["phases"].values()]


def test_the_page_reads_as_tables_and_holds_nothing_hostile(planned):
    from wake2vec.report.pandoc import pandoc

    hostile = "<script>x</script>|`a` *b*"
    text = page(planned(run(phases=["p1", "p2"], head="tie_all", p1_train="all"), {hostile: 3.0}, name=hostile))
    html, _ = pandoc(["--from", "markdown", "--to", "html"], text)
    assert html.count("<table") == 6 and html.count("<h2") == 6 and "<script" not in html
    assert "5,586,944" in text and "157,675,520" in text  # 76,990 x 2048
    assert [plain_name(name) for name in ("A100-40GB", "RTX_4090", "a|b", "-x", "a__b")] == [
        "A100-40GB",
        "RTX_4090",
        "a\\|b",
        "\\-x",
        "a\\_\\_b",
    ]


def test_a_run_without_rows_is_planned_and_said_to_have_nothing_to_train(planned):
    needs = planned(run(), injection=INJECTION | {"forms": []})
    assert needs["phases"]["p1"]["trains_new_rows"] == 0
    assert "nothing to train" in page(needs)


def test_a_configuration_that_cannot_be_read(tmp_path, planned):
    (tmp_path / "config.json").write_text('{"model_type": "no such thing"}')
    with pytest.raises(UserError, match="cannot read this configuration"):
        plan("x", tmp_path / "config.json", {}, INJECTION, run(), {})


def test_gpus_are_configured():
    assert load({}).plan.gpus == {"T4": 15.0, "L4": 22.5, "A100-40GB": 39.5, "H100": 79.0}
    assert load({"plan": {"gpus": {"mine": 24}}}).plan.gpus == {"mine": 24.0}
    for wrong, said in (({"gpus": {"mine": 0}}, "plan.gpus.mine: found 0"), ({"gpu": {}}, "plan.gpu: unknown key")):
        with pytest.raises(UserError, match=said):
            load({"plan": wrong})


@pytest.mark.parametrize("head", ["native", "shared"])
def test_merging_is_asked_for_at_least_what_the_plan_says(planned, head):
    merge = planned(run(precision="bfloat16", quantisation="nf4", head=head))["merge"]
    rows = 4 * 2048 * len(FORMS) * (2 if head == "native" else 1)
    asked = host.holding(ARCHITECTURE, rows, "bfloat16", "none")
    assert merge < asked < merge + 2 * host.ALLOWANCE  # and not by much more
