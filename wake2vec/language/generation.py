"""Generation probes: what a model writes on from words that training moved much, and from words that it moved little.

A prompt is a few words of the training text that end with the probed word, so that the model meets it as a reader
would; or it is the user's own. All phases of a run have the same prompts and seeds, so that they differ by the model
alone. Every prompt is written on at every temperature from several seeds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from wake2vec.errors import UserError
from wake2vec.storage import read_text, read_values
from wake2vec.text.encoding import begin_id, load_tokenizer, with_text

PROMPT_WORDS = 6
OWN = "own"  # what a prompt of the user's is seeded with


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


def write_on(
    causal,
    tokenizer: Tokenizer,
    begin: int,
    prompt: str,
    draws: Sequence[tuple[float, int]],
    tokens: int,
    top_p: float,
) -> list[str]:
    """What the model writes after `prompt`, at most `tokens` tokens, for each (temperature, seed) in `draws`.

    Nucleus sampling (Holtzman et al. 2020), with a top_p of 1 from the model's whole distribution. All draws of a
    prompt are one batch, so that nothing is padded, and each has a random generator of its own: a text is that of its
    prompt, temperature and seed. Of the checkpoint's own generation settings only its end of text is used.
    """
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    start = [begin, *tokenizer.encode(prompt, add_special_tokens=False).ids]
    most = getattr(causal.config.get_text_config(), "max_position_embeddings", None)
    if most is not None and len(start) + tokens > most:
        raise UserError(
            f"generation.tokens: {tokens} after the {len(start)} tokens of the prompt {prompt!r} are more than the "
            f"{most} positions that the base has (max_position_embeddings in its config.json). Accepted: fewer, or a "
            "shorter prompt."
        )
    device = causal.get_input_embeddings().weight.device
    ids = torch.tensor([start] * len(draws), device=device)
    # in the place of the checkpoint's own, which would fill what is left open here (a repetition penalty, say)
    causal.generation_config = GenerationConfig(
        do_sample=False,  # `choose` draws, and leaves one token to take
        max_new_tokens=tokens,
        eos_token_id=causal.generation_config.eos_token_id,
        pad_token_id=begin,
    )
    choose = choice([temperature for temperature, _ in draws], [seed for _, seed in draws], top_p)
    with torch.no_grad():
        written = causal.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            logits_processor=LogitsProcessorList([choose]),
        )
    # the whole text is decoded and the prompt cut off it, so that the seam keeps its space
    prompted = len(tokenizer.decode(start[1:]))
    return [tokenizer.decode(with_text(tokenizer, row[1:].tolist()))[prompted:] for row in written]


def choice(temperatures: Sequence[float], seeds: Sequence[int], top_p: float):
    """A logits processor that draws one token a row from its own temperature and seed, and rules out all others."""
    import torch
    from transformers import TopPLogitsWarper

    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    nucleus = TopPLogitsWarper(top_p)

    def choose(ids, scores):
        heat = torch.tensor(temperatures, device=scores.device)[:, None]
        shares = nucleus(ids, scores.float() / heat).softmax(-1).cpu()
        rows = zip(shares, generators, strict=True)
        drawn = torch.stack([torch.multinomial(row, 1, generator=generator) for row, generator in rows])
        return torch.full_like(scores, -torch.inf).scatter(1, drawn.to(scores.device), 0.0)

    return choose


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
    chosen += [{"seeded_with": OWN, "token": "", "prompt": prompt} for prompt in settings["own"]]
    causal = assemble(paths["manifest"], **{name: paths.get(name) for name in ("rows", "adapter", "body")}, **model)
    samples = []
    for number, probe in enumerate(chosen):
        seeds = [settings["seed"] + number + len(chosen) * i for i in range(settings["seeds"])]
        draws = [(temperature, seed) for temperature in settings["temperatures"] for seed in seeds]
        texts = write_on(causal, tokenizer, begin, probe["prompt"], draws, settings["tokens"], settings["top_p"])
        samples += [
            probe | {"temperature": temperature, "seed": seed, "draw": i % len(seeds), "text": text}
            for i, ((temperature, seed), text) in enumerate(zip(draws, texts, strict=True))
        ]
    return {"samples": samples, "tokens": settings["tokens"], "top_p": settings["top_p"]}
