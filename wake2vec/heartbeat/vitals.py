"""What is known of every phase, from all copies of its state folder, as plain values; and what a person should be told.

`look` reads; everything below it is a pure function of what was read.
"""

import math
import queue
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from wake2vec.heartbeat import words
from wake2vec.heartbeat.places import address, number
from wake2vec.heartbeat.states import PHASES, Copy, newest_sign, read_place, text
from wake2vec.training.tiers import shown

GOING = ("starting", "training", "evaluating", "saving")
STATES = (*GOING, "finished", "stopped", "interrupted")
SILENCE, SIGNS = 120.0, 5  # stalled: no sign of life for two minutes, or for five times as long as one should take
STARTING = 900.0  # seconds that a job may take to load its model
BEHIND = 300.0  # seconds that a copy to a tier may take
PATIENCE = 30.0  # seconds to wait for a place that does not answer
TAIL = {"loss": 10, "heldout_loss": 5}  # values that a trend is told of
HERE = "this disk"
NOTHING = {"checkpoints": [], "snapshots": {"count": 0, "step": None, "time": None}, "rejected": 0, "superseded": 0}


def look(places: Iterable[str], verify: bool = False) -> dict[str, Any]:
    """Read places (folders or URLs), and the tiers that their status files name.

    Returns {"time": Unix seconds, "places": [{"place", "error"}], "phases": [what `phase_vitals` returns]}. With
    `verify` every checkpoint's files are hashed, otherwise their presence and sizes are looked at. Raises nothing: what
    cannot be read is named with the reason.
    """
    known: dict[str, str] = {}
    for place in places:
        known.setdefault(address(place), place)
    given = list(known.values())
    read = _read_all({place: None for place in given}, verify)
    named: dict[str, set[tuple[str, str]]] = {}
    for copy in [copy for found in read for copy in found["copies"]]:
        for _, place in tiers_of(copy):
            if address(place) not in known and "…" not in place:
                named.setdefault(place, set()).add((copy["model"], copy["phase"]))
    read += _read_all(named, verify)

    phases: dict[tuple[str, str], list[Copy]] = {}
    for found in read:
        for copy in found["copies"]:
            phases.setdefault((copy["model"], copy["phase"]), []).append(copy)
    errors = {found["place"]: found["error"] for found in read}
    now = time.time()
    return {
        "time": now,
        "places": [{"place": shown(place), "error": errors[place]} for place in given],
        "phases": [phase_vitals(phases[key], errors, now) for key in sorted(phases)],
    }


def _read_all(places: Mapping[str, Any], verify: bool) -> list[dict[str, Any]]:
    """`read_place` of all at once, in order. A place that does not answer (a vanished network drive) is given up."""
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def ask(place: str) -> None:
        try:
            answers.put(read_place(place, verify, places[place]))
        except Exception as error:  # a picture with a hole is better than none
            answers.put({"place": place, "error": f"{type(error).__name__}: {error}", "copies": []})

    for place in places:
        threading.Thread(target=ask, args=(place,), daemon=True).start()
    found: dict[str, Any] = {}
    until = time.monotonic() + PATIENCE
    try:
        while len(found) < len(places):
            answer = answers.get(timeout=None if verify else max(until - time.monotonic(), 0.001))
            found[answer["place"]] = answer
    except queue.Empty:
        pass
    silent = {"error": f"no answer within {PATIENCE:.0f} seconds", "copies": []}
    return [found.get(place) or {"place": place} | silent for place in places]


# A phase --------------------------------------------------------------------------------------------------------------


def phase_vitals(copies: list[Copy], errors: Mapping[str, str | None], now: float) -> dict[str, Any]:
    """Everything of one phase, as plain values, from its copies (`read_state`) at one place or more.

    errors: place -> why it could not be read, or None. now: Unix seconds.
    """
    main = max(copies, key=lambda copy: (_heard(copy), copy["locked"]))
    status = main["status"] or {}
    marks = [main["fingerprint"], text(status.get("fingerprint")), *(copy["fingerprint"] for copy in copies)]
    fingerprint = next(filter(None, marks), None)
    tiers = _tiers(copies, main, errors, fingerprint)
    log = max([main, *copies], key=lambda copy: (copy is main and bool(copy["log"]), len(copy["log"])))["log"]
    curves = {key: series(log, key) for key in TAIL}
    bits = series(log, "heldout_bits_per_byte")
    refused = main["stopped"] is not None and main["stopped"] == fingerprint
    life = signs_of_life(main, refused)
    checkpoints = [checkpoint for copy in copies for checkpoint in copy["checkpoints"] if checkpoint["valid"]]
    logged = [entry["step"] for entry in log] + [checkpoint["step"] for checkpoint in checkpoints]
    values = {
        "model": main["model"],
        "phase": main["phase"],
        **life,
        "step": _first(number(status.get("step")), max(logged, default=None)),
        "steps": _first(number(status.get("steps")), *(checkpoint.get("steps") for checkpoint in checkpoints)),
        "best_step": _first(number(status.get("best_step")), _lowest(curves["heldout_loss"])),
        **{key: losses(curves[key][-TAIL[key] :], number(status.get(key))) for key in TAIL},
        "heldout_bits_per_byte": _first(number(status.get("heldout_bits_per_byte")), bits[-1][1] if bits else None),
        "tokens_per_second": number(status.get("tokens_per_second")),
        "seconds_left": number(status.get("seconds_left")) if life["going"] and not life["stalled"] else None,
        "message": text(status.get("message")),
        "fingerprint": fingerprint,
        "tiers": tiers,
        "snapshots": max((tier["snapshots"] for tier in tiers), key=lambda s: (s["step"] or -1, s["count"])),
        "rejected": sum(tier["rejected"] for tier in tiers),
        "superseded": sum(tier["superseded"] for tier in tiers),
    }
    values["resume"] = resume(tiers, life["state"], refused)
    values["warnings"] = _warnings(values, copies, log, now)
    return values | {"curves": curves}


def _heard(copy: Copy) -> float:
    sign = newest_sign(copy["status"], copy["lock"])
    return -math.inf if sign is None or sign["time"] is None else sign["time"]


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _lowest(points: list[tuple]) -> Any:
    return min(points, key=lambda point: point[1])[0] if points else None


def series(log: list[dict[str, Any]], key: str) -> list[tuple[int | float, float]]:
    """(step, value) of a key, by step, each step once, as it was logged last; what is no finite number is left out."""
    found = {entry["step"]: entry[key] for entry in log if number(entry.get(key)) is not None}
    return sorted(found.items())


def losses(tail: list[tuple], said: float | None) -> dict[str, Any]:
    """{"last", "tail": the last (step, value) pairs, "trend" of these in a word}."""
    return {"last": tail[-1][1] if tail else said, "tail": tail, "trend": words.trend(tail)}


# Tiers ----------------------------------------------------------------------------------------------------------------


def tiers_of(copy: Copy) -> list[tuple[str, str]]:
    """(name, place) of the tiers that a copy's status names, by the URLs of the phase's folders there."""
    folder = f"/{copy['model']}/state/{copy['phase']}"
    return [(name, url.removesuffix(folder)) for name, report in _reports(copy).items() if (url := report["url"])]


def _reports(copy: Copy) -> dict[str, dict[str, Any]]:
    """What the training job said of its tiers: name -> {"url", "step", "time", "behind", "error"}, each may be None."""
    told = (copy["status"] or {}).get("tiers")
    found = told.items() if isinstance(told, dict) else ()
    kinds = {"url": text, "step": number, "time": number, "behind": number, "error": text}
    return {
        name: {key: kind(report.get(key)) for key, kind in kinds.items()}
        for name, report in found
        if isinstance(report, dict)
    }


def _tiers(copies: list[Copy], main: Copy, errors: Mapping, fingerprint: str | None) -> list[dict[str, Any]]:
    """Each place where the phase is or should be: {"tier": its name, "place", "error", "checkpoints", "snapshots",
    "rejected", "superseded", "reported": what the job said of it or None}; the disk that a job trains on first.
    """
    names = {address(place): name for copy in copies for name, place in tiers_of(copy)}
    reports, found, taken = _reports(main), [], set()
    for copy in sorted(copies, key=lambda copy: not copy["locked"]):
        place = shown(copy["place"])
        label = names.get(address(copy["place"])) or (HERE if copy["local"] and copy["locked"] else place)
        label = label if label not in taken else f"{label} ({place})"
        taken.add(label)
        checkpoints = [_belonging(checkpoint, fingerprint) for checkpoint in copy["checkpoints"]]
        kept = {key: copy[key] for key in ("snapshots", "rejected", "superseded")}
        tier = {"tier": label, "place": place, "error": None, "checkpoints": checkpoints, **kept}
        found.append(tier | {"reported": reports.get(label)})
    there = {address(copy["place"]) for copy in copies}
    for name, place in tiers_of(main):
        if address(place) not in there:
            secret = "its URL has a password, which is written nowhere; name it on the command line to look into it"
            error = secret if "…" in place else errors.get(place)
            found.append({"tier": name, "place": shown(place), "error": error} | NOTHING | {"reported": reports[name]})
    return found


def _belonging(checkpoint: dict[str, Any], fingerprint: str | None) -> dict[str, Any]:
    """A checkpoint of other settings is of no use, however whole it is."""
    if checkpoint["valid"] and fingerprint and checkpoint["fingerprint"] != fingerprint:
        return checkpoint | {"valid": False, "fault": "it belongs to other settings or inputs"}
    return checkpoint


def newest_valid(tier: Mapping[str, Any]) -> dict[str, Any] | None:
    return next((checkpoint for checkpoint in tier["checkpoints"] if checkpoint["valid"]), None)


# Signs of life --------------------------------------------------------------------------------------------------------


def signs_of_life(copy: Copy, refused: bool = False) -> dict[str, Any]:
    """Whether a phase goes on: {"state", "going", "stalled", "died", "stall", "updated", "age", "every", "pid", "host",
    "process"}; times in seconds.

    state: as the job says, `starting` when it has the lock and no status yet, `interrupted` when it says to go on and
    its process has gone, None when nothing was said. stalled: it says to go on, and has given no sign of life for
    longer than max(5 x every, 2 minutes); 15 minutes while it starts; two checkpoints more where only copies are seen.
    died: its process has gone without a word. stall: either of them in words.
    """
    status, who = copy["status"] or {}, newest_sign(copy["status"], copy["lock"])
    said = status.get("state") if status.get("state") in STATES else None
    state = "starting" if who and who["lock"] else said
    if state == "starting" and copy["process"] == "gone" and refused:
        state = "stopped"  # it only came to hear that these settings are
    every = number(status.get("every"))
    age = copy["seen"] - who["time"] if who and who["time"] is not None else None
    died = state in GOING and copy["process"] == "gone"
    limit = max(SIGNS * (every or 0), STARTING if state == "starting" else SILENCE)
    limit += 0 if copy["locked"] else 2 * _interval(copy["checkpoints"])
    stalled = state in GOING and not died and age is not None and age > limit
    stall, process = None, f"process {who['pid']} on {who['host']}" if who and who["pid"] and who["host"] else None
    if died:
        stall = f"{process} has gone without a word; it was heard of {words.ago(age)}"
        stall += " and had not begun to train: its log says why" if state == "starting" else ""
    elif stalled:
        where = {"running": "it still exists", "elsewhere": "another machine, where it cannot be looked at from here"}
        known = f"; {process} ({where[copy['process']]})" if process and copy["process"] in where else ""
        stall = f"no sign of life for {words.duration(age)}{known}"
    return {
        "state": "interrupted" if died else state,
        "going": state in GOING and not died,
        "stalled": stalled,
        "died": died,
        "stall": stall,
        "updated": who["time"] if who else None,
        "age": age,
        "every": every,
        "pid": who["pid"] if who else None,
        "host": who["host"] if who else None,
        "process": copy["process"],
    }


def _interval(checkpoints: list[dict[str, Any]]) -> float:
    """Seconds between the two newest checkpoints: while one is copied, a copy's status may be that old."""
    times = sorted((c["time"] for c in checkpoints if c["time"] is not None), reverse=True)
    return times[0] - times[1] if len(times) > 1 else 0.0


# What a resume would take ---------------------------------------------------------------------------------------------


def resume(tiers: list[dict[str, Any]], state: str | None, refused: bool = False) -> dict[str, Any]:
    """The checkpoint that a resume would take: {"step", "name", "tier", "why"}, the first three None for none.

    The newest that is complete, wherever it is; of equals the first, which is the one that need not be fetched.
    refused: whether these settings stopped for good.
    """
    best = None
    for tier in tiers:
        found = newest_valid(tier)
        if found and (best is None or found["step"] > best[1]["step"]):
            best = tier, found
    taken = {"step": best[1]["step"], "name": best[1]["name"], "tier": best[0]["tier"]} if best else {}
    taken = {"step": None, "name": None, "tier": None} | taken
    if state == "finished":
        kept = f"; its outcome is kept in {taken['name']} on {taken['tier']}" if best else ""
        return taken | {"why": f"not needed: the phase is finished{kept}"}
    why = "none: the phase would start from the beginning"
    if best:
        own = next((tier for tier in tiers if tier["tier"] == HERE and tier is not best[0]), None)
        older = newest_valid(own) if own else None
        reason = f"newer than {HERE}'s {older['step']}" if older else "the newest that is complete"
        why = f"{taken['name']} on {taken['tier']}: {reason}"
    newer = [
        f"{checkpoint['name']} on {tier['tier']} is newer, but not valid"
        for tier in tiers
        for checkpoint in tier["checkpoints"]
        if best and not checkpoint["valid"] and checkpoint["step"] > taken["step"]
    ]
    if refused:
        why = f"refused until stopped.json is deleted or a setting changed; then {why}"
    return taken | {"why": "; ".join([why, *newer])}


# Warnings -------------------------------------------------------------------------------------------------------------


def _warnings(values: Mapping[str, Any], copies: list[Copy], log: list[dict[str, Any]], now: float) -> list[str]:
    found = [values["message"]] if values["message"] else []
    if values["age"] is not None and values["age"] < -words.SKEW:
        found.append(f"the last sign of life is {words.ago(values['age'])}")
    found += [f"{name} in {shown(copy['place'])} is damaged" for copy in copies for name in copy["damaged"]]
    for key, name in (("loss", "training loss"), ("heldout_loss", "held-out loss")):
        if bad := [e["step"] for e in log if isinstance(e.get(key), float) and not math.isfinite(e[key])]:
            found.append(f"the {name} was not a number at step {bad[-1]}")
    own = next((tier for tier in values["tiers"] if tier["tier"] == HERE), None)
    newest = newest_valid(own) if own else None
    due = newest and newest["time"] is not None and now - newest["time"] > BEHIND
    for tier in values["tiers"]:
        report, there = tier["reported"] or {}, newest_valid(tier)
        if report.get("error"):
            found.append(f"{tier['tier']}: {report['error']}")
        if tier["error"]:
            found.append(f"{tier['tier']} ({tier['place']}) cannot be looked into from here: {tier['error']}")
        elif due and tier is not own and (there is None or there["step"] < newest["step"]):
            has = there["name"] if there else "no complete checkpoint"
            found.append(f"{tier['tier']} is behind: {has} there, {newest['name']} on {HERE}")
    return list(dict.fromkeys(found))


# All of them ----------------------------------------------------------------------------------------------------------


def attention(phase: Mapping[str, Any]) -> bool:
    """Whether somebody should look: it has stalled, died without a word, or stopped with an error."""
    return bool(phase["stalled"] or phase["died"] or phase["state"] == "stopped")


def nothing_found(report: Mapping[str, Any]) -> str | None:
    """What to say, and to do, when there is no phase to be seen; None when there is one."""
    if report["phases"]:
        return None
    where = words.several([f"{p['place']} ({p['error']})" if p["error"] else p["place"] for p in report["places"]])
    return (
        f"No training to be seen in {where}: it holds no MODEL/state/{{{','.join(PHASES)}}}. Train something "
        "(snakemake results/tiny/report.html), or name the folder or URL where it trains or is mirrored: "
        "python -m wake2vec.heartbeat results s3://bucket/mirror"
    )
