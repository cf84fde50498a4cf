"""The three phases: P1 and P3 train rows, P2 trains the transformer around them.

Each takes paths and settings, trains with `state` as its scratch folder, and publishes its outputs when it is done.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wake2vec.bases.checkpoint import BITS, check_files, stored_type
from wake2vec.errors import UserError
from wake2vec.storage import (
    atomic_path,
    load_arrays,
    publish,
    read_text,
    read_values,
    save_arrays,
    sha256,
)
from wake2vec.text.encoding import Encoded, begin_id, blocks, encode, encode_corpus, load_tokenizer
from wake2vec.training.checkpoints import begin_state, hash_of
from wake2vec.training.preflight import lora_targets, refuse_missing

SNAPSHOTS = "snapshots"


def rows_phase(
    phase: str,
    paths: Mapping[str, Any],
    settings: Mapping[str, Any],
    model: Mapping[str, Any],
    state: Path,
    tiers: Mapping[str, str] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, Any], Any]:
    """P1 or P3: train the rows, and in P3 with the objective.

    paths: manifest, tokenizer, injection, rows (to start from), train, valid; for P3 segmentation and morphemes;
    optional adapter, body (of P2), synthetic, lexicon, coined. settings: the phase's block. model: head, precision,
    quantisation, evaluation, seed of the run. tiers: names and places of the state folder's copies.

    Returns ({"best"|"final": {"rows": tensors of rows.safetensors, "adapter": …}}, run values, history).
    """
    from wake2vec.model.assemble import load_named
    from wake2vec.model.rows import train_rows
    from wake2vec.training.decoupled import Decoupled
    from wake2vec.training.fit import fit
    from wake2vec.training.objectives import make_objective
    from wake2vec.training.trainer import Learner

    fingerprint = _begin(state, paths, settings, model)
    causal = _assemble(paths, model, train_adapter=settings.get("adapters") == "train")
    train_rows(causal, settings["train"])
    _check_something_trains(causal, paths)
    texts = _texts(paths, settings, model)
    objective = make_objective(paths, settings, model) if phase == "p3" else None
    learner = Learner(causal, objective)
    _to_device_of(learner, causal)
    parts, shared, callbacks = {}, None, []
    if settings["rows"] != "free":
        shared, parts = _share_parts(causal, paths, settings)
        callbacks.append(shared)
    if objective and objective.decoupled:
        callbacks.append(Decoupled(learner, shared))  # behind `shared`, which takes what parts move for the optimizer's
    if settings["row_precision"] == "bfloat16":
        callbacks.append(_rounding())
    if settings["snapshot_every"]:
        callbacks.append(_snapshots(state / SNAPSHOTS, settings["snapshot_every"]))
    run = fit(learner, texts, settings, model["seed"], state, phase.upper(), fingerprint, callbacks, tiers)
    history, best = run.pop("history"), run.pop("best")
    states = {"final": _state_of(causal, settings, paths)}
    load_named(learner, load_arrays(best))
    states["best"] = _state_of(causal, settings, paths)
    values = _run_values(phase, "rows", paths, settings, model, run) | parts
    if objective:
        values["objective"] = _moved(objective, paths, states["final"]["rows"], causal.device)
        values["held_out_words"] = objective.material.held_out_words()
    return states, values, history


def _moved(objective, paths, rows: Mapping[str, Any], device) -> dict[str, Any]:
    """What P3 moved, from the rows that it started from to its final ones, term by term (sweep.py), with its weight.

    Of the terms that have one, and of the morpheme term: at weight 0 it says what training does without it.
    """
    import torch

    from wake2vec.training.sweep import moved

    name = "embedding.new"
    ends = (torch.from_numpy(arrays[name]).to(device) for arrays in (load_arrays(paths["rows"], [name]), rows))
    weights = {term: weight for term, weight in objective.weights.items() if weight or term == "morpheme"}
    found = moved(objective.material, *ends, list(weights))
    return {term: {"weight": weights[term]} | values for term, values in found.items()}


def adapter_phase(
    paths: Mapping[str, Any],
    settings: Mapping[str, Any],
    model: Mapping[str, Any],
    state: Path,
    out: Path,
    tiers: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], Any]:
    """P2: train LoRA adapters, or every weight of the transformer, around frozen rows.

    Writes `out`: adapter_model.safetensors in a PEFT folder for `kind: lora`, body.safetensors for `kind: full`.
    Returns (run values, history).
    """
    from wake2vec.model.assemble import load_named, trainable
    from wake2vec.training.fit import fit
    from wake2vec.training.trainer import Learner

    fingerprint = _begin(state, paths, settings, model)
    causal = _assemble(paths, model)
    peft_model = None
    if settings["kind"] == "lora":
        peft_model = add_lora(causal, settings, model["seed"])
    else:
        _unfreeze_body(causal)
    learner = Learner(causal)
    texts = _texts(paths, settings, model)
    run = fit(learner, texts, settings, model["seed"], state, "P2", fingerprint, tiers=tiers)
    history, best = run.pop("history"), run.pop("best")
    if settings["keep"] == "best":
        load_named(learner, load_arrays(best))
    if peft_model is None:
        save_arrays(out, trainable(causal))
    else:
        # rows are saved by their own phases; PEFT would look up the hub to decide
        peft_model.save_pretrained(state / "publish", save_embedding_layers=False)
        publish(state / "publish", out.parent, ("adapter_config.json", "adapter_model.safetensors"))
    return _run_values("p2", settings["kind"], paths, settings, model, run), history


def _assemble(paths, model, train_adapter: bool = False):
    from wake2vec.model.assemble import assemble

    stored, held = stored_type(paths["manifest"]), model["precision"]
    if BITS.get(stored, 0) > BITS[held]:
        said = f"the checkpoint's {stored} weights are rounded to it, base rows too"
        print(f"precision: {held}: {said}", file=sys.stderr, flush=True)
    if model["head"] == "tie_all" and not read_values(paths["manifest"])["tied"]:
        said = "puts the embedding in the place of this base's head, and what the head has learnt is lost"
        print(f"head: tie_all {said}. `head: native` keeps it.", file=sys.stderr, flush=True)
    return assemble(
        paths["manifest"],
        rows=paths["rows"],
        head=model["head"],
        adapter=paths.get("adapter"),
        body=paths.get("body"),
        precision=model["precision"],
        quantisation=model["quantisation"],
        train_adapter=train_adapter,
    )


def _to_device_of(learner, causal) -> None:
    if learner.objective is not None:
        learner.objective.to(causal.get_input_embeddings().new.device)


def _check_something_trains(causal, paths) -> None:
    if not len(causal.get_input_embeddings().new) and not causal.get_input_embeddings().base.requires_grad:
        raise UserError(
            f"{paths['injection']}: no form of the lexicon got a row, so there is nothing to train. "
            "Lower `lexicon.min_count` of the corpus or `vocabulary.min_fires` of the model, or look at lexicon.csv "
            "for the reasons."
        )


def _state_of(causal, settings, paths) -> dict[str, Any]:
    """Rows, and in a P3 that trains them the adapters, as arrays. Base rows that an earlier phase trained stay with the
    rows, though this phase leaves them alone.
    """
    from wake2vec.model.rows import rows_of

    earlier = {name: array for name, array in load_arrays(paths["rows"]).items() if name.endswith(".base")}
    state = {"rows": earlier | rows_of(causal)}
    if settings.get("adapters") == "train":
        state["adapter"] = {
            name: p.detach().float().cpu().numpy().copy() for name, p in causal.named_parameters() if "lora_" in name
        }
    return state


def _identity(name: str, path: str | Path) -> str:
    """A hash of what an input says: not of how, when and on which machine it was made, which results say as well. A
    checkpoint is thus at home on another machine that has made the same inputs.
    """
    if name == "manifest":
        values = read_values(path)
        return hash_of({key: values[key] for key in ("files", "embedding", "head", "tied")})
    if Path(path).suffix == ".json" and name != "tokenizer":
        return hash_of(read_values(path))
    return sha256(path)


# settings that change nothing of how a phase trains
AFTERWARDS = ("keep", "checkpoint_every", "keep_checkpoints", "start")


def _begin(state: Path, paths, settings, model) -> str:
    """Take the phase's state folder and check its inputs, before any long work; returns the fingerprint."""
    hashes = {name: _identity(name, path) for name, path in sorted(paths.items()) if path is not None}
    settings = {name: value for name, value in settings.items() if name not in AFTERWARDS}
    fingerprint = begin_state(state, {"inputs": hashes, "settings": settings, "model": dict(model)})
    check_files(paths["manifest"])
    return fingerprint


def _texts(paths, settings, model):
    from wake2vec.training.trainer import Texts

    tokenizer, begin = load_tokenizer(Path(paths["tokenizer"]).parent), begin_id(Path(paths["tokenizer"]).parent)
    train, held_out = (encode_corpus(tokenizer, read_text(paths[name])) for name in ("train", "valid"))
    sources = {"train": lambda: train, "synthetic": lambda: _lines(tokenizer, paths["synthetic"])}
    sources["lexicon"] = lambda: _lines(tokenizer, paths["lexicon"], joined=True)
    parts = [blocks(sources[name](), begin, settings["sequence"]) for name in settings.get("texts", ("train",))]
    # passages spread evenly over the training text, about as many as are held out
    every = max(1, len(train.passages) // max(1, len(held_out.passages)))
    sample = Encoded(train.passages[::every], train.bytes[::every])
    evaluation = model["evaluation"]
    return Texts(np.concatenate(parts), held_out, sample, begin, evaluation["context"], evaluation["stride"])


def _lines(tokenizer, path, joined: bool = False) -> Encoded:
    """A file of lines as passages; the word list is one passage, as the notebooks appended it."""
    lines = [line for line in read_text(path).splitlines() if line]
    return encode(tokenizer, ["\n".join(lines)] if joined else lines)


def _share_parts(causal, paths, settings):
    """Rows made of parts from here on: (the callback that keeps them so, what run.json says of the parts)."""
    from wake2vec.training.factored import HANDED_ROUND, base_matrices, hand_round, parts_of, share_parts, summary
    from wake2vec.vocabulary.parts import composition, segmented

    forms = read_values(paths["injection"])["forms"]
    tokenizer = load_tokenizer(Path(paths["manifest"]).parent)
    about = forms, segmented(paths["segmentation"], paths.get("coined")), read_values(paths["morphemes"])
    made = {side: composition(tokenizer, matrix, *about) for side, matrix in base_matrices(causal).items()}
    shares, _, names = made["embedding"]
    base = {side: vectors for side, (_, vectors, _) in made.items()}
    earlier, control = load_arrays(paths["rows"]), None
    vectors = base | parts_of(earlier, shares)
    if settings["rows"] != "factored":
        others = shares * 0  # unshared: nobody's parts
        if settings["rows"] == "shuffled":
            others = hand_round(shares, [form["word"] for form in forms], np.random.default_rng(HANDED_ROUND))
        control, vectors = (others, vectors), vectors | parts_of(earlier, shares, control=True)
    shared = share_parts(causal, shares, vectors, settings["residual_decay"], control)
    return shared, {"parts": summary(shares, names)}


def add_lora(causal, settings, seed: int):
    """Wrap a causal model in PEFT's LoRA. settings: p2's block. seed: of the adapters' random beginning, for which
    Trainer's own comes too late. Raises UserError for layers that it does not have.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    targets = lora_targets(type(causal).__name__, settings["targets"])
    refuse_missing(causal, targets)
    config = LoraConfig(
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        lora_dropout=settings["dropout"],
        target_modules=targets,
        bias="none",
        task_type="CAUSAL_LM",
    )
    set_seed(seed)
    return get_peft_model(causal, config)


def _unfreeze_body(causal) -> None:
    """Everything but the rows trains, in float32."""
    from wake2vec.model.rows import widen_body

    for parameter in widen_body(causal):
        parameter.requires_grad_(True)


def _snapshots(folder: Path, every: int):
    """Rows every so many steps, for regimes and later starts."""
    from transformers import TrainerCallback

    from wake2vec.model.rows import rows_of

    class Snapshots(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **_):
            if state.global_step % every:
                return
            path = folder / f"step-{state.global_step:06d}.safetensors"
            try:
                save_arrays(path, rows_of(model.causal))
            except OSError as error:
                raise UserError(
                    f"{path} could not be saved: {error.strerror or error}. Free some space and run the same command "
                    "again: it goes on from the newest checkpoint."
                ) from None

    return Snapshots()


def _rounding():
    """The notebooks' bfloat16 rows: rounded after every step, so that small updates are lost as theirs were."""
    from transformers import TrainerCallback

    class RoundRows(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **_):
            causal = model.causal
            for parameter in {
                *causal.get_input_embeddings().parameters(),
                *causal.get_output_embeddings().parameters(),
            }:
                if parameter.requires_grad:
                    parameter.data.copy_(parameter.data.bfloat16().float())

    return RoundRows()


def _run_values(phase, kind, paths, settings, model, run) -> dict[str, Any]:
    return {
        "phase": phase,
        "kind": kind,
        "hyperparameters": dict(settings) | dict(model),
        "base_dtype": stored_type(paths["manifest"]),
        "paths": {name: str(path) for name, path in paths.items() if path is not None},
        "kept": settings["keep"],
    } | run


def publish_rows(states: Mapping[str, Any], run: Mapping[str, Any], state: Path, output: Any) -> None:
    """Write the snapshots (best, final, and those of steps before), and the kept state as the phase's own, last."""
    out = Path(output.snapshots)
    for path in sorted((state / SNAPSHOTS).glob("step-*.safetensors")):
        if int(path.stem.removeprefix("step-")) <= run["final_step"]:
            _link(path, out / path.name)
    for name in ("best", "final"):
        save_arrays(out / f"{name}.safetensors", states[name]["rows"])
    kept = states[run["kept"]]
    if "adapter" in kept:
        save_arrays(output.adapter, kept["adapter"])
    save_arrays(output.rows, kept["rows"])


def _link(source: Path, target: Path) -> None:
    """The same bytes under another name, on the disk twice only where it must be."""
    with atomic_path(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
