"""A map in two dimensions: the most frequent new tokens beside the centroids of the base tokens they started among.

t-SNE (van der Maaten & Hinton 2008, JMLR 9; scikit-learn's Barnes-Hut form) of one set of points: unit new rows after
training and, for each, the mean of the unit base rows that were its k nearest at initialisation. Distances across the
map mean little, and t-SNE finds clusters in noise: so `centroid_cosine` says in the full space how near rows lie to
their own centroid and, shuffled, to other rows' centroids.

The result depends on the seed alone: initialised by exact PCA, run on one thread, because threads add up in any order.
"""

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from wake2vec.geometry.neighbours import frequent_forms
from wake2vec.geometry.nulls import band
from wake2vec.geometry.vectors import Rows, nearest, norms, paired_cosines, unit

ITERATIONS = 500


def measure_projection(
    before: Rows, after: Rows, forms: list[dict], seed: int, points: int = 400, k: int = 10, draws: int = 100
) -> dict:
    """t-SNE of at most `points` new rows (one form a word, most frequent first) and their centroids: projection.json.

    "points" is empty, with a "reason", when fewer than three rows have a direction.
    """
    rng = np.random.default_rng(seed)
    lengths = np.minimum(norms(before.new), norms(after.new))
    able = [form for form in frequent_forms(forms) if lengths[form["row"]] > 0]
    shown = sorted(able, key=lambda form: (-form["count_train"], form["row"]))[:points]
    if len(shown) < 3 or not len(before.base):
        reason = f"{len(shown)} new rows with a direction, {len(before.base)} base rows: three new rows are needed"
        return {"perplexity": None, "points": [], "reason": reason}
    at = np.array([form["row"] for form in shown])
    rows = unit(after.new[at])
    centroids = neighbour_centroids(before.new[at], before.base, k)
    perplexity = min(30.0, (2 * len(at) - 1) / 3)
    flat = embed(np.concatenate([rows, centroids]), perplexity, seed)
    own = _mean_cosine(rows, centroids)
    orders = (rng.permutation(len(at)) for _ in range(draws))
    handed = (_mean_cosine(rows[order], centroids[np.roll(order, 1)]) for order in orders)
    shuffled = band(own, [cosine for cosine in handed if cosine is not None], -1.0, 1.0)
    return {
        "perplexity": perplexity,
        "points": [
            {"token": f["form"], "count_train": f["count_train"], "x": x, "y": y, "centroid_x": cx, "centroid_y": cy}
            for f, (x, y), (cx, cy) in zip(shown, flat[: len(at)].tolist(), flat[len(at) :].tolist(), strict=True)
        ],
        "centroid_cosine": {"mean": own, "shuffled": shuffled},
    }


def _mean_cosine(a: np.ndarray, b: np.ndarray) -> float | None:
    """Mean of cos(a_i, b_i) over the rows where both have a direction; None when no two have one."""
    cosines = paired_cosines(a, b)
    known = cosines[np.isfinite(cosines)]
    return float(known.mean()) if len(known) else None


def neighbour_centroids(queries: np.ndarray, base: np.ndarray, k: int) -> np.ndarray:
    """The mean of the unit rows of each query's k nearest base rows, float32 [queries, d]."""
    where = nearest(queries, base, k)[0]
    return np.stack([unit(base[ids[ids >= 0]]).sum(0) / max(1, (ids >= 0).sum()) for ids in where])


def embed(vectors: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Two coordinates for every vector, float64 [points, 2], scaled by nothing and the same for the same seed."""
    centred = vectors - vectors.mean(0, dtype=np.float64)
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    # PCA scores with signs fixed and the first one's deviation 1e-4, as t-SNE wants its start.
    start = np.zeros((len(vectors), 2))
    scores = (left * scale)[:, :2]
    scores *= np.sign(scores[np.abs(scores).argmax(0), np.arange(scores.shape[1])])
    start[:, : scores.shape[1]] = scores
    spread = start[:, 0].std()
    start = start / spread * 1e-4 if spread > 0 else np.random.default_rng(seed).normal(0, 1e-4, start.shape)
    tsne = TSNE(perplexity=perplexity, init=start, random_state=seed, max_iter=ITERATIONS, n_jobs=1)
    with threadpool_limits(1):
        return tsne.fit_transform(centred).astype(np.float64)
