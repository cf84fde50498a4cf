"""Text that goes into a document comes out of pandoc as the same text; numbers read as they should."""

import json
import re
import subprocess

import pypandoc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.report.markdown import (
    Markdown,
    count,
    duration,
    escape,
    escape_lines,
    flatten,
    interval,
    number,
    p_value,
    percent,
    several,
    signed,
    significant,
    size,
    table,
    visible,
)

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{< include ../../etc/passwd >}}",
    "{{< meta a.b >}}",
    "::: {.hidden}",
    ":::",
    "```{=html}",
    "`code` ``x``",
    "$x^2$ and $$y$$",
    r"\begin{x} \alpha \(x\) \[y\]",
    "[@key; -@other] @fig-a [-@b]",
    "[link](javascript:alert(1)) ![x](http://example.org/x.png)",
    "<https://example.org> https://example.org mailto:a@b.c",
    "a | b | c",
    "# heading",
    "- list",
    "1. list",
    "(a) list",
    "A. list",
    "mix. list",
    "> quote",
    "---",
    "Mr. Foo -- said... \"quoted\" 'it'",
    "[^1] ^[note] H~2~O x^2^ ~~gone~~ [text]{.class} [x]{#fig-six_panel}",
    "&amp; &lt; &#60;script&#62;",
    "line\n\n: definition",
    "Term\n:   def",
    "| line block",
    ":smile:",
    "a\\",
    "\\",
    "\\\\*",
    "trailing  ",
    "---\ntitle: x\n---",
    "% title",
    "*[HTML]: x",
    "[x]: http://example.org",
    "\u202egnirts",
    "tab\tand\u2028line",
    "#| label: fig-x",
    "{r}",
    "=== ---",
    "+---+",
    "\ufeffbom",
]
READERS = ["markdown", "markdown+emoji+autolink_bare_uris+mark+hard_line_breaks", "gfm", "commonmark_x"]


def pandoc(text: str, source: str, target: str) -> str:
    command = [pypandoc.get_pandoc_path(), "--from", source, "--to", target, "--wrap=none"]
    return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout.decode()


def plain_text(node: object) -> str:
    """The text of a pandoc document; anything but strings, spaces and the wrapping blocks is shown by its name."""
    if isinstance(node, list):
        return "".join(plain_text(item) for item in node)
    if node["t"] == "Str":
        return node["c"]
    if node["t"] in ("Space", "SoftBreak"):
        return " "
    if node["t"] in ("Para", "Plain"):
        return plain_text(node["c"])
    return f"<<{node['t']}>>"


def expected(text: str) -> str:
    return re.sub(r"[ \t\n\r\f\v\x1c-\x1f\x85\u2028\u2029]+", " ", visible(text)).strip(" ")


TEXT = st.one_of(
    st.text(max_size=40),
    st.text("<>{}[]()|`*_~^$@#:;-+=!\\/&\"'.,% \n\tabA1é’▁ĠxX", max_size=40),
    st.lists(st.sampled_from([*HOSTILE, " ", "\n", "\n\n", "a"]), max_size=4).map("".join),
)


def read_back(text: str, reader: str = "markdown") -> str:
    return plain_text(json.loads(pandoc(escape(text) + "\n", reader, "json"))["blocks"])


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_pandoc_gives_back_the_text(text):
    assert read_back(text) == expected(text)


@settings(max_examples=40, deadline=None)
@given(TEXT)
def test_a_table_cell_gives_back_the_text(text):
    blocks = json.loads(pandoc(table(["h"], [[text]], "l"), "markdown", "json"))["blocks"]
    assert [block["t"] for block in blocks] == ["Table"]
    body = blocks[0]["c"][4][0][3]
    assert plain_text(body[0][1][0][4]) == expected(text)


@pytest.mark.parametrize("reader", READERS)
def test_every_hostile_line_stays_text_in_every_reader(reader):
    for text in HOSTILE:
        assert read_back(text, reader) == expected(text), text


@settings(max_examples=40, deadline=None)
@given(TEXT)
def test_longer_text_keeps_its_lines_and_nothing_else(text):
    blocks = json.loads(pandoc(f"::: {{.sample}}\n\n{escape_lines(text)}\n\n:::\n", "markdown", "json"))["blocks"]
    assert [block["t"] for block in blocks] == ["Div"]
    shown = plain_text(blocks[0]["c"][1]).replace("<<LineBreak>>", " ")
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", expected(text))


def test_line_breaks_and_paragraphs_of_a_longer_text():
    html = pandoc(escape_lines("one\ntwo\n\nthree <b>"), "markdown", "html")
    assert html == "<p>one<br />\ntwo</p>\n<p>three &lt;b&gt;</p>\n"


@given(TEXT)
def test_no_shortcode_and_no_line_break_survives(text):
    assert "{{" not in escape(text) and "\n" not in escape(text) and "<" not in escape(text).replace("\\<", "")


def test_html_of_a_script_is_text():
    assert (
        pandoc(escape("<script>alert(1)</script>"), "markdown", "html")
        == "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"
    )


def test_markdown_is_not_escaped_twice():
    assert escape(Markdown("**x**")) == "**x**" and escape(escape("*")) == "\\*"


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="another length"):
        table(["a", "b"], [["only one"]], "ll")


def test_numbers():
    assert number(-1234.5678, 2) == "−1,234.57"
    assert number(-0.0001) == "0.000" and number(None) == "–" and number(float("nan")) == "–"
    assert signed(0.25, 2) == "+0.25" and signed(-0.25, 2) == "−0.25" and signed(0.001, 2) == "0.00"
    assert significant(0.0012345) == "0.00123" and significant(1234567.0) == "1,234,567" and significant(0.0) == "0"
    assert significant(3.2e-9) == "3.2e−09" and significant(12.345) == "12.3"
    assert count(12345) == "12,345" and percent(0.1234) == "12.3%" and percent(None) == "–"
    assert interval([1, 2.5], 1) == "[1.0,\u00a02.5]" and interval(None) == "" and interval([None, 1.0]) == ""
    assert p_value(0.0) == "p < 0.001" and p_value(0.25) == "p = 0.250" and p_value(None) == "–"
    assert duration(3.14) == "3.1 s" and duration(45) == "45 s" and duration(200) == "3 min 20 s"
    assert duration(7500) == "2 h 05 min" and duration(59.9) == "60 s" and duration(None) == "–"
    assert size(812 * 2**20) == "812 MiB" and size(1.5 * 2**30) == "1.5 GiB"
    assert several([]) == "" and several(["a"]) == "a" and several(["a", "b", "c"]) == "a, b and c"


def test_flatten():
    assert flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": {}}) == {"a.b": 1, "a.c.d": [2]}
