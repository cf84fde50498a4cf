"""Made-up results of a run, in the shapes that the measuring steps write, hostile text included. No training, no torch.

`make_results` gives the values in memory, `write_results` the folder of files, `draw_placeholders` a set of simple
figures."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from tests.report.report_geometry import (
    figure,
    make_dimension,
    make_directions,
    make_drift,
    make_neighbours,
    make_norms,
    make_overlap,
    make_projection,
    make_recovery,
    make_similarity,
    permuted,
)
from tests.report.report_neighbours import make_neighbour_map
from tests.report.report_register import make_register, make_validation
from wake2vec.report.results import Results
from wake2vec.storage import write_csv, write_json, write_jsonl, write_text
from wake2vec.training.sweep import verdict

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
HOSTILE = [
    "river<b>run</b>",
    "{{< meta model >}}",
    "past|eve",
    "@adam$x^2$",
    ":::",
    "`r`*un*",
    SCRIPT,
    "](http://example.org/x.png)",
]
FIGURES = ("six_panel", "losses", "change", "projection", "objectives", "recovery", "likelihood", "comparison")
FIGURES += ("register", "register_validation")
BITS = {"base": 2.61, "init": 2.48, "p1": 2.41, "p2": 2.20, "p3": 2.205}
ROW_PHASES = ("init", "p1", "p3")
FORMS = 40


def make_results(
    model="tiny", phases=("p1", "p2", "p3"), testbed=True, leak=False, bits=None, new=True, seed=0, text="a"
) -> Results:
    """The results of a run with these phases. `bits`: held-out bits per byte by phase; `new=False`: no word got a
    row."""
    rng = np.random.default_rng(seed)
    measured = ("base", "init", *phases)
    forms = make_forms(rng) if new else []
    metrics = {
        phase: make_metrics(rng, phase, phases, forms, testbed, {**BITS, **(bits or {})}, leak) for phase in measured
    }
    return Results(
        model=model,
        title=None,
        base="small & plain",
        recipe="wake",
        corpus=make_corpus(text),
        lexicon=make_lexicon(),
        segmentation=make_segmentation(),
        injection={
            "base_rows": 2000,
            "forms": forms,
            "reused": ["▁over"],
            "not_injectable": [{"word": "mac|gab", "form": "▁mac|gab", "reason": "'▁mac|gab' fires 1 < min_fires 2"}],
            "lexicon_saw_held_out": leak,
            "round_trip": {"passages": 80, "lost": 3},
        },
        regimes=make_regimes() if "p1" in phases else {},
        neighbour_map=make_neighbour_map(forms, [p for p in measured if p in ROW_PHASES], testbed),
        register_validation=make_validation() if testbed else {},
        initial=make_initial(len(forms)) if forms else {},
        runs={phase: make_run(phase) for phase in phases},
        histories={phase: make_history(rng, phase) for phase in phases},
        metrics=metrics,
        provenance={name: make_provenance() for name in ("corpus", "injection", *phases)},
    )


def make_regimes():
    lines = [(0, 5.0, 0.1), (50, 3.0, 0.2), (100, 3.4, 0.9)]
    evaluated = [{"step": s, "heldout_loss": h, "train_sample_loss": h - g, "gap": g} for s, h, g in lines]
    return {
        "sweet": {"step": 50, "reason": "the lowest held-out loss, 3 nats per token"},
        "plateau": {"step": 50, "reason": "from here on held-out loss fell by 0 of 2 nats per token"},
        "fried": {"step": None, "reason": "the gap grew by 0.21 of 0.5 nats"},
        "interval": 50,
        "evaluated": evaluated,
        "largest_gap": {"step": 100, "gap": 0.9},
        "states": {
            "sweet": {"wanted": 50, "step": 50, "file": "best.safetensors", "reason": None},
            "plateau": {"wanted": 50, "step": 50, "file": "best.safetensors", "reason": None},
            "fried": {"wanted": None, "step": None, "file": None, "reason": "the gap grew by 0.21 of 0.5 nats"},
        },
    }


def make_initial(rows):
    spread = {"mean": 0.4, "std": 0.07, "min": 0.17, "max": 0.59}
    examples = [{"form": f"▁{HOSTILE[0]}", "base": "|", "cosine": 0.891}]
    side = {
        "made_from": {"compound": rows - 3, "subtoken_mean: no parts found": 3},
        "norm": spread,
        "base_norm": spread,
        "nearest": {"sample": rows, "cosine": spread, "distinct": rows - 1, "examples": examples},
    }
    head = side | {"made_from": {"compound": rows}}
    return {"method": "compositional", "rows": rows, "embedding": side, "head": head}


def make_forms(rng):
    words = [*HOSTILE, *(f"wurd{i}ling" for i in range(FORMS - len(HOSTILE)))]
    counts = np.maximum(0, np.sort(rng.geometric(0.25, FORMS))[::-1] - 1)
    return [
        {"id": 2000 + i, "row": i, "word": word, "form": "▁" + word, "surface": word, "start": True,
         "count_train": int(counts[i]), "count_valid": int(i % 3 == 0)}
        for i, word in enumerate(words)
    ]  # fmt: skip


def make_corpus(text="a"):
    train = {"passages": 180, "characters": 360_000, "bytes": 361_200, "words": 64_000, "types": 6_100,
             "hapax_types": 3_200, "hapax_share": 0.525}  # fmt: skip
    valid = {key: value // 9 if isinstance(value, int) else 0.7 for key, value in train.items()} | {"passages": 20}
    return {
        "name": "coined <i>text</i>",
        "kind": "testbed",
        "source": {},
        "train": train,
        "valid": valid,
        "held_out_types_unseen_in_training": 210,
        "sha256": {"train": text * 64, "valid": (text + "b") * 32},
        "cleaning": {"hyphens rejoined": 3},
    }


def make_lexicon():
    rows = [(word, 20 - i, 0.0, "kept", "", f"{word}:{20 - i}") for i, word in enumerate(HOSTILE)]
    rows += [("nan", 3, 1.2, "kept", "", "nan:2 NaN:1"), ("null", 2, 0.0, "kept", "", "null:2")]
    rows += [(f"wurd{i}ling", 2, 0.0, "kept", "", f"wurd{i}ling:2") for i in range(40)]
    rows += [("the", 900, 7.7, "excluded", "known: zipf 7.70 > 1.50", "the:800 The:100")]
    rows += [(f"rare{i}", 1, 0.0, "excluded", "count 1 < min_count 2", f"rare{i}:1") for i in range(5)]
    rows += [
        ("anna", 9, 0.5, "excluded", "name: capitalised in 9 of 9 places inside sentences, at least 90%", "Anna:9")
    ]
    return pd.DataFrame(rows, columns=["word", "count", "zipf", "status", "reason", "surfaces"])


def make_segmentation():
    compound = {"word": "past|eve", "count": 18, "prefix": "", "root": "", "suffix": "", "compound": ["past", "eve"],
                "method": "compound"}  # fmt: skip
    affix = {"word": "wurd1ling", "count": 2, "prefix": "un", "root": "wurd", "suffix": "ling", "compound": [],
             "method": "affix"}  # fmt: skip
    none = {"word": "nan", "count": 3, "prefix": "", "root": "nan", "suffix": "", "compound": [], "method": "none"}
    return [compound, affix, none]


def make_moved(trained=0.2, heldout=0.05, random=0.04, shuffled=0.05, reach=0.02, weight=1.0):
    """What P3 moved, as run.json has it."""

    def gain(mean):
        return {"mean": mean, "low": mean - reach, "high": mean + reach}

    gains = {
        "trained": trained,
        "heldout": heldout,
        "over_random": heldout - random,
        "over_shuffled": heldout - shuffled,
    }
    gains = {name: gain(mean) for name, mean in gains.items()}
    return {"weight": weight, "gain": gains, "verdict": verdict(gains)}


def make_run(phase):
    return {
        **({"objective": {"morpheme": make_moved()}} if phase == "p3" else {}),
        "phase": phase, "kind": "lora" if phase == "p2" else "rows", "base": "small & plain", "corpus": "coined",
        "recipe": "wake", "paths": {}, "steps": 400, "stopped_early": phase == "p2", "best_step": 250,
        "final_step": 300 if phase == "p2" else 400, "kept": "best", "best_heldout_bits_per_byte": 2.2,
        "final_heldout_bits_per_byte": 2.3, "first_train_loss": 5.1, "final_train_loss": 4.2,
        "trainable_parameters": 81_920, "tokens_seen": 409_600, "seconds": 47.3, "peak_memory_bytes": 900 * 2**20,
        "resumed_from": None,
        "hyperparameters": {"learning_rate": 1e-3, "steps": 400, "targets": ["q", "k"], "seed": 42, "train": "new",
                            "nested": {"deep": None, "flag": True}},
    }  # fmt: skip


def make_history(rng, phase):
    steps = np.arange(0, 401, 50)
    fall = np.exp(-steps / 150)
    frame = pd.DataFrame({"step": steps, "train_loss": 4 + fall, "learning_rate": 1e-3 * fall, "grad_norm": 1.0})
    frame["heldout_loss"] = 4.4 + fall * 0.6 + steps / 4000
    frame["train_sample_loss"] = 4.1 + fall
    frame["heldout_bits_per_byte"] = frame["heldout_loss"] / 2
    frame.loc[3, ["heldout_loss", "train_sample_loss"]] = np.nan
    if phase == "p3":
        for term in ("lm", "morpheme", "repulsion", "norm"):
            frame[f"step_{term}"] = rng.random(len(steps))
            if term != "lm":
                frame[f"loss_{term}"] = rng.random(len(steps)) * fall
        for pair, rise in (("trained", 0.2), ("heldout", 0.05), ("random", 0.04)):
            frame[f"cosine_{pair}_pairs"] = 0.1 + rise * steps / 400
            frame[f"direction_{pair}"] = 0.2 + rise * steps / 800
    return frame


def make_metrics(rng, phase, phases, forms, testbed, bits, leak):
    metrics = {"likelihood": make_likelihood(phase, bits, forms, leak)}
    if phase in ("p1", "p2", "p3"):
        metrics["generation"] = {"samples": make_samples(), "tokens": 60, "top_p": 1.0}
        metrics["register"] = make_register(phase)
    if phase not in ROW_PHASES:
        return metrics
    metrics |= {
        "norms": make_norms(rng, forms),
        "isotropy": {
            "sample": 5000,
            "groups": {
                group: {"count": 2000, "sampled_ratio": figure(0.981, 0.003, 0.982, 0.002),
                        "sampled_ratio_centred": figure(0.975, 0.003, 0.982, 0.002),
                        "eigenvector": figure(0.71, 0.02, 0.93, 0.01)}
                for group in ("all", "base", "new")
            },
            "permuted": {"rows": 40, "isoscore": permuted(-0.1, 0.2, 0.31)},
        },
        "dimension": make_dimension(),
        "similarity": make_similarity(rng),
        "directions": make_directions(phase),
        "neighbours": make_neighbours(forms),
    }  # fmt: skip
    if phase in ("p1", "p3"):
        metrics |= {
            "drift": make_drift(rng, forms),
            "overlap": make_overlap(rng, forms),
            "projection": make_projection(rng, forms),
        }
    if testbed:
        metrics["recovery"] = make_recovery(phase)
    return metrics


def make_likelihood(phase, bits, forms, leak):
    rng = np.random.default_rng(7)  # the same passages at every phase: what differs is a shift and a little noise
    sizes = rng.integers(1800, 2200, 20)
    spread = rng.normal(0, 0.08, 20)
    noise = np.random.default_rng(list(phase.encode())).normal(0, 0.01, 20)
    nats = (bits[phase] + spread + noise) * sizes * math.log(2)
    total, tokens = float(nats.sum()), 11_000 if phase == "base" else 10_500
    score = total / math.log(2) / int(sizes.sum())
    new = (
        {"tokens": 300, "nats": 2400.0, "loss": 8.0}
        if forms and phase != "base"
        else {"tokens": 0, "nats": 0, "loss": None}
    )
    none = {"tokens": 0, "nats": 0.0, "loss": None}
    return {
        "tokens": tokens, "nats": total, "bytes": int(sizes.sum()), "loss": total / tokens,
        "perplexity": math.exp(total / tokens), "bits_per_byte": score, "interval": [score - 0.05, score + 0.05],
        "classes": {"base": {"tokens": tokens - 300, "nats": total, "loss": 4.0}, "new_seen": new, "new_unseen": none},
        "passages": [{"tokens": 500, "nats": float(n), "bytes": int(b)} for n, b in zip(nats, sizes, strict=True)],
        "lexicon_saw_held_out": leak, "context": 128, "stride": 64,
    }  # fmt: skip


def make_samples():
    texts = [
        "the riverrun of it\nand then, {{< include tables/x.md >}}\n\n::: hidden\n# loud\n" + SCRIPT,
        "- one\n- two [link](javascript:alert(1)) $x$ @fig-six_panel ```{=html}\n<b>bold</b>\n```",
        "",
        "a plain continuation, long enough to run over several lines of a card so that its shape can be judged. " * 3,
    ]
    return [
        {"seeded_with": "high-drift" if i % 2 else "low-drift", "token": HOSTILE[i], "prompt": f"The {HOSTILE[i]}",
         "temperature": 0.8, "seed": i, "draw": 0, "text": f" {text}" if text else ""}
        for i, text in enumerate(texts)
    ]  # fmt: skip


def make_provenance():
    return {
        "wake2vec": "0.1.0", "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "python": "3.11.7", "packages": {"torch": "2.13.0", "numpy": "2.4.6"}, "device": "CPU (x86_64, 2 cores)",
        "settings": {"seed": 42}, "inputs": {"results/corpora/coined/train.txt": "a" * 64},
    }  # fmt: skip


def write_results(folder: Path, results: Results) -> dict:
    """Write the files of a run; returns the arguments that `read_results` takes."""
    folder = Path(folder)
    corpus, run = folder / "corpora" / "coined", folder / results.model
    write_json(corpus / "corpus.json", "corpus", results.corpus, results.provenance["corpus"])
    write_csv(corpus / "lexicon.csv", results.lexicon)
    write_jsonl(corpus / "segmentation.jsonl", results.segmentation)
    write_json(run / "tokenizer/injection.json", "injection", results.injection, results.provenance["injection"])
    write_json(run / "init/statistics.json", "initial_rows", results.initial, results.provenance["injection"])
    regimes = {}
    if results.regimes:
        regimes["regimes"] = run / "p1/regimes.json"
        write_json(regimes["regimes"], "regimes", results.regimes, results.provenance["injection"])
    tried = {}
    if results.register_validation:
        tried["register_validation"] = run / "register_validation.json"
        write_json(tried["register_validation"], "register_validation", results.register_validation, make_provenance())
    neighbour_map = run / "neighbour_map.json"
    write_json(neighbour_map, "neighbour_map", results.neighbour_map, make_provenance())
    paths = {"runs": [], "histories": [], "metrics": []}
    for phase, values in results.runs.items():
        paths["runs"].append(run / phase / "run.json")
        write_json(paths["runs"][-1], "run", values, results.provenance[phase])
        paths["histories"].append(run / phase / "history.csv")
        write_csv(paths["histories"][-1], results.histories[phase])
    for phase, measures in results.metrics.items():
        for name, values in measures.items():
            paths["metrics"].append(run / "metrics" / phase / f"{name}.json")
            write_json(paths["metrics"][-1], name, values, make_provenance())
    return {
        "corpus": corpus / "corpus.json",
        "lexicon": corpus / "lexicon.csv",
        "segmentation": corpus / "segmentation.jsonl",
        "injection": run / "tokenizer/injection.json",
        "initial": run / "init/statistics.json",
        "neighbour_map": neighbour_map,
        **regimes,
        **tried,
        **paths,
    }


def draw_placeholders(folder: Path, names=FIGURES) -> None:
    """Simple figures, an SVG and a PNG of one name each."""
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000"
        "000049454e44ae426082"
    )
    for name in names:
        write_text(
            folder / f"{name}.svg",
            '<svg xmlns="http://www.w3.org/2000/svg" width="504" height="380" viewBox="0 0 504 380">'
            '<rect width="504" height="380" fill="#eef"/><circle id="a" cx="252" cy="190" r="90" fill="#0072B2"/>'
            f'<text x="20" y="40">{name} &lt;script&gt;</text></svg>',
        )
        (folder / f"{name}.png").write_bytes(png)
