"""What the rules' adapters call: every geometry analysis of a matrix, a change, a map and the testbed's truth, as
{name: values}.

Each function checks that its inputs belong together and fills the values of the result files of the same names.
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from threadpoolctl import threadpool_limits

from wake2vec.errors import UserError
from wake2vec.geometry.dimension import measure_dimension
from wake2vec.geometry.directions import measure_directions
from wake2vec.geometry.drift import measure_drift
from wake2vec.geometry.isotropy import measure_isotropy
from wake2vec.geometry.neighbours import measure_neighbours
from wake2vec.geometry.norms import measure_norms
from wake2vec.geometry.nulls import own_stream
from wake2vec.geometry.overlap import measure_overlap
from wake2vec.geometry.projection import measure_projection
from wake2vec.geometry.recovery import measure_recovery
from wake2vec.geometry.similarity import measure_similarity
from wake2vec.geometry.vectors import Rows


def measure_rows(
    rows: Rows,
    base_tokens: list[str],
    forms: list[dict],
    seed: int,
    sample: int = 5000,
    draws: int = 10,
    segmentation: Sequence[dict] = (),
    root_ids: Mapping[str, list[int]] = MappingProxyType({}),
    initial: Rows | None = None,
    held_out: Collection[str] | None = None,
) -> dict[str, dict]:
    """Norms, isotropy, dimension, similarity, affix directions and neighbours of one phase's rows.

    base_tokens: the base vocabulary in the order of its rows; forms: injection.json's; segmentation:
    segmentation.jsonl's; root_ids: the base piece ids of the roots that it names. `sample` bounds the rows of the
    m x m analyses, `draws` is the number of structureless matrices for each null. initial, held_out: what affix
    directions are compared with, and the words that an objective left out. Raises UserError when rows and forms differ
    in number.
    """
    check(rows, forms)
    if initial is not None:
        check(initial, forms, rows)
    words, seed = {"initial": initial, "held_out": held_out}, own_stream(seed)
    with few_threads(rows):
        return {
            "norms": measure_norms(rows, seed),
            "isotropy": measure_isotropy(rows, seed, sample, draws),
            "dimension": measure_dimension(rows, seed, draws),
            "similarity": measure_similarity(rows, seed),
            "directions": measure_directions(rows, list(segmentation), forms, root_ids, seed, **words),
            "neighbours": measure_neighbours(rows, base_tokens, forms, seed),
        }


def measure_change(
    before: Rows,
    after: Rows,
    base_tokens: list[str],
    forms: list[dict],
    seed: int,
    sample: int = 5000,
    draws: int = 10,
) -> dict[str, dict]:
    """Drift and neighbour overlap of one phase's rows against an earlier one's. Raises UserError as `measure_rows`."""
    check(before, forms)
    check(after, forms, before)
    seed = own_stream(seed)
    with few_threads(after):
        return {
            "drift": measure_drift(before, after, base_tokens, forms, seed, draws),
            "overlap": measure_overlap(before, after, forms, seed, sample=sample, draws=draws),
        }


def project(before: Rows, after: Rows, forms: list[dict], seed: int, points: int = 400) -> dict[str, dict]:
    """The map of new rows and the centroids of their initial neighbours. Raises UserError as `measure_rows`."""
    check(before, forms)
    check(after, forms, before)
    return {"projection": measure_projection(before, after, forms, seed, points)}


def recover(
    rows: Rows,
    gold: list[dict],
    forms: list[dict],
    base_ids_of: Mapping[str, list[int]],
    seed: int,
    initial: Rows | None = None,
    held_out: Collection[str] | None = None,
) -> dict[str, dict]:
    """Ranks of the testbed's gold parts among its coinages' base neighbours. Raises UserError as `measure_rows`."""
    check(rows, forms)
    if initial is not None:
        check(initial, forms, rows)
    words = {"initial": initial, "held_out": held_out}
    with few_threads(rows):
        return {"recovery": measure_recovery(rows, gold, forms, base_ids_of, own_stream(seed), **words)}


def few_threads(rows: Rows) -> threadpool_limits:
    """One thread for small matrices: a second gains nothing there, and on a busy machine each waits for the other."""
    return threadpool_limits(1 if rows.base.size + rows.new.size < 2**22 else None)


def check(rows: Rows, forms: list[dict], before: Rows | None = None) -> None:
    """Refuse rows that do not belong to these forms, or not to the rows before them."""
    if sorted(form["row"] for form in forms) != list(range(len(rows.new))):
        raise UserError(
            f"injection.json names {len(forms)} forms and rows.safetensors holds {len(rows.new)} new rows: they must "
            "be one to one. The files come from different runs; delete the older one and run the same command again."
        )
    if before is not None and (before.base.shape, before.new.shape) != (rows.base.shape, rows.new.shape):
        raise UserError(
            f"rows before {before.base.shape} + {before.new.shape} and after {rows.base.shape} + {rows.new.shape} "
            "differ in shape. The two rows.safetensors come from different runs; delete the older one and run the same "
            "command again."
        )
