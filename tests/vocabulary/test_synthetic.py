"""Synthetic coinages from a testbed's text to their rows: with `vocabulary.synthetic`, and without."""

from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer

from tests.conftest import ROOT, write_base
from wake2vec import settings
from wake2vec.bases.checkpoint import base_rows
from wake2vec.bases.tokenizer import train_tokenizer
from wake2vec.storage import read_jsonl, read_values, write_csv, write_json, write_jsonl, write_text
from wake2vec.text.build import build_testbed, lexicon_with_report
from wake2vec.text.coinage import analyse, coin
from wake2vec.text.corpus import passages_of
from wake2vec.text.lexicon import read_lexicon
from wake2vec.training.objective_pairs import gather
from wake2vec.vocabulary.initialisation import place_rows
from wake2vec.vocabulary.injection import inject_lexicon
from wake2vec.vocabulary.parts import Parts, composition, segmented

DATA = [ROOT / "data" / name for name in ("morphemes.csv", "false_segmentations.csv", "sentence_frames.txt")]
FORMS = 12


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small testbed text with all that is made of it, and a random base that reads it."""
    folder = tmp_path_factory.mktemp("corpus")
    text = settings.Testbed(kind="testbed", characters=30_000).model_dump(mode="json")
    train, valid, _, _ = build_testbed("wake", text)
    frame, _, report = lexicon_with_report(train, valid, text["lexicon"])
    paths = {name: folder / name for name in ("train", "valid", "sentences")}
    paths |= {name: folder / f"{name}.jsonl" for name in ("segmentation", "coined")}
    paths |= {name: folder / f"{name}.json" for name in ("morphemes", "report")} | {"lexicon": folder / "lexicon.csv"}
    write_csv(paths["lexicon"], frame)
    write_json(paths["report"], "lexicon", report, {})
    lexicon = read_lexicon(paths["lexicon"])
    values, segmentation = analyse(lexicon, *DATA[:2])
    coined, sentences = coin(lexicon, values["counts"], *DATA, forms=FORMS, sentences=30, seed=1)
    write_json(paths["morphemes"], "morphemes", values, {})
    write_jsonl(paths["segmentation"], segmentation)
    write_jsonl(paths["coined"], coined)
    for name, content in (("train", train), ("valid", valid), ("sentences", sentences)):
        write_text(paths[name], content)
    manifest = write_base(folder / "base", train_tokenizer(passages_of(train)[:4], 600))
    base = {"manifest": manifest, "architecture": manifest.with_name("architecture.json")}
    return paths | base | {"tokenizer": manifest.with_name("tokenizer.json")}


@pytest.fixture(scope="module")
def runs(files, tmp_path_factory):
    """Paths of a run without rows for synthetic words, and of one with them, as the rules give them."""
    made = {}
    for synthetic in (False, True):
        own = files if synthetic else {key: path for key, path in files.items() if key not in ("coined", "sentences")}
        injection = tmp_path_factory.mktemp("run") / "injection.json"
        vocabulary = settings.Vocabulary(synthetic=synthetic).model_dump(mode="json")
        write_json(injection, "injection", inject_lexicon(SimpleNamespace(**own), vocabulary)[1], {})
        made[synthetic] = own | {"injection": injection}
    return made


def forms(paths):
    return read_values(paths["injection"])["forms"]


def test_they_get_rows_only_where_the_setting_asks_for_them(runs, files):
    without, with_them = forms(runs[False]), forms(runs[True])
    coined = {entry["word"] for entry in read_jsonl(files["coined"])}
    added = [form for form in with_them if form["word"] in coined]
    assert len(coined) == FORMS and {form["word"] for form in added} == coined
    assert not coined & {form["word"] for form in without}
    assert [form["form"] for form in with_them if form["word"] not in coined] == [form["form"] for form in without]
    assert all(form["count_synthetic"] > 0 == form["count_train"] for form in added)


def test_their_rows_start_from_their_parts(runs, files):
    about = settings.Initialisation(noise=0).model_dump(mode="json")
    rows, statistics = place_rows(SimpleNamespace(**runs[True]), about, "native", 0)
    assert not any("not among the segmented words" in how for how in statistics["embedding"]["made_from"])
    entries = {entry["word"]: entry for entry in read_jsonl(files["coined"])}
    tokenizer, matrix = Tokenizer.from_file(str(files["tokenizer"])), base_rows(files["manifest"])["embedding"]
    parts = Parts(tokenizer, matrix, list(entries.values()), read_values(files["morphemes"]))
    for row, form in enumerate(forms(runs[True])):
        if form["word"] in entries:
            found = dict(parts.of(entries[form["word"]]))
            affixes = [found[role] for role in ("prefix", "suffix") if role in found]
            expected = (1 - 0.25 * len(affixes)) * found["root"] + 0.25 * np.sum(affixes, axis=0)
            np.testing.assert_allclose(rows["embedding.new"][row], expected, rtol=1e-4, atol=1e-6)


def test_p3_pairs_them_with_their_parts_and_factored_rows_share_those(runs, files):
    coined = {entry["word"] for entry in read_jsonl(files["coined"])}
    paths = runs[True]
    material = gather(paths, settings.Alignment().model_dump(mode="json"), 0)
    assert coined <= {material.names["words"][number] for number in material.words[material.component.rows]}
    matrix = base_rows(files["manifest"])["embedding"]
    known = segmented(paths["segmentation"], paths["coined"])
    about = forms(paths), known, read_values(paths["morphemes"])
    shares, _, names = composition(Tokenizer.from_file(str(files["tokenizer"])), matrix, *about)
    for row, form in enumerate(forms(paths)):
        if form["word"] in coined:
            assert {names[part][0] for part in shares[[row]].indices} <= {"prefix", "word", "suffix"}
