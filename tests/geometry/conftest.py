"""What the geometry tests share: forms as injection.json has them, and matrices whose structure is known."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """Small matrices: a second thread only waits, for minutes where other work keeps the cores busy."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def make_forms():
    """forms(n): n new rows, each word with a start-of-word and a bare form; `seen` gives the training counts by row."""

    def forms(n: int, seen=None, base_rows: int = 100) -> list[dict]:
        seen = [0] * n if seen is None else list(seen)
        return [
            {
                "id": base_rows + row,
                "row": row,
                "word": f"word{row // 2}",
                "form": f"▁word{row // 2}" if row % 2 == 0 else f"word{row // 2}",
                "surface": f"word{row // 2}",
                "start": row % 2 == 0,
                "count_train": int(seen[row]),
                "count_valid": 0,
            }
            for row in range(n)
        ]

    return forms


@pytest.fixture
def rotation():
    """rotation(d, seed): a random d x d rotation, float32."""

    def rotate(d: int, seed: int = 0) -> np.ndarray:
        q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
        return (q * np.sign(np.diag(r))).astype(np.float32)

    return rotate
