"""What a phase says while it trains: a line on the terminal, status.json and log.jsonl for the heartbeat, and
TensorBoard's event files where tensorboardX is installed.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

SHOWN = {"loss": "loss", "heldout_loss": "held-out loss", "heldout_bits_per_byte": "bits/byte"}
STATUS, LOG, EVENTS = "status.json", "log.jsonl", "events"
PAUSE = 2.0  # seconds between two status files, at least


class Progress(TrainerCallback):
    """Told by the Trainer what happens; writes it down. No failure of a status file ever stops the training."""

    def __init__(self, name: str, state: Path, tokens_per_step: int, fingerprint: str, mirrors: Any = None):
        self.name, self.folder, self.tokens_per_step, self.mirrors = name, state, tokens_per_step, mirrors
        self.began, self.first, self.written = time.monotonic(), 0, -PAUSE
        model = state.parent.parent.name if state.parent.name == "state" else None
        self.values: dict[str, Any] = {
            "phase": name.lower(),
            "model": model,
            "started": time.time(),
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "fingerprint": fingerprint,
            "message": None,
        }
        self.events = None
        self.silence = 0.0  # seconds that the last evaluation took

    def on_train_begin(self, args, state, control, **_):
        self.began, self.first = time.monotonic(), state.global_step
        text = "".join(json.dumps(entry) + "\n" for entry in state.log_history)
        self._quietly(lambda: _replace(self.folder / LOG, text))
        self.events = _event_file(self.folder / EVENTS, state.global_step)
        self.values |= {"step": state.global_step, "steps": state.max_steps}
        self.say("training")

    def on_step_end(self, args, state, control, **_):
        self.values |= {"step": state.global_step} | self.speed(state)
        if time.monotonic() - self.written > PAUSE:
            self.say("training")

    def on_log(self, args, state, control, logs=None, **_):
        entry = {key: value for key, value in logs.items() if isinstance(value, int | float)}
        self._quietly(lambda: _append(self.folder / LOG, entry | {"step": state.global_step}))
        if self.events is not None and not self._quietly(lambda: _draw(self.events, entry, state.global_step)):
            self.events = None
        self.values |= {key: entry[key] for key in SHOWN if key in entry} | {"best_step": state.best_global_step}
        self.say("training")
        said = [f"{label} {logs[key]:.3f}" for key, label in SHOWN.items() if key in logs]
        if not said:
            return
        if "tokens_per_second" in self.values and state.global_step > self.first:
            left = int(self.values["seconds_left"])
            said += [f"{self.values['tokens_per_second']:,.0f} tokens/s", f"{left // 60}:{left % 60:02d} left"]
        share = state.global_step / state.max_steps
        where = f"{self.name} step {state.global_step}/{state.max_steps} ({share:.0%})"
        print(" · ".join([where, *said]), file=sys.stderr, flush=True)

    def speed(self, state) -> dict[str, float]:
        """Tokens a second, seconds left, and seconds between two signs of life, from the steps of this process."""
        done, seconds = state.global_step - self.first, time.monotonic() - self.began
        if not done or not seconds:
            return {}
        return {
            "tokens_per_second": done * self.tokens_per_step / seconds,
            "seconds_left": seconds / done * (state.max_steps - state.global_step),
            "every": max(PAUSE, seconds / done),
        }

    def say(self, what: str, message: str | None = None) -> None:
        """Write status.json, and send it to the mirrors."""
        every = max(self.values.get("every", PAUSE), self.silence)
        self.values |= {"state": what, "updated": time.time(), "every": every} | (
            {"message": message} if message else {}
        )
        if self.mirrors is not None:
            self.values["tiers"] = self.mirrors.report()
        self._quietly(lambda: _replace(self.folder / STATUS, json.dumps(self.values, default=str)))
        self.written = time.monotonic()
        if self.mirrors is not None:
            self.mirrors.touch()

    def close(self, what: str, message: str | None = None) -> None:
        self.say(what, message)
        if self.events is not None:
            self._quietly(self.events.close)

    def _quietly(self, write) -> bool:
        try:
            write()
            return True
        except OSError as error:
            self.values["message"] = f"the status could not be written: {error.strerror}"
            return False


def _replace(path: Path, text: str) -> None:
    """Readers see the old text or the new; it need not outlive a power cut, so it is not waited for."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, "utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _append(path: Path, entry: dict[str, Any]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def _event_file(folder: Path, step: int) -> Any:
    """A file of TensorBoard's, written at once: tensorboardX's own writer has a thread that dies on a full disk."""
    try:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog
    except ImportError:
        return None
    try:
        folder.mkdir(exist_ok=True)
        file = EventsWriter(str(folder / "events"))
        # what is drawn again after a resume replaces what was drawn before
        file.write_event(Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START)))
        return file
    except OSError:
        return None


def _draw(file: Any, entry: dict[str, float], step: int) -> None:
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=key, simple_value=value) for key, value in entry.items()]
    file.write_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
    file.flush()
