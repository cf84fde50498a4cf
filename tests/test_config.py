"""The configuration: merging, and refusals that a person can act on."""

import copy
from pathlib import Path

import pytest
import yaml

from wake2vec import config_docs
from wake2vec.config import load, merge, refuse_bad_yaml
from wake2vec.errors import UserError

ROOT = Path(__file__).parents[1]
SHIPPED = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
SMALL = {
    "corpora": {"plain": {"kind": "testbed", "language": "plain"}, "wake": {"kind": "testbed"}},
    "bases": {"small": {"kind": "pretrain", "corpus": "plain"}},
    "defaults": {"seed": 1, "p1": {"steps": 10, "batch": 2}},
    "recipes": {"wake": {}, "notebook": {"p1": {"steps": 20, "learning_rate": 0.5}, "head": "tie_all"}},
    "models": {
        "a": {"base": "small", "corpus": "wake", "p1": {"steps": 30}},
        "b": {"extends": "a", "recipe": "notebook"},
        "c": {"extends": "b", "p1": {"steps": 40}, "head": "shared"},
    },
}


def changed(*path, to):
    """SMALL with one value set, folders made on the way."""
    config = copy.deepcopy(SMALL)
    here = config
    for key in path[:-1]:
        here = here.setdefault(key, {})
    here[path[-1]] = to
    return config


def refusal(*path, to):
    with pytest.raises(UserError) as caught:
        load(changed(*path, to=to))
    return str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        ("models", "a", "p1", "steps"),
        ("models", "a", "p1", "learning_rate"),
        ("models", "a", "p1", "max_gap"),
        ("models", "a", "seed"),
        ("corpora", "wake", "seed"),
        ("bases", "small", "steps"),
    ],
)
def test_true_is_no_number(path):
    assert f"{'.'.join(path)}: found True. Accepted: a number." in refusal(*path, to=True)


def test_true_is_no_number_in_a_list_or_where_all_runs_get_it():
    assert "models.a.generation.temperatures.1: found True" in refusal(
        "models", "a", "generation", "temperatures", to=[0.5, True]
    )
    assert "defaults.seed: found True" in refusal("defaults", "seed", to=True)
    assert load(changed("models", "a", "vocabulary", "synthetic", to=True)).models["a"].vocabulary.synthetic is True
    assert (
        load(changed("models", "a", "p1", "learning_rate", to="1e-4")).models["a"].p1.learning_rate == 1e-4
    )  # YAML 1.1


def test_a_recipe_that_no_run_has_is_looked_at_too():
    said = refusal("recipes", "other", to={"p1": {"stpes": 3, "learning_rate": "fast"}, "head": "tie"})
    for part in (
        "recipes.other.p1.stpes: unknown key (value 3).",
        'Did you mean "steps"?',
        "recipes.other.p1.learning_rate: found 'fast'.",
        "recipes.other.head: found 'tie'. Accepted: native",
        "3 things are wrong",
    ):
        assert part in said, said
    assert "recipes.other: expected keys and values, found [1]" in refusal("recipes", "other", to=[1])
    for lacking in ({"phases": ["p2"]}, {"start": {"at": "kept"}}):  # what a run of its own may have
        load(changed("recipes", "other", to=lacking))
    assert "recipes.other.seed: found True" in refusal("recipes", "other", to={"seed": True})
    load(changed("recipes", "other", to=None))


def test_layers_defaults_recipe_parent_own():
    study = load(SMALL)
    a, b, c = (study.models[name] for name in "abc")
    assert (a.p1.steps, a.p1.batch, a.p1.learning_rate, a.head, a.seed) == (30, 2, 1e-3, "native", 1)
    # the parent's own entry stands above the child's recipe, the recipe above the defaults
    assert (b.p1.steps, b.p1.learning_rate, b.head) == (30, 0.5, "tie_all")
    assert (c.p1.steps, c.p1.learning_rate, c.head) == (40, 0.5, "shared")


def test_merge_goes_all_the_way_down_and_replaces_lists():
    assert merge({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}


def test_corpora_extend_too():
    study = load(changed("corpora", "whole", to={"extends": "wake", "lexicon": {"scope": "whole"}}))
    assert study.corpora["whole"].lexicon.scope == "whole"
    assert study.corpora["whole"].model_copy(update={"lexicon": study.corpora["wake"].lexicon}) == study.corpora["wake"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("models", "a", "p1", "stepz"), 3, ["models.a.p1.stepz", "unknown key", "steps", 'Did you mean "steps"?']),
        (("models", "c", "head"), "shard", ["models.c.head", "'shard'", "native", "tie_all", 'Did you mean "shared"?']),
        (("models", "a", "base"), "smal", ["models.a.base", "'smal'", 'Did you mean "small"?']),
        (("models", "a", "corpus"), "nowhere", ["models.a.corpus", "'nowhere'", "plain, wake"]),
        (("models", "a", "recipe"), "notebok", ["models.a.recipe", 'Did you mean "notebook"?']),
        (("models", "b", "extends"), "z", ["models.b.extends", "'z'", "Accepted: a, b, c"]),
        (("models", "a", "extends"), "c", ["models.a", "circle", "a -> c -> b -> a"]),
        (("models", "paper", "extends"), "a", ["models.paper", "used by the pipeline"]),
        (("models", "x/y", "extends"), "a", ["models.x/y", "folder's name"]),
        (("models", "a", "phases"), ["p3", "p1"], ["models.a", "phases must be in order"]),
        (("models", "a", "p3", "adapters"), "sometimes", ["models.a.p3.adapters", "frozen, train"]),
        (("models", "a", "evaluation"), {"context": 16, "stride": 32}, ["models.a.evaluation", "stride (32)"]),
        (("defaults", "p1", "batch"), -1, ["defaults.p1.batch", "-1", "greater than or equal to 1"]),
        (("recipes", "notebook", "p2"), {"rank": "eight"}, ["recipes.notebook.p2.rank", "'eight'"]),
        (("corpora", "wake", "lexicon"), {"source": "file"}, ["corpora.wake.lexicon", "path"]),
        (("corpora", "wake", "kind"), "tesbed", ["corpora.wake.kind", "testbed, file", 'Did you mean "testbed"?']),
        (("corpora", "wake", "langage"), "plain", ["corpora.wake.langage", 'Did you mean "language"?']),
        (
            ("corpora", "n"),
            {"kind": "file", "files": [{"pth": "x"}]},
            ["corpora.n.files.0.pth", 'Did you mean "path"?'],
        ),
        (("bases", "small", "hidden"), 30, ["bases.small", "hidden (30)"]),
        (("bases", "small", "corpus"), "plian", ["bases.small.corpus", 'Did you mean "plain"?']),
        (("bases", "n"), {}, ["bases.n.kind", "needed and missing", "pretrain"]),
        (("figures", "widht"), 3, ["figures.widht", 'Did you mean "width"?']),
        (
            ("models", "a", "p2"),
            {"start": "swet"},
            ["models.a.p2.start: found 'swet'", "kept, best, final, sweet, plateau, fried, or a step", '"sweet"?'],
        ),
        (("models", "a", "p2"), {"start": 0}, ["models.a.p2.start: found 0", "a whole number above 0"]),
        (("models", "a", "p2"), {"start": True}, ["models.a.p2.start: found True"]),
        (("models", "a", "regimes"), {"fried": 1}, ["models.a.regimes.fried", "plateau, fried_gap, fried_rise"]),
        (("models", "c", "start"), "a", ["models.c.start: expected keys and values, found 'a'"]),
        (("models", "c", "start"), {"form": "a"}, ["models.c.start.form", "Accepted: from, at", '"from"?']),
        (("models", "c", "start"), {"from": "d"}, ["models.c.start.from: there is no 'd'", "Accepted: a, b, c"]),
        (("models", "c", "start"), {"from": "c"}, ["models.c.start.from", "circle: c -> c"]),
        (("models", "b", "extends"), ["a"], ["models.b.extends: expected one name of models, found ['a']"]),
        (("models", "a", "recipe"), ["notebook"], ["models.a.recipe: expected one name of recipes"]),
        (("models", "a", "battery"), {"words": 600}, ["models.a", "battery.words: 600", "generation.tokens (60)"]),
        (("models", "a", "p1"), {"learning_rate": float("inf")}, ["models.a.p1.learning_rate", "finite"]),
        (("tiers",), {"mirror": 3}, ["tiers.mirror: found 3", "valid string"]),
        (("tiers",), {"mirror": ""}, ["tiers.mirror: found ''"]),
        (("tiers",), "/drive", ["tiers: expected keys and values, found '/drive'"]),
        (("modles",), {}, ["modles", "unknown section", 'Did you mean "models"?']),
        (("models", "a", "p3", "adapters"), "train", None),  # accepted: P2 is LoRA
    ],
)
def test_refusals_name_key_value_accepted_and_guess(path, value, said):
    if said is None:
        load(changed(*path, to=value))
        return
    message = refusal(*path, to=value)
    for words in said:
        assert words in message


def test_everything_wrong_is_said_at_once():
    config = changed("models", "a", "p1", "stepz", to=1)
    config["models"]["c"]["seed"] = -5
    with pytest.raises(UserError, match="stepz(?s:.*)models.c.seed"):
        load(config)


def test_impossible_combinations():
    config = changed("models", "a", "quantisation", to="nf4")
    config["models"]["a"]["p2"] = {"kind": "full"}
    with pytest.raises(UserError, match="4-bit"):
        load(config)
    config = changed("models", "a", "p3", to={"adapters": "train"})
    config["models"]["a"]["phases"] = ["p1", "p3"]
    with pytest.raises(UserError, match="needs a P2"):
        load(config)


def test_no_term_takes_a_row_further_than_its_whole_way():
    p3 = {"lambda_morpheme": 1.0, "lambda_norm": 300.0, "learning_rate": 0.004}
    with pytest.raises(UserError, match=r"lambda_norm \(300\) times learning_rate \(0\.004\) must be at most 1"):
        load(changed("models", "a", "p3", to=p3))
    load(changed("models", "a", "p3", to=p3 | {"objective": "loss"}))
    load(changed("models", "a", "p3", to=p3 | {"lambda_norm": 250.0}))


def on(**starting):
    """SMALL with a run `d` that is `a` on another's P1."""
    return changed("models", "d", to={"extends": "a", "phases": ["p2"], **starting})


def said_of(config):
    with pytest.raises(UserError) as caught:
        load(config)
    return str(caught.value)


def test_a_run_starts_from_anothers_p1():
    study = load(on(start={"from": "a", "at": "fried"}))
    assert (study.models["d"].start.model, study.models["d"].start.at) == ("a", "fried")
    config = on(start={"from": "a", "at": "fried"})
    config["models"]["e"] = {"extends": "d", "start": {"at": 30}}  # a's last step
    assert (load(config).models["e"].start.model, load(config).models["e"].start.at) == ("a", 30)
    config["models"]["f"] = {"extends": "e", "start": None, "phases": ["p1"]}
    assert load(config).models["f"].start is None


@pytest.mark.parametrize(
    ("key", "value", "found", "parents"),
    [
        ("head", "shared", "'shared'", "'native'"),
        ("precision", "bfloat16", "'bfloat16'", "'float32'"),
        ("vocabulary", {"min_fires": 5}, "5", "2"),
        ("corpus", "plain", "'plain'", "'wake'"),
        ("base", "other", "'other'", "'small'"),
    ],
)
def test_rows_must_fit_the_run_that_takes_them(key, value, found, parents):
    config = on(start={"from": "a"}, **{key: value})
    config["bases"]["other"] = {"kind": "pretrain", "corpus": "wake"}
    said = said_of(config)
    where = "models.d.vocabulary.min_fires" if key == "vocabulary" else f"models.d.{key}"
    assert f"{where}: found {found}, but 'a'" in said and f"has {parents}" in said
    assert "must agree in base, corpus, vocabulary, head, precision" in said and said.count("- ") == 1


def test_starts_that_cannot_be():
    config = on(start={"from": "a"})
    config["models"]["e"] = {"extends": "a", "start": {"from": "d"}}
    said = said_of(config)
    assert "models.e.start.from: 'd' has no P1 (its phases: p2)" in said and "one: a, b, c" in said
    config = changed("models", "d", to={"extends": "a", "start": {"from": "e"}})
    config["models"]["e"] = {"extends": "a", "start": {"from": "d"}}
    config["models"]["f"] = {"extends": "a", "start": {"from": "e"}}
    said = said_of(config)
    assert "d -> e -> d" in said and "e -> d -> e" in said and "models.f" not in said


def test_a_state_of_p1_needs_a_p1():
    said = said_of(on(p2={"start": "sweet"}))
    assert "models.d: p2.start: 'sweet' is a state of P1, which this run has not" in said and "start: {from: …}" in said
    load(on(p2={"start": "sweet"}, start={"from": "a"}))
    load(on(p2={"start": "sweet"}, phases=["p1", "p2"]))


def test_a_step_to_start_from_must_be_saved():
    said = said_of(on(start={"from": "a", "at": 20}))
    assert "models.d.start.at: no rows of 'a' are saved at step 20: models.a.p1.snapshot_every is null" in said
    config = on(start={"from": "a", "at": 20})
    config["models"]["a"]["p1"]["snapshot_every"] = 8
    assert "snapshot_every is 8. Set it to a number that divides 20" in said_of(config)
    config["models"]["a"]["p1"]["snapshot_every"] = 5
    load(config)
    assert "models.d.start.at: found step 31, but P1 of 'a' has 30" in said_of(on(start={"from": "a", "at": 31}))
    said = said_of(on(p2={"start": 7}, phases=["p1", "p2"]))
    assert "models.d.p2.start: no rows of 'd' are saved at step 7" in said


def test_shipped_configuration_and_examples_load():
    study = load(SHIPPED)
    assert {"tiny", "tiny-notebook"} <= set(study.models)
    for path in sorted((ROOT / "config/examples").glob("*.yaml")):
        load(merge(SHIPPED, yaml.safe_load(path.read_text("utf-8"))))


def test_the_schema_knows_a_start_and_tiers():
    jsonschema = pytest.importorskip("jsonschema")
    config = on(start={"from": "a", "at": 30}, p2={"start": "fried"}) | {"tiers": {"mirror": "/drive", "off": None}}
    jsonschema.validate(config, config_docs.schema())
    load(config)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(on(start={"from": "a", "at": "swet"}), config_docs.schema())


def test_defaults_in_the_table_are_as_they_are_written():
    table = config_docs.key_table()
    assert "| `p1.max_grad_norm` | number ≥ 0 | `1.0` |" in table  # 1.0 == True, and is no `true`
    assert "| `vocabulary.synthetic` | true, false | `false` |" in table
    assert "| `start.from` | text | *needed* |" in table


def test_generated_documentation_is_fresh():
    readme = (ROOT / "config/README.md").read_text("utf-8")
    fresh = (ROOT / "config/schema.json").read_text("utf-8") == config_docs.schema_text()
    assert fresh and config_docs.with_table(readme) == readme, f"stale: run `{config_docs.MEND}`"


def test_schema_accepts_what_is_shipped_and_refuses_a_typo():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(SHIPPED, config_docs.schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed("models", "a", "p1", "stepz", to=3), config_docs.schema())


def test_two_tiers_are_two_places():
    with pytest.raises(UserError, match="tiers.safety: the same place as tiers.mirror"):
        load({"tiers": {"mirror": "/drive/wake2vec/", "safety": "/drive/wake2vec"}})
    assert load({"tiers": {"mirror": "/drive", "safety": None, "other": None}}).tiers["mirror"] == "/drive"


def test_plain_english_to_compare_samples_with_is_another_corpus():
    assert load(changed("models", "a", "battery", to={"plain": "plain"})).models["a"].battery.plain == "plain"
    assert "'plane'" in refusal("models", "a", "battery", to={"plain": "plane"})
    own = refusal("models", "a", "battery", to={"plain": "wake"})
    assert "models.a.battery.plain" in own and "the text that this run learns" in own and "plain" in own


def test_a_key_given_twice_is_refused_with_its_lines(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "models:\n  a: {base: x}\n  b:\n    p1: {steps: 3}\n    p1: {batch: 2}\nmodels:\n  c: {}\n", "utf-8"
    )
    with pytest.raises(UserError) as refused:
        refuse_bad_yaml(path)
    assert f"{path}, line 5: `p1:` stands in line 4 already" in str(refused.value)
    assert f"{path}, line 6: `models:` stands in line 1 already" in str(refused.value)
    # the same key in two blocks, an anchor merged into one, a list, an empty file
    fine = "a: &x {k: 1}\nb: {<<: *x, k: 2}\nc: [{k: 1}, {k: 2}]\n"
    for text in (fine, ""):
        path.write_text(text, "utf-8")
        refuse_bad_yaml(path)
    refuse_bad_yaml(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\nb\nc: 2\n", 3), ("a:\n\tb: 1\n", 2), ('a: "x\n', 2), ("a: [1\nb: 2\n", 2)]
)
def test_what_is_no_yaml_is_refused_with_its_line(tmp_path, text, line):
    (tmp_path / "config.yaml").write_text(text, "utf-8")
    with pytest.raises(UserError, match=rf"config.yaml, line {line}, column \d+: this is no YAML \(.+\)\. Often"):
        refuse_bad_yaml(tmp_path / "config.yaml")


def test_lists_are_explained_as_lists():
    assert "models.a.phases: found 'p1'. Accepted: a list, [p1]." in refusal("models", "a", "phases", to="p1")
    book = {"kind": "file", "files": [{"path": "x.txt", "encodng": "latin-1"}]}
    said = refusal("corpora", "book", to=book)
    assert "files.0.encodng: unknown key" in said and "One thing is wrong" in said
    assert "at least 1 item" in refusal("corpora", "book", to=book | {"files": []})


def test_a_number_is_no_name():
    assert "models.1922: YAML reads 1922 as no text. Accepted: the name in quotes" in refusal(
        "models", 1922, to={"extends": "a"}
    )


def test_a_testbed_has_passages_of_its_own():
    assert "corpora.wake.split.passage: unknown key" in refusal("corpora", "wake", "split", to={"passage": 3000})
