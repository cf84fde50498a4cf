"""Two models or phases, any, on one held-out text: what the second needs more than the first.

    python -m wake2vec.compare results/tiny/metrics/p1 results/tiny-notebook/metrics/p3

Bits per byte of the text, and bits a word of its coinages, of those that have a row in either, and of its plain words;
each difference with its 95 % interval, paired over passages.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from wake2vec.errors import UserError
from wake2vec.language.comparison import compare_files, compare_words
from wake2vec.language.surprisal import read_surprisal
from wake2vec.report.markdown import NO_BREAK, in_bits, number, with_signs
from wake2vec.storage import read_values

FILES = ("likelihood.json", "surprisal.csv")
WORDS = {"coinage": "coinages", "with_row": "coinages with a row", "plain": "plain words"}


def compare(before: Path, after: Path) -> dict[str, Any]:
    """What `after` needs more than `before`: `text` as comparison.compare has it, `words` as compare_words, and
    `saw_held_out`, those of the two whose word list saw the text that they are scored on.

    before, after: folders of measures, results/{model}/metrics/{phase}. Raises UserError for a folder without them,
    and for different texts.
    """
    for folder in (before, after):
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            raise UserError(
                f"{folder}: there is no {' and no '.join(missing)} in it. Accepted: results/{{model}}/metrics/{{phase}}"
                f", a folder that a report is made from (`snakemake {folder / FILES[0]}` makes one)."
            )
    words = [read_surprisal(folder / "surprisal.csv") for folder in (before, after)]
    saw = [
        str(folder) for folder in (before, after) if read_values(folder / "likelihood.json").get("lexicon_saw_held_out")
    ]
    return {
        "text": compare_files(before / "likelihood.json", after / "likelihood.json"),
        "words": compare_words(*words),
        "saw_held_out": saw,
    }


def lines(found: dict[str, Any], before: Path, after: Path) -> list[str]:
    """The comparison in a terminal's lines."""
    text, words = found["text"], found["words"]
    shown = [
        f"{after} less {before}, 95 % intervals paired over {text['passages']:,} passages",
        "",
        f"bits per byte  {with_signs(text['bits_per_byte'], text['interval'])}",
        "bits a word:",
    ]
    for key, label in WORDS.items():
        each = words[key]
        if not each["words"]:
            shown.append(f"  {label:<20} none")
            continue
        means = f"{number(each['before'], 2)} → {number(each['after'], 2)}"
        shown.append(
            f"  {label:<20} {means:>15}   {in_bits(each['difference'], each['interval']):<24} {each['words']:,} words"
        )
    if words["disputed"]:
        shown += ["", f"{words['disputed']:,} words are coinages to one and not to the other, and are left out."]
    for folder in found["saw_held_out"]:
        shown += ["", f"† The word list of {folder} saw the held-out text: its scores flatter it."]
    return [line.replace(NO_BREAK, " ") for line in shown]


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser("python -m wake2vec.compare", description=__doc__.split("\n\n")[0])
    for name in ("before", "after"):
        parser.add_argument(name, type=Path, metavar=name.upper(), help="a folder results/{model}/metrics/{phase}")
    parser.add_argument("--json", action="store_true", help="everything as values")
    options = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal without → shows ?
    try:
        found = compare(options.before, options.after)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1) if options.json else "\n".join(lines(found, options.before, options.after)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
