"""Cleaning: exact expectations on small horrors, a scan made from a known text and cleaned back, and invariants."""

import random
import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wake2vec.errors import UserError
from wake2vec.text.cleaning import clean
from wake2vec.text.words import words


def cleaned(text: str, **options) -> str:
    return clean(text, **options)[0]


# A page of everything ------------------------------------------------------------------------------------------------

HORROR = (
    "\ufeffSome Digital Library\r\n"
    "Scanned 2011, do not remove.\r\n"
    "\r\n"
    "THE  MILLRACE\r\n"
    "\r\n"
    "   [ 1 ]\r\n"
    "\r\n"
    "Past the mill\u00adrace and the passen-\r\n"
    "core of the town, where no  one\tkept a reck-   \r\n"
    "oning, the ﬁrst of the ﬂoods came brawling down, and the\r\n"
    "well-known ferryman, who knew a well-\r\n"
    "known storm when he smelt one, tied the boat to the Anglo-\r\n"
    "Norman bridge and went oﬀ to the cafe\u0301 for an hour of it,\r\n"
    "\r\n"
    "                 p. 2\r\n"
    "\f THE MILLRACE\r\n"
    "\r\n"
    "he and his dog. “Don’t wait,” said Zoë — the cœur of the af¬\r\n"
    "fair — and he didn’t.\r\n"
    "\r\n"
    "    O the river’s in the ale,\r\n"
    "      And the ale is in the pail,\r\n"
    "    _Lauda_ the mill!\r\n"
    "\r\n"
    "- 3 -\r\n"
    "\f THE MILLRACE\r\n"
    "\r\n"
    "Nobody\u200b laughed. It rained from 1904-\r\n"
    "1907 without a stop, and after that the people of the place\r\n"
    "took to the roofs.\r\n"
    "\r\n"
    "            * * *\r\n"
    "\r\n"
    "                 p. 4\r\n"
    "\f THE MILLRACE\r\n"
    "\r\n"
    "Then it was over.\r\n"
    "\r\n"
    "FINIS\r\n"
    "Printed by nobody\r\n"
)

PLAIN = """\
Past the millrace and the passencore of the town, where no one kept a reckoning, the first of the floods came brawling \
down, and the well-known ferryman, who knew a well-known storm when he smelt one, tied the boat to the Anglo-Norman \
bridge and went off to the café for an hour of it, he and his dog. “Don’t wait,” said Zoë — the cœur \
of the affair — and he didn’t.

O the river’s in the ale,
And the ale is in the pail,
Lauda the mill!

Nobody laughed. It rained from 1904-1907 without a stop, and after that the people of the place took to the roofs.

Then it was over."""


def test_a_page_of_everything_at_once():
    text, done = clean(HORROR, start="^THE MILLRACE$", end="^FINIS$")
    assert text == PLAIN
    expected = {
        "carriage_returns": HORROR.count("\r"),
        "invisible_characters": 3,  # byte order mark, soft hyphen inside a line, zero-width space
        "ligatures": 3,
        "squeezed_spaces": 3,
        "front_matter_lines": 4,
        "back_matter_lines": 3,
        "page_numbers": 4,
        "running_heads": 3,
        "page_breaks_closed": 1,
        "ornaments": 1,
        "italics_marks": 2,
        "words_rejoined": 3,
        "hyphens_kept": 2,
        "divided_numbers_joined": 1,
        "lines_kept": 2,
        "paragraphs": 4,
    }
    assert {name: done.get(name) for name in expected} == expected
    assert done["characters_before"] == len(HORROR) and done["characters_after"] == len(PLAIN)


# Characters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "clear"),
    [
        ("ﬀ ﬁ ﬂ ﬃ ﬄ ﬅ ﬆ ſo", "ff fi fl ffi ffl st st so"),
        ("œuvre Æsop fœtus", "œuvre Æsop fœtus"),
        ("‘it’s’ “so” — «là» …", "‘it’s’ “so” — «là» …"),
        ("cafe\u0301 n\u0303", "café ñ"),
        ("a\u00a0b\u2009c\u3000d\te  f", "a b c d e f"),
        ("ri\u200bver\u00adrun\ufeff", "riverrun"),
        ("a\x00b\x1ac", "abc"),
        ("well\u2010known non\u2011stop", "well-known non-stop"),
        ("one\r\ntwo\rthree\r\r\nfour\x0bfive\x85six\u2028seven", "one\ntwo\nthree\nfour\nfive\nsix\nseven"),
        ("one\u2029two", "one\n\ntwo"),
        ("_em_phasis and _more_", "emphasis and more"),
    ],
)
def test_characters(raw, clear):
    assert cleaned(raw) == clear


def test_options_leave_alone_what_they_name():
    text = "an _ofﬁce_ passen-\ncore\n\n12\n\nend"
    options = {"fold_ligatures": False, "italics": False, "rejoin_hyphens": False, "page_furniture": False}
    assert cleaned(text, **options) == "an _ofﬁce_ passen-\ncore\n\n12\n\nend"


# Divided words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "mended"),
    [
        ("passen-\ncore", "passencore"),
        ("passen- \n   core", "passencore"),
        ("pas-\nsen-\ncore", "passencore"),
        ("a well-\nknown well-known man", "a well-known well-known man"),
        ("a well-\nknown well-known wellknown man", "a wellknown well-known wellknown man"),
        ("mother-in-\nlaw, Mother-In-Law", "mother-in-law, Mother-In-Law"),
        ("Anglo-\nIrish", "Anglo-Irish"),
        ("PASSEN-\nCORE", "PASSENCORE"),
        ("o’er-\nthrow", "o’erthrow"),
        ("naï-\nvement é-\ntang", "naïvement étang"),
        ("passen\u00ad\ncore passen-core", "passencore passen-core"),
        ("passen¬\ncore", "passencore"),
        ("from 1904-\n1907 on", "from 1904-1907 on"),
        ("he said--\nand went", "he said--\nand went"),
        ("passen-\n\ncore", "passen-\n\ncore"),
        ("passen-\n“core", "passen-\n“core"),
    ],
)
def test_words_divided_at_a_line_end(raw, mended):
    assert cleaned(raw) == mended


def test_halves_are_no_evidence_for_the_whole():
    # "well" and "known" stand only at the line end; neither form occurs elsewhere, so the word is joined.
    assert cleaned("well-\nknown") == "wellknown"


# Banners and anchors -------------------------------------------------------------------------------------------------


def gutenberg(body: str, title: str = "MILLS") -> str:
    return (
        f"The Project Gutenberg EBook of {title}\n\nTitle: {title}\n\n*** START OF THIS PROJECT GUTENBERG EBOOK {title}"
        f" AND\nMORE ***\n\nProduced by A. Person and\nB. Person.\n\n{body}\n\n"
        f"End of the Project Gutenberg EBook of {title}, by\nNobody\n\n"
        f"*** END OF THIS PROJECT GUTENBERG EBOOK {title} ***\n\nSection 1. General Terms of Use\n"
    )


def test_gutenberg_banners_credits_and_illustrations_are_cut():
    assert cleaned(gutenberg("Here it\n[Illustration: a\nmill] begins.")) == "Here it\nbegins."


def test_several_gutenberg_books_in_one_file_are_all_kept():
    assert cleaned(gutenberg("First.") + gutenberg("Second.")) == "First.\n\nSecond."


@pytest.mark.parametrize(
    "text",
    [
        "***START OF THE PROJECT GUTENBERG EBOOK MILLS***\nText.\n***END OF THE PROJECT GUTENBERG EBOOK MILLS***\nmore",
        "x\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29*END*\nText.\nEnd of Project Gutenberg's Mills\nx",
        "Text.\n*** END OF THE PROJECT GUTENBERG EBOOK MILLS ***\nlicence",
        "licence\n*** START OF THE PROJECT GUTENBERG EBOOK MILLS ***\nText.",
    ],
)
def test_other_banners(text):
    assert cleaned(text) == "Text."


def test_a_text_that_speaks_of_production_keeps_it():
    assert cleaned("Produced by hand, the flour was fine.") == "Produced by hand, the flour was fine."


def test_the_first_matching_anchors_count():
    text = "Contents\n\nONE\n\nBOOK\n\nONE\n\nkept\n\nTHE END\n\ncut\n\nTHE END"
    assert cleaned(text, start="^ONE$", end="^THE END$") == "BOOK\n\nONE\n\nkept"
    assert cleaned(text, start="^BOOK$") == "ONE\n\nkept\n\nTHE END\n\ncut\n\nTHE END"


def test_an_anchor_that_is_not_found_shows_lines_like_it():
    with pytest.raises(UserError, match=r"corpora\.w\.start: no line matches '\^THE SISTRES\$'.*line 3: “THE SISTERS”"):
        clean("x\n\nTHE SISTERS\n\ny", start="^THE SISTRES$", key="corpora.w")


def test_an_end_before_the_start_is_refused():
    with pytest.raises(UserError, match=r"corpora\.w\.end: .* only line 1 .* \(line 3: “BEGIN”\)"):
        clean("FINIS\n\nBEGIN\n\ntext", start="BEGIN", end="FINIS", key="corpora.w")


def test_a_bad_expression_is_refused():
    for option in ({"start": "("}, {"end": "("}, {"furniture": ["("]}):
        with pytest.raises(UserError, match=rf"corpora\.w\.{next(iter(option))}: '\(' is not a regular expression"):
            clean("text", **option, key="corpora.w")


@pytest.mark.parametrize("text", ["", " \n\f\n", "12\n\n- 13 -\n\n* * *"])
def test_nothing_left_is_refused(text):
    with pytest.raises(UserError, match="nothing is left"):
        clean(text)


# A scan made from a known text ---------------------------------------------------------------------------------------

WORDS = (
    "river mill weir ferryman millrace passencore lantern orchard unhurried brawling ledger thunderous évening o’er"
).split()


def story(rng: random.Random, paragraphs: int) -> list[str]:
    def sentence() -> str:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randint(4, 14))).capitalize() + "."

    return [" ".join(sentence() for _ in range(rng.randint(5, 9))) for _ in range(paragraphs)]


def scan(paragraphs: list[str], rng: random.Random, width: int = 60, page: int = 30) -> str:
    """Print and scan: hard wrap, divided words, pages with a head and a number, ligatures, double spaces, CRLF."""
    lines: list[str] = []
    for paragraph in paragraphs:
        line = ""
        for word in paragraph.split(" "):
            room = width - len(line) - 2
            if len(line) + len(word) < width:
                line = f"{line} {word}".strip()
            elif (divisible := re.fullmatch(r"([a-z]{3,})([a-z]{3,}\.?)", word)) and room >= 3:
                cut = min(room, divisible.end(1))
                lines.append(f"{line} {word[:cut]}-")
                line = word[cut:]
            else:
                lines.append(line)
                line = word
        lines += [line, ""]
    pages = [lines[i : i + page] for i in range(0, len(lines), page)]
    text = "\n".join("\n".join([*page, "", f"{n}", "\fThe Ferryman", ""]) for n, page in enumerate(pages, 1))
    text = re.sub(" (?=[a-z])", lambda _: rng.choice([" ", "  "]), text)
    return "\ufeff" + text.replace("fl", "ﬂ").replace("\n", "\r\n")


def test_a_scan_comes_back_as_the_text_it_was_made_from():
    rng = random.Random(3)
    paragraphs = story(rng, 150)
    text, done = clean(scan(paragraphs, rng))
    assert words(text) == words("\n\n".join(paragraphs))
    assert done["words_rejoined"] > 100 and done["page_numbers"] > 20
    # Only a page that ends with a full sentence leaves open whether the paragraph does too.
    assert len(set(paragraphs) - set(text.split("\n\n"))) <= 0.1 * len(paragraphs)


# Invariants ----------------------------------------------------------------------------------------------------------

ATOMS = [
    *"abcdeABé1 \n\n\t-'’“”.,—_*[]()¬\r\f\u00ad\u200b\u00a0\u0301ﬁ",
    *[
        "\n\n",
        "\r\n",
        "  ",
        "-\n",
        "\n   ",
        "river",
        " the quick brown weir",
        "12",
        "[ 3 ]",
        "\n* * *\n",
        "\n14\n",
        "THE MILL\n",
    ],
    *["--", "\n14\n", "THE MILL\n", "mill race. ", "Then it rained", " and so on and on"],
]
messy = st.lists(st.sampled_from(ATOMS), max_size=120).map("".join) | st.text(max_size=80)


@settings(max_examples=400, deadline=None)
@given(messy)
@example("a-\nb-\nc 12\n12\n")
@example("mill\u00ad\n\n12\n\nrace")
def test_cleaning_is_idempotent_and_its_result_is_well_formed(raw):
    try:
        text = cleaned(raw)
    except UserError:
        return
    assert cleaned(text) == text
    assert text == text.strip() and unicodedata.is_normalized("NFC", text)
    assert not re.search(r"[\t\r\f\ufeff\u200b\u00ad\u00a0_ﬁ]|  |\n\n\n| \n|\n ", text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("abcéœÆz ’.\n-\t", min_size=1), max_size=30).map("".join))
def test_no_letter_is_lost_where_nothing_is_cut(raw):
    try:
        text = cleaned(raw)
    except UserError:
        return
    kept = [character for character in text if character.isalpha()]
    assert kept == [character for character in unicodedata.normalize("NFC", raw) if character.isalpha()]
