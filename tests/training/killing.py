"""Phases in processes of their own, killed with SIGKILL at chosen or random moments and started again.

    python -m tests.training.killing FOLDER PHASE TRIALS SEED

FOLDER/job.json holds {"paths", "settings", "model"}. A phase is run once undisturbed, and its moments are counted: the
start of each forward and backward pass, and each time that something is about to be flushed to the disk, renamed,
linked or deleted. Then, TRIALS times, a run is killed at a random one of them, or after a random time, up to three
times over, and started once more to end in peace. What is published must be the same bytes, and whatever is called a
checkpoint after a kill must be one. Prints one line a trial; exits with 1 at the first difference.

Torch is imported once, here, and used in forked children only: a process that has used OpenMP's threads cannot fork.
Each child begins with random states of its own, as a new process does.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from wake2vec.storage import load_arrays, write_csv
from wake2vec.training import fit, phases, trainer  # noqa: F401  (imported before the fork)
from wake2vec.training.checkpoints import checkpoints_of, fault

torch.set_num_threads(1)


def run_phase(phase, job, state, out):
    """What a rule's script does."""
    if phase == "p2":
        adapter = out / "adapter/adapter_model.safetensors"
        _, history = phases.adapter_phase(job["paths"], job["settings"], job["model"], state, adapter)
    else:
        states, values, history = phases.rows_phase(phase, job["paths"], job["settings"], job["model"], state)
        output = SimpleNamespace(snapshots=str(out / "snapshots"), rows=str(out / "rows.safetensors"))
        phases.publish_rows(states, values, state, output)
    write_csv(out / "history.csv", history)


def count_moments(kill_at, counted=None):
    """Count moments; at number `kill_at` this process is gone. The count goes to the file `counted`."""
    seen = 0

    def before(module, name):
        whole = getattr(module, name)

        def counting(*arguments, **options):
            nonlocal seen
            seen += 1
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(*arguments, **options)

        setattr(module, name, counting)

    for name in ("fsync", "replace", "rename", "link", "unlink", "rmdir"):
        before(os, name)
    before(trainer.Learner, "forward")
    before(torch.Tensor, "backward")
    return lambda: counted.write_text(str(seen))


def child(work, kill_after=None):
    """Run `work` in a forked process, killed after so many seconds where asked; returns its wait status."""
    pid = os.fork()
    if pid == 0:
        sys.stderr = open(os.devnull, "w") if "VERBOSE" not in os.environ else sys.stderr
        code = 1
        torch.seed()
        random.seed()
        np.random.seed()
        try:
            work()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
        os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return os.waitpid(pid, 0)[1]


def killed(status):
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def contents(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def check_what_is_left(state, out):
    """After a kill: checkpoints are checkpoints, and tensors that are published are whole."""
    for folder in checkpoints_of(state):
        if reason := fault(folder):
            sys.exit(f"{folder} after a kill: {reason}")
    for path in out.rglob("*.safetensors"):
        if not path.name.startswith("."):
            load_arrays(path)


def main(folder, phase, trials, seed):
    job, rng = json.loads((folder / "job.json").read_text()), random.Random(seed)

    def whole():
        write = count_moments(None, folder / "moments.txt")
        run_phase(phase, job, folder / "whole.state", folder / "whole")
        write()

    started = time.monotonic()
    if child(whole) != 0:
        sys.exit("the undisturbed run failed")
    seconds, moments = time.monotonic() - started, int((folder / "moments.txt").read_text())
    expected = contents(folder / "whole")
    print(f"{phase}: {moments} moments, {len(expected)} files", flush=True)
    for trial in range(trials):
        state, out = folder / f"{trial}.state", folder / f"{trial}.out"
        said, kills = [], 0

        def work(state=state, out=out, at=None):
            count_moments(at)
            run_phase(phase, job, state, out)

        for _ in range(rng.randint(1, 3)):
            if rng.random() < 0.75:
                at = rng.randint(1, moments)
                status = child(partial(work, at=at))
                said.append(f"moment {at}")
            else:
                after = rng.uniform(0, seconds)
                status = child(work, kill_after=after)
                said.append(f"{after:.2f} s")
            if not killed(status) and status != 0:
                sys.exit(f"trial {trial}, {said}: failed with {status}")
            kills += killed(status)
            check_what_is_left(state, out)
            shutil.rmtree(out, ignore_errors=True)  # as Snakemake does with what a failed job left
        if child(work) != 0:
            sys.exit(f"trial {trial}, {said}: the last run failed")
        found = contents(out)
        if found != expected:
            wrong = [name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)]
            sys.exit(f"trial {trial}, {said}: {wrong} differ")
        print(f"trial {trial}: {kills} kills ({', '.join(said)}): the same bytes", flush=True)
        shutil.rmtree(state)
        shutil.rmtree(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
