"""What is told before anything trains: positions, targets, empty texts, devices."""

import json
from pathlib import Path

import pytest

from tests.training.conftest import block
from wake2vec.errors import UserError
from wake2vec.settings import Adapter, Alignment, Rows
from wake2vec.storage import write_text
from wake2vec.training.preflight import check_devices, preflight

PHASES = {"p1": block(Rows), "p2": block(Adapter), "p3": block(Alignment)}


def check(paths, context=32, devices=None, phases=PHASES, **changes):
    """Preflight of a run with some phases changed."""
    return preflight(paths, {"phases": phases | changes, "context": context, "devices": devices})


def test_a_run_that_fits_passes(run):
    check(run)
    check(run, phases={"p1": PHASES["p1"]})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"p3": block(Alignment, sequence=129)}, "^p3.sequence: 129 is more than the 128 positions"),
        ({"context": 256}, "^evaluation.context: 256 is more than the 128 positions"),
        (
            {"p2": block(Adapter, targets=["q_proj", "gate_prj"])},
            r'no linear layer named gate_prj\. It has: down_proj, gate_proj.*Did you mean "gate_proj"',
        ),
        ({"p2": block(Adapter, targets=["mlp"])}, "no linear layer named mlp"),  # a block, which PEFT cannot adapt
        ({"p2": block(Adapter, targets=["lm_head"])}, "no linear layer named lm_head"),  # whose rows are the phases'
    ],
)
def test_what_the_base_does_not_have_is_refused(run, changes, said):
    with pytest.raises(UserError, match=said):
        check(run, **changes)


def test_targets_may_be_paths_as_peft_reads_them(run):
    check(run, p2=block(Adapter, targets=["layers.0.self_attn.q_proj", "self_attn.k_proj", "v_proj"]))


def test_the_targets_of_a_full_p2_are_none(run):
    check(run, p2=block(Adapter, kind="full", targets=["nothing"]))


def test_an_architecture_of_which_nothing_is_known_is_looked_at(run, tmp_path):
    base = Path(run["manifest"]).parent
    config = json.loads((base / "config.json").read_text())
    config |= {"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox"}
    write_text(tmp_path / "config.json", json.dumps(config))
    record = json.loads((base / "architecture.json").read_text())
    record["values"]["architecture"] = "GPTNeoXForCausalLM"
    write_text(tmp_path / "architecture.json", json.dumps(record))
    run |= {"manifest": str(tmp_path / "manifest.json")}
    with pytest.raises(UserError, match="GPTNeoXForCausalLM has no linear layer named q_proj.*It has: .*query_key"):
        check(run)
    check(run, p2=block(Adapter, targets=["query_key_value"]))


@pytest.mark.parametrize(("text", "key"), [("synthetic", "synthetic.sentences"), ("lexicon", "lexicon.min_count")])
def test_an_empty_text_is_refused_by_a_phase_that_has_it(run, tmp_path, text, key):
    path = tmp_path / "corpora/coined/text.txt"
    write_text(path, "\n")
    later = {"p3": block(Alignment, texts=["train", text])}
    check(run, **later)  # it is none of P1's files, and may be made while P1 trains
    with pytest.raises(UserError, match=rf"p3\.texts: .*text\.txt is empty.*corpora\.coined\.{key}"):
        check(run | {text: str(path)}, **later)


def test_devices_are_counted_among_the_words_with_rows(run, tmp_path):
    path = tmp_path / "devices.csv"
    words = [f"{letter}{number}" for letter in "ab" for number in range(5)]
    write_text(path, "word,device\n" + "".join(f"{word},{word[0]}\n" for word in words))
    check_devices(path, set(words), 1.0)
    with pytest.raises(UserError, match=r"p3\.lambda_device: found 0\.5.*two devices 3 words.*it has: a 5, b 2"):
        check_devices(path, set(words[:-3]), 0.5)
    with pytest.raises(UserError, match="it has: none"):
        check(run, devices=str(path), p3=block(Alignment, lambda_device=0.5))
    check(run, devices=str(tmp_path / "none.csv"), p3=block(Alignment, lambda_device=0.5))  # its phase asks for it
