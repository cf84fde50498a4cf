"""A book and a checkpoint of the user's own, by the same rules: file corpus, `kind: path`, one phase, no testbed."""

import json

from tests.workflow.conftest import SHORT
from wake2vec.text.corpus import passages_of


def test_a_users_book_and_checkpoint_make_a_report(finished):
    text = (finished.folder / "results/corpora/wake/train.txt").read_text("utf-8")
    book = "The Project Gutenberg eBook\n*** START OF THE BOOK ***\nCHAPTER ONE\n" + "\n\n".join(passages_of(text))
    (finished.folder / "book.txt").write_text(book.replace("\n\n", "\r\n\r\n"), "utf-8")
    edit = {
        "corpora": {"book": {"kind": "file", "files": [{"path": "book.txt", "start": "^CHAPTER ONE$"}]}},
        "bases": {"mine": {"kind": "path", "path": "results/bases/tiny-llama"}},
        "models": {"own": {"base": "mine", "corpus": "book", "phases": ["p1"], "p1": SHORT, "title": "My <b>book</b>"}},
    }
    finished.configure(edit)
    try:
        finished.snakemake("results/own/report.html")
        # a book that is gone: what was made of it stands, and the user is told
        (finished.folder / "book.txt").rename(finished.folder / "gone.txt")
        done = finished.snakemake("-n", "results/own/report.html")
        said = done.stdout + done.stderr  # a dry run logs to stdout
        assert said.count("corpora.book.files.0.path: there is no file book.txt") == 1 and "used as they are" in said
        assert "Nothing to be done" in said
    finally:
        finished.configure({})
    summary = json.loads((finished.folder / "results/own/summary.json").read_text("utf-8"))["values"]
    assert summary["p1.bits_per_byte"] > 0 and summary.get("p2.bits_per_byte") is None
    html = (finished.folder / "results/own/report.html").read_text("utf-8")
    assert "<b>book" not in html and "My &lt;b&gt;book" in html
    kept = (finished.folder / "results/corpora/book/train.txt").read_text("utf-8")
    assert "Gutenberg" not in kept and "\r" not in kept
    # the testbed's own rules had nothing to do here
    assert not (finished.folder / "results/own/metrics/p1/recovery.json").exists()
