"""How each stage grows with the lexicon and with the corpus: time, peak memory, and the exponent of both.

    python benchmarks/growth.py --out benchmarks/growth.md      # a few minutes
    python benchmarks/growth.py --quick                         # up to 3,000 words and 100 KB

Three series. The lexicon grows to the 45,000 words of a list (every form gets tokens) on a text of 1 MB; the corpus
grows to 10 MB with that list; and it grows with the lexicon that it makes itself (every coinage, `min_count` and
`min_fires` 1), so that both grow at once. The text is the books one after another, over and over, each time with every
word that they have once made into another word ("paralysed" -> "paralysedra", then "paralysedmo"): about 4 coinages in
1,000 characters, so that types grow at least as they do in a real text. The base tokenizers have read 1 MB of the books
as they are; what they take for the same text stands beside what ours take. Every encoding begins with an empty cache.

The stages are those of text and word list, until training begins; steps of training and measures of rows have
benchmarks of their own (p1_step.py, factored.py, geometry.py).

The exponent is the slope of log time (or memory) over log size, by least squares over the sizes within a factor of ten
of the largest: 1 is linear, and a fixed cost lowers it. What exceeds 1.1 is marked: it grows faster than linearly.
Times are of the processor (all threads together), the best of three calls; memory (peak resident less what was
resident before) is the first call's.
"""

import argparse
import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import MIB, ROOT, header, in_own_process, machine, measured, others_share, processor_use, row, speaker
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from wake2vec.bases.tokenizer import train_tokenizer
from wake2vec.settings import Initialisation, Lexicon
from wake2vec.text.build import lexicon_with_report, spellings
from wake2vec.text.coinage import analyse
from wake2vec.text.corpus import build_corpus, passages_of, split_passages
from wake2vec.text.encoding import blocks, encode
from wake2vec.text.lexicon import zipf_table
from wake2vec.text.words import WORD, normalise, words
from wake2vec.vocabulary.initialisation import initial_rows
from wake2vec.vocabulary.injection import inject

SHARED = ROOT / "../shared/data"
BASES = ("Metaspace", "byte-level")
VOCABULARY, HIDDEN, BLOCK = 8_000, 256, 128
LEXICA, QUICK_LEXICA = (1_000, 3_000, 10_000, 30_000, 45_000), (300, 1_000, 3_000)
CORPORA, QUICK_CORPORA = (10_000, 100_000, 1_000_000, 10_000_000), (10_000, 30_000, 100_000)
ENDINGS = ("ra", "mo", "ku", "le", "ni", "vo", "sha", "zed", "pli", "quo", "thar", "wim", "dro", "fen", "gub", "hox")
START = re.compile(r"\*\*\* ?START[^*]*\*\*\*")
END = re.compile(r"\*\*\* ?END|End of (?:the )?Project Gutenberg")
STEEP = 1.1
LEAST_SECONDS, LEAST_BYTES = 0.005, 16 * MIB  # below these at the smaller size an exponent would be noise


# Texts --------------------------------------------------------------------------------------------------------------


def body(path: Path) -> str:
    """A book without Project Gutenberg's banners, at the first of which cleaning would end the text."""
    return END.split(START.split(path.read_text("utf-8"), maxsplit=1)[-1])[0].strip()


def long_text(books: str, size: int) -> str:
    """At least `size` characters: copies of the books in which the words they have once are others in each copy."""
    counts = Counter(map(normalise, words(books)))

    def copy(number: int) -> str:
        ending = ENDINGS[number % len(ENDINGS)] * (1 + number // len(ENDINGS))
        return WORD.sub(lambda word: word[0] + ending * (counts[normalise(word[0])] == 1), books)

    return "\n\n".join(map(copy, range(math.ceil(size / len(books)))))


def beginning(text: str, size: int) -> str:
    """About its first `size` characters, to the end of a paragraph."""
    end = text.find("\n\n", size)
    return text[: end if end >= 0 else len(text)]


# Stages -------------------------------------------------------------------------------------------------------------


def train_bases(text: str, folder: Path) -> None:
    """A Metaspace and a byte-level BPE, learnt from a text, as files."""
    passages = split_passages(text)
    train_tokenizer(passages, VOCABULARY).save(str(folder / "Metaspace"))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        passages, trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.save(str(folder / "byte-level"))


def stages(text: str, listed: list[str] | None, folder: Path) -> dict[str, Any]:
    """{"stages": {stage: (seconds, bytes)}, "words", "forms", "others"} of a text, with a list of words or without."""
    found: dict[str, tuple[float, int]] = {}
    clock = processor_use()

    def stage(name: str, call: Callable[[], Any], first: Callable[[], Any] = lambda: None) -> Any:
        first()
        result, seconds, memory = measured(call)
        for _ in range(2):
            first()
            seconds = min(seconds, measured(call)[1])
        found[name] = seconds, memory
        return result

    path, list_path = folder / "text.txt", folder / "list.txt"
    path.write_text(text, "utf-8")
    settings = Lexicon(min_count=1).model_dump()
    if listed is not None:
        list_path.write_text("\n".join(listed), "utf-8")
        settings |= {"source": "file", "path": str(list_path)}
    train, valid, _ = stage("corpus", lambda: build_corpus(name="growth", files=[{"path": str(path)}]))
    frame, _, _ = stage("lexicon", lambda: lexicon_with_report(train, valid, settings))
    files = (ROOT / "data" / name for name in ("morphemes.csv", "false_segmentations.csv", "sentence_frames.txt"))
    segment = partial(analyse, frame, *files, forms=200, sentences=600, seed=42)
    morphemes, segmentation, _ = stage("morphology", segment)
    written, passages, held_out = spellings(frame), passages_of(train), passages_of(valid)
    matrix = np.random.default_rng(0).standard_normal((VOCABULARY, HIDDEN), dtype=np.float32)
    matrices, settings = {"embedding": matrix, "head": matrix[::-1].copy()}, Initialisation().model_dump()
    for name in BASES:
        base = Tokenizer.from_file(str(folder / name))
        rows = base.get_vocab_size()
        call = partial(inject, base, rows, written, passages, held_out, "word", 1 if listed is None else 0)
        injected, values = stage(f"injection, {name}", call)
        if name == BASES[0]:
            forms = values["forms"]
            call = partial(initial_rows, matrices, base, forms, segmentation, morphemes, settings, 0)
            stage("initial rows", call)
        forget = injected.model._clear_cache  # of pieces, which a second call would find filled
        encoded = stage(f"encode, {name}", partial(encode, injected, passages), forget)
        stage(f"encode, {name} base", partial(encode, base, passages), base.model._clear_cache)
        if name == BASES[0]:
            stage("blocks", partial(blocks, encoded, 1, BLOCK))
    return {"stages": found, "words": len(written), "forms": len(forms), "others": others_share(clock)}


# The tables ---------------------------------------------------------------------------------------------------------


def exponent(sizes: list[int], values: list[float], least: float) -> float | None:
    """Least-squares slope of log value over log size, for the sizes within a factor of ten of the largest; None where
    a value is below `least`.
    """
    chosen = [(size, value) for size, value in zip(sizes, values, strict=True) if 10 * size >= sizes[-1]]
    if len(chosen) < 2 or min(value for _, value in chosen) < least:
        return None
    return float(np.polyfit(*np.log(chosen).T, 1)[0])


def _slopes(sizes: list[int], values: list[tuple[float, int]]) -> tuple[str, list[str]]:
    """A stage's exponents as a cell, and which of them are steep."""
    time = exponent(sizes, [seconds for seconds, _ in values], LEAST_SECONDS)
    memory = exponent(sizes, [size for _, size in values], LEAST_BYTES)
    shown, steep = [], []
    for slope, name in ((time, "time"), (memory, "memory")):
        marked = slope is not None and slope > STEEP
        shown.append("–" if slope is None else f"**{slope:.2f}**" if marked else f"{slope:.2f}")
        steep += [f"{name} {slope:.2f}"] if marked else []
    return " · ".join(shown), steep


def series(say: Callable[[str], None], title: str, unit: str, cells: list[tuple[int, str, list | None]], folder: Path):
    """Print a table: a row a size, as they come, and the exponents at its end."""
    results = []
    for size, text, listed in cells:
        found = in_own_process(stages, text, listed, folder)
        if not results:
            say(f"\n## {title}\n\nProcessor seconds · MiB at the peak; the last row has the exponents of both\n")
            say(header(unit, "words", "forms", *found["stages"], "others"))
        results.append(found)
        shown = [f"{seconds:.3f} · {memory / MIB:,.0f}" for seconds, memory in found["stages"].values()]
        say(row(f"{size:,}", f"{found['words']:,}", f"{found['forms']:,}", *shown, f"{found['others']:.0%}"))
    sizes = [size for size, _, _ in cells]
    slopes = {name: _slopes(sizes, [found["stages"][name] for found in results]) for name in results[0]["stages"]}
    say(row("exponent", "", "", *(shown for shown, _ in slopes.values()), ""))
    say("")
    for name, (_, steep) in slopes.items():
        for slope in steep:
            say(f"- {name} grows faster than linearly: {slope}")
    if max(found["others"] for found in results) > 0.1:
        say("- others used more than 10 % of the machine meanwhile: exponents of time say little")
    if not any(steep for _, steep in slopes.values()):
        say("- nothing grows faster than linearly")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--out", type=Path, help="write the tables to this file as well")
    parser.add_argument("--words", type=Path, default=SHARED / "wake_lexicon.txt", help="the list, one word a line")
    parser.add_argument("--text", type=Path, nargs="+", help="the books (default: the Joyce files)")
    arguments = parser.parse_args()
    files = arguments.text or sorted((SHARED / "joyce").glob("*.txt"))
    missing = [str(path) for path in (arguments.words, *files) if not path.is_file()]
    if missing or not files:
        raise SystemExit(f"missing: {', '.join(missing) or SHARED / 'joyce/*.txt'}. Give --words and --text.")
    lexica, corpora = (QUICK_LEXICA, QUICK_CORPORA) if arguments.quick else (LEXICA, CORPORA)
    listed = list(dict.fromkeys(arguments.words.read_text("utf-8").split()))
    books = "\n\n".join(map(body, files))
    text = long_text(books, corpora[-1])
    zipf_table("en")  # loaded once, before anything is measured
    say = speaker(arguments.out)
    say(f"# Growth\n\n{machine()}")
    with tempfile.TemporaryDirectory() as folder:
        fixed = beginning(text, 100_000 if arguments.quick else 1_000_000)
        in_own_process(train_bases, beginning(books, 1_000_000), Path(folder))
        # words in an even spread over the list, so that a short list is like the long one
        spread = [(size, listed[:: max(1, len(listed) // size)][:size]) for size in lexica]
        cells = [(len(chosen), fixed, chosen) for _, chosen in spread]
        series(say, f"The lexicon grows, on {len(fixed):,} characters", "list", cells, Path(folder))
        whole = spread[-1][1]
        cells = [(size, beginning(text, size), whole) for size in corpora]
        series(say, f"The corpus grows, with {len(whole):,} words", "characters", cells, Path(folder))
        cells = [(size, beginning(text, size), None) for size in corpora]
        series(say, "The corpus grows, and the lexicon with it", "characters", cells, Path(folder))


if __name__ == "__main__":
    main()
