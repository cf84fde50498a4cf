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


# Furniture -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "12",
        "[ 12 ]",
        "[12]",
        "(12)",
        "- 12 -",
        "— 12 —",
        "p. 3",
        "P. 3",
        "Page 3 of 628",
        "xiv",
        "[iv]",
        "* * *",
        "———",
        "\f",
    ],
)
def test_lines_that_are_furniture(line):
    assert cleaned(f"One.\n\n{line}\n\nTwo.") == "One.\n\nTwo."


@pytest.mark.parametrize(
    "line",
    [
        "12345",
        "— I —",
        "I",
        "11/-",
        "???",
        "...",
        "•",
        "1904.",
        "1914-1921",
        "[a]",
        "mix",
        "p. m.",
        "— 12 *",
        "O!",
        "V.",
    ],
)
def test_lines_that_are_text(line):
    assert cleaned(f"One.\n\n{line}\n\nTwo.") == f"One.\n\n{line}\n\nTwo."


def test_the_users_expressions_match_whole_lines():
    text = "CHAPTER I\n\nIn CHAPTER I it rains.\n\n  CHAPTER  II\n\nIt stops."
    assert cleaned(text, furniture=["CHAPTER [IVX]+"]) == "In CHAPTER I it rains.\n\nIt stops."


def book(pages: list[str], head) -> str:
    return "\n".join(f"{head(n)}\n\n{page}\n" for n, page in enumerate(pages, 1))


PAGES = [f"The {n} day was dull." for n in ("first", "second", "third", "fourth", "fifth", "sixth")]


@pytest.mark.parametrize(
    "head",
    [
        lambda n: f"Of Mills\n{n}",
        lambda n: f"{n}\n\nOf Mills",
        lambda n: f"{n}  THE MILLRACE" if n % 2 else f"A  DULL DAY {n}",
        lambda n: "\fOf Mills",
    ],
)
def test_running_heads_are_known_by_coming_back(head):
    assert cleaned(book(PAGES, head)) == "\n\n".join(PAGES)


@pytest.mark.parametrize(
    "line", ["“Yes.”", "—Yes", "Yes, he said.", "CHAPTER 4"], ids=["quoted", "dash", "sentence", "chapter"]
)
def test_what_reads_as_text_is_no_running_head(line):
    assert cleaned(book(PAGES, lambda n: f"{line}\n\n{n}")).count(line) == len(PAGES)


def test_a_line_that_is_mostly_elsewhere_is_no_running_head():
    text = book(PAGES, lambda n: f"Tap\n\n{n}") + "\n\nTap\n" * 7
    assert cleaned(text).count("Tap") == 13


def test_a_sentence_runs_on_over_a_page_break_and_a_paragraph_does_not():
    full = "the river went over the weir and round the island and down"
    assert cleaned(f"{full}\n\n12\n\nto the sea.") == f"{full} to the sea."
    assert cleaned(f"{full}\n\n12\n\nDublin way.") == f"{full} Dublin way."
    assert cleaned(f"{full} pas-\n\n12\n\nsen by.") == f"{full} passen by."
    assert cleaned(f"{full}.\n\n12\n\nThen it stopped.") == f"{full}.\n\nThen it stopped."
    assert cleaned("THE WEIR\n\n12\n\nThen it stopped.") == "THE WEIR\n\nThen it stopped."
    assert cleaned(f"{full}\n12\nto the sea.") == f"{full} to the sea."
    assert cleaned(f"{full}.\n12\nThen it stopped.") == f"{full}. Then it stopped."


def test_without_a_page_break_a_blank_line_is_a_paragraph():
    full = "yes and the river went over the weir and round the island and down"
    assert cleaned(f"{full}\n\nto the sea") == f"{full}\n\nto the sea"


def test_margin_numbers_are_known_by_their_steps():
    verses = [f"a line of verse about the {n}" for n in "mill pond weir lock sluice race".split()]
    numbered = [f"{verse}    {5 * n}" for n, verse in enumerate(verses, 1)]
    assert cleaned("\n".join(numbered)) == "\n".join(verses)
    assert cleaned("\n".join(f"{5 * n}\t{verse}" for n, verse in enumerate(verses, 1))) == "\n".join(verses)
    references = [f"003.{n:02d} {verse}" for n, verse in enumerate(verses, 1)]
    assert cleaned("\n".join(references)) == "\n".join(verses)


def test_a_table_is_no_margin():
    table = [
        f"{goods}    {price}"
        for goods, price in zip("flour meal bran oats rye malt".split(), [5, 20, 15, 35, 5, 7], strict=True)
    ]
    assert cleaned("\n".join(table)) == "\n".join(table).replace("    ", " ")


# Paragraphs ----------------------------------------------------------------------------------------------------------

LONG = "The river went over the weir and round the island and so down"


def test_hard_wrapped_lines_are_joined_and_verse_is_kept():
    assert cleaned(f"{LONG}\n{LONG}\nto sea.") == f"{LONG} {LONG} to sea."
    assert cleaned("O the ale\n  is in the pail") == "O the ale\nis in the pail"


def test_verse_set_in_is_parted_from_the_prose_around_it():
    raw = f"{LONG}:\n    O the ale\n    is in the pail\n{LONG}\nto sea."
    assert cleaned(raw) == f"{LONG}:\n\nO the ale\nis in the pail\n\n{LONG} to sea."
    assert cleaned("    O the ale\n    is in the pail\nHe sang.") == "O the ale\nis in the pail\n\nHe sang."


def test_paragraphs_marked_by_indentation_alone():
    raw = f"   {LONG}\n{LONG}\n{LONG} to sea and still\n   Then {LONG}\n{LONG}\n   And {LONG}\n{LONG}."
    assert cleaned(raw) == f"{LONG} {LONG} {LONG} to sea and still\n\nThen {LONG} {LONG}\n\nAnd {LONG} {LONG}."


def test_a_short_line_that_ends_a_sentence_ends_a_paragraph():
    assert cleaned(f"{LONG}\nto sea.\nThen {LONG}\n{LONG}") == f"{LONG} to sea.\n\nThen {LONG} {LONG}"
    assert cleaned(f"{LONG}\nto sea.” And so\n{LONG}") == f"{LONG} to sea.” And so {LONG}"


def test_lines_and_page_numbers_alone_still_show_where_speech_begins():
    raw = f"{LONG}\nand called:\n—Come up!\nThen {LONG}\n4\n{LONG}.\n"
    assert cleaned(raw) == f"{LONG} and called:\n\n—Come up!\n\nThen {LONG} {LONG}."


def test_double_line_spacing_is_undone():
    lines = [f"and the river went over the weir, number {n}, and so on" for n in range(24)]
    assert cleaned("\n\n".join(lines)) == " ".join(lines)
    assert cleaned("\n\n".join(lines[:12]) + ".\n\n\n" + "\n\n".join(lines[12:])).count("\n\n") == 1


def test_a_dash_at_a_line_end_is_set_as_the_text_sets_it():
    assert cleaned(f"{LONG}—\nso—he—said") == f"{LONG}—so—he—said"
    assert cleaned(f"{LONG} —\nso — he — said") == f"{LONG} — so — he — said"


def test_without_unwrapping_every_line_stays():
    assert cleaned(f"{LONG}\n{LONG}\n\nend", unwrap=False) == f"{LONG}\n{LONG}\n\nend"


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
