"""The word list as one regular expression."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from wake2vec.vocabulary.trie import trie_regex


def test_by_hand():
    assert trie_regex(["river", "rivers", "run"]) == "r(?:iver(?:s)?|un)"
    assert trie_regex(["a"]) == "a"
    assert trie_regex(["andrée's", "well-nigh"]) == r"(?:andrée\'s|well\-nigh)"


@given(
    st.sets(
        st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=6), min_size=1, max_size=30
    )
)
def test_matches_exactly_its_words(words):
    pattern = regex.compile(trie_regex(words))
    assert all(pattern.fullmatch(word) for word in words)
    for word in words:
        for other in (word + "x", word[1:], "x" + word):
            assert bool(pattern.fullmatch(other)) == (other in words)


def test_longest_word_first():
    assert regex.match(trie_regex(["riv", "river", "riverrun"]), "riverrunning").group() == "riverrun"


def test_empty_lists_and_words_are_refused():
    for words in ([], [""], ["a", ""]):
        with pytest.raises(ValueError, match="at least one word"):
            trie_regex(words)
