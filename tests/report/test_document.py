"""Templates are filled in once, nothing filled in is read again, and everything that is missing is named at once."""

import pytest
import yaml

from tests.report.report_results import SCRIPT, draw_placeholders
from wake2vec.errors import UserError
from wake2vec.report.document import HEADER, conditions, prepare
from wake2vec.report.pandoc import parse, text_of, walk

BIB = "@book{joyce1939,\n title = {x}\n}\n"


@pytest.fixture
def fill(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/x.md").write_text("| a |\n|:--|\n| {{< meta secret >}} |\n")
    draw_placeholders(tmp_path / "figures", ["losses"])
    (tmp_path / "references.bib").write_text(BIB)

    def filled(template, values=None, flags=None):
        (tmp_path / "t.qmd").write_text(template)
        values = {"name": "tiny", "secret": "told", **(values or {})}
        return prepare(tmp_path / "t.qmd", values, flags or {}, tmp_path, tmp_path / "references.bib")

    return filled


def test_values_are_text(fill):
    document = fill("A {{< meta name >}} B\n", {"name": f"*x* {SCRIPT} {{{{< include tables/x.md >}}}} @fig-a"})
    assert text_of(parse(document)) == f"A *x* {SCRIPT} {{{{< include tables/x.md >}}}} @fig-a B"
    assert {node["t"] for node in walk(parse(document)["blocks"])} == {"Para", "Str", "Space"}


def test_includes_are_not_read_for_shortcodes(fill):
    assert "{{< meta secret >}}" in fill("{{< include tables/x.md >}}\n")


def test_the_header_is_filled_in_and_stays_yaml(fill):
    header = '---\ntitle: "{{< meta name >}}"\nlist: ["{{< meta name >}}", 3]\n---\n\ntext\n'
    document = fill(header, {"name": 'a: "b" # c\n---\n*x*'})
    settings = yaml.safe_load(HEADER.match(document)[1])
    assert text_of(parse(document)["meta"]["title"]) == 'a: "b" # c --- *x*'
    assert settings["list"][1] == 3


@pytest.mark.parametrize(
    ("flags", "kept"),
    [({"a": True, "b": True}, "1 2 3 5"), ({"a": True, "b": False}, "1 3 4 5"), ({"a": False, "b": True}, "1 5")],
)
def test_conditions_nest(flags, kept):
    text = '1\n::: {when="a"}\n:::: {when="b"}\n2\n::::\n3\n::: {unless="b"}\n4\n:::\n:::\n5\n'
    problems = []
    assert conditions(text, flags, problems).split() == kept.split() and problems == []


def test_other_blocks_are_left_alone():
    text = '::: {.note}\n1\n::: {when="a b"}\n::: inner\n2\n:::\n:::\n3\n:::\n'
    assert conditions(text, {"a": True, "b": True}, []) == "::: {.note}\n1\n::: inner\n2\n:::\n3\n:::\n"
    assert conditions(text, {"a": True, "b": False}, []) == "::: {.note}\n1\n3\n:::\n"


def test_everything_that_is_missing_is_named_at_once(fill):
    template = """
# Heading {#sec-one}

# Another {#sec-one}

{{< meta nam >}} {{< include tables/y.md >}} {{< metta name >}}

See @fig-loses, @sec-won, [@joyce1993] and [there](#sec-two).

![Caption](figures/losses.svg){#fig-losses}

![Caption](figures/loses.png)

::: {when="recovry"}
:::

::: {.open}
"""
    with pytest.raises(UserError) as caught:
        fill(template, flags={"recovery": True})
    said = str(caught.value)
    for problem in (
        "t.qmd cannot be rendered",
        "no value 'nam'. Did you mean \"name\"?",
        "no file 'tables/y.md' to include. Did you mean \"tables/x.md\"?",
        "unknown shortcode 'metta'. Accepted: meta, include. Did you mean \"meta\"?",
        '@fig-loses refers to nothing in the document. Did you mean "fig-losses"?',
        '@sec-won refers to nothing in the document. Did you mean "sec-one"?',
        '@joyce1993 is not in the bibliography. Did you mean "joyce1939"?',
        "the link “there” leads to #sec-two",
        "no figure 'figures/loses.png'. Did you mean \"figures/losses.png\"?",
        "unknown condition 'recovry'. Accepted: recovery. Did you mean \"recovery\"?",
        "two elements are called #sec-one",
        "1 of its ::: blocks are not closed",
    ):
        assert problem in said, problem


def test_a_reference_into_a_section_that_is_left_out_is_reported(fill):
    template = 'See @fig-losses.\n\n::: {when="p1"}\n![Caption](figures/losses.svg){#fig-losses}\n:::\n'
    fill(template, flags={"p1": True})
    with pytest.raises(UserError, match="@fig-losses refers to nothing"):
        fill(template, flags={"p1": False})
