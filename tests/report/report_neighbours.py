"""Made-up neighbour maps, in the shape that the rule writes, hostile words included."""

import numpy as np

from tests.report.report_geometry import band


def make_neighbour_map(forms, phases=("init", "p1", "p3"), gold=True, k=5, seed=0):
    """The map of these forms (one a word), whose nearest base tokens and words are drawn at random."""
    rng = np.random.default_rng(seed)
    names = [form["word"] for form in forms]
    tokens = ["▁river", "▁run", "<s>", "|", "▁*a", "</script><b>", "▁Straße", "▁Anna", "▁zwei"]
    words = [make_word(form, names, tokens, phases, gold, k, rng) for form in forms]
    control = {"mean": 0.6, "above": 0.4, "random_direction": band(0.3, 0.1), "same_covariance": band(0.5, 0.1)}
    return {
        "k": k,
        "phases": list(phases),
        "controls": {phase: {"base": control, "new": control} for phase in phases},
        "words": sorted(words, key=lambda word: -word["count_train"]),
    }


def make_word(form, names, tokens, phases, gold, k, rng):
    def near(among, distance):
        chosen = rng.integers(0, len(among), min(k, len(among)))
        cosines = np.sort(rng.uniform(-0.1, 1, len(chosen)))[::-1].round(4).tolist()
        return [[among[i], cosine - distance] for i, cosine in zip(chosen.tolist(), cosines, strict=True)]

    found = {phase: {"base": near(tokens, 0), "new": near(names, 0.001)} for phase in phases}
    for phase in phases[1:]:
        found[phase]["drift"] = None if form["row"] == 3 else round(rng.uniform(0, 1), 4)
    parts = [form["word"][:4].strip(), form["word"][4:].strip()] if form["row"] % 2 else []
    keep = ("form", "row", "count_train", "count_valid")
    word = {"word": form["word"], "forms": [{key: form[key] for key in keep}], "parts": parts, "phases": found}
    word |= {"count_train": form["count_train"], "count_valid": form["count_valid"]}
    return word | ({"gold": parts or None} if gold else {})
