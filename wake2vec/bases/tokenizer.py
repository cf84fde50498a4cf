"""The built-in base's tokenizer: a Metaspace BPE with byte fall-back, in the manner of Llama 2's.

Words carry their leading space as ▁; punctuation and line breaks are pieces of their own, so that a word followed by a
comma is the same word; characters outside the alphabet are spelled in bytes, so that any text decodes back to itself.
"""

import json
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
MARKS = r"\n+|[\p{P}$+<=>^`|~]"  # isolated: no letter, digit or ▁ is among them


def train_tokenizer(passages: Iterable[str], vocabulary: int) -> Tokenizer:
    """Learn `vocabulary` pieces (3 special, 256 bytes, the alphabet, merges) from passages of text."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True),
            pre_tokenizers.Split(Regex(MARKS), "isolated"),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    byte_pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[UNKNOWN, BEGIN, END, *byte_pieces],
        show_progress=False,
        limit_alphabet=200,
        initial_alphabet=list("'’“”—-"),
    )
    tokenizer.train_from_iterator(passages, trainer)
    # the trainer takes byte pieces only as special tokens, which would match "<0x0A>" in a text: leave them in the
    # vocabulary alone
    spec = json.loads(tokenizer.to_str())
    spec["added_tokens"] = [token for token in spec["added_tokens"] if token["content"] not in set(byte_pieces)]
    return Tokenizer.from_str(json.dumps(spec))


def tokenizer_config(sequence: int) -> dict:
    """tokenizer_config.json: loaded as it is by AutoTokenizer, whatever the model's own tokenizer class."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": UNKNOWN,
        "bos_token": BEGIN,
        "eos_token": END,
        "model_max_length": sequence,
        "clean_up_tokenization_spaces": False,
    }
