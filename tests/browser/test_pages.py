"""The pages in a real browser (headless Chromium): figures load, links lead somewhere, hostile text stays text, nothing
leaves the machine, and nothing is wider than the screen of a desktop or a phone."""

import pytest

from tests.report.report_results import SCRIPT, draw_placeholders, make_results
from wake2vec.report.neighbour_page import DATA, packed
from wake2vec.report.paper import paper_tables
from wake2vec.report.render import render_model, render_paper
from wake2vec.report.summary import summarise
from wake2vec.report.tables import model_tables
from wake2vec.storage import write_text

WIDTHS = (1280, 390)
TITLE = "tiny <b>run</b>"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A report and a paper, rendered by whatever renderer this machine has."""
    folder = tmp_path_factory.mktemp("pages")
    results = make_results(leak=True)
    summary = summarise(results) | {"title": TITLE}
    write_tables(folder / "model", model_tables(results, summary))
    write_text(folder / "model/tables" / DATA, packed(results.neighbour_map))
    render_model(summary, folder / "model/tables", folder / "model/figures", folder / "report.html")
    summaries = {"tiny": summary, "other": summarise(make_results("other", seed=1))}
    write_tables(folder / "paper", paper_tables(summaries))
    render_paper(summaries, folder / "paper/tables", folder / "paper/figures", folder / "paper.html")
    return {"report": folder / "report.html", "paper": folder / "paper.html"}


def write_tables(folder, tables):
    for name, text in tables.items():
        write_text(folder / "tables" / f"{name}.md", text)
    draw_placeholders(folder / "figures")


@pytest.fixture(scope="module", params=["report", "paper"])
def opened(request, browser, pages):
    """(page, what it said on the console, what it asked for besides itself)."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda sent: asked.append(sent.url) if not sent.url.startswith("data:") else None)
    page.goto(pages[request.param].as_uri())
    page.wait_for_load_state("networkidle")
    yield page, said, asked
    page.close()


def test_figures_load(opened):
    page, _, _ = opened
    widths = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
    assert widths and all(width > 0 for width in widths)
    assert all(page.eval_on_selector_all("img", "images => images.map(image => image.alt.length > 10)"))


def test_links_and_cross_references_lead_somewhere(opened):
    page, _, _ = opened
    broken = page.evaluate(
        """() => [...document.querySelectorAll('a[href^="#"]')]
            .map(link => decodeURIComponent(link.getAttribute('href').slice(1)))
            .filter(id => !document.getElementById(id))"""
    )
    assert broken == []
    references = page.eval_on_selector_all("a.quarto-xref", "links => links.map(link => link.textContent)")
    assert all(text.split("\u00a0")[0] in ("Figure", "Table", "Section") for text in references)
    assert "?@" not in page.inner_text("body") and "??" not in page.inner_text("body")


def test_clicking_a_contents_line_goes_there(opened):
    page, _, _ = opened
    page.click("#TOC a >> text=Limits")
    assert page.url.endswith("#sec-limits")
    page.wait_for_function("Math.abs(document.getElementById('sec-limits').getBoundingClientRect().top) < 900")


def test_nothing_is_said_or_fetched(opened):
    page, said, asked = opened
    assert said == [] and [url.split("#")[0] for url in asked] == [page.url.split("#")[0]]


def test_hostile_text_is_text(opened):
    page, _, _ = opened
    scripts = page.eval_on_selector_all("script", "scripts => scripts.map(s => s.id + s.src)")
    assert scripts in ([], ["neighbour-map", ""]) and "owned" not in page.title()
    assert page.evaluate("document.querySelectorAll('[onerror], [onload], [onclick]').length") == 0
    assert page.query_selector("main b") is None and TITLE in page.inner_text("body")
    if page.query_selector(".sample"):
        shown = page.inner_text(".sample >> nth=0")
        assert SCRIPT in shown and "{{< include tables/x.md >}}" in shown and "::: hidden" in shown


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(opened, width):
    page, _, _ = opened
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    too_wide = page.evaluate(
        """width => [...document.querySelectorAll('body *')]
            .filter(element => !element.closest('figure') && element.getBoundingClientRect().right > width + 1)
            .map(element => element.outerHTML.slice(0, 80))""",
        width,
    )
    assert too_wide == []  # what stands in a figure may scroll inside it
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('main p')).fontSize)") >= 15
