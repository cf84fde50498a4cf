"""Render a report or the paper to one self-contained HTML file: with Quarto where it is on the PATH, else with pandoc.

Both get the same document (`document.prepare`), the same settings (report/_quarto.yml), template and style sheet, in
a work folder beside links to the figures. Quarto resolves the cross-references itself; for pandoc `crossref.number`
does, to the same numbers. Quarto only warns of an unknown reference or citation (and exits with 0), so its log is
read and such a warning is an error.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from wake2vec.errors import UserError
from wake2vec.report import crossref
from wake2vec.report.document import prepare
from wake2vec.report.neighbour_page import has_map, with_map
from wake2vec.report.pandoc import pandoc, parse, version
from wake2vec.report.paper import paper_flags, paper_values
from wake2vec.report.values import model_flags, model_values
from wake2vec.storage import read_text, write_text

SOURCE = Path(__file__).parents[2] / "report"
SHARED = ("toc", "toc-depth", "number-sections", "css", "template", "embed-resources", "section-divs")
UNRESOLVED = re.compile(r"unable to resolve|citation .*not found|could not fetch|undefined reference", re.IGNORECASE)


def render_model(
    summary: Mapping[str, Any], tables: str | Path, figures: str | Path, out: str | Path, source: str | Path = SOURCE
) -> str:
    """Write a model's report from its summary values, its folder of tables and its folder of figures.

    `source` is the folder with model.qmd, _quarto.yml, references.bib and theme/. Returns the renderer's name, as in
    "pandoc 3.9". Raises UserError with every reference, citation, value or file that is missing.
    """
    there = {path.name for path in Path(figures).glob("*.svg")}
    return _render(
        Path(source) / "model.qmd",
        model_values(summary),
        model_flags(summary, there),
        Path(tables),
        Path(figures),
        Path(out),
    )


def render_paper(
    summaries: Mapping[str, Mapping[str, Any]],
    tables: str | Path,
    figures: str | Path,
    out: str | Path,
    source: str | Path = SOURCE,
) -> str:
    """Write the paper from the summary values of all models (by key, in the order of the configuration)."""
    values, flags = paper_values(summaries), paper_flags(summaries)
    return _render(Path(source) / "paper.qmd", values, flags, Path(tables), Path(figures), Path(out))


def _render(
    template: Path, values: dict[str, Any], flags: dict[str, bool], tables: Path, figures: Path, out: Path
) -> str:
    quarto = shutil.which("quarto")
    renderer = f"Quarto {_quarto_version(quarto)}" if quarto else f"pandoc {version()}"
    values = values | {"renderer": renderer}
    flags = flags | {"quarto": bool(quarto), "neighbour_map": has_map(tables)}
    with tempfile.TemporaryDirectory(prefix="wake2vec-report-") as name:
        work = Path(name)
        shutil.copytree(template.parent / "theme", work / "theme")
        for file in ("_quarto.yml", "references.bib"):
            shutil.copy(template.parent / file, work)
        (work / "tables").symlink_to(tables.resolve())
        (work / "figures").symlink_to(figures.resolve())
        document = prepare(template, values, flags, work, work / "references.bib")
        html = _with_quarto(quarto, document, work) if quarto else _with_pandoc(document, work)
    write_text(out, with_map(html, tables, template.parent / "theme"))
    return renderer


def _with_pandoc(document: str, work: Path) -> str:
    """HTML of a prepared document, by pandoc alone."""
    settings = yaml.safe_load(read_text(work / "_quarto.yml"))
    defaults = {key: value for key, value in settings["format"]["html"].items() if key in SHARED}
    defaults |= {
        "metadata": {key: settings[key] for key in ("bibliography", "link-citations", "lang") if key in settings}
    }
    (work / "defaults.yaml").write_text(yaml.safe_dump(defaults), encoding="utf-8")
    arguments = [
        "--from",
        "json",
        "--to",
        "html5",
        "--wrap",
        "none",
        "--standalone",
        "--citeproc",
        "--defaults",
        "defaults.yaml",
    ]
    html, messages = pandoc(arguments, json.dumps(crossref.number(parse(document))), work)
    if messages:
        raise UserError(
            "pandoc warned of things that a report must not have:\n" + "\n".join(f"  {m}" for m in messages)
        )
    return html


def _with_quarto(quarto: str, document: str, work: Path) -> str:
    """HTML of a prepared document, by Quarto; what it could not resolve is an error."""
    (work / "document.qmd").write_text(document, encoding="utf-8")
    command = [quarto, "render", "document.qmd", "--to", "html"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, errors="replace", env=_environment(work))
    log = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    made = work / "document.html"
    if done.returncode or not made.is_file():
        raise UserError(f"quarto failed (exit status {done.returncode}). Its log:\n{log.strip()}")
    unresolved = [line.strip() for line in log.splitlines() if UNRESOLVED.search(line)]
    if unresolved:
        raise UserError("quarto could not resolve everything:\n" + "\n".join(f"  {line}" for line in unresolved))
    return read_text(made)


def _environment(work: Path) -> dict[str, str]:
    """Quarto writes a cache into the home folder, which a job may not have."""
    home = os.environ.get("HOME")
    return dict(os.environ) if home and os.access(home, os.W_OK) else {**os.environ, "HOME": str(work)}


def _quarto_version(quarto: str) -> str:
    done = subprocess.run([quarto, "--version"], capture_output=True, text=True)
    return done.stdout.strip() or "(version unknown)"
