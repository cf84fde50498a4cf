"""The configuration: merging, and refusals that a person can act on."""

import copy
from pathlib import Path

import pytest
import yaml

from wake2vec import config_docs
from wake2vec.config import load, merge
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


def test_shipped_configuration_and_examples_load():
    study = load(SHIPPED)
    assert {"tiny", "tiny-notebook"} <= set(study.models)
    for path in sorted((ROOT / "config/examples").glob("*.yaml")):
        load(merge(SHIPPED, yaml.safe_load(path.read_text("utf-8"))))


def test_generated_documentation_is_fresh():
    readme = (ROOT / "config/README.md").read_text("utf-8")
    fresh = (ROOT / "config/schema.json").read_text("utf-8") == config_docs.schema_text()
    assert fresh and config_docs.with_table(readme) == readme, f"stale: run `{config_docs.MEND}`"


def test_schema_accepts_what_is_shipped_and_refuses_a_typo():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(SHIPPED, config_docs.schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed("models", "a", "p1", "stepz", to=3), config_docs.schema())
