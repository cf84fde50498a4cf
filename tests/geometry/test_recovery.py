from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.report_results import make_results
from wake2vec.geometry import recovery, vectors
from wake2vec.geometry.recovery import (
    count_group,
    gold_pairs,
    hand_round,
    measure_recovery,
    rank,
    resampled,
    resampled_averages,
)
from wake2vec.geometry.vectors import Rows
from wake2vec.report.geometry_tables import recovery_table
from wake2vec.report.readings import place
from wake2vec.report.summary import summarise


def test_ranks_about_means_are_those_of_centred_rows():
    rng = np.random.default_rng(0)
    new, base = (rng.standard_normal((n, 6)).astype(np.float32) + 3 for n in (20, 90))
    means = new.mean(0), base.mean(0)
    queries, targets = rng.integers(20, size=200), rng.integers(90, size=200)
    a, b = (m - mean for m, mean in zip((new, base), means, strict=True))
    cosines = (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T
    truth = (cosines[queries] >= cosines[queries, targets][:, None] - 1e-6).sum(1)
    assert (rank(new, base, queries, targets, means) == truth).all()
    assert (rank(new, base, queries, targets) != truth).mean() > 0.5


def coinages(n, parts_of, counts, kinds=("compound",)):
    """gold.jsonl rows: coinage i is word{i}, with the parts parts_of(i) and the training count counts[i]."""
    return [
        {
            "word": f"word{i}",
            "kind": kinds[i % len(kinds)],
            "parts": [{"text": text, "role": role} for text, role in parts_of(i)],
            "count": int(counts[i]) + 1,
            "count_train": int(counts[i]),
            "count_valid": 1,
        }
        for i in range(n)
    ]


IDS = {f"p{i}": [i] for i in range(2000)} | {"long": [3, 4], "nothing": []}


def two_parts(i):
    return [(f"p{2 * i}", "word"), (f"p{2 * i + 1}", "word")]


def test_rank_by_hand():
    # Cosines of (1, 0): 1, 0.707, 0, 0, -1. Of the two at 0 each counts as the last: rank 4.
    base = np.array([[3, 0], [1, 1], [0, 1], [0, -2], [-1, 0]], np.float32)
    queries, targets = np.zeros(5, np.int64), np.arange(5)
    assert rank(np.array([[2, 0]], np.float32), base, queries, targets).tolist() == [1, 2, 4, 4, 5]


def test_a_row_of_zeros_ranks_everything_last():
    assert rank(np.zeros((1, 3), np.float32), np.eye(3, dtype=np.float32), np.zeros(1, int), np.ones(1, int)) == [3]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 25))
def test_rank_agrees_with_counting(seed, base_rows, pairs):
    rng = np.random.default_rng(seed)
    base = rng.integers(-2, 3, (base_rows, 3)).astype(np.float32)
    new = rng.integers(-2, 3, (4, 3)).astype(np.float32)
    queries, targets = rng.integers(0, 4, pairs), rng.integers(0, base_rows, pairs)
    unit = [m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-9) for m in (new, base)]
    cosines = unit[0] @ unit[1].T
    expected = [(cosines[q] >= cosines[q, t] - 1e-6).sum() for q, t in zip(queries, targets, strict=True)]
    assert rank(new, base, queries, targets).tolist() == expected


def test_rank_does_not_depend_on_the_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    base, new = rng.standard_normal((50, 6)).astype(np.float32), rng.standard_normal((20, 6)).astype(np.float32)
    queries, targets = rng.integers(0, 20, 200), rng.integers(0, 50, 200)
    whole = rank(new, base, queries, targets)
    monkeypatch.setattr(vectors.spans, "__defaults__", (150,))
    assert (rank(new, base, queries, targets) == whole).all()


def test_the_form_most_frequent_in_training_stands_for_its_coinage(make_forms):
    forms = make_forms(6, [5, 1, 2, 3, 0, 0])
    pairs, without_row, _ = gold_pairs(coinages(4, two_parts, [6, 5, 0, 9]), forms, IDS, 100)
    assert pairs.row.tolist() == [0, 0, 3, 3, 4, 4] and pairs.target.tolist() == [0, 1, 2, 3, 4, 5]
    assert without_row == 1 and pairs.group.tolist() == ["6-10"] * 2 + ["3-5"] * 2 + ["0"] * 2


def test_parts_of_several_pieces_or_none_have_no_row(make_forms):
    parts = [("long", "prefix"), ("p7", "root"), ("nothing", "suffix"), ("unknown", "suffix")]
    pairs, _, without = gold_pairs(coinages(1, lambda i: parts, [3]), make_forms(2), IDS, 100)
    assert pairs.target.tolist() == [7] and pairs.role.tolist() == ["root"]
    assert without == {"prefix": 1, "suffix": 2}


def test_a_piece_beyond_the_base_rows_is_refused(make_forms):
    with pytest.raises(ValueError, match='"p7" has piece id 7, but there are 5 base rows'):
        gold_pairs(coinages(1, lambda i: [("p7", "root")], [1]), make_forms(2), IDS, 5)


def test_parts_are_handed_to_other_coinages_of_the_same_count_and_kind(make_forms):
    counts = [1] * 6 + [2] * 4 + [20]
    gold = coinages(11, two_parts, counts, kinds=("compound", "portmanteau"))
    pairs, _, _ = gold_pairs(gold, make_forms(22), IDS, 100)
    receivers = hand_round(pairs, 50, np.random.default_rng(0))
    assert (receivers[:, -2:] == -1).all(), "the only one of its cell keeps nothing and gives nothing"
    for shuffle in receivers[:, :-2]:
        assert (shuffle[::2] == shuffle[1::2]).all(), "a coinage's parts stay together"
        assert sorted(shuffle) == sorted(pairs.row[:-2])
        giver, taker = pairs.row[:-2] // 2, shuffle // 2
        assert all(counts[a] == counts[b] and a % 2 == b % 2 for a, b in zip(giver, taker, strict=True))
    assert len({tuple(s) for s in receivers}) > 1


def test_bootstrap_averages_agree_with_repeating_the_ranks():
    rng = np.random.default_rng(0)
    coinage, ranks = np.array([0, 0, 1, 2, 2, 2, 3]), rng.integers(1, 50, 7).astype(float)
    weights = resampled(coinage, rng, 200)
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, [0, 2, 3, 6]].sum(1) == 4).all()
    found = resampled_averages(ranks, weights)
    for draw in range(200):
        repeated = np.repeat(ranks, weights[draw].astype(int))
        assert found["median_rank"][draw] == np.median(repeated)
        assert found["top10"][draw] == pytest.approx((repeated <= 10).mean())
        assert found["mean_reciprocal_rank"][draw] == pytest.approx((1 / repeated).mean())


def planted(strength, n=120, base_rows=400, d=64, seed=0, common=0.0):
    """Rows that hold `strength` of each of their two parts, some noise, and a direction that all new rows share."""
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((base_rows, d)).astype(np.float32)
    new = rng.standard_normal((2 * n, d)).astype(np.float32) + common * rng.standard_normal(d).astype(np.float32)
    parts = rng.integers(0, base_rows, (n, 2))
    new[::2] += np.float32(strength) * base[parts].sum(1)
    counts = np.resize([1, 2, 4, 8, 20], n)
    gold = coinages(n, lambda i: [(f"p{p}", "word") for p in parts[i]], counts, ("compound", "portmanteau"))
    return Rows(base, new), gold


def test_planted_parts_are_found(make_forms):
    rows, gold = planted(1.0)
    values = measure_recovery(rows, gold, make_forms(240), IDS, 0)
    assert [g["count"] for g in values["groups"]] == ["1", "2", "3-5", "6-10", "11+"]
    assert values["base_rows"] == 400 and values["parts_without_row"] == values["coinages_without_row"] == 0
    for group in values["groups"]:
        assert group["coinages"] == 24 and group["parts"] == 48
        assert group["median_rank"] <= 2 and group["top10"] > 0.9 and group["shuffled"]["p"] == 0.002
        assert group["median_rank_interval"][1] < group["shuffled"]["median_rank_interval"][0]
        assert group["shuffled"]["auc"] > 0.95 and abs(group["shuffled"]["median_rank"] - 200.5) < 40
        assert group["chance"]["median_rank"] == 200.5 and group["chance"]["top10"] == 10 / 400
        assert group["centred"]["median_rank"] <= 2
    assert set(values["by_kind"]) == {"compound", "portmanteau"} and values["by_kind"]["compound"]["coinages"] == 60
    assert values["by_role"]["word"]["parts"] == 240 and values["by_role"]["word"]["median_rank"] <= 2


def test_random_rows_are_at_chance(make_forms):
    merged, p, said = [], [], []
    for seed in range(12):
        rows, gold = planted(0.0, n=60, seed=seed)
        values = measure_recovery(rows, gold, make_forms(120), IDS, seed, draws=200)
        role = values["by_role"]["word"]
        merged.append(role)
        p.append(role["shuffled"]["p"])
        results = replace(make_results(), metrics={"p1": {"recovery": values}})
        said += [line.split("|")[-2] for line in recovery_table(results, summarise(results)).splitlines()[2:]]
    found = [one for one in said if "Nearer" in one or "Farther" in one]
    assert len(said) == 60 and len(found) <= 1, "in one of twenty reports"
    assert np.mean([m["median_rank"] for m in merged]) == pytest.approx(200.5, rel=0.08)
    assert np.mean([m["mean_reciprocal_rank"] for m in merged]) == pytest.approx(
        (1 / np.arange(1, 401)).sum() / 400, rel=0.35
    )
    assert np.mean([m["shuffled"]["auc"] for m in merged]) == pytest.approx(0.5, abs=0.03)
    assert sum(m["median_rank_interval"][0] <= 200.5 <= m["median_rank_interval"][1] for m in merged) >= 10
    assert sum(x <= 0.05 for x in p) <= 2


@pytest.mark.parametrize("n", [2, 3, 4, 8])
def test_few_coinages_are_called_near_their_parts_no_more_often_than_chance_allows(make_forms, n):
    p = []
    for seed in range(60):
        rows, gold = planted(0.0, n=n, seed=seed)
        gold = [entry | {"kind": "compound", "count_train": 1} for entry in gold]
        p.append(measure_recovery(rows, gold, make_forms(2 * n), IDS, seed, 199, 20)["groups"][0]["shuffled"]["p"])
    assert sum(one <= 0.05 for one in p) <= 8, "60 times 0.05, and three deviations"
    assert n > 3 or min(p) > 0.05, "of so few orders one is the observed one"


def test_parts_that_nobody_else_could_have_do_not_turn_the_sign():
    own = np.array([1.0, 2, 3, 4, 300, 300, 300, 300, 300, 300])  # of the last six, each is the only one of its kind
    handed = np.full((200, 10), np.nan)
    handed[:, :4] = np.random.default_rng(0).integers(50, 400, (200, 4))
    found = recovery.summarise(np.vstack([own, handed]), np.isfinite(handed), np.ones((5, 10)), 400, 10)
    assert found["median_rank"] == 300 > found["shuffled"]["median_rank"]
    assert found["shuffled"]["z"] < -1 and found["shuffled"]["p"] == pytest.approx(2 / 201)
    assert place(300, {"mean": 225, "low": 1, "high": 9, "p_adjusted": 0.01, "z": found["shuffled"]["z"]}) == "below"


def test_one_coinage_with_two_parts_has_no_interval(make_forms):
    rows, gold = planted(1.0, n=1)
    group = measure_recovery(rows, gold, make_forms(2), IDS, 0)["groups"][0]
    assert group["coinages"] == 1 and group["parts"] == 2 and group["median_rank_interval"] is None
    for n in (5, 6):
        rows, gold = planted(0.5, n=n)
        every = measure_recovery(rows, gold, make_forms(2 * n), IDS, 0, initial=rows)["by_role"]["word"]
        assert every["coinages"] == n and (every["median_rank_interval"] is None) == (n == 5)
        assert every["change"]["top10"]["interval"] is None  # no draw has any change: of it they know nothing


def test_intervals_of_few_coinages_hold_the_truth_as_often_as_they_say():
    """Ranks of a known median and a known share in the top ten; the draws' quantiles alone held them less often."""
    rng, held = np.random.default_rng(0), {6: [], 12: []}
    for n, found in held.items():
        for _ in range(300):
            ranks = np.ceil(rng.exponential(20, n))  # median 14, P(rank <= 10) = 1 - exp(-1/2)
            weights = resampled(np.arange(n), rng, 400)
            values = recovery.summarise(ranks[None], np.zeros((0, n), bool), weights, 10_000, n)
            truths = {"median_rank": 14, "top10": 1 - np.exp(-0.5)}
            bounds = {name: values[f"{name}_interval"] for name in truths}
            found.append([b is None or b[0] <= truths[name] <= b[1] for name, b in bounds.items()])
    assert (np.mean(held[6], 0) > 0.9).all() and (np.mean(held[12], 0) > 0.9).all()


def test_rows_that_shun_their_parts_are_as_sure_as_those_that_seek_them(make_forms):
    for strength in (1.0, -1.0):
        rows, gold = planted(strength)
        assert measure_recovery(rows, gold, make_forms(240), IDS, 0)["by_role"]["word"]["shuffled"]["p"] == 0.002


def test_frequent_words_that_lie_near_everything_are_not_taken_for_recovery(make_forms):
    # All coinages lean towards the same five base rows, and these are their parts: near, but no nearer to their own.
    rng = np.random.default_rng(0)
    base = rng.standard_normal((300, 32)).astype(np.float32)
    new = (base[:5].mean(0) * 3 + rng.standard_normal((200, 32))).astype(np.float32)
    gold = coinages(100, lambda i: [(f"p{rng.integers(5)}", "word")], np.resize([4], 100))
    group = measure_recovery(Rows(base, new), gold, make_forms(200), IDS, 0)["groups"][2]
    assert group["median_rank"] < 20 < group["chance"]["median_rank"]
    assert group["shuffled"]["median_rank"] < 20 and abs(group["shuffled"]["auc"] - 0.5) < 0.1
    assert group["shuffled"]["p"] > 0.05


def test_centring_sees_through_a_common_direction(make_forms):
    rows, gold = planted(0.3, common=6.0)
    role = measure_recovery(rows, gold, make_forms(240), IDS, 0)["by_role"]["word"]
    assert role["centred"]["median_rank"] < role["median_rank"] / 2


def test_rotation_and_scale_change_nothing(make_forms, rotation):
    rows, gold = planted(0.5, n=30)
    turned = Rows(rows.base @ rotation(64) * 2, rows.new @ rotation(64) * 2)
    one, other = (measure_recovery(r, gold, make_forms(60), IDS, 0, draws=50) for r in (rows, turned))
    for a, b in zip(one["groups"], other["groups"], strict=True):
        assert b["median_rank"] == pytest.approx(a["median_rank"], abs=1.0)
        assert b["mean_reciprocal_rank"] == pytest.approx(a["mean_reciprocal_rank"], abs=0.01)


@pytest.mark.parametrize("gold", [[], coinages(3, two_parts, [1, 1, 1])])
def test_nothing_to_recover_has_a_reason(make_forms, gold):
    values = measure_recovery(Rows(np.eye(4), np.zeros((0, 4))), gold, [], IDS, 0)
    assert values["coinages_without_row"] == len(gold) and len(values["groups"]) == 5
    assert all(
        g["median_rank"] is None and g["coinages"] == 0 and "no coinage" in g["reason"] for g in values["groups"]
    )


def test_one_coinage_alone_has_no_shuffle(make_forms):
    values = measure_recovery(Rows(np.eye(4), np.ones((2, 4))), coinages(1, two_parts, [1]), make_forms(2), IDS, 0)
    assert values["groups"][0]["median_rank"] == 4 and values["groups"][0]["shuffled"]["median_rank"] is None


@pytest.mark.parametrize(
    ("count", "group"), [(0, "0"), (1, "1"), (2, "2"), (3, "3-5"), (5, "3-5"), (6, "6-10"), (10, "6-10"), (11, "11+")]
)
def test_groups_of_counts(count, group):
    assert count_group(count) == group


def test_coinages_that_an_objective_left_out_are_asked_by_themselves(make_forms):
    rows, gold = planted(0.0)
    drawn, _ = planted(1.0)
    out = np.arange(120) % 4 == 3
    after = rows.new.copy()
    after[::2][~out] = drawn.new[::2][~out]
    left_out = [gold[i]["word"].upper() for i in np.flatnonzero(out)]
    values = measure_recovery(Rows(rows.base, after), gold, make_forms(240), IDS, 0, initial=rows, held_out=left_out)
    assert all(group["median_rank"] < 10 for group in values["groups"])  # most of each were drawn there
    held_out = values["held_out"]
    assert held_out["coinages"] == 30 and held_out["parts"] == 60
    assert held_out["shuffled"]["p"] > 0.05 and 100 < held_out["median_rank"] < 300
    assert held_out["change"]["median_rank"]["value"] == 0 and held_out["change"]["median_rank"]["interval"] == [0, 0]
    whole = values["by_role"]["word"]["change"]
    assert whole["median_rank"]["interval"][1] < 0 < whole["top10"]["interval"][0]
    assert measure_recovery(rows, gold, make_forms(240), IDS, 0)["held_out"] is None


def test_the_change_of_ranks_by_hand(make_forms):
    # Base rows e1, e2, e3; the part is e1. Before, the row lies along e3 with a little e2 (rank 3); after, along e1.
    base, forms = np.eye(3, dtype=np.float32), make_forms(2)
    before, after = (Rows(base, np.array([row, row], np.float32)) for row in ([-1, 0.1, 1], [1, 0, 0]))
    gold = coinages(1, lambda i: [("p0", "word")], [2])
    change = measure_recovery(after, gold, forms, {"p0": [0]}, 0, shuffles=9, initial=before)["groups"][1]["change"]
    assert change["median_rank"] == {"before": 3.0, "value": -2.0, "interval": None}
