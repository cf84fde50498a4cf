"""Real tokenizers without a download: those inside mistral_common, and byte-level ones trained here."""

import json
from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.conftest import SHARED

LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)


def english() -> str:
    """English prose that is on every machine: the licences, and the documentation inside Python (700 KB)."""
    from pydoc_data.topics import topics

    licences = sorted(p for p in Path("/usr/share/common-licenses").glob("*") if p.is_file())
    return "\n".join([p.read_text("utf-8", "replace") for p in licences] + list(topics.values()))


def mistral_file(name: str) -> Path:
    import mistral_common

    return Path(mistral_common.__file__).parent / "data" / name


def sentencepiece_v3(folder: Path) -> Tokenizer:
    """Mistral v3's SentencePiece model (Llama 2's kind), as transformers converts it."""
    from transformers import AutoTokenizer

    (folder / "tokenizer.model").write_bytes(mistral_file("mistral_instruct_tokenizer_240323.model.v3").read_bytes())
    return AutoTokenizer.from_pretrained(folder).backend_tokenizer


def with_pipeline(tokenizer: Tokenizer, **parts) -> Tokenizer:
    return Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str()) | parts))


def with_model(tokenizer: Tokenizer, **options) -> Tokenizer:
    spec = json.loads(tokenizer.to_str())
    return Tokenizer.from_str(json.dumps(spec | {"model": spec["model"] | options}))


def tekken(folder: Path) -> Tokenizer:
    """Mistral's Tekken: byte-level, with a word-splitting pattern that joins punctuation and parts CamelCase."""
    from transformers.convert_slow_tokenizer import TikTokenConverter

    raw = json.loads(mistral_file("tekken_240911.json").read_text("utf-8"))
    size = raw["config"]["default_vocab_size"] - raw["config"]["default_num_special_tokens"]
    ranks = "".join(f"{piece['token_bytes']} {piece['rank']}\n" for piece in raw["vocab"][:size])
    (folder / "tekken.tiktoken").write_text(ranks)
    converter = TikTokenConverter(str(folder / "tekken.tiktoken"), raw["config"]["pattern"], extra_special_tokens=[])
    return converter.converted()


def byte_level(regex: str | None) -> Tokenizer:
    """A byte-level BPE trained on the English prose; `regex` None is GPT-2's own ByteLevel."""
    tokenizer = Tokenizer(models.BPE())
    spell = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex is None)
    split = [] if regex is None else [pre_tokenizers.Split(Regex(regex), "isolated")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, spell])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=3000, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(english()[:300_000].splitlines(keepends=True), trainer)
    return tokenizer


def _replace(pattern: str, content: str) -> dict:
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def _llama2(folder: Path) -> Tokenizer:
    """As the files of Llama 2, TinyLlama, Mistral v0.1 and Phi-3 have it: every text begins with ▁."""
    return with_pipeline(
        sentencepiece_v3(folder),
        normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, _replace(" ", "▁")]},
        decoder={
            "type": "Sequence",
            "decoders": [
                _replace("▁", " "),
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
    )


def _metaspace_first(folder: Path) -> Tokenizer:
    """As newer conversions have it: a Metaspace pre-tokenizer that does not split."""
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    return with_pipeline(_llama2(folder), normalizer=None, pre_tokenizer=metaspace)


def _gemma(folder: Path) -> Tokenizer:
    """As Gemma's files have it: spaces replaced, then a Split at spaces that no longer exist."""
    split = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    return with_pipeline(sentencepiece_v3(folder), normalizer=_replace(" ", "▁"), pre_tokenizer=split)


SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>"]
ADDED = [*SPECIAL, "<|im_start|>"]


def with_added_tokens(tokenizer: Tokenizer) -> Tokenizer:
    """As Llama 3, Qwen 2.5 and Phi-3 have it: tokens behind the model's own vocabulary."""
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens([token for token in ADDED if token not in SPECIAL])
    return tokenizer


REAL = {
    "SentencePiece v3": sentencepiece_v3,
    "Llama 2's pipeline": _llama2,
    "Metaspace": _metaspace_first,
    "Gemma's pipeline": _gemma,
    "Tekken": tekken,
    "GPT-2's pattern": lambda _: byte_level(None),
    "Llama 3's pipeline": lambda _: with_model(byte_level(LLAMA3_WORDS), ignore_merges=True),
    "Qwen 2.5's pipeline": lambda _: with_pipeline(byte_level(LLAMA3_WORDS), normalizer={"type": "NFC"}),
}
BYTE_LEVEL = {"Tekken", "GPT-2's pattern", "Llama 3's pipeline", "Qwen 2.5's pipeline"}
ALWAYS_AFTER_SPACE = {"Llama 2's pipeline", "Metaspace"}  # a text's first word is spelled like one after a space


@pytest.fixture(scope="session")
def wake_words() -> list[str]:
    path = SHARED / "data/wake_lexicon.txt"
    if not path.exists():
        pytest.skip(f"the published word list is not at {path}")
    return [word for word in path.read_text("utf-8").splitlines() if word.strip()]
