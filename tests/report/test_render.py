"""Whole pages: every section in its order, hostile text as text, one file, and Quarto where there is one."""

import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report.report_results import SCRIPT, draw_placeholders, make_results
from wake2vec.errors import UserError
from wake2vec.report import render
from wake2vec.report.neighbour_page import DATA, packed
from wake2vec.report.paper import paper_tables
from wake2vec.report.render import SOURCE, render_model, render_paper
from wake2vec.report.summary import summarise
from wake2vec.report.tables import model_tables
from wake2vec.storage import write_text

ALL = {
    "Held-out text": "1",
    "What was run": "2",
    "Geometry of the rows": "3",
    "What training moved": "4",
    "Recovery of known parts": "5",
    "The morpheme objective": "6",
    "Generated text": "7",
    "Limits": "8",
    "Settings and provenance": "9",
    "References": "",
}


class Page(HTMLParser):
    """Ids, links, images, level-1 sections, scripts and visible text of a page."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.sources, self.tags, self.text = set(), [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        self.ids |= {values["id"]} if values.get("id") else set()
        self.links += [values["href"]] if tag == "a" and "href" in values else []
        self.sources += [values["src"]] if "src" in values else []
        self.sources += [values["href"]] if tag == "link" else []

    def handle_data(self, data):
        self.text += data


def sections(html):
    """Title and number of the sections of the first level, in order."""
    found = re.findall(r"<h1(?: data-number=\"([\d.]+)\")?[^>]*>(.*?)</h1>", html)
    return {
        re.sub(r"<[^>]*>|^[\d.]+ ?", "", re.sub(r"<[^>]*>", "", title)).strip(): number for number, title in found[1:]
    }


def write_inputs(folder, results, figures):
    summary = summarise(results)
    for name, text in model_tables(results, summary).items():
        write_text(folder / "tables" / f"{name}.md", text)
    write_text(folder / "tables" / DATA, packed(results.neighbour_map))
    draw_placeholders(folder / "figures", figures)
    return summary


MODEL_FIGURES = ("six_panel", "losses", "change", "projection", "objectives", "recovery", "likelihood")
MODEL_FIGURES += ("register", "register_validation")


@pytest.fixture(autouse=True)
def no_quarto(monkeypatch):
    monkeypatch.setattr(render.shutil, "which", lambda name: None)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return folder, write_inputs(folder, make_results(), MODEL_FIGURES)


@pytest.fixture(scope="module")
def page(inputs, tmp_path_factory):
    folder, summary = inputs
    out = tmp_path_factory.mktemp("out") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render.shutil, "which", lambda name: None)
        renderer = render_model(summary, folder / "tables", folder / "figures", out)
    assert re.fullmatch(r"pandoc [\d.]+", renderer)
    return out.read_text()


def test_every_section_in_its_order(page):
    assert list(sections(page).items()) == list(ALL.items())


def test_figures_and_tables_are_numbered_in_order(page):
    text = Page(page).text
    assert re.findall(r"Figure\u00a0(\d+):", text) == [str(i) for i in range(1, len(MODEL_FIGURES) + 1)]
    numbers = re.findall(r"Table\u00a0(\d+):", text)
    assert numbers == [str(i) for i in range(1, len(numbers) + 1)] and len(numbers) >= 18


def test_links_lead_somewhere(page):
    parsed = Page(page)
    inside = [link[1:] for link in parsed.links if link.startswith("#")]
    assert len(inside) > 20 and set(inside) <= parsed.ids
    assert all(link.startswith(("#", "https://doi.org/")) for link in parsed.links)


def test_one_file_with_the_scripts_of_the_neighbour_map_alone(page):
    parsed = Page(page)
    assert parsed.sources and all(source.startswith("data:") for source in parsed.sources)
    assert parsed.tags.count("script") == 2  # the map's data and what shows them
    assert parsed.tags.count("img") == len(MODEL_FIGURES)
    assert not re.search(r"url\((?!data:)|@import", page)


def test_hostile_text_stays_text(page):
    parsed = Page(page)
    assert SCRIPT in parsed.text and "{{< include tables/x.md >}}" in parsed.text
    assert "[link](javascript:alert(1)) $x$ @fig-six_panel ```{=html}" in parsed.text
    assert "<i>text</i>" in parsed.text  # the corpus's name, in the subtitle


def test_the_footer_names_the_renderer(page):
    assert "Rendered by pandoc" in page and "Quarto was not found on the PATH" in page


def test_the_same_input_gives_the_same_bytes(page, inputs, tmp_path):
    folder, summary = inputs
    render_model(summary, folder / "tables", folder / "figures", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == page


@pytest.mark.parametrize(
    ("options", "figures", "gone"),
    [
        ({"phases": ("p1",), "testbed": False}, ("six_panel", "losses", "change", "projection", "likelihood"),
         {"Recovery of known parts", "The morpheme objective"}),
        ({"phases": (), "testbed": False, "leak": True}, ("six_panel", "likelihood"),
         {"What training moved", "Recovery of known parts", "The morpheme objective", "Generated text"}),
    ],
)  # fmt: skip
def test_smaller_runs_have_fewer_sections(tmp_path, options, figures, gone):
    summary = write_inputs(tmp_path, make_results(**options), figures)
    render_model(summary, tmp_path / "tables", tmp_path / "figures", tmp_path / "out.html")
    html = (tmp_path / "out.html").read_text()
    assert list(sections(html)) == [title for title in ALL if title not in gone]
    assert Page(html).tags.count("img") == len(figures)
    above = Page(html).text.split("Table\u00a01:")[0]  # a marked run says so before its first score
    assert ("† marks the scores of this run" in above) == ("leak" in options)


def test_the_paper(tmp_path):
    summaries = {name: summarise(make_results(name, seed=i)) for i, name in enumerate(("tiny", "<b>two</b>"))}
    for name, text in paper_tables(summaries).items():
        write_text(tmp_path / "tables" / f"{name}.md", text)
    draw_placeholders(tmp_path / "figures", ["comparison"])
    render_paper(summaries, tmp_path / "tables", tmp_path / "figures", tmp_path / "paper.html")
    html = (tmp_path / "paper.html").read_text()
    assert list(sections(html).values()) == [*map(str, range(1, 9)), ""]
    assert "<b>two</b>" in Page(html).text and Page(html).tags.count("img") == 1


UNSEEN = ("before this run learned anything", "before anything was learned", "nothing learned from")
UNSEEN += ("made without the held-out text", "on the rest as well.")


@pytest.mark.parametrize("leak", [False, True])
def test_only_a_run_whose_word_list_did_not_see_the_held_out_text_says_so(tmp_path, leak):
    results = make_results(phases=("p1",), testbed=False, leak=leak)
    summary = write_inputs(tmp_path, results, ("six_panel", "likelihood", "comparison"))
    render_model(summary, tmp_path / "tables", tmp_path / "figures", tmp_path / "report.html")
    for name, text in paper_tables({"tiny": summary}).items():
        write_text(tmp_path / "tables" / f"{name}.md", text)
    render_paper({"tiny": summary}, tmp_path / "tables", tmp_path / "figures", tmp_path / "paper.html")
    for name, claim, warning in (
        ("report", "before this run learned anything", "the word list of this run saw them"),
        ("paper", "on the rest as well.", "whose word lists saw the held-out text"),
    ):
        text = " ".join(Page((tmp_path / f"{name}.html").read_text()).text.split())
        assert [said for said in UNSEEN if said in text] == [] if leak else claim in text
        assert (warning in text) == leak


def test_what_is_missing_is_said_and_nothing_is_written(inputs, tmp_path):
    folder, summary = inputs
    source = tmp_path / "report"
    source.mkdir()
    for path in SOURCE.iterdir():
        (source / path.name).symlink_to(path)
    (source / "model.qmd").unlink()
    text = (SOURCE / "model.qmd").read_text()
    text = text.replace("(@tbl-changes)", "(@tbl-change)").replace("@hu2022", "@hu2021")
    (source / "model.qmd").write_text(text.replace("text.rarity", "text.rarety"))
    with pytest.raises(UserError) as caught:
        render_model(summary, folder / "tables", folder / "figures", tmp_path / "out.html", source)
    for problem in (
        '@tbl-change refers to nothing in the document. Did you mean "tbl-changes"',
        '"hu2022"',
        '"text.rarity"',
    ):
        assert problem in str(caught.value)
    assert not (tmp_path / "out.html").exists()


# Quarto --------------------------------------------------------------------------------------------------------------

FAKE = """#!/bin/sh
if [ "$1" = --version ]; then echo 1.9.38; exit 0; fi
[ "$*" = "render document.qmd --to html" ] || exit 9
for file in _quarto.yml references.bib theme/wake.css theme/template.html figures/losses.svg; do
  [ -f $file ] || { echo "missing $file" >&2; exit 8; }
done
grep -q '{{<' document.qmd && { echo "shortcodes left" >&2; exit 7; }
cp document.qmd document.html
%s
"""


@pytest.fixture
def quarto(tmp_path, monkeypatch, inputs):
    """Run a report with a stand-in for quarto that ends with the given lines."""

    def run(ending=""):
        program = tmp_path / "bin" / "quarto"
        program.parent.mkdir(exist_ok=True)
        program.write_text(FAKE % ending)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(render.shutil, "which", lambda name: str(program))
        folder, summary = inputs
        renderer = render_model(summary, folder / "tables", folder / "figures", tmp_path / "report.html")
        return renderer, (tmp_path / "report.html").read_text()

    return run


def test_quarto_is_used_where_it_is(quarto):
    renderer, document = quarto()
    assert renderer == "Quarto 1.9.38"
    assert "Rendered by Quarto 1\\.9\\.38" in document and "was not found on the PATH" not in document
    assert "@tbl-changes" in document and "[@hu2022]" in document  # Quarto's to resolve


@pytest.mark.parametrize(
    "warning", ["WARNING: Unable to resolve crossref @fig-x", "[WARNING] Citeproc: citation joyce not found"]
)
def test_quartos_warnings_of_unresolved_references_are_errors(quarto, tmp_path, warning):
    with pytest.raises(UserError, match="could not resolve") as caught:
        quarto(f"echo '{warning}' >&2")
    assert warning in str(caught.value) and not (tmp_path / "report.html").exists()


def test_quarto_that_fails_shows_its_log(quarto):
    with pytest.raises(UserError, match="(?s)exit status 3.*pandoc exploded"):
        quarto("echo 'pandoc exploded' >&2; exit 3")


def test_other_warnings_are_let_pass(quarto):
    assert quarto("echo 'WARNING: something harmless' >&2")[0] == "Quarto 1.9.38"


def test_sources_hold_no_code():
    for name in ("model.qmd", "paper.qmd"):
        text = (SOURCE / name).read_text()
        assert "```" not in text and "<script" not in text
    assert os.path.isfile(Path(SOURCE) / "_quarto.yml")
