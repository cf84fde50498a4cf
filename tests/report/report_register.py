"""Made-up values of register.json and register_validation.json."""

from wake2vec.language.register import MEASURES
from wake2vec.language.register_validation import EXPECTED, SHARES

LEVELS = {"longest": 5.5, "ratio": 0.25, "burrows": -0.02, "cosine": 0.1}
MIXED = tuple(EXPECTED)


def make_register(phase="p1", temperatures=(0.5, 1.0), samples=24, plain="plain"):
    """Samples that have twice of everything as held-out Wake at temperature 1, and half of it at others."""
    groups = []
    for temperature in temperatures:
        for kind, size in (("all", samples), ("high-drift", samples // 2)):
            times = 2.0 if temperature == 1.0 else 0.5
            values = {name: LEVELS.get(name, 0.06) * times for name in MEASURES}
            measured = {name: {"value": v, "interval": [v - 0.01, v + 0.01]} for name, v in values.items()}
            groups.append({"temperature": temperature, "kind": kind, "samples": size, "values": measured})
    return {
        "words": 30,
        "copied_run": 5,
        "frequent": 150,
        "plain": plain,
        "single": [],
        "short": 1,
        "groups": groups,
        "landmarks": [
            {"samples": size} | {name: make_landmark(size, times) for name, times in LANDMARKS.items()}
            for size in (samples // 2, samples)
        ],
        "samples": [],
    }


LANDMARKS = {"held_out": 1.0, "plain": 0.1, "shuffled": 0.9}


def make_landmark(size, times):
    def spread(level):
        return {"mean": level, "low": level - 0.2 * abs(level), "high": level + 0.2 * abs(level)}

    return {"pieces": size} | {name: spread(LEVELS.get(name, 0.06) * times) for name in MEASURES}


def make_validation(failed=("burrows", "cosine")):
    """A trial in which the measures of `failed` kept no order."""
    mixtures = {}
    for kind in MIXED:
        mixtures[kind] = {}
        for name in MEASURES:
            expected = EXPECTED[kind].get(name)
            passed = None if expected is None else name not in failed
            means = [LEVELS.get(name, 0.06) * (1 + (expected or 0) * share * (name not in failed)) for share in SHARES]
            mixtures[kind][name] = {
                "rho": 0.9 * (expected or 0) if passed else 0.01,
                "interval": [-0.1, 0.1],
                "expected": expected,
                "orders": passed,
                "by_share": [{"share": s, "mean": m, "sd": 0.01} for s, m in zip(SHARES, means, strict=True)],
            }
    return {"words": 30, "pieces": 24, "groups": 11, "shares": list(SHARES), "mixtures": mixtures}
