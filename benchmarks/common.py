"""What the benchmarks share: a line about the machine, output that streams, a process a measurement, memory, slopes."""

import ctypes
import gc
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
MIB = 2**20
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "tokenizers")


def machine() -> str:
    """Processor, cores, threads, memory, versions, date and commit, in a line."""
    from wake2vec.provenance import git_state

    processor = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ": unknown processor")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    packages = [f"{name} {found}" for name in PACKAGES if (found := _version(name))]
    git = git_state(ROOT)
    commit = "no git" if git is None else git["commit"][:10] + (" and uncommitted changes" if git["dirty"] else "")
    return (
        f"{processor.split(': ')[1]} · {os.cpu_count()} cores · {threads()} threads · {memory / MIB:.0f} GiB · "
        f"Python {platform.python_version()} · {' · '.join(packages)} · {date.today()} · commit {commit}"
    )


def threads() -> int:
    """Threads that a matrix multiplication uses: OMP_NUM_THREADS, or the cores this process may run on."""
    return int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0))))


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def speaker(out: Path | None) -> Callable[[str], None]:
    """A function that prints a line and, where a file is given (emptied first), writes it there at once."""
    file = out.open("w", encoding="utf-8") if out else None

    def say(line: str = "") -> None:
        print(line, flush=True)
        if file:
            print(line, file=file, flush=True)

    return say


def row(*cells: Any) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def header(*cells: str) -> str:
    """Its head: the first column to the left, numbers to the right."""
    return row(*cells) + "\n|---" + "|--:" * (len(cells) - 1) + "|"


def progress(line: str) -> None:
    """A line to stderr."""
    print(line, file=sys.stderr, flush=True)


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result, made in a process of its own; RuntimeError with the reason where it did not come to one.

    The process is a fork, so that libraries are imported once; nothing may have computed with torch before.
    """
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sending, function, arguments))
    process.start()
    sending.close()
    try:
        result, fault = receiving.recv()
    except EOFError:
        result, fault = None, "killed"
    process.join()
    if fault:
        raise RuntimeError(fault if process.exitcode == 0 else f"{fault} (exit code {process.exitcode})")
    return result


def _answer(sending: Any, function: Callable[..., Any], arguments: tuple) -> None:
    Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out, this process ends and no one else's
    try:
        sending.send((function(*arguments), None))
    except Exception as error:
        sending.send((None, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"))


# Memory, by Linux's own account --------------------------------------------------------------------------------------


def settle() -> None:
    """Give freed memory back to the system, so that what is resident is in use."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)


def resident() -> int:
    """Bytes resident now."""
    return _status("VmRSS")


def forget_peak() -> None:
    """Let the peak begin again at what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Bytes resident at most since `forget_peak`."""
    return _status("VmHWM")


def _status(field: str) -> int:
    line = next(line for line in _lines("/proc/self/status") if line.startswith(field))
    return int(line.split()[1]) * 1024


def measured(function: Callable[[], Any]) -> tuple[Any, float, int]:
    """(result, seconds of processor time, which others disturb little, bytes added at the peak) of one call."""
    settle()
    before = resident()
    forget_peak()
    started = time.process_time()
    result = function()
    seconds = time.process_time() - started
    return result, seconds, peak() - before


# Whether others used the machine meanwhile ---------------------------------------------------------------------------


def processor_use() -> tuple[float, float, float]:
    """Seconds since boot that all processors together existed, that they were busy, and that this process used."""
    ticks = [int(n) for n in _lines("/proc/stat")[0].split()[1:9]]
    hertz = os.sysconf("SC_CLK_TCK")
    return sum(ticks) / hertz, (sum(ticks) - ticks[3] - ticks[4]) / hertz, time.process_time()


def others_share(before: tuple[float, float, float]) -> float:
    """The share of the processors' time that other processes took since `before` was read: 0 on a quiet machine."""
    existed, busy, own = (now - then for now, then in zip(processor_use(), before, strict=True))
    return max(0.0, busy - own) / existed if existed else 0.0


def multiplication_speed(dtype: Any, size: int = 4096) -> float:
    """Floating-point operations a second of a size³ matrix multiplication: the best of three."""
    import torch

    one, two = (torch.randn(size, size).to(dtype) for _ in range(2))
    times = []
    for _ in range(4):
        started = time.perf_counter()
        torch.mm(one, two)
        times.append(time.perf_counter() - started)
    return 2 * size**3 / min(times[1:])
