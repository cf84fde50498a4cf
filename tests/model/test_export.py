"""Merged checkpoints in a process that has no wake2vec: the same logits, the same ids, and words that are written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from tests.model.conftest import ARCHITECTURES, BYTE_LEVEL, EVERY, EVERY_ID, NEW, describe, rows_for, write_checkpoint
from wake2vec.bases.checkpoint import base_rows, weight_files
from wake2vec.model import export as export_module
from wake2vec.model.assemble import assemble, load_base, trainable
from wake2vec.model.export import export
from wake2vec.model.rows import widen_body
from wake2vec.settings import Adapter, head_mode
from wake2vec.storage import load_arrays, read_values, save_arrays, sha256, write_text
from wake2vec.training.phases import add_lora
from wake2vec.vocabulary.injection import inject as inject_words

WORDS = {"moonbread": ["moonbread", "Moonbread"], "riverling": ["riverling", "Riverling"]}
TEXT = "A riverling sang of moonbread; “Moonbread,” sang the miller."
MODEL = {"head": "native", "precision": "float32", "quantisation": "none"}


def make_run(folder: Path, manifest: Path, head: str, seed: int = 0, loud: bool = False) -> dict[str, str]:
    """The files of a run: injected tokenizer, random rows (with `loud`, head rows that a model cannot help writing)."""
    values = read_values(manifest)
    base_tokenizer = Tokenizer.from_file(str(manifest.parent / "tokenizer.json"))
    tokenizer, injected = inject_words(base_tokenizer, values["rows"], WORDS, [TEXT], [], min_fires=0)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_text(folder / "tokenizer_config.json", (manifest.parent / "tokenizer_config.json").read_text("utf-8"))
    rows = rows_for(manifest, separate=head_mode(head, values["tied"]) == "separate", count=len(injected["forms"]))
    if loud:
        rows[list(rows)[-1]] *= 60
    save_arrays(folder / "rows.safetensors", rows)
    return {
        "manifest": str(manifest),
        "tokenizer": str(folder / "tokenizer.json"),
        "rows": str(folder / "rows.safetensors"),
    }


def add_adapter(folder: Path, paths: dict[str, str], model: dict[str, str], gentle: bool = False) -> dict[str, str]:
    """A LoRA adapter with random A and B, saved as P2 saves it; with `gentle`, one that bfloat16 would round away."""
    causal = load_base(paths["manifest"], model["precision"], model["quantisation"])
    peft_model = add_lora(causal, Adapter(rank=4, alpha=8).model_dump(), seed=0)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in causal.named_parameters():
        if "lora_" in name:
            assert parameter.dtype == torch.float32
            parameter.data.normal_(0, 5e-4 if gentle and "lora_B" in name else 0.1, generator=generator)
    peft_model.save_pretrained(folder / "adapter", save_embedding_layers=False)
    return paths | {"adapter": str(folder / "adapter/adapter_model.safetensors")}


def trained_adapter(folder: Path, paths: dict[str, str]) -> dict[str, str]:
    """As after a P3 that trains the adapters: LoRA weights of its own on top of P2's."""
    causal = assemble(**in_training(paths), train_adapter=True)
    save_arrays(folder / "adapter3.safetensors", {n: a + 0.1 for n, a in trainable(causal).items()})
    return paths | {"body": str(folder / "adapter3.safetensors")}


def full_body(folder: Path, paths: dict[str, str]) -> dict[str, str]:
    """As after a P2 with `kind: full`."""
    causal = assemble(**in_training(paths))
    for parameter in widen_body(causal):
        parameter.data += 0.05 * torch.randn_like(parameter)
        parameter.requires_grad_(True)
    save_arrays(folder / "body.safetensors", trainable(causal))
    return paths | {"body": str(folder / "body.safetensors")}


def trained_base_rows(paths: dict[str, str]) -> None:
    """As after `train: all`: base rows in rows.safetensors take the place of the checkpoint's."""
    stored = base_rows(paths["manifest"])
    rows = load_arrays(paths["rows"]) | {f"{side}.base": matrix + np.float32(0.1) for side, matrix in stored.items()}
    save_arrays(paths["rows"], rows)


def in_training(paths: dict[str, str], model: dict[str, str] = MODEL) -> dict[str, str]:
    """What `assemble` takes for the model as the phases have it, on the unquantised base in full precision."""
    return {name: path for name, path in paths.items() if name != "tokenizer"} | {"head": model["head"]}


def ids_for(paths: dict[str, str]) -> np.ndarray:
    """Every new id and some others [1, tokens]."""
    count = read_values(paths["manifest"])["rows"]
    new = count + np.arange(len(load_arrays(paths["rows"])["embedding.new"]))
    return np.concatenate([[1, 7, count - 1], new, [9, 30, 200, 5, 11]])[None]


# name -> (architecture, tied, head, precision, what else the run has, what `tied` must be)
CASES = {
    f"{name}-{'tied' if tied else 'untied'}": (name, tied, "native", "float32", "adapter", tied) for name, tied in EVERY
} | {
    "tie_all": ("llama", False, "tie_all", "float32", "adapter", True),
    "tied base, separate head": ("qwen2", True, "separate", "float32", "adapter", False),
    "untied base, shared head": ("llama", False, "shared", "float32", "adapter", False),
    "rows alone": ("gpt2", True, "native", "float32", "", True),
    "adapter of P3": ("phi3", False, "native", "float32", "adapter p3", False),
    "full body": ("gemma2", True, "native", "float32", "body", True),
    "base rows trained, untied": ("mistral", False, "native", "float32", "base", False),
    "base rows trained, tied": ("gemma2", True, "native", "float32", "base", True),
    "four bits": ("llama", False, "native", "float32", "nf4", False),
    "four bits, transposed": ("gpt2", True, "native", "float32", "nf4", True),
    "bfloat16": ("llama", False, "native", "bfloat16", "gentle adapter", False),
    "bfloat16, four bits": ("gemma2", True, "native", "bfloat16", "nf4", True),
    "bfloat16, full body": ("qwen2", True, "native", "bfloat16", "body", True),
    "loud": ("llama", False, "native", "float32", "loud", False),
}

OUTSIDE = """
import json, sys
sys.modules["wake2vec"] = None  # an import of it fails from here on
try:
    import wake2vec
except ImportError:
    pass
else:
    raise SystemExit("wake2vec can be imported")
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

out = {}
for number, (folder, ids, text) in enumerate(json.load(open("cases.json"))):
    model, loading = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values()), loading
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(text, add_special_tokens=False)["input_ids"]
    trusting = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    assert trusting(text, add_special_tokens=False)["input_ids"] == encoded
    with torch.no_grad():
        logits = model.eval()(input_ids=torch.tensor(ids)).logits
    written = model.generate(torch.tensor([[1, *encoded[:3]]]), max_new_tokens=4, do_sample=False, pad_token_id=1)
    same = model.get_input_embeddings().weight.data_ptr() == model.get_output_embeddings().weight.data_ptr()
    out[f"{number}.logits"] = logits.float().numpy()
    out[f"{number}.encoded"] = np.array(encoded)
    out[f"{number}.written"] = written[0].numpy()
    facts = [type(model).__name__, same, str(model.dtype), model.config.vocab_size, model.generation_config.max_length]
    facts += [model.config.bos_token_id, model.config.eos_token_id, model.config.use_cache, tokenizer.decode(encoded)]
    facts += [tokenizer.decode(written[0][4:])]
    out[f"{number}.facts"] = np.array(json.dumps(facts))
np.savez("out.npz", **out)
"""


@pytest.fixture(scope="module")
def merged(tmp_path_factory, checkpoint):
    """name -> everything about a case, loaded by one process that starts far from here."""
    folder, made = tmp_path_factory.mktemp("export"), {}
    for name, (architecture, tied, head, precision, extra, _) in CASES.items():
        manifest = checkpoint(architecture, tied, precision)
        paths = make_run(folder / name, manifest, head, loud=extra == "loud")
        model = {"head": head, "precision": precision, "quantisation": "nf4" if extra == "nf4" else "none"}
        if "adapter" in extra or extra == "nf4":
            paths = add_adapter(folder / name, paths, model, "gentle" in extra)
        if "p3" in extra:
            paths = trained_adapter(folder / name, paths)
        if extra == "body":
            paths = full_body(folder / name, paths)
        if extra == "base":
            trained_base_rows(paths)
        ids = ids_for(paths)
        with torch.no_grad():
            expected = assemble(**in_training(paths, model))(input_ids=torch.from_numpy(ids)).logits.numpy()
        out = folder / name / "merged"
        values = export(paths, model, out)
        made[name] = {"paths": paths, "out": out, "values": values, "ids": ids, "expected": expected}
    jobs = [(str(case["out"]), case["ids"].tolist(), TEXT) for case in made.values()]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "cases.json").write_text(json.dumps(jobs))
    done = subprocess.run(
        [sys.executable, "-I", "-c", OUTSIDE],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(elsewhere / "cache"), "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(elsewhere / "out.npz") as loaded:
        for number, case in enumerate(made.values()):
            case |= {part: loaded[f"{number}.{part}"] for part in ("logits", "encoded", "written")}
            case["facts"] = json.loads(str(loaded[f"{number}.facts"]))
    return made


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_the_trained_model(merged, name):
    case = merged[name]
    assert np.abs(case["expected"]).max() > 1
    np.testing.assert_allclose(case["logits"], case["expected"], atol=1e-5, rtol=1e-5)


def without_adapter(case) -> np.ndarray:
    """Logits of the model in memory, its adapter left out."""
    files = {name: file for name, file in in_training(case["paths"]).items() if name != "adapter"}
    with torch.no_grad():
        return assemble(**files)(input_ids=torch.from_numpy(case["ids"])).logits.numpy()


def test_the_adapter_and_the_new_rows_are_felt(merged):
    case = merged["llama-untied"]
    assert np.abs(without_adapter(case) - case["logits"]).max() > 0.1
    assert case["logits"].std((0, 1))[-NEW:].min() > 0.1


def test_what_an_adapter_adds_is_not_rounded_away(merged):
    case = merged["bfloat16"]
    adds = case["expected"] - without_adapter(case)
    assert np.abs(adds).max() < 0.01 * np.abs(case["expected"]).max()
    assert np.linalg.norm(case["logits"] - case["expected"]) < 0.005 * np.linalg.norm(adds)


@pytest.mark.parametrize("name", CASES)
def test_what_a_loaded_checkpoint_says_of_itself(merged, name):
    architecture, _, _, _, _, tied = CASES[name]
    case = merged[name]
    values, base = case["values"], read_values(case["paths"]["manifest"])
    count = len(load_arrays(case["paths"]["rows"])["embedding.new"])
    rows = base["rows"] + count
    loaded, same, dtype, vocabulary, max_length, bos, eos, use_cache, _, _ = case["facts"]
    assert (loaded, same, dtype, vocabulary) == (base["architecture"], tied, "torch.float32", rows)
    assert (max_length, bos, eos, use_cache) == (77, 1, 2, True)
    assert {n: values[n] for n in ("architecture", "tied", "rows", "new_rows", "dtype")} == {
        "architecture": base["architecture"],
        "tied": tied,
        "rows": rows,
        "new_rows": count,
        "dtype": "float32",
    }
    described = describe(case["out"])
    assert (described["tied"], described["rows"]) == (tied, rows)
    assert described["embedding"] == base["embedding"]
    on_disk = {p.name: {"sha256": sha256(p), "bytes": p.stat().st_size} for p in case["out"].iterdir()}
    assert values["files"] == on_disk
    assert len({path.stat().st_mode for path in case["out"].iterdir()}) == 1  # who may read one may read all
    expected = {"model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}
    assert set(on_disk) == expected | ({"tokenization_as_it_is.py"} if architecture == "qwen2" else set())


@pytest.mark.parametrize("name", CASES)
def test_base_rows_are_bitwise_the_checkpoints_and_new_rows_follow(merged, name):
    tied = CASES[name][-1]
    case = merged[name]
    rows, stored = load_arrays(case["paths"]["rows"]), base_rows(case["paths"]["manifest"])
    description = describe(case["out"])
    names = {"embedding": description["embedding"]} | ({} if tied else {"head": description["head"]})
    files = weight_files(case["out"])
    assert ("lm_head.weight" in files) == (not tied)
    for side, tensor in names.items():
        matrix = load_arrays(case["out"] / files[tensor], [tensor])[tensor]
        expected = rows.get(f"{side}.base", stored.get(side, stored["embedding"]))
        assert matrix[: len(expected)].tobytes() == expected.tobytes()
        np.testing.assert_array_equal(matrix[len(expected) :], rows.get(f"{side}.new", rows["embedding.new"]))


@pytest.mark.parametrize("name", EVERY_ID)
def test_the_loaded_tokenizer_gives_new_words_their_new_ids(merged, name):
    case = merged[name]
    ours = Tokenizer.from_file(case["paths"]["tokenizer"])
    assert case["encoded"].tolist() == ours.encode(TEXT, add_special_tokens=False).ids
    count = read_values(case["paths"]["manifest"])["rows"]
    new = [int(i) for i in case["encoded"] if i >= count]
    space = "Ġ" if CASES[name][0] in BYTE_LEVEL else "▁"
    assert [ours.id_to_token(i) for i in new] == [f"{space}riverling", f"{space}moonbread", "Moonbread"]
    assert case["facts"][8] == TEXT


def test_generation_writes_new_words(merged):
    case = merged["loud"]
    count = read_values(case["paths"]["manifest"])["rows"]
    written = case["written"][4:]
    assert (written >= count).any()
    assert any(word in case["facts"][9].lower() for word in WORDS)


def test_a_chat_template_and_odd_generation_settings_come_along(base_tokenizer, tmp_path):
    manifest = write_checkpoint(tmp_path / "base", base_tokenizer, "llama", True)
    odd = {"temperature": 0.6, "do_sample": False, "eos_token_id": [2, 5]}  # transformers refuses to save such
    (tmp_path / "base/generation_config.json").write_text(json.dumps(odd))
    (tmp_path / "base/chat_template.jinja").write_text("{{ messages[0].content }}")
    values = export(make_run(tmp_path / "run", manifest, "native"), MODEL, tmp_path / "merged")
    assert json.loads((tmp_path / "merged/generation_config.json").read_text()) == odd
    assert (tmp_path / "merged/chat_template.jinja").read_text() == "{{ messages[0].content }}"
    assert "chat_template.jinja" in values["files"]


@pytest.mark.parametrize(("tied", "cap"), [(True, None), (False, 3.0)])
def test_a_model_that_sees_as_well_loads_again(base_tokenizer, tmp_path, tied, cap):
    """Gemma 3 from 4B on: rows and tying are said in the configuration of its text model too."""
    from transformers import AutoModelForCausalLM

    manifest = write_checkpoint(tmp_path / "base", base_tokenizer, "gemma3", tied, final_logit_softcapping=cap)
    paths = make_run(tmp_path / "run", manifest, "native")
    values = export(paths, MODEL, tmp_path / "merged")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    assert (values["rows"], values["tied"]) == (len(loaded.get_input_embeddings().weight), tied)
    config = loaded.config.get_text_config()
    assert (config.vocab_size, config.tie_word_embeddings) == (values["rows"], tied) and config is not loaded.config
    ids = torch.tensor([[1, 5, values["rows"] - 1, 9]])
    ours = assemble(paths["manifest"], rows=paths["rows"], head="native")
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=ids).logits, ours(input_ids=ids).logits, atol=1e-5, rtol=0)


def test_code_of_the_hubs_that_the_base_does_without_is_not_asked_for(base_tokenizer, tmp_path):
    from transformers import AutoModelForCausalLM

    manifest = write_checkpoint(tmp_path / "base", base_tokenizer, "phi3", False)
    config = json.loads((tmp_path / "base/config.json").read_text())
    config["auto_map"] = {"AutoConfig": "configuration_phi3.Phi3Config"}  # as Phi-3.5's has it
    (tmp_path / "base/config.json").write_text(json.dumps(config))
    export(make_run(tmp_path / "run", manifest, "native"), MODEL, tmp_path / "merged")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", trust_remote_code=True)
    assert type(loaded).__module__.startswith("transformers.")


@pytest.fixture
def earlier(tmp_path, checkpoint):
    """A run and what an earlier export of it wrote: (paths, folder, file -> hash)."""
    paths = make_run(tmp_path / "run", checkpoint("gpt2", True), "native")
    out = tmp_path / "results/merged"
    export(paths, MODEL, out)
    return paths, out, {path.name: sha256(path) for path in out.iterdir()}


def changed(paths):
    rows = load_arrays(paths["rows"])
    save_arrays(paths["rows"], {name: array + 1 for name, array in rows.items()})
    return paths


class Interrupted(BaseException):
    pass


def test_an_interrupted_export_leaves_the_earlier_folder(earlier, monkeypatch):
    paths, out, before = earlier

    def interrupt(path):
        raise Interrupted  # everything is written, nothing is renamed

    monkeypatch.setattr(export_module, "sha256", interrupt)
    with pytest.raises(Interrupted):
        export(changed(paths), MODEL, out)
    assert {path.name: sha256(path) for path in out.iterdir()} == before
    assert [path.name for path in out.parent.iterdir()] == ["merged"]


def test_a_missing_file_leaves_the_earlier_folder(earlier):
    paths, out, before = earlier
    Path(paths["tokenizer"]).unlink()
    with pytest.raises(FileNotFoundError):
        export(paths, MODEL, out)
    assert {path.name: sha256(path) for path in out.iterdir()} == before


@pytest.mark.parametrize("moved", [False, True])
def test_what_a_killed_export_left_is_cleared_and_an_earlier_folder_comes_back(earlier, moved):
    paths, out, before = earlier
    left = out.with_name(".merged.new")
    left.mkdir()
    (left / "model-00001-of-00002.safetensors").write_bytes(b"half")
    if moved:  # killed between the two renames
        out.rename(out.with_name(".merged.old"))
        with pytest.raises(Interrupted), export_module.whole_folder(out):
            assert {path.name: sha256(path) for path in out.iterdir()} == before
            raise Interrupted
    values = export(changed(paths), MODEL, out)
    after = {path.name: sha256(path) for path in out.iterdir()}
    assert after == {name: entry["sha256"] for name, entry in values["files"].items()}
    assert {name for name in after if after[name] != before[name]} == {"model.safetensors"}
    assert [path.name for path in out.parent.iterdir()] == ["merged"]


def test_every_architecture_is_exported():
    assert {case[0] for case in CASES.values()} == set(ARCHITECTURES)
