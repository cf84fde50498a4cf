"""Page furniture and paragraphs: what is dropped, what is kept, and where lines are joined."""

import pytest

from wake2vec.text.cleaning import clean


def cleaned(text: str, **options) -> str:
    return clean(text, **options)[0]


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
