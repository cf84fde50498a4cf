"""Cross-references are numbered and named as Quarto does it."""

import json

import pytest

from wake2vec.report.crossref import number, numbering
from wake2vec.report.pandoc import pandoc, parse, text_of

DOCUMENT = """
# One {#sec-one}

## Deep {#sec-deep}

# Aside {.unnumbered}

# Two {#sec-two}

## Deeper {#sec-deeper}

![First](a.svg){#fig-a fig-alt="what it shows"}

::: {#tbl-t}
| a |
|:--|
| 1 |

The *table*.
:::

![Second](b.svg){#fig-b}

See @fig-b, [@fig-a; @tbl-t], @sec-deeper and [-@fig-b]; [@joyce1939].
"""


@pytest.fixture(scope="module")
def html():
    return pandoc(["--from", "json", "--to", "html"], json.dumps(number(parse(DOCUMENT))))[0]


def test_numbers():
    numbers = {"sec-one": "1", "sec-deep": "1.1", "sec-two": "2", "sec-deeper": "2.1"}
    assert numbering(parse(DOCUMENT)) == numbers | {"fig-a": "1", "tbl-t": "1", "fig-b": "2"}


def test_section_numbers_are_pandocs_own():
    html = pandoc(["--to", "html", "--number-sections"], DOCUMENT)[0]
    for name, number_ in numbering(parse(DOCUMENT)).items():
        if name.startswith("sec-"):
            assert f'data-number="{number_}"' in html.split(f'id="{name}"')[0].rsplit("<h", 1)[1]


def test_references_are_links(html):
    text = text_of(parse(pandoc(["--from", "html", "--to", "markdown", "--wrap=none"], html)[0]))
    assert "See Figure 2, Figure 1, Table 1, Section 2.1 and 2;" in text.replace("\u00a0", " ")
    assert '<a href="#fig-b" class="quarto-xref">Figure\u00a02</a>' in html
    assert "@joyce1939" in html  # citations are left to citeproc


def test_captions(html):
    assert "<figcaption>Figure\u00a01: First</figcaption>" in html
    assert 'alt="what it shows"' in html and "fig-alt" not in html
    table = html.split('id="tbl-t"')[1]
    assert table.index("Table\u00a01: The <em>table</em>.") < table.index("<table")
