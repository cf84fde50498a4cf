"""The lexicon: counts worked out by hand, wordfreq as the other witness, and lists with everything wrong in them."""

import re
import tempfile
from pathlib import Path

import pytest
import wordfreq
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.errors import UserError
from wake2vec.text.lexicon import (
    COLUMNS,
    build_lexicon,
    held_out_words,
    kept,
    lexicon_from_list,
    make_lexicon,
    read_word_list,
    saw_held_out,
    zipf,
    zipf_table,
)
from wake2vec.text.words import normalise, words

SHARED = Path(__file__).parents[2] / "../shared"
TEXT = """The snotgreen sea, said Mulligan, is a snotgreen sea. Snotgreen! Well-nigh scrotumtightening.

We met Mulligano there, and Mulligano laughed. A wavewhite hand, a WAVEWHITE hand, my wavewhite hand.

She was tiiiired in MCMIV and mdcxiv; in mdcxiv he said: Plooshblot. Plooshblot came. Two topers, topers’ gin.
"""
letters = st.text("abcdeéïst", min_size=1, max_size=8)
some_words = st.builds("".join, st.lists(letters, min_size=1, max_size=1)) | st.builds("{}-{}".format, letters, letters)


def by_word(text, **settings):
    return build_lexicon(text, **settings).set_index("word")


# Counting and reasons ----------------------------------------------------------


def test_counts_surfaces_and_reasons_of_a_text_counted_by_hand():
    frame = build_lexicon(TEXT)
    assert list(frame.columns) == COLUMNS
    assert kept(frame) == ["snotgreen", "wavewhite", "plooshblot"]  # 3, 3 and 2 times
    row = frame.set_index("word").loc
    assert row["snotgreen"].tolist() == [3, 0.0, "kept", "", "snotgreen:2 Snotgreen:1"]
    assert row["wavewhite", "surfaces"] == "wavewhite:2 WAVEWHITE:1"
    assert row["scrotumtightening", "reason"] == "count 1 < min_count 2"
    assert row["sea", "reason"] == f"known: zipf {wordfreq.zipf_frequency('sea', 'en'):.2f} > 1.00"
    assert row["a", "reason"].startswith("known: zipf ")
    assert row["mulligano", "reason"] == "name: capitalised in 2 of 2 places inside sentences, at least 90%"
    assert row["tiiiired", "reason"] == 'drawn out: "tired" with a letter more than twice in a row'
    assert row["mcmiv", "reason"] == row["mdcxiv", "reason"] == "Roman numeral"


def test_a_hyphenated_word_is_as_novel_as_its_rarest_piece():
    row = by_word("A well-nigh plooshy-green plooshy-green sea.").loc
    assert row["well-nigh", "zipf"] == wordfreq.zipf_frequency("nigh", "en")
    assert row["well-nigh", "reason"] == 'known: rarest piece "nigh", zipf 3.24 > 1.00'
    assert row["plooshy-green"].tolist() == [2, 0.0, "kept", "", "plooshy-green:2"]


@pytest.mark.parametrize(
    ("word", "found", "through"),
    [
        ("river", wordfreq.zipf_frequency("river", "en"), ""),
        ("o'clock", wordfreq.zipf_frequency("o'clock", "en"), ""),
        ("capon's", wordfreq.zipf_frequency("capon", "en"), 'rarest piece "capon"'),
        ("topers", wordfreq.zipf_frequency("toper", "en"), 'plural of "toper"'),
        ("brilliancies", wordfreq.zipf_frequency("brilliancy", "en"), 'plural of "brilliancy"'),
        ("snotgreen's", 0.0, ""),
        ("plooshes", 0.0, ""),
    ],
)
def test_zipf_of_words_their_pieces_and_plurals(word, found, through):
    assert zipf(word, zipf_table()) == (found, through)


@settings(deadline=None)
@given(st.sampled_from(sorted(word for word in zipf_table() if word.isalpha() and word.isascii())))
def test_zipf_agrees_with_wordfreq_on_every_plain_word(word):
    assert zipf(word, zipf_table())[0] == wordfreq.zipf_frequency(word, "en")


def test_a_limit_of_one_keeps_exactly_what_wordfreq_does_not_know():
    assert min(zipf_table().values()) > 1.0


@settings(deadline=None)
@given(st.lists(some_words, max_size=30), st.integers(1, 3))
def test_every_word_of_a_text_has_one_status_and_its_count(chosen, min_count):
    text = " ".join(chosen)
    frame = build_lexicon(text, min_count=min_count, max_zipf=3.0)
    assert sorted(frame["word"]) == sorted({normalise(word) for word in words(text)})
    assert frame["count"].sum() == len(words(text))
    assert ((frame["status"] == "kept") == (frame["reason"] == "")).all()
    took = frame[frame["status"] == "kept"]
    assert (took["count"] >= min_count).all() and (took["zipf"] <= 3.0).all() and (took["word"].str.len() >= 3).all()
    assert frame["count"].is_monotonic_decreasing
    spelled = frame["surfaces"].str.split().explode().str.rsplit(":", n=1).str[1].astype(int)
    assert spelled.groupby(level=0).sum().tolist() == frame["count"].tolist()


# Names ----------------------------------------------------------


def test_names_may_be_kept():
    assert "mulligano" in kept(build_lexicon(TEXT, names="keep"))


def test_capitals_at_the_head_of_a_sentence_or_of_a_line_of_verse_make_no_name():
    text = "Plooshblot came.\nPlooshblot went. “Plooshblot!” —Plooshblot? (Plooshblot) PLOOSHBLOT"
    assert by_word(text).loc["plooshblot", "status"] == "kept"


def test_a_title_before_a_word_ends_no_sentence():
    assert by_word("He saw Mr. Plooshblot. She saw Mrs. Plooshblot.").loc["plooshblot", "reason"].startswith("name: ")


def test_a_word_capitalised_in_less_than_nine_places_of_ten_is_no_name():
    text = "the plooshblot. " + "the Plooshblot. " * 8
    assert by_word(text).loc["plooshblot", "status"] == "kept"
    assert by_word(text + "the Plooshblot. ").loc["plooshblot", "reason"].startswith("name: capitalised in 9 of 10")


# Which text is counted ----------------------------------------------------------


def test_the_held_out_text_is_counted_only_when_given():
    train, valid = "plooshy rain, a dringle", "plooshy dringle, a mazzop and a mazzop"
    assert kept(build_lexicon(train)) == []
    assert kept(build_lexicon(train, whole=valid)) == ["dringle", "mazzop", "plooshy"]
    scope = {"source": "text", "path": None, "min_count": 2, "max_zipf": 1.0, "min_length": 3, "names": "exclude"}
    assert kept(make_lexicon(train, valid, {**scope, "scope": "training"})[0]) == []
    assert kept(make_lexicon(train, valid, {**scope, "scope": "whole"})[0]) == ["dringle", "mazzop", "plooshy"]


@settings(deadline=None)
@given(st.lists(some_words, max_size=20), st.lists(some_words, max_size=20))
def test_a_lexicon_of_the_training_text_has_never_seen_the_held_out_text(train, valid):
    train, valid = " ".join(train), " ".join(valid)
    assert not saw_held_out(build_lexicon(train, min_count=1)["word"], train, valid)
    only = {normalise(word) for word in words(valid)} - {normalise(word) for word in words(train)}
    assert held_out_words([normalise(word) for word in words(valid)], train, valid) == sorted(only)


def test_an_unknown_language_is_refused_with_a_guess():
    with pytest.raises(UserError, match='"eng" is unknown to wordfreq. Did you mean "en"'):
        build_lexicon("text", language="eng")


# A user's list ----------------------------------------------------------


def listed(tmp_path, data):
    path = tmp_path / "list.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_blank_lines_and_duplicates_are_skipped_with_their_line_numbers(tmp_path):
    path = listed(tmp_path, "\ufeffRiverrun\r\n\r\nandrée’s\nriverrun\n  Andre\u0301e's \nwell-nigh\n")
    found, warnings = read_word_list(path)
    assert found == ["riverrun", "andrée's", "well-nigh"]
    assert warnings == [
        "line 2: blank, skipped",
        'line 4: "riverrun" stands in line 1 already, skipped',
        'line 5: "andrée\'s" stands in line 3 already, skipped',
    ]


def test_what_cannot_be_used_is_listed_by_line(tmp_path):
    lines = ["fine", "two words", "andrÃ©e", "lost\ufffdletter", "abc1", "-ment"]
    path = listed(tmp_path, "\n".join(lines).encode() + b"\nandr\xe9e\n")
    with pytest.raises(UserError) as error:
        read_word_list(path)
    message = str(error.value)
    assert "6 of its lines" in message and str(path) in message
    assert re.findall(r"line (\d+): ([\w -]+)", message) == [
        ("2", "2 words "),
        ("3", "UTF-8 encoded twice "),
        ("4", "a letter was lost to an earlier decoding error "),
        ("5", "not a word "),
        ("6", "not a word "),
        ("7", "not UTF-8"),
    ]
    assert "byte 0xe9 at position 5" in message


def test_only_the_first_faults_are_listed_and_the_rest_counted(tmp_path):
    with pytest.raises(UserError, match=r"(?s)25 of its lines.*line 10: .*and 15 more$") as error:
        read_word_list(listed(tmp_path, "two words\n" * 25))
    assert "line 11" not in str(error.value)


@pytest.mark.parametrize("data", ["", "\n\n"])
def test_an_empty_list_is_refused(tmp_path, data):
    with pytest.raises(UserError, match="holds no word"):
        read_word_list(listed(tmp_path, data))


def test_a_missing_list_names_the_key(tmp_path):
    with pytest.raises(UserError, match="lexicon.path"):
        read_word_list(tmp_path / "none.txt")


@settings(max_examples=50, deadline=None)
@given(st.lists(some_words, min_size=1, max_size=30), st.sampled_from(["\n", "\r\n"]))
def test_a_list_reads_back_as_its_different_words_in_order(chosen, newline):
    with tempfile.TemporaryDirectory() as folder:
        path = listed(Path(folder), newline.join(chosen))
        found, warnings = read_word_list(path)
    assert found == list(dict.fromkeys(normalise(word) for word in chosen))
    assert len(warnings) == len(chosen) - len(found)


def test_a_lexicon_from_a_list_keeps_the_list_and_nothing_else(tmp_path):
    train, valid = "Riverrun, the riverrun past a plooshblot", "a mazzop"
    found = ["riverrun", "mazzop", "absent"]
    frame = lexicon_from_list(found, train)
    assert kept(frame) == ["riverrun", "absent", "mazzop"]
    row = frame.set_index("word").loc
    assert row["riverrun"].tolist() == [2, zipf_table()["riverrun"], "kept", "", "Riverrun:1 riverrun:1"]
    assert row["mazzop"].tolist() == [0, 0.0, "kept", "", ""]
    assert row["plooshblot", "reason"] == "not in the word list"
    assert len(frame) == 3 + len(["the", "past", "a", "plooshblot"])
    assert saw_held_out(found, train, valid) and held_out_words(found, train, valid) == ["mazzop"]
    path = listed(tmp_path, "\n".join(found))
    made, warnings = make_lexicon(train, valid, {"source": "file", "path": str(path)})
    assert made.equals(frame) and warnings == []


# Real text ----------------------------------------------------------


def test_the_published_list_loads():
    path = SHARED / "data/wake_lexicon.txt"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    found, warnings = read_word_list(path)
    assert len(found) == 44_990 and warnings == []


def test_what_ulysses_coins():
    path = SHARED / "data/joyce/ulysses.txt"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    paragraphs = path.read_text(encoding="utf-8-sig").split("\n\n")
    frame = by_word("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs))
    assert set(frame.loc[["snotgreen", "wavewhite", "sandwichman", "agenbite"], "status"]) <= {"kept", "excluded"}
    assert frame.loc["snotgreen", "status"] == frame.loc["agenbite", "status"] == "kept"
    for hapax in ("scrotumtightening", "contransmagnificandjewbangtantiality"):
        assert frame.loc[hapax, "reason"] == "count 1 < min_count 2"
    for name in ("florry", "conmee", "artifoni"):
        assert frame.loc[name, "reason"].startswith("name: ")
    for known in ("dedalus", "navel", "ineluctable"):
        assert frame.loc[known, "reason"].startswith("known: ")
    assert 300 < (frame["status"] == "kept").sum() < 700
