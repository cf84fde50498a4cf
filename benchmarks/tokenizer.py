"""What whole-word injection costs a tokenizer: against the base tokenizer, and against `add_tokens`.

    python benchmarks/tokenizer.py --packages /tmp/mistral --out benchmarks/tokenizer.md      # a few minutes
    python benchmarks/tokenizer.py --quick                                                    # a part of the list

The list's words go into each family of tokenizers at hand, every form kept (`min_fires` 0). The built-in and the
byte-level ones are trained here on the texts; Mistral's SentencePiece v3 and Tekken come with mistral_common, which is
optional and never installed into the project's environment:

    pip install --no-deps --target /tmp/mistral mistral_common sentencepiece protobuf tiktoken pycountry \
        pydantic_extra_types pillow

refused     forms that `injection.json` lists as not injectable
build       seconds from the base tokenizer and the list to the new tokenizer, without a text to count in
counted     the same, and the text of `--text` counted and decoded again, as `injection.json` has it
save, load  seconds to write tokenizer.json and to read it
encode      MB (10⁶ bytes of UTF-8) a second of `encode_batch`, median of rounds that take base, wake2vec and add_tokens
            in turn; a ratio is the median of the rounds' ratios, above 1 where wake2vec is the faster. Models keep a
            cache of pieces: speeds are with what the rounds before left in it; ÷ base, cold with an empty one each time
lost        passages that do not decode to themselves
disturbed   passages without a new token whose ids are not the base tokenizer's
"""

import argparse
import ast
import gc
import itertools
import json
import shutil
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from common import MIB, ROOT, header, machine, others_share, processor_use, progress, row, speaker
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from wake2vec.bases.tokenizer import train_tokenizer
from wake2vec.text.corpus import split_passages
from wake2vec.vocabulary.injection import inject, not_coming_back

SHARED = ROOT / "../shared/data"
VARIANTS = ("base", "wake2vec", "add_tokens")
LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
LLAMA_3 += r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
MISTRAL = {
    "SentencePiece v3 (Mistral)": ("mistral_instruct_tokenizer_240323.model.v3", "tokenizer.model"),
    "Tekken (Mistral)": ("tekken_240911.json", "tekken.json"),
}


# Texts --------------------------------------------------------------------------------------------------------------


def english() -> str:
    """The licences of the system, and the documentation strings of Python's own modules."""
    licences = [p for p in sorted(Path("/usr/share/common-licenses").glob("*")) if not p.is_symlink()]
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    texts = [path.read_text("utf-8") for path in licences]
    for path in modules:
        nodes = ast.walk(ast.parse(path.read_text("utf-8", errors="ignore")))
        held = (ast.Module, ast.ClassDef, ast.FunctionDef)
        texts += [found for node in nodes if isinstance(node, held) and (found := ast.get_docstring(node))]
    return "\n\n".join(texts)


# Tokenizers ---------------------------------------------------------------------------------------------------------


def families(passages: list[str], vocabulary: int, packages: Path | None) -> Iterator[tuple[str, Tokenizer]]:
    """(name, base tokenizer) of each family at hand."""
    yield "Metaspace BPE (built-in)", train_tokenizer(passages, vocabulary)
    yield "byte-level BPE, GPT-2's regex", _byte_level(passages, vocabulary, None)
    yield "byte-level BPE, Llama 3's regex", _byte_level(passages, vocabulary, LLAMA_3)
    if packages is not None:
        yield from _mistral(packages)


def _byte_level(passages: list[str], vocabulary: int, pattern: str | None) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    alphabet = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    split = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, alphabet]) if pattern else alphabet
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(passages, trainer)
    return tokenizer


def _mistral(packages: Path) -> Iterator[tuple[str, Tokenizer]]:
    sys.path.insert(0, str(packages))
    from transformers import AutoTokenizer

    data = packages / "mistral_common/data"
    for name, (file, expected) in MISTRAL.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                shutil.copy(data / file, Path(folder) / expected)
                tokenizer = AutoTokenizer.from_pretrained(folder).backend_tokenizer
                yield name, tokenizer
                if name.startswith("Tekken"):
                    yield from _as_large(tokenizer)
            except (ImportError, OSError) as error:
                progress(f"{name}: left out, {' '.join(str(error).split())}")


def _as_large(tekken: Tokenizer) -> Iterator[tuple[str, Tokenizer]]:
    """What Llama 3 and Qwen 2.5 have, whose files are not at hand: their pipelines over Tekken's vocabulary, which is
    of their size.
    """
    spec = json.loads(tekken.to_str())
    split = {"type": "Split", "pattern": {"Regex": LLAMA_3}, "behavior": "Isolated", "invert": False}
    spell = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    spec["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, spell]}
    for name, ignore, normalizer in (("Llama 3's", True, None), ("Qwen 2.5's", False, {"type": "NFC"})):
        changed = spec | {"normalizer": normalizer, "model": spec["model"] | {"ignore_merges": ignore}}
        yield f"{name} pipeline, Tekken's vocabulary", Tokenizer.from_str(json.dumps(changed))


def with_added_tokens(base: Tokenizer, words: list[str]) -> Tokenizer:
    """The rival: the words as added tokens of a copy of the base tokenizer."""
    tokenizer, known = Tokenizer.from_str(base.to_str()), base.get_vocab()
    tokenizer.add_tokens([AddedToken(word, normalized=True) for word in words if word not in known])
    return tokenizer


# Measures -----------------------------------------------------------------------------------------------------------


def timed(function, *arguments):
    """(result, seconds)."""
    started = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - started


def save_and_load(tokenizer: Tokenizer) -> tuple[float, float, int]:
    """Seconds to save, seconds to load, bytes on disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        _, saving = timed(tokenizer.save, str(path))
        _, loading = timed(Tokenizer.from_file, str(path))
        return saving, loading, path.stat().st_size


def encoding_times(
    tokenizers: dict[str, Tokenizer], passages: list[str], rounds: int, cold: bool = False
) -> dict[str, list[float]]:
    """Seconds that each tokenizer takes for all passages, in each round; a first round warms up and is not counted.

    cold: with the model's cache of pieces emptied before each.
    """
    times: dict[str, list[float]] = {name: [] for name in tokenizers}
    for _ in range(rounds + 1):
        for name, tokenizer in tokenizers.items():
            if cold:
                tokenizer.model._clear_cache()
            _, seconds = timed(lambda t=tokenizer: t.encode_batch(passages, add_special_tokens=False))
            times[name].append(seconds)
    return {name: found[1:] for name, found in times.items()}


def disturbed(base: Tokenizer, injected: Tokenizer, base_rows: int, passages: list[str]) -> tuple[int, int]:
    """Of the passages without a new token: how many have other ids than the base gives, and how many there are."""
    encodings = (t.encode_batch(passages, add_special_tokens=False) for t in (base, injected))
    pairs = [(old.ids, new.ids) for old, new in zip(*encodings, strict=True) if max(new.ids, default=0) < base_rows]
    return sum(old != new for old, new in pairs), len(pairs)


# The tables ---------------------------------------------------------------------------------------------------------


def costs(base: Tokenizer, words: list[str], passages: list[str]) -> tuple[dict[str, Tokenizer], list[list]]:
    """The three tokenizers of a family, and a row of what each costs."""
    base_rows, spellings = base.get_vocab_size(), {word: [word] for word in words}
    gc.collect()
    gc.freeze()  # what transformers holds, which the pipeline's job does not import, is not the collector's to look at
    (injected, values), building = timed(inject, base, base_rows, spellings, [], [], "word", 0)
    _, counting = timed(inject, base, base_rows, spellings, passages, [], "word", 0)
    added, adding = timed(with_added_tokens, base, words)
    tokenizers = dict(zip(VARIANTS, (base, injected, added), strict=True))
    forms, refused = len(values["forms"]), len(values["not_injectable"])
    built = {
        "base": ("–", "–", "–", "–"),
        "wake2vec": (f"{forms:,}", f"{refused:,}", f"{building:.2f}", f"{counting:.2f}"),
        "add_tokens": (f"{added.get_vocab_size() - base_rows:,}", "–", f"{adding:.2f}", "–"),
    }
    rows = []
    for variant, tokenizer in tokenizers.items():
        saving, loading, size = save_and_load(tokenizer)
        rows.append([variant, *built[variant], f"{saving:.2f}", f"{loading:.2f}", f"{size / MIB:.1f}"])
    return tokenizers, rows


def speeds(tokenizers: dict[str, Tokenizer], passages: list[str], rounds: int) -> list:
    """A row: MB/s of each tokenizer, and wake2vec's ratio to the rivals'."""
    clock = processor_use()
    times = encoding_times(tokenizers, passages, rounds)
    afresh = encoding_times({name: tokenizers[name] for name in ("base", "wake2vec")}, passages, rounds, cold=True)
    busy = others_share(clock)
    megabytes = sum(len(passage.encode("utf-8")) for passage in passages) / 1e6
    ratios = [
        statistics.median(r / w for r, w in zip(found[rival], found["wake2vec"], strict=True))
        for found, rival in ((times, "base"), (times, "add_tokens"), (afresh, "base"))
    ]
    each = [f"{megabytes / statistics.median(found):.1f}" for found in times.values()]
    return [f"{megabytes:.2f}", *each, *(f"{ratio:.2f}" for ratio in ratios), f"{busy:.0%}"]


def checks(tokenizers: dict[str, Tokenizer], passages: list[str]) -> list:
    """A row: passages lost by each tokenizer, passages disturbed, and the length of the text in tokens."""
    lost = [not_coming_back(tokenizer, passages) for tokenizer in tokenizers.values()]
    base, injected = tokenizers["base"], tokenizers["wake2vec"]
    wrong, plain = disturbed(base, injected, base.get_vocab_size(), passages)
    tokens = [
        sum(len(e.ids) for e in tokenizer.encode_batch(passages, add_special_tokens=False))
        for tokenizer in tokenizers.values()
    ]
    longer = [f"{count / tokens[0]:.3f}" for count in tokens[1:]]
    return [f"{len(passages):,}", *lost, f"{wrong} of {plain:,}", *longer]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="an eighth of the list, short texts, small vocabularies")
    parser.add_argument("--out", type=Path, help="write the tables to this file as well")
    parser.add_argument("--words", type=Path, default=SHARED / "wake_lexicon.txt", help="the list, one word a line")
    parser.add_argument("--text", type=Path, nargs="+", help="text files, together one text (default: the Joyce files)")
    parser.add_argument("--packages", type=Path, help="folder with mistral_common and what it needs (see above)")
    parser.add_argument("--rounds", type=int, default=5, help="of encoding (default 5)")
    arguments = parser.parse_args()
    files = arguments.text or sorted((SHARED / "joyce").glob("*.txt"))
    missing = [str(path) for path in (arguments.words, *files) if not path.is_file()]
    if missing or not files:
        raise SystemExit(f"missing: {', '.join(missing) or SHARED / 'joyce/*.txt'}. Give --words and --text.")
    words = list(dict.fromkeys(arguments.words.read_text("utf-8").split()))
    texts = {"--text": "\n\n".join(path.read_text("utf-8") for path in files), "English": english()}
    if arguments.quick:
        words, texts = words[::8], {name: text[:100_000] for name, text in texts.items()}
    passages = {name: split_passages(text) for name, text in texts.items()}
    say = speaker(arguments.out)
    say(f"# Tokenizers\n\n{machine()}\n")
    say(f"{len(words):,} words of {arguments.words.name}; `--text` is {', '.join(path.name for path in files)}.\n")
    vocabulary = 2_000 if arguments.quick else 16_000
    made = {}
    say("## Build, save, load\n")
    say(
        header(
            "family", "tokenizer", "new tokens", "refused", "build s", "counted s", "save s", "load s", "MiB on disk"
        )
    )
    for name, base in families(list(itertools.chain(*passages.values())), vocabulary, arguments.packages):
        progress(name)
        made[name], rows = costs(base, words, passages["--text"])
        for line in rows:
            say(row(name, *line))
    say("\n## Encode\n\n÷: wake2vec's speed over the rival's; others: their share of the machine meanwhile\n")
    say(
        header(
            "family", "text", "MB", *(f"{v} MB/s" for v in VARIANTS), "÷ base", "÷ add_tokens", "÷ base, cold", "others"
        )
    )
    for name, text in itertools.product(made, passages):
        say(row(name, text, *speeds(made[name], passages[text], arguments.rounds)))
    say("\n## Round trip and base ids\n")
    longer = (f"tokens ÷ base: {variant}" for variant in VARIANTS[1:])
    say(header("family", "text", "passages", *(f"lost: {v}" for v in VARIANTS), "disturbed", *longer))
    for name, text in itertools.product(made, passages):
        say(row(name, text, *checks(made[name], passages[text])))


if __name__ == "__main__":
    main()
