"""How the runs are doing: a table in the terminal, JSON, or a page. Reads only; safe at any moment of a run.

Exit code: 0; 3 when a phase has stalled, died without a word or stopped with an error; 1 when FILE cannot be written.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

from wake2vec.errors import UserError
from wake2vec.heartbeat.vitals import attention, look

ALARM = 3
EVERY = 10.0  # seconds


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m wake2vec.heartbeat", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "places",
        nargs="*",
        default=["results"],
        metavar="FOLDER_OR_URL",
        help="where runs train or are mirrored: folders or fsspec URLs (default: results)",
    )
    parser.add_argument("--json", action="store_true", help="everything as values; with --watch one line a look")
    parser.add_argument(
        "--watch",
        nargs="?",
        type=seconds,
        const=EVERY,
        metavar="SECONDS",
        help=f"look again and again (default: every {EVERY:.0f} seconds) until Ctrl-C",
    )
    parser.add_argument("--html", metavar="FILE", help="write one self-contained page with loss curves")
    parser.add_argument(
        "--verify", action="store_true", help="hash every file of every checkpoint, instead of looking at its size"
    )
    parser.epilog = __doc__.split("\n\n")[1]
    return parser


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"found {text!r}; accepted: seconds above 0, such as 10. A folder goes before --watch"
        )
    return value


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal without ↓ shows ?
    show = _shower(options)
    code = 0
    try:
        while True:
            report = look(options.places, options.verify)
            show(report)
            code = ALARM if any(map(attention, report["phases"])) else 0
            if options.watch is None:
                return code
            time.sleep(options.watch)
    except KeyboardInterrupt:
        return code
    except BrokenPipeError:  # as in `… | head`
        sys.stderr.close()
        return code
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


def _shower(options: argparse.Namespace) -> Callable[[dict[str, Any]], None]:
    """What is done with a report."""
    if options.html:
        from wake2vec.heartbeat.page import write_page
    if options.json:
        shape = {"separators": (",", ":")} if options.watch else {"indent": 1}
        show = lambda report: print(json.dumps(report, allow_nan=False, **shape), flush=True)  # noqa: E731
    else:
        from rich.console import Console

        from wake2vec.heartbeat.terminal import show as draw

        console = Console(highlight=False)

        def show(report: dict[str, Any]) -> None:
            if options.watch and console.is_terminal:
                console.clear()
            draw(report, console)

    def shown(report: dict[str, Any]) -> None:
        show(report)
        if options.html:
            write_page(report, options.html, options.watch)

    return shown


if __name__ == "__main__":
    sys.exit(main())
