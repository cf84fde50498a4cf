"""A working directory after a machine went away: locks of Snakemake's whose process is dead.

Snakemake locks a directory with files and takes them away when it ends. Killed, it leaves them, and every later run
would ask for `snakemake --unlock`. A lock of the operating system dies with its process, so it tells the two apart.
"""

import fcntl
import shutil
from pathlib import Path

_held: dict[Path, object] = {}  # open as long as this process lives


def forget_dead_runs(folder: Path = Path(".snakemake")) -> None:
    """Delete Snakemake's locks in a directory where no run is alive, and be one that is, until this process ends.

    Where the filesystem has no locks, or nothing can be written, nothing is deleted.
    """
    path = (folder / "alive.lock").resolve()
    if path in _held:
        return
    try:
        folder.mkdir(exist_ok=True)
        file = _held[path] = open(path, "a")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder / "locks", ignore_errors=True)
            (folder / "locks").mkdir()
        except BlockingIOError:
            pass  # another run is alive
        fcntl.flock(file, fcntl.LOCK_SH)  # shared: runs that only look may be several
    except OSError:
        pass
