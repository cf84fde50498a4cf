"""Made-up geometry of one phase's rows, in the shapes that the measuring steps write."""

import numpy as np


def band(mean, reach):
    return {"mean": mean, "std": reach / 2, "low": mean - reach, "high": mean + reach, "z": None}


def figure(value, reach, null, null_reach):
    return {"value": value, "interval": [value - reach, value + reach], "null": band(null, null_reach)}


def permuted(difference, reach, p):
    null = {"mean": 0.0, "low": -reach, "high": reach, "p": p, "shuffles": 199}
    return {"rows": 40, "difference": difference, **null}


def make_directions(phase):
    shuffled = {"mean": 0.19, "low": 0.17, "high": 0.21, "shuffles": 199, "p": 0.005}
    centred = {"mean": 0.0, "low": -0.03, "high": 0.03, "shuffles": 199, "p": 0.4}
    value = {"init": 0.53, "p1": 0.32, "p3": 0.66}[phase]
    change = {"before": 0.53, "value": value - 0.53, "interval": [value - 0.58, value - 0.48]}
    left_out = {"words": 9, "value": 0.2, "interval": [0.1, 0.3], "effect": 0.01, "shuffled": shuffled | {"p": 0.8},
                "change": {"before": 0.52, "value": -0.32, "interval": [-0.5, -0.14]}}  # fmt: skip
    return {
        "change": None if phase == "init" else change, "held_out": left_out if phase == "p3" else None,
        "words": 40, "words_with_affix": 40, "affixes": 2, "value": value, "interval": [value - 0.05, value + 0.05],
        "effect": value - 0.19, "shuffled": shuffled, "random": {"mean": 0.04, "std": 0.01, "draws": 20},
        "centred": {"value": 0.01, "interval": [-0.05, 0.07], "effect": 0.01, "shuffled": centred},
        "by_affix": [{"affix": "<b>ling|", "kind": "suffix", "words": 30, "consistency": value},
                     {"affix": "un", "kind": "prefix", "words": 10, "consistency": 0.2}],
    }  # fmt: skip


def make_norms(rng, forms):
    base, new = rng.normal(1.0, 0.1, 500), rng.normal(1.1, 0.15, max(2, len(forms)))
    edges = np.linspace(0.5, 1.7, 41)
    groups = {}
    for name, values in (("base", base), ("new", new)):
        points = dict(zip(("min", "q05", "q25", "median", "q75", "q95", "max"),
                          np.quantile(values, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]).tolist(), strict=True))  # fmt: skip
        groups[name] = {"count": len(values), "mean": float(values.mean()), "std": float(values.std(ddof=1)), **points}
    if not forms:
        groups["new"] = {key: 0 if key == "count" else None for key in groups["new"]}
        none = {"value": None, "interval": None, "null": dict.fromkeys(("mean", "std", "low", "high", "z"))}
        tests = {
            "welch": {"t": None, "df": None, "p": None},
            "mann_whitney": {"u": None, "p": None, "auc": None},
            "cohens_d": none,
        }
    else:
        tests = {
            "welch": {"t": 5.0, "df": 60.0, "p": 0.0},
            "mann_whitney": {"u": 1.0, "p": 0.0, "auc": 0.74},
            "cohens_d": {
                "value": 0.83,
                "interval": [0.5, 1.1],
                "null": band(0.0, 0.3),
                "permuted": permuted(0.83, 0.3, 0.005),
            },
        }
    histogram = {"edges": edges.tolist()} | {
        name: np.histogram(values, edges, density=True)[0].tolist() for name, values in (("base", base), ("new", new))
    }
    by_index = {"index": list(range(540)), "norm": [*base, *new[:40]], "group": ["base"] * 500 + ["new"] * 40}
    return {"groups": groups, **tests, "histogram": histogram, "by_index": by_index}


def make_dimension():
    names = ("d90", "d95", "participation_ratio")
    share = np.exp(-np.arange(64) / 20)
    share /= share.sum()

    def group(d90):
        return {
            "count": 40, "d90": d90, "d95": d90 + 3, "participation_ratio": d90 - 5.5,
            "interval": {name: [d90 - 1, d90 + 2] for name in names},
            "null": {"d90": band(33, 1), "d95": band(36, 1), "participation_ratio": band(30.0, 1.0)},
            "spectrum": share[:20].tolist(), "cumulative": np.cumsum(share).tolist(),
        }  # fmt: skip

    compared = {"rows": 40, "d90": permuted(-8.0, 1.5, 0.005), "d95": permuted(-8.0, 1.5, 0.005)}
    return {"matched_count": 40, "groups": {"base": group(33), "new": group(25)}, "permuted": compared}


def make_similarity(rng):
    edges = np.linspace(-0.5, 0.9, 41)
    drawn = {
        "base_base": rng.normal(0.01, 0.1, 2000),
        "new_new": rng.normal(0.2, 0.12, 2000),
        "base_new": rng.normal(0.0, 0.1, 2000),
    }
    pairs = {
        name: {"pairs": 2000, "mean": mean, "std": 0.1, "q05": mean - 0.16, "median": mean, "q95": mean + 0.16,
               "interval": [mean - 0.01, mean + 0.01], "null": {"mean": 0.0, "std": 0.09, "low": -0.002, "high": 0.002}}
        for name, mean in (("base_base", 0.01), ("new_new", 0.2), ("base_new", 0.001))
    }  # fmt: skip
    histogram = {name: np.histogram(values, edges, density=True)[0].tolist() for name, values in drawn.items()}
    return {
        "pairs": pairs,
        "histogram": {"edges": edges.tolist()} | histogram,
        "ks": {"statistic": 0.61, "p": 0.0, "permutation_p": 0.01},
    }


def make_neighbours(forms):
    near = [{"token": token, "cosine": 0.8 - 0.1 * i} for i, token in enumerate(["▁river", "▁run", "<s>", "|", "▁*a"])]
    chosen = [
        (form, place) for place, at in (("beginning", 0), ("middle", 15), ("end", 30)) for form in forms[at : at + 3]
    ]
    return {
        "k": 5,
        "tokens": [{"token": form["form"], "row": form["row"], "position": place, "count_train": form["count_train"],
                    "neighbours": near} for form, place in chosen],
        "null": band(0.3, 0.1),
    }  # fmt: skip


def make_drift(rng, forms):
    cosines = np.sort(rng.uniform(0.5, 1, max(1, len(forms))))
    edges = np.linspace(0.5, 1, 21)
    group = {
        "count": len(forms),
        "cosine": {"mean": 0.81, "std": 0.1, "min": 0.5, "max": 1.0, "interval": [0.78, 0.84], "null": band(0.7, 0.02)},
        "histogram": {"edges": edges.tolist(), "counts": np.histogram(cosines, edges)[0].tolist()},
    }
    still = {"mean": 1.0, "std": 0.0, "min": 1.0, "max": 1.0, "interval": [1.0, 1.0], "null": band(1.0, 0.0)}
    listed = [
        {
            "token": form["form"],
            "cosine": float(c),
            "norm_before": 1.0,
            "norm_after": 1.2,
            "count_train": form["count_train"],
        }
        for form, c in zip(forms[:20], cosines, strict=False)
    ]
    by_count = [
        {"count": n, "rows": 8, "mean_cosine": 0.95 - 0.1 * i} for i, n in enumerate(["0", "1", "2", "3-5", "6+"])
    ]
    return {
        "new": group | {"by_count": by_count},
        "base": {"count": 2000, "cosine": still, "by_count": [], "changed_rows": 0, "histogram": group["histogram"]},
        "most_drifted": listed,
        "most_drifted_base": [],
        "least_drifted": listed[::-1],
    }


def make_overlap(rng, forms):
    points = len(forms)
    return {
        "k": 10, "rows": points, "mean": 0.62, "interval": [0.58, 0.66], "null": band(0.05, 0.02), "chance": 0.005,
        "histogram": {"edges": ((np.arange(12) - 0.5) / 10).tolist(), "counts": [0, 1, 2, 3, 4, 6, 8, 7, 5, 3, 1]},
        "norm_change": {"mean": 0.1, "std": 0.05, "histogram": {"edges": [0, 0.1, 0.2, 0.3], "counts": [10, 20, 10]}},
        "pip_loss": {"value": 3.0, "relative": 0.4, "interval": [0.35, 0.45], "null": band(2.0, 0.1),
                     "null_relative": band(0.25, 0.02)},
        "points": {"overlap": rng.uniform(0, 1, points).tolist(), "norm_change": rng.uniform(0, 0.3, points).tolist(),
                   "count_train": [form["count_train"] for form in forms]},
    }  # fmt: skip


def make_projection(rng, forms):
    xy = rng.normal(size=(len(forms), 4)).round(3).tolist()
    return {
        "perplexity": 10,
        "points": [{"token": form["form"], "count_train": form["count_train"], "x": x, "y": y,
                    "centroid_x": cx, "centroid_y": cy}
                   for form, (x, y, cx, cy) in zip(forms, xy, strict=True)],
    }  # fmt: skip


def make_recovery(phase):
    def measured(median, coinages):
        return {
            "coinages": coinages, "parts": 2 * coinages, "median_rank": median,
            "median_rank_interval": [median * 0.7, median * 1.4], "mean_reciprocal_rank": 0.3, "top1": 0.2,
            "top10": 0.6,
            "chance": {"median_rank": 1000.5, "mean_reciprocal_rank": 0.004, "top1": 0.0005, "top10": 0.005},
            "shuffled": {"median_rank": 420.0, "mean_reciprocal_rank": 0.02, "top1": 0.001, "top10": 0.03,
                         "median_rank_interval": [380.0, 460.0], "p": 0.01, "auc": 0.91},
        }  # fmt: skip

    change = {"before": 50.0, "value": 5.0, "interval": [-9, 14]}
    scale = {"init": 1.5, "p1": 1.0, "p3": 0.8}[phase]
    groups = [
        {"count": n} | measured(m * scale, 30) for n, m in (("1", 600.0), ("2", 200.0), ("3-5", 40.0), ("6-10", 9.5))
    ]
    return {
        "base_rows": 2000,
        "coinages_without_row": 10,
        "parts_without_row": 14,
        "groups": [*groups, {"count": "11+", "coinages": 0, "parts": 0, "median_rank": None,
                             "median_rank_interval": None,
                             "chance": {"median_rank": 1000.5}, "shuffled": {"median_rank": None}}],
        "by_kind": {kind: measured(30.0, 20) for kind in ("compound", "derivation", "portmanteau")},
        "by_role": {role: measured(25.0, 20) for role in ("prefix", "root", "suffix", "word")},
        "held_out": measured(55.0, 7) | {"change": {"median_rank": change}} if phase == "p3" else None,
    }  # fmt: skip
