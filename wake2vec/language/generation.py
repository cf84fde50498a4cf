"""Generation probes: what a model writes on from words that training moved much, and from words that it moved little.

A prompt is a few words of the training text that end with the probed word, so that the model meets it as a reader
would.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from wake2vec.storage import read_text, read_values
from wake2vec.text.encoding import begin_id, load_tokenizer

PROMPT_WORDS = 6


def probes(
    forms: list[Mapping[str, Any]], drift: Mapping[str, Any] | None, train: str, count: int
) -> list[dict[str, str]]:
    """`count` high-drift and `count` low-drift words with a prompt each: {"seeded_with", "token", "prompt"}.

    Only words that occur in the training text are probed, each once. Without a drift (no phase has trained rows) the
    most frequent words are probed.
    """
    by_form = {form["form"]: form for form in forms}
    if drift is None:
        ranked = {"frequent": [f["form"] for f in sorted(forms, key=lambda f: -f["count_train"])]}
    else:
        ranked = {
            "high-drift": [entry["token"] for entry in drift["most_drifted"]],
            "low-drift": [entry["token"] for entry in drift["least_drifted"]],
        }
    chosen, used = [], set()
    for kind, tokens in ranked.items():
        found = 0
        for token in tokens:
            form = by_form.get(token)
            if form is None or form["word"] in used or found == count:
                continue
            if (prompt := prompt_for(form["surface"], train)) is None:
                continue
            used.add(form["word"])
            found += 1
            chosen.append({"seeded_with": kind, "token": form["surface"], "prompt": prompt})
    return chosen


def prompt_for(surface: str, train: str) -> str | None:
    """The words of the training text before a word's first whole occurrence, and the word; None where it has none."""
    import regex

    found = regex.search(rf"(?<![\p{{L}}\p{{M}}]){regex.escape(surface)}(?![\p{{L}}\p{{M}}])", train)
    if found is None:
        return None
    line = train[: found.end()].rsplit("\n", 1)[-1]
    return " ".join(line.split(" ")[-PROMPT_WORDS:])


def sample(
    causal, tokenizer: Tokenizer, begin: int, prompt: str, temperature: float, tokens: int, top_p: float, seed: int
) -> str:
    """What the model writes after `prompt`, at most `tokens` tokens, by nucleus sampling from a seed."""
    import torch

    ids = torch.tensor([[begin, *tokenizer.encode(prompt, add_special_tokens=False).ids]])
    ids = ids.to(causal.get_input_embeddings().weight.device)
    torch.manual_seed(seed)
    with torch.no_grad():
        written = causal.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            temperature=temperature,
            top_p=top_p,
            top_k=0,
            max_new_tokens=tokens,
            pad_token_id=begin,
            use_cache=True,
        )
    # the whole text is decoded and the prompt cut off it, so that the seam keeps its space
    return tokenizer.decode(written[0, 1:].tolist())[len(prompt) :]


def generate_phase(paths: Mapping[str, str], model: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The values of generation.json for a model as it is at a phase.

    paths: manifest, tokenizer, injection, rows, train, and what the model has of adapter, body and drift. model: head,
    precision, quantisation. settings: the `generation` block.
    """
    from wake2vec.model.assemble import assemble

    folder = Path(paths["tokenizer"]).parent
    tokenizer, begin = load_tokenizer(folder), begin_id(folder)
    drift = read_values(paths["drift"]) if "drift" in paths else None
    chosen = probes(read_values(paths["injection"])["forms"], drift, read_text(paths["train"]), settings["prompts"])
    causal = assemble(paths["manifest"], **{name: paths.get(name) for name in ("rows", "adapter", "body")}, **model)
    samples = []
    for temperature in settings["temperatures"]:
        for number, probe in enumerate(chosen):
            seed = settings["seed"] + number
            text = sample(
                causal, tokenizer, begin, probe["prompt"], temperature, settings["tokens"], settings["top_p"], seed
            )
            samples.append(probe | {"temperature": temperature, "seed": seed, "text": text})
    return {"samples": samples}
