"""What counts as a coinage, quoted or new, and how it is made."""

import pytest

from tests.conftest import ROOT
from tests.language.register_words import LEXICON
from wake2vec.language.register_coinages import judge, parsing, rates

TRAINING = {"river", "moonbread", "quarkling", "zorbeth", "the"}


def kinds():
    return judge(LEXICON, TRAINING, {"zorbeth"}, max_zipf=1.0, min_length=3)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("moonbread", "quoted"),  # kept
        ("quarkling", "quoted"),  # too rare for a row, and a coinage all the same
        ("zorbeth", "plain"),  # a name of the training text
        ("bread", "new"),  # listed, and not in the training text
        ("river", "plain"),
        ("riverrunning", "new"),  # nowhere
        ("xk", "plain"),  # too short
        ("xviii", "plain"),
        ("soooo", "plain"),
    ],
)
def test_what_a_coinage_is(word, kind):
    assert kinds()(word) == kind


def test_new_words_are_of_known_parts_or_not_and_may_be_fused():
    parse = parsing(LEXICON, ROOT / "data/morphemes.csv", ROOT / "data/false_segmentations.csv")
    methods = {"moonbread": "compound", "unriverly": "affix", "quarkling": "none", "thiefreyasyand": "none"}
    assert {word: parse(word) for word in methods} == methods
    piece = ["moonbread", "the", "breadriver", "unriverly", "thiefreyasyand", "recpes", "moonbread", "quarkling"]
    found = rates(piece, kinds(), parse)
    assert found == {"coinages": 7 / 8, "quoted": 3 / 8, "parsed": 2 / 8, "unparsed": 2 / 8, "fused": 3 / 8}
    assert rates([], kinds(), parse)["coinages"] == 0
