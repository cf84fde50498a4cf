"""Passages and the split: nothing lost, nothing in both, the same for a seed; the numbers of corpus.json by hand."""

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.errors import UserError
from wake2vec.text.corpus import (
    build_corpus,
    build_from_passages,
    describe,
    join_passages,
    passages_of,
    split,
    split_passages,
)
from wake2vec.text.words import words

prose = st.lists(
    st.sampled_from(["mill", "Weir", "passencore,", "ale.", "“Yes.”", "o’er", "\n\n", "\n", "...", "—No", "a" * 60]),
    max_size=200,
).map(" ".join)

# Passages ------------------------------------------------------------------------------------------------------------


def test_passages_end_at_paragraphs_where_they_can():
    text = "\n\n".join(["a" * 40, "b" * 40, "c" * 40, "d" * 40])
    assert split_passages(text, 82) == [f"{'a' * 40}\n\n{'b' * 40}", f"{'c' * 40}\n\n{'d' * 40}"]


def test_a_passage_ends_where_its_length_is_nearest_to_the_size():
    assert split_passages(f"{'a' * 60}\n\n{'b' * 70}", 100) == [f"{'a' * 60}\n\n{'b' * 70}"]  # 132 is nearer than 60
    assert split_passages(f"{'a' * 70}\n\n{'b' * 70}", 100) == ["a" * 70, "b" * 70]  # 70 is nearer than 142


def test_a_long_paragraph_is_cut_at_sentence_ends():
    text = "He came. “Yes,” she said. Mr. o’er the hill! ‘What?’ And so"
    assert split_passages(text, 20) == ["He came. “Yes,” she said.", "Mr. o’er the hill!", "‘What?’ And so"]


def test_a_long_sentence_is_cut_between_words_and_a_long_word_stays_whole():
    assert split_passages("yes and so on and on yes", 9) == ["yes and so", "on and on", "yes"]
    assert split_passages("a " + "b" * 30 + " c", 5) == ["a", "b" * 30, "c"]


def test_lines_of_verse_inside_a_passage_stay_lines():
    assert split_passages("O the ale\nis in the pail\n\nend", 100) == ["O the ale\nis in the pail\n\nend"]


@settings(max_examples=200, deadline=None)
@given(prose, st.integers(1, 300))
def test_passages_lose_no_word_and_join_exactly(text, size):
    text = re.sub(r"\n{3,}", "\n\n", re.sub(" *\n *", "\n", text)).strip()
    passages = split_passages(text, size)
    assert [word for passage in passages for word in words(passage)] == words(text)
    assert re.sub(r"\s", "", "".join(passages)) == re.sub(r"\s", "", text)
    assert passages_of(join_passages(passages)) == passages
    longest = max(map(len, text.split()), default=0)
    assert all(len(passage) <= size + (2 + max(size, longest)) / 2 for passage in passages if len(passage) > longest)


@given(st.lists(st.text("ab \n", min_size=1).filter(lambda p: p == p.strip() and "\n\n\n" not in p)))
def test_join_and_passages_of_are_inverses(passages):
    text = join_passages(passages)
    assert passages_of(text) == passages
    assert not text or text.endswith("\n") and not text.endswith("\n\n")


@pytest.mark.parametrize("passage", ["", " a", "a\n", "a\n\n\nb"])
def test_what_is_no_passage_is_not_joined(passage):
    with pytest.raises(ValueError, match="not a passage"):
        join_passages(["fine", passage])


# Split ---------------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.text("ab", min_size=1, max_size=50), min_size=2, max_size=60), st.floats(0.01, 0.99), st.integers(0, 9)
)
def test_a_split_is_a_partition_in_text_order(texts, share, seed):
    passages = [f"{i} {text}" for i, text in enumerate(texts)]
    train, valid = split(passages, share, seed)
    assert train and valid and sorted(train + valid) == sorted(passages)
    assert all([int(p.split()[0]) for p in side] == sorted(int(p.split()[0]) for p in side) for side in (train, valid))
    assert split(passages, share, seed) == (train, valid)


def test_the_share_is_one_of_characters():
    passages = ["x" * (100 + 37 * i % 900) for i in range(400)]
    for seed in range(5):
        _, valid = split(passages, 0.1, seed)
        assert sum(map(len, valid)) / sum(map(len, passages)) == pytest.approx(0.1, abs=0.003)


def test_held_out_passages_come_from_all_over_the_text_and_depend_on_the_seed():
    passages = [str(i) for i in range(1000)]
    chosen = [set(map(int, split(passages, 0.1, seed)[1])) for seed in range(20)]
    assert len({frozenset(c) for c in chosen}) == 20
    assert all(sum(low <= i < low + 250 for i in c) > 5 for c in chosen for low in (0, 250, 500, 750))


def test_a_split_that_cannot_be_made_is_refused():
    with pytest.raises(UserError, match=r"corpora\.w: the text makes 1 passage"):
        split(["one"], key="corpora.w")
    for share in (0, 1, -0.1, float("nan")):
        with pytest.raises(UserError, match="not a share"):
            split(["one", "two"], share)


# corpus.json ---------------------------------------------------------------------------------------------------------


def test_the_numbers_are_those_counted_by_hand():
    values = describe(["The mill, the weir.\n\nCafé’s mill", "Café's"], ["the lock", "Weir"])
    assert values["train"] == {
        "passages": 2,
        "characters": 38,
        "bytes": 42,  # é twice: one more each; ’ once: two more
        "words": 7,
        "types": 4,  # the mill weir café's
        "hapax_types": 1,
        "hapax_share": 0.25,
    }
    assert values["valid"] == {
        "passages": 2,
        "characters": 12,
        "bytes": 12,
        "words": 3,
        "types": 3,
        "hapax_types": 3,
        "hapax_share": 1.0,
    }
    assert values["held_out_types_unseen_in_training"] == 1
    assert values["sha256"]["valid"] == hashlib.sha256(b"the lock\n\n\nWeir\n").hexdigest()


STORY = "\n\n".join(f"The river number {i} went by the mill, as rivers do." for i in range(40))


def test_a_corpus_of_two_files_each_cleaned_with_its_own_anchors(tmp_path):
    (tmp_path / "one.txt").write_bytes(f"skip\nBEGIN\n{STORY}\nEND\nskip".encode())
    (tmp_path / "two.txt").write_bytes(f"TITLE\n\n{STORY.replace('river', 'café')}\n".encode("cp1252"))
    files = [
        {"path": tmp_path / "one.txt", "start": "BEGIN", "end": "END", "furniture": (), "encoding": "utf-8"},
        {"path": tmp_path / "two.txt", "start": None, "end": None, "furniture": ("TITLE",), "encoding": "cp1252"},
    ]
    train, valid, values = build_corpus(name="mills", files=files, cleaning={"gutenberg": False}, passage=200, seed=7)
    passages = passages_of(train) + passages_of(valid)
    assert sorted(words(" ".join(passages))) == sorted(words(STORY + STORY.replace("river", "café")))
    assert not any("river" in passage and "café" in passage for passage in passages)
    assert values["name"] == "mills" and values["kind"] == "file" and values["source"]["seed"] == 7
    assert values["train"]["passages"] == len(passages_of(train))
    assert values["sha256"]["train"] == hashlib.sha256(train.encode()).hexdigest()
    assert values["source"]["files"][0]["sha256"] == hashlib.sha256(files[0]["path"].read_bytes()).hexdigest()
    assert values["cleaning"]["furniture_lines"] == 1 and values["cleaning"]["front_matter_lines"] == 2
    assert build_corpus(name="mills", files=files, cleaning={"gutenberg": False}, passage=200, seed=7)[:2] == (
        train,
        valid,
    )


def test_lines_of_a_tei_edition_are_kept_however_long(tmp_path):
    line = "the river went over the weir and round the island and so on down to the sea"
    verses = "".join(f"<lg><l>{line}</l><l>{line}</l></lg>" for _ in range(9))
    (tmp_path / "a.xml").write_text(f"<TEI><text><body>{verses}</body></text></TEI>")
    train, _, _ = build_corpus(name="t", files=[{"path": tmp_path / "a.xml"}], passage=300)
    assert train.startswith(f"{line}\n{line}\n\n{line}")


def test_a_missing_file_names_its_place_in_the_config(tmp_path):
    with pytest.raises(UserError, match=r"corpora\.mills\.files\.1\.path"):
        (tmp_path / "one.txt").write_text(STORY)
        build_corpus(name="mills", files=[{"path": tmp_path / "one.txt"}, {"path": tmp_path / "two.txt"}])


def test_a_text_that_is_there_twice_is_refused_and_two_parts_of_one_file_are_not(tmp_path):
    (tmp_path / "one.txt").write_text(STORY)
    (tmp_path / "copy.txt").write_text(STORY)
    with pytest.raises(UserError, match=r"corpora\.mills\.files\.1\.path: .*copy.txt .*corpora\.mills\.files\.0"):
        build_corpus(name="mills", files=[{"path": tmp_path / "one.txt"}, {"path": tmp_path / "copy.txt"}])
    parts = [{"end": "river number 20"}, {"start": "river number 20"}]
    files = [{"path": tmp_path / "one.txt"} | part for part in parts]
    train, valid, _ = build_corpus(name="mills", files=files, passage=200)
    assert "number 3 " in train + valid and "number 33 " in train + valid


def test_ready_passages_are_split_and_described_alike():
    passages = [f"passage {i}" for i in range(20)]
    train, valid, values = build_from_passages(name="t", kind="testbed", source={"seed_of_text": 1}, passages=passages)
    assert (passages_of(train), passages_of(valid)) == split(passages)
    assert values["source"] == {"seed_of_text": 1, "held_out": 0.1, "seed": 42}
    assert values["kind"] == "testbed" and values["valid"]["passages"] == 2


# Joyce, from Project Gutenberg's files -------------------------------------------------------------------------------

JOYCE = Path(__file__).parents[2] / "../shared/data/joyce"
BOOKS = {
    "dubliners": (
        {"start": "^THE SISTERS$"},
        "There was no hope for him this time: it was the third stroke.",
        "like the descent of their last end, upon all the living and the dead.",
        # paragraphs that other rules would have run together or torn
        ["GRACE", "“Who?” said I.", "I’m a ... naughty girl.\nYou needn’t sham:\nYou know I am."],
    ),
    "portrait": (
        {"start": "^Ovid, Metamorphoses", "end": r"^Dublin, 1904\.$", "furniture": ["Chapter [IVX]+"]},
        "Once upon a time and a very good time it was there was a moocow coming down along the road",
        "April 27. Old father, old artificer, stand me now and ever in good stead.",
        ["Tralala lala,\nTralala tralaladdy,\nTralala lala,\nTralala lala.", "He sang that song. That was his song."],
    ),
    "ulysses": (
        {"start": r"^\[ 1 \]$", "end": "^Trieste-Zurich-Paris$", "furniture": ["— [IVX]+ —"]},
        "Stately, plump Buck Mulligan came from the stairhead, bearing a bowl of lather on which a mirror and a razor",
        "and his heart was going like mad and yes I said yes I will Yes.",
        ["???", "•", "—Introibo ad altare Dei.", "IN THE HEART OF THE HIBERNIAN METROPOLIS"],
    ),
}


@pytest.fixture(scope="module", params=BOOKS)
def book(request):
    path = JOYCE / f"{request.param}.txt"
    if not path.is_file():
        pytest.skip(f"{path} is not here; it is Project Gutenberg's file")
    options, *expected = BOOKS[request.param]
    train, valid, values = build_corpus(name=request.param, files=[{"path": path, **options}])
    from wake2vec.text.cleaning import clean
    from wake2vec.text.source import read_source

    return clean(read_source(path), **options)[0], passages_of(train), passages_of(valid), values, expected


def test_joyce_begins_and_ends_with_joyce(book):
    text, *_, (first, last, paragraphs) = book
    assert text.startswith(first) and text.endswith(last)
    assert set(paragraphs) <= set(text.split("\n\n"))


def test_nothing_of_the_page_or_the_licence_is_left(book):
    text = book[0]
    assert not re.search(r"(?i)project gutenberg|\bebook|www\.|\*\*\*|_|\.txt|tm license|(?m:^produced by)", text)
    assert not re.search(r"  |\t|\r|\ufeff|\n\n\n| \n|\n ", text)
    assert not re.search(r"(?m)^(?:\[ ?\d+ ?\]|\d+|— [IVX]+ —|Chapter [IVX]+)$", text)


def test_joyce_is_unwrapped_and_no_word_is_divided(book):
    lines = book[0].split("\n")
    assert not [line for line in lines if re.search(r"\w-$", line)]
    # A line that stops in mid-sentence before a small letter is verse, or a paragraph of Penelope.
    runs_on = [a for a, b in zip(lines, lines[1:], strict=False) if re.search(r"\w$", a) and re.match("[a-z]", b)]
    assert not [line for line in runs_on if 50 < len(line) < 500]


def test_the_passages_of_joyce(book):
    text, train, valid, values, _ = book
    lengths = [len(passage) for passage in train + valid]
    assert sum(lengths) / len(lengths) == pytest.approx(2000, rel=0.02) and max(lengths) < 3000
    assert sorted(words("\n".join(train + valid))) == sorted(words(text))
    assert values["valid"]["bytes"] / (values["train"]["bytes"] + values["valid"]["bytes"]) == pytest.approx(
        0.1, abs=0.005
    )
    assert 0.4 < values["train"]["hapax_share"] < 0.7
