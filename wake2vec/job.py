"""What every rule's script does around its one call: a log file, errors in words, provenance."""

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wake2vec.errors import Interrupted, UserError
from wake2vec.provenance import collect

TRY_AGAIN = 75  # EX_TEMPFAIL: the job was asked to stop and goes on where it was when it is tried again


class _Tee:
    """Write to the terminal and to the log file."""

    def __init__(self, *streams: Any):
        self.streams = streams

    def write(self, text: str) -> int:
        for stream in self.streams:
            stream.write(text)
            stream.flush()
        return len(text)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()

    def isatty(self) -> bool:
        return False


@contextmanager
def job(snakemake: Any) -> Iterator[Any]:
    """Run a script's body with its output also in the rule's log, and yield `provenance()`.

    `snakemake` is what Snakemake puts into a script: input, params, log, threads are read. A UserError ends the job
    with its message alone, an interruption with its message and the code 75; anything else leaves its traceback in the
    log and on the terminal.
    """
    os.environ["OMP_NUM_THREADS"] = str(snakemake.threads)  # torch is imported later, inside the job
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # threads that spin for long starve those of other jobs
    path = Path(str(snakemake.log[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it regrets at every import that it has no CPU kernels
    with open(path, "w", encoding="utf-8") as log:
        terminal = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Tee(sys.stdout, log), _Tee(sys.stderr, log)
        try:
            yield lambda: collect(_files(snakemake.input), dict(snakemake.params.items()))
        except UserError as error:
            print(f"\n{error}\n", file=sys.stderr)
            sys.exit(1)
        except Interrupted as error:
            print(f"\n{error}\n", file=sys.stderr)
            sys.exit(TRY_AGAIN)
        except BaseException:
            traceback.print_exc(file=log)
            raise
        finally:
            sys.stdout, sys.stderr = terminal


def _files(inputs: Any) -> list[str]:
    return [str(path) for path in inputs]
