"""The command: what it prints at 80 and 100 characters, JSON, exit codes, looking again, and what it doesn't import."""

import io
import json
import os
import resource
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from tests.conftest import ROOT
from tests.heartbeat.heartbeat_states import (
    change_manifest,
    dead_process,
    write_checkpoint,
    write_lock,
    write_snapshots,
    write_state,
    write_status,
)
from wake2vec.heartbeat.__main__ import main
from wake2vec.heartbeat.terminal import picture
from wake2vec.heartbeat.vitals import look
from wake2vec.heartbeat.words import size

COMMAND = [sys.executable, "-m", "wake2vec.heartbeat"]


@pytest.fixture
def results(tmp_path):
    """Runs in every condition."""
    write_state(tmp_path / "tiny/state/p1", 350, 400, state="finished", step=400, seconds_left=0)
    write_state(tmp_path / "tiny/state/p2", 100, 150)
    write_snapshots(tmp_path / "tiny/state/p2", 50, 100)
    write_state(tmp_path / "tinyllama-1.1b-notebook/state/p1", 12000, step=12345, steps=40000, age=1000)
    write_state(tmp_path / "other/state/p3", 50, state="stopped", message="the loss is not a number at step 77")
    os.truncate(tmp_path / "other/state/p3/checkpoint-50/optimizer.safetensors", 3)
    return tmp_path


def printed(results, width):
    file = io.StringIO()
    Console(file=file, width=width).print(picture(look([str(results)]), width))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_a_line_a_phase_and_no_line_too_long(results, width):
    lines = printed(results, width).splitlines()
    assert max(map(len, lines)) <= width
    table = lines[: lines.index("")]
    assert len(table) == 5 and [line.split()[:2] for line in table[1:]] == [
        ["other", "p3"],
        ["tiny", "p1"],
        ["tiny", "p2"],
        ["tinyllama-1.1b-notebook", "p1"],
    ]
    row = table[3]
    assert "160/400" in row and "training" in row and "2.000 ↓" in row and "1 h 20 min" in row
    assert ("1,234" in row and "1.500" in row) is (width == 100)
    assert "12,345/40,000" in table[4] and "stalled" in table[4]


def test_what_needs_words_has_them(results):
    text = " ".join(printed(results, 300).split())
    folders = [results / f"tiny/state/p2/checkpoint-{step}" for step in (150, 100)]
    sizes = [size(sum(path.stat().st_size for path in folder.iterdir())) for folder in folders]
    assert (
        f"checkpoint-150 valid (4 minutes ago, {sizes[0]}); checkpoint-100 valid (8 minutes ago, {sizes[1]}); "
        "2 snapshots, the newest of step 100 (5 minutes ago)" in text
    )
    assert "loss 4.000 3.000 2.000: falling" in text and "held-out 4.200 3.600 3.000: falling" in text
    assert "resume checkpoint-150 on this disk: the newest that is complete" in text
    assert "warning the loss is not a number at step 77" in text
    assert "checkpoint-50 not valid: optimizer.safetensors has 3 of 1,000 bytes" in text
    assert "resume none: the phase would start from the beginning" in text
    assert "stall no sign of life for 16 minutes; process" in text


def test_hostile_names_and_messages_are_only_text(tmp_path):
    write_state(tmp_path / "[red]x[bold]/state/p1", 50, message="a\x1b[2J\x1b]0;owned\x07[link=http://evil]b\nc")
    text = printed(tmp_path, 100)
    assert "\x1b" not in text and "\x07" not in text
    assert "[red]x[bold]" in text and "[link=http://evil]b c" in text


def test_json_is_everything_as_values(results, capsys):
    assert main([str(results), "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["places"] == [{"place": str(results), "error": None}] and set(report) == {"time", "places", "phases"}
    phases = {(p["model"], p["phase"]): p for p in report["phases"]}
    assert phases["tiny", "p2"]["resume"]["step"] == 150
    assert phases["tiny", "p2"]["curves"]["heldout_loss"] == [[50, 4.2], [100, 3.6], [150, 3.0]]
    assert phases["tinyllama-1.1b-notebook", "p1"]["stalled"] is True
    assert phases["other", "p3"]["tiers"][0]["checkpoints"][0]["valid"] is False


def test_exit_codes(tmp_path, capsys):
    state = tmp_path / "tiny/state/p1"
    assert main([str(tmp_path)]) == 0  # nothing yet
    write_state(state, 50)
    write_lock(state, age=2000)
    for code, changes in (
        (0, {}),
        (3, {"age": 1000}),
        (3, {"state": "stopped"}),
        (3, {"pid": dead_process()}),
        (0, {"state": "finished"}),
        (0, {"state": "interrupted", "message": "asked to stop"}),
    ):
        write_status(state, **changes)
        assert main([str(tmp_path)]) == code, changes
    for wrong in (["--watch", "0"], ["--watch", "nan"], ["--watch", "results"], ["--unknown"]):
        with pytest.raises(SystemExit) as stop:
            main(wrong)
        assert stop.value.code == 2
    assert "found 'results'; accepted: seconds above 0" in capsys.readouterr().err


def test_an_empty_folder_says_what_to_do(tmp_path, capsys):
    assert main([str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"No training to be seen in {tmp_path}" in said and "snakemake results/tiny/report.html" in said
    assert main([str(tmp_path / "missing")]) == 0
    assert "there is no such folder" in " ".join(capsys.readouterr().out.split())


def test_an_html_file_that_cannot_be_written_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path), "--html", str(tmp_path / "file/page.html")]) == 1
    assert "--html" in capsys.readouterr().err and (tmp_path / "file").read_text() == ""


def test_it_looks_again_until_it_is_stopped(tmp_path):
    state = tmp_path / "tiny/state/p1"
    write_state(state, 50)
    page = tmp_path / "page.html"
    command = [*COMMAND, str(tmp_path), "--json", "--watch", "0.2", "--html", str(page)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell's `&` has it ignore
    )
    try:
        assert json.loads(process.stdout.readline())["phases"][0]["resume"]["step"] == 50
        change_manifest(write_checkpoint(state, 100))
        steps = (json.loads(process.stdout.readline())["phases"][0]["resume"]["step"] for _ in range(50))
        assert 100 in steps
        assert '<meta http-equiv="refresh" content="1">' in page.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert said == "" and process.returncode == 0


def test_a_reader_that_goes_away_is_no_error(results):
    process = subprocess.run(
        f"{sys.executable} -m wake2vec.heartbeat {results} --json | head -c 10",
        shell=True,
        cwd=ROOT,
        capture_output=True,
    )
    assert process.stderr == b"" and len(process.stdout) == 10


def test_it_starts_at_once_and_loads_nothing_heavy(results):
    heavy = ("torch", "transformers", "pandas", "scipy", "snakemake", "matplotlib")
    code = (
        "import sys; from wake2vec.heartbeat.__main__ import main; main([sys.argv[1]]); "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(
        [sys.executable, "-c", code, results], cwd=ROOT, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.stdout.splitlines()[-1] == "[]"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_make_heartbeat(results):
    make = subprocess.run(["make", "heartbeat", f"PLACES={results}"], cwd=ROOT, capture_output=True, text=True)
    assert make.returncode == 0 and make.stderr == "" and "tinyllama-1.1b-notebook" in make.stdout
