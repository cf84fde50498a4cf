import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wake2vec.geometry.neighbours import choose, frequent_forms, measure_neighbours, name
from wake2vec.geometry.vectors import Rows


def test_planted_neighbours_are_found_in_order(make_forms):
    rng = np.random.default_rng(0)
    base = rng.standard_normal((60, 32))
    new = np.stack([base[i] + 0.7 * base[i + 1] + 0.01 * base[i + 2] for i in range(12)])
    tokens = [f"t{i}" for i in range(60)]
    values = measure_neighbours(Rows(base, new), tokens, make_forms(12, range(12)), 0, per_position=2)
    # The bare form (odd row) of each word is the more frequent: rows 1, 3 | 5, 7 | 9, 11.
    assert [t["row"] for t in values["tokens"]] == [1, 3, 5, 7, 9, 11]
    assert [t["position"] for t in values["tokens"]] == ["beginning"] * 2 + ["middle"] * 2 + ["end"] * 2
    for token in values["tokens"]:
        assert [n["token"] for n in token["neighbours"]][:2] == [f"t{token['row']}", f"t{token['row'] + 1}"]
        assert len(token["neighbours"]) == 5 and token["count_train"] == token["row"]
        assert token["neighbours"][0]["cosine"] > values["null"]["high"]


def test_random_rows_have_neighbours_within_the_null_band(make_forms):
    rng = np.random.default_rng(0)
    rows = Rows(rng.standard_normal((500, 24)), rng.standard_normal((200, 24)))
    values = measure_neighbours(rows, [str(i) for i in range(500)], make_forms(200), 0, per_position=30)
    nearest = [t["neighbours"][0]["cosine"] for t in values["tokens"]]
    assert len(nearest) == 90
    assert 0.88 < np.mean([values["null"]["low"] <= c <= values["null"]["high"] for c in nearest])


@given(st.integers(0, 200), st.integers(1, 20))
def test_no_token_is_chosen_twice_and_ends_are_ends(n, per_position):
    chosen = choose([{"row": i} for i in range(n)], per_position)
    rows = [form["row"] for form, _ in chosen]
    assert rows == sorted(set(rows)) and len(rows) == min(n, len(rows)) and len(rows) >= min(n, 3)
    if n >= 3 * per_position:
        assert len(rows) == 3 * per_position and rows[0] == 0 and rows[-1] == n - 1


def test_the_start_form_stands_for_a_word_unless_the_bare_one_is_more_frequent(make_forms):
    assert [f["row"] for f in frequent_forms(make_forms(4, [3, 3, 1, 2]))] == [0, 3]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows(make_forms, n):
    values = measure_neighbours(Rows(np.eye(3), np.ones((n, 3))), ["a", "b", "c"], make_forms(n), 0)
    assert len(values["tokens"]) == (n + 1) // 2 and ("reason" in values) == (n == 0)


def test_a_row_of_zeros_has_no_neighbours(make_forms):
    values = measure_neighbours(Rows(np.eye(3), np.zeros((1, 3))), ["a", "b", "c"], make_forms(1), 0)
    assert values["tokens"][0]["neighbours"] == []


def test_rows_beyond_the_vocabulary_have_a_name():
    assert name(["a"], 0) == "a" and name(["a"], 7) == "(row 7)"
