"""What the text rules call, where one library function does not do: the testbed as a corpus, a lexicon with its
report.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from wake2vec.text.corpus import build_from_passages
from wake2vec.text.lexicon import held_out_words, kept, make_lexicon, saw_held_out
from wake2vec.text.testbed import count_gold, generate


def build_testbed(name: str, text: Mapping[str, Any]) -> tuple[str, str, dict[str, Any], list[dict[str, Any]]]:
    """A testbed text (a `kind: testbed` block), split: (train.txt, valid.txt, values of corpus.json, rows of
    gold.jsonl).

    The passages are the generator's own, about 2,000 characters each.
    """
    source = {key: text[key] for key in ("language", "characters", "seed", "hapax_share", "coinage_rate")}
    passages, gold = generate(**source)
    share, seed = text["split"]["held_out"], text["split"]["seed"]
    train, valid, values = build_from_passages(
        name=name, kind="testbed", source=source, passages=passages, held_out=share, seed=seed
    )
    return train, valid, values, count_gold(gold, train, valid)


def lexicon_with_report(
    train: str, valid: str, settings: Mapping[str, Any]
) -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """lexicon.csv, the kept words, and lexicon.json: counts, what a user's list made us skip, and whether the list has
    seen the held-out text.
    """
    frame, warnings = make_lexicon(train, valid, settings)
    listed = kept(frame)
    report = {
        "words": len(frame),
        "kept": len(listed),
        "excluded": dict(
            Counter(frame.loc[frame["status"] == "excluded", "reason"].str.extract(r"^([a-zA-Z ]+)")[0].str.strip())
        ),
        "warnings": warnings,
        "saw_held_out": settings["scope"] == "whole" or saw_held_out(listed, train, valid),
        "held_out_words": len(held_out_words(listed, train, valid)),
    }
    return frame, listed, report


def spellings(lexicon: pd.DataFrame) -> dict[str, list[str]]:
    """Kept word -> its spellings in the text, most frequent first; a listed word that the text lacks is spelled as
    listed.
    """
    chosen = lexicon[lexicon["status"] == "kept"]
    return {
        word: [spelling.rsplit(":", 1)[0] for spelling in surfaces.split(" ")] if surfaces else [word]
        for word, surfaces in zip(chosen["word"], chosen["surfaces"], strict=True)
    }
