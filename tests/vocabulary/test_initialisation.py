"""Initial rows against the formulas, by hand, and their independence of everything but the seed."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer

from wake2vec.vocabulary.initialisation import initial_rows
from wake2vec.vocabulary.parts import Parts, mean_rows, pieces_of

FORMS = [
    {"row": 0, "form": "▁riverling", "word": "riverling", "surface": "riverling", "start": True},
    {"row": 1, "form": "▁moonbread", "word": "moonbread", "surface": "moonbread", "start": True},
    {"row": 2, "form": "unknowable", "word": "unknowable", "surface": "unknowable", "start": False},
]
SEGMENTATION = [
    {"word": "riverling", "prefix": "", "root": "river", "suffix": "ling", "compound": [], "method": "affix"},
    {"word": "moonbread", "prefix": "", "root": "", "suffix": "", "compound": ["moon", "bread"], "method": "compound"},
    {"word": "unknowable", "prefix": "", "root": "unknowable", "suffix": "", "compound": [], "method": "none"},
]
MORPHEMES = {"prefixes": {}, "suffixes": {"ling": ["duckling", "seedling"]}}
SETTINGS = {
    "method": "compositional",
    "alpha": 0.25,
    "noise": 0.0,
    "radius": 1.5,
    "spread": 0.1,
    "fallback": "subtoken_mean",
}


@pytest.fixture
def matrix(base_tokenizer):
    return np.random.default_rng(1).normal(0.3, 2.0, (base_tokenizer.get_vocab_size(), 24)).astype(np.float32)


def make(base_tokenizer, matrix, seed=0, sides=("embedding",), **changes):
    matrices = {side: matrix for side in sides}
    return initial_rows(matrices, base_tokenizer, FORMS, SEGMENTATION, MORPHEMES, SETTINGS | changes, seed)


def word(base_tokenizer, matrix, text, start=True):
    return mean_rows(matrix, pieces_of(base_tokenizer, [text], start))[0]


def test_compositional_by_hand(base_tokenizer, matrix):
    rows, statistics = make(base_tokenizer, matrix)
    (pieces,) = pieces_of(base_tokenizer, ["ling"], start=False)
    if len(pieces) == 1:
        suffix = matrix[pieces[0]]
    else:  # an affix that is no piece is the mean of its examples
        suffix = (word(base_tokenizer, matrix, "duckling") + word(base_tokenizer, matrix, "seedling")) / 2
    river, moon, bread = (word(base_tokenizer, matrix, text) for text in ("river", "moon", "bread"))
    # no prefix: its weight goes to the root
    np.testing.assert_allclose(rows["embedding.new"][0], 0.75 * river + 0.25 * suffix, rtol=1e-5)
    np.testing.assert_allclose(rows["embedding.new"][1], (moon + bread) / 2, rtol=1e-5)
    # no parts: the mean of its own pieces, as a bare form
    np.testing.assert_allclose(rows["embedding.new"][2], word(base_tokenizer, matrix, "unknowable", False), rtol=1e-5)
    assert statistics["embedding"]["made_from"] == {
        "affixes and root": 1,
        "compound": 1,
        "subtoken_mean: no parts found": 1,
    }


def test_a_word_with_a_part_that_the_base_cannot_spell_falls_back(base_tokenizer, matrix):
    """Without bytes to fall back on a tokenizer drops what it does not know, and a root is no vector at all."""
    spec = json.loads(base_tokenizer.to_str())
    spec["model"] |= {"byte_fallback": False, "unk_token": None}
    entries = [
        {"word": "riverling", "prefix": "", "root": "ξψ", "suffix": "ling", "compound": []},
        {"word": "moonbread", "prefix": "", "root": "", "suffix": "", "compound": ["moon", "ξψ"]},
    ]
    forms = [
        {"row": i, "form": e["word"], "word": e["word"], "surface": "river", "start": True}
        for i, e in enumerate(entries)
    ]
    bare = Tokenizer.from_str(json.dumps(spec))
    rows, statistics = initial_rows({"embedding": matrix}, bare, forms, entries, MORPHEMES, SETTINGS, 0)
    assert statistics["embedding"]["made_from"] == {"subtoken_mean: a part that the base cannot spell": 2}
    np.testing.assert_allclose(rows["embedding.new"], [word(base_tokenizer, matrix, "river")] * 2, rtol=1e-5)


def test_prefix_root_and_suffix_have_their_weights(base_tokenizer, matrix):
    entry = {"word": "w", "prefix": "re", "root": "river", "suffix": "ling", "compound": []}
    morphemes = MORPHEMES | {"prefixes": {"re": ["return"]}}
    parts = dict(Parts(base_tokenizer, matrix, [entry], morphemes).of(entry))
    rows, _ = initial_rows(
        {"embedding": matrix},
        base_tokenizer,
        [{"row": 0, "form": "▁w", "word": "w", "surface": "w", "start": True}],
        [entry],
        morphemes,
        SETTINGS | {"alpha": 0.3},
        0,
    )
    expected = 0.3 * parts["prefix"] + 0.4 * parts["root"] + 0.3 * parts["suffix"]
    np.testing.assert_allclose(rows["embedding.new"][0], expected, rtol=1e-5)


def test_spherical_radius(base_tokenizer, matrix):
    rows, _ = make(base_tokenizer, matrix, method="spherical")
    np.testing.assert_allclose(
        np.linalg.norm(rows["embedding.new"], axis=1), 1.5 * matrix.std() * np.sqrt(24), rtol=1e-5
    )


def test_gaussian_is_around_the_base_mean(base_tokenizer, matrix):
    rows, _ = make(base_tokenizer, matrix, method="gaussian", spread=0.0)
    np.testing.assert_allclose(rows["embedding.new"], np.tile(matrix.mean(0), (3, 1)), rtol=1e-5)


def test_random_fallback_is_small_and_of_the_bases_deviation(base_tokenizer, matrix):
    rows, _ = make(base_tokenizer, matrix, fallback="random")
    assert not np.allclose(rows["embedding.new"][2], word(base_tokenizer, matrix, "unknowable", False))
    assert 0.3 < rows["embedding.new"][2].std() / matrix.std() < 3


@pytest.mark.parametrize("method", ["compositional", "spherical", "gaussian", "subtoken_mean"])
def test_the_seed_and_nothing_else(base_tokenizer, matrix, method):
    first, _ = make(base_tokenizer, matrix, method=method, noise=0.1, sides=("embedding", "head"))
    np.random.seed(7)
    again, _ = make(base_tokenizer, matrix, method=method, noise=0.1, sides=("embedding", "head"))
    other, _ = make(base_tokenizer, matrix, method=method, noise=0.1, sides=("embedding", "head"), seed=1)
    assert first.keys() == {"embedding.new", "head.new"}
    for side in first:
        np.testing.assert_array_equal(first[side], again[side])
        assert first[side].dtype == np.float32 and first[side].shape == (3, 24)
        assert method == "subtoken_mean" or not np.array_equal(first[side], other[side])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_float32_whatever_the_matrix(base_tokenizer, matrix, dtype):
    for method in ("compositional", "spherical", "gaussian", "subtoken_mean"):
        rows, _ = make(base_tokenizer, matrix.astype(dtype), method=method, noise=0.1)
        assert rows["embedding.new"].dtype == np.float32


def test_statistics_by_hand(base_tokenizer, matrix):
    rows, statistics = make(base_tokenizer, matrix)
    new, told = rows["embedding.new"], statistics["embedding"]
    norms = np.linalg.norm(new, axis=1)
    assert told["norm"]["mean"] == pytest.approx(norms.mean()) and told["norm"]["max"] == pytest.approx(norms.max())
    assert told["base_norm"]["min"] == pytest.approx(np.linalg.norm(matrix, axis=1).min())
    cosines = (new / norms[:, None]) @ (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).T
    assert told["nearest"]["cosine"]["mean"] == pytest.approx(cosines.max(1).mean(), abs=1e-6)
    assert [example["base"] for example in told["nearest"]["examples"]] == [
        base_tokenizer.id_to_token(int(i)) for i in cosines.argmax(1)
    ]


def test_pieces_are_those_of_the_word_in_its_place(base_tokenizer):
    (start,) = pieces_of(base_tokenizer, ["river"])
    assert start == base_tokenizer.encode("river", add_special_tokens=False).ids  # Metaspace puts the space there
    (bare,) = pieces_of(base_tokenizer, ["river"], start=False)
    assert base_tokenizer.decode(bare) == "river" and not base_tokenizer.id_to_token(bare[0]).startswith("▁")


def test_an_entry_without_parts_has_none(base_tokenizer, matrix):
    parts = Parts(base_tokenizer, matrix, SEGMENTATION, MORPHEMES)
    assert parts.of(SEGMENTATION[2]) == []
    assert [role for role, _ in parts.of(SEGMENTATION[0])] == ["root", "suffix"]
