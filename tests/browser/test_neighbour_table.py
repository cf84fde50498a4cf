"""The table of the neighbour map in headless Chromium: it is searched, sorted, filtered and paged, by mouse and by
keyboard; without JavaScript its first page stands there; hostile words stay words; a book's worth of them stays quick.
"""

import html
import json
from dataclasses import replace

import numpy as np
import pytest

from tests.browser.test_pages import write_tables
from tests.report.report_neighbours import make_neighbour_map
from tests.report.report_results import HOSTILE, make_results
from wake2vec.report.neighbour_page import DATA, PER_PAGE, packed, with_map
from wake2vec.report.render import SOURCE, render_model
from wake2vec.report.summary import summarise
from wake2vec.report.tables import model_tables
from wake2vec.storage import write_text

WORDS = [*HOSTILE, "élan", "ELANd", "straße", "andrée's", "zwei", *(f"wurd{i}ling" for i in range(117))]
FORMS = [
    {"row": i, "word": word, "form": f"▁{word}", "count_train": (130 - i) // 3, "count_valid": i * 7 % 5}
    for i, word in enumerate(WORDS)
]
MAP = make_neighbour_map(FORMS)
SEARCH, AMONG, LEAST = "Search words and parts", "and neighbours", "Seen at least"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    results = replace(make_results(), neighbour_map=MAP)
    summary = summarise(results)
    write_tables(folder, model_tables(results, summary))
    write_text(folder / "tables" / DATA, packed(MAP))
    render_model(summary, folder / "tables", folder / "figures", folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def page(browser, file):
    """A fresh page; afterwards, what it said on the console and what it asked for besides itself."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(5000)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda sent: asked.append(sent.url) if not sent.url.startswith("data:") else None)
    page.goto(file.as_uri())
    yield page
    assert said == [] and asked == [file.as_uri()]
    page.close()


def rows(page):
    """The cells of the rows that are shown."""
    return page.eval_on_selector_all(
        "#tbl-neighbour_map tbody tr", "lines => lines.map(line => [...line.cells].map(cell => cell.textContent))"
    )


def column(page, at):
    return [row[at] for row in rows(page)]


def every(page, at):
    """One column over all pages."""
    found = column(page, at)
    while page.get_by_label("Next page").is_enabled():
        page.get_by_label("Next page").click()
        found += column(page, at)
    return found


def sort(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def status(page):
    return page.get_by_role("status").inner_text()


def test_without_javascript_it_is_the_same_first_page(browser, file, page):
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(file.as_uri())
    assert rows(still) == rows(page) and len(rows(page)) == PER_PAGE
    assert still.locator(".map-controls").count() == 0
    titles = still.locator("#tbl-neighbour_map th").all_inner_texts()
    assert titles == page.locator("#tbl-neighbour_map th").all_inner_texts() and titles[0] == "Word"
    context.close()


def test_hostile_words_are_words(page):
    shown = column(page, 0)
    assert shown[: len(HOSTILE)] == HOSTILE and any("</script><b>" in cell for cell in column(page, 7))
    assert page.locator("#tbl-neighbour_map tbody :not(tr, td, span.words)").count() == 0
    assert page.locator("script").count() == 2 and "owned" not in page.title()
    page.get_by_label(SEARCH).fill("<img src=x onerror")
    assert column(page, 0) == [word for word in HOSTILE if "onerror" in word]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ELAN", ["élan", "ELANd"]),
        ("e\u0301LAN", ["élan", "ELANd"]),
        ("STRASSE", ["straße"]),
        ("straße", ["straße"]),
        ("ANDREE’S", ["andrée's"]),
        ("16 wurd1", ["wurd16ling", "wurd116ling"]),  # every term, in any order
        ("  wurd116ling ", ["wurd116ling"]),
        ("nowhere", ["No word matches."]),
    ],
)
def test_search_folds_accents_case_and_apostrophes(page, query, found):
    page.get_by_label(SEARCH).fill(query)
    assert column(page, 0) == found
    count = 0 if "No word" in found[0] else len(found)
    assert status(page) == f"{count} of 130 words, page 1 of 1"
    page.get_by_label(SEARCH).fill("")
    assert status(page) == "130 words, page 1 of 3" and len(rows(page)) == PER_PAGE


def test_search_among_neighbours(page):
    page.get_by_label(SEARCH).fill("strasse")
    page.get_by_label(AMONG).check()
    near = [
        word["word"]
        for word in MAP["words"]
        if any(name in ("▁Straße", "straße") for found in word["phases"].values() for k in ("base", "new")
               for name, _ in found[k])
    ]  # fmt: skip
    assert set(every(page, 0)) == {*near, "straße"} and len(near) > 50


def test_sorting_is_numeric_and_stable_and_says_so(page):
    held_out = sorted(MAP["words"], key=lambda word: -word["count_valid"])
    sort(page, "Held out")
    assert every(page, 0) == [word["word"] for word in held_out]  # equal ones as they were: frequent words first
    sort(page, "Held out")
    assert every(page, 0) == [word["word"] for word in sorted(held_out, key=lambda word: word["count_valid"])]
    states = page.eval_on_selector_all("#tbl-neighbour_map th", "all => all.map(th => th.getAttribute('aria-sort'))")
    assert states == ["none"] * 4 + ["ascending"] + ["none"] * 5
    sort(page, "Seen")
    assert every(page, 3) == [str(n) for n in sorted((word["count_train"] for word in MAP["words"]), reverse=True)]


def test_words_sort_as_they_fold(page):
    sort(page, "Word")
    found = every(page, 0)
    at = {word: found.index(word) for word in ("andrée's", "élan", "ELANd", "straße", "wurd0ling", "wurd9ling")}
    assert list(at) == sorted(at, key=at.get)
    assert sorted(found) == sorted(WORDS)


def test_what_has_no_value_comes_last_either_way(page):
    drift = [word["phases"]["p1"]["drift"] for word in MAP["words"]]
    known = sorted((value for value in drift if value is not None), reverse=True)
    sort(page, "Drift,\u00a0P1")
    assert every(page, 5) == [*(f"{value:.3f}" for value in known), "–"]
    sort(page, "Drift,\u00a0P1")
    assert every(page, 5) == [*(f"{value:.3f}" for value in reversed(known)), "–"]


def test_neighbours_sort_by_the_nearest_base_token(page):
    sort(page, "Nearest, after\u00a0P3")
    cosines = [float(cell.split("\u00a0")[1].replace("−", "-")) for cell in every(page, 9)]
    assert cosines == sorted(cosines, reverse=True) and len(set(cosines)) > 20


def test_words_seen_often_enough(page):
    page.get_by_label(LEAST).fill("40")
    often = [word["word"] for word in MAP["words"] if word["count_train"] >= 40]
    assert column(page, 0) == often and status(page) == f"{len(often)} of 130 words, page 1 of 1"
    page.get_by_label(SEARCH).fill("wurd")
    assert status(page).startswith("0 of 130 words")


def test_pages(page):
    def enabled():
        return [page.get_by_label(f"{name} page").is_enabled() for name in ("First", "Previous", "Next", "Last")]

    assert enabled() == [False, False, True, True]
    page.get_by_label("Last page").click()
    assert (
        status(page) == "130 words, page 3 of 3" and len(rows(page)) == 30 and enabled() == [True, True, False, False]
    )
    page.get_by_label("Previous page").click()
    assert column(page, 0) == [word["word"] for word in MAP["words"][50:100]] and enabled() == [True] * 4
    sort(page, "Word")
    assert status(page) == "130 words, page 1 of 3"  # what sorts or searches begins at the first page


def test_by_keyboard_alone(page):
    page.get_by_label(SEARCH).focus()
    page.keyboard.type("elan")
    assert len(rows(page)) == 2
    for key in ("Tab", "Space"):  # the box beside it
        page.keyboard.press(key)
    assert page.get_by_label(AMONG).is_checked()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.labels[0].textContent") == "Seen at least  times in training"
    page.get_by_role("button", name="Word", exact=True).focus()
    page.keyboard.press("Enter")
    assert page.locator("#tbl-neighbour_map th").first.get_attribute("aria-sort") == "ascending"
    assert page.evaluate("document.activeElement.textContent") == "Word"  # the focus stays where it was
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    assert page.get_by_role("status").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_is_no_wider_than_the_screen_and_the_table_scrolls_in_itself(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figure = page.locator("#tbl-neighbour_map figure")
    assert figure.evaluate("e => e.scrollWidth > e.clientWidth")
    figure.evaluate("e => e.scrollLeft = 300")
    for inside in (".map-controls", "#tbl-neighbour_map tbody tr:first-child td:first-child"):  # stay in sight
        box = page.locator(inside).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_on_paper_there_are_no_controls_and_nothing_is_cut(page):
    page.set_viewport_size({"width": 700, "height": 1000})  # A4 within its margins
    page.emulate_media(media="print")
    assert not page.locator(".map-controls").is_visible()
    assert page.locator("#tbl-neighbour_map table").bounding_box()["width"] <= 700


# A book's worth ------------------------------------------------------------------------------------------------------


def many_words(count=45_000, tokens=60_000, k=5):
    """A packed map of made-up words, most of them seen once; no limit on its size."""
    rng = np.random.default_rng(0)
    letters = np.array(list("aaeeeiioourrstnlldmkbpgéüß"))
    drawn = letters[rng.integers(0, len(letters), (count, 9))]
    words = ["".join(line) + format(i, "x") for i, line in enumerate(drawn)]
    made = [
        {"title": "Word", "kind": "text", "values": words},
        {"title": "Parts", "kind": "text", "values": [f"{word[:4]} + {word[4:]}" for word in words]},
        {"title": "Seen", "kind": "number", "values": np.sort(rng.zipf(2.2, count).clip(1, 3000))[::-1].tolist()},
        {"title": "Drift", "kind": "cosine", "values": rng.random(count).round(3).tolist()},
    ]
    for phase in ("initial", "P1", "P3"):
        pairs = [[rng.integers(0, tokens, count * k).tolist(), rng.integers(0, 100, count * k).tolist()] * 2]
        made.append({"title": phase, "kind": "neighbours", "k": k, "base": pairs[0][:2], "new": pairs[0][2:]})
    return {"columns": made, "strings": [f"▁tokén{i}" for i in range(tokens)], "per_page": 50}


def test_45_000_words_stay_quick(browser, tmp_path):
    data = many_words()
    head = "".join(f"<th>{html.escape(column['title'])}</th>" for column in data["columns"])
    table = f"<table><thead><tr>{head}</tr></thead><tbody></tbody></table>"
    write_text(tmp_path / DATA, json.dumps(data))
    body = f"<body><div id='tbl-neighbour_map'><figure>{table}</figure></div></body>"
    write_text(tmp_path / "page.html", with_map(f"<!DOCTYPE html>{body}", tmp_path, SOURCE / "theme"))
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.get_by_role("status").inner_text() == "45,000 words, page 1 of 900"
    times = page.evaluate(
        """() => {
            const query = document.querySelector('input[type=search]')
            const measure = act => {
                const start = performance.now()
                act()
                document.body.getBoundingClientRect()  // layout included
                return performance.now() - start
            }
            const best = act => Math.min(...[1, 2, 3, 4, 5, 6].map(() => measure(act)))
            const look = text => () => { query.value = text; query.dispatchEvent(new Event('input')) }
            const times = {}
            for (const text of ['a', 'élan', 'zzzz', 'er st', '']) times['search ' + text] = best(look(text))
            for (const button of document.querySelectorAll('th button')) {
                times['sort ' + button.textContent] = best(() => button.click())
            }
            document.querySelector('input[type=checkbox]').checked = true
            for (const text of ['token12', 'a']) times['among neighbours ' + text] = best(look(text))
            // the rival: every row in the page at once
            const whole = document.createElement('table')
            whole.innerHTML = ('<tr>' + '<td>word</td>'.repeat(7) + '</tr>').repeat(45000)
            times.whole = measure(() => { document.body.append(whole) })
            return times
        }"""
    )
    page.close()
    whole = times.pop("whole")
    assert len(times) == 14 and max(times.values()) < whole / 20, (times, whole)
