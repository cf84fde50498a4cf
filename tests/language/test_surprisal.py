"""Per-word surprisal: every token in one line, sums that are the text's score, numbers worked out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import COINAGES
from tests.training.conftest import MODEL, make_run, to_score
from tests.vocabulary.conftest import LLAMA3_WORDS, byte_level, sentencepiece_v3
from wake2vec.intervals import widening
from wake2vec.language import surprisal
from wake2vec.language.likelihood import Scored
from wake2vec.language.surprisal import (
    coinages,
    group_masks,
    kinds_of,
    line_of_token,
    lines_of,
    mean_of,
    read_surprisal,
    score_words,
    token_spans,
    word_lines,
)
from wake2vec.storage import read_text, read_values, write_csv
from wake2vec.text.corpus import passages_of
from wake2vec.text.encoding import Encoded, load_tokenizer
from wake2vec.text.lexicon import zipf_table
from wake2vec.text.words import words

RULES = {"max_zipf": 1.0, "min_length": 3, "names": "exclude"}


# Lines and tokens ----------------------------------------------------------------------------------------------------


def test_the_lines_of_a_text():
    text = "“Don’t,” said\n\nAnna-Livia 12—x2y…"
    starts, written, is_word = lines_of(text)
    assert written == ["“", "Don’t", ",”", "said", "Anna-Livia", "12—", "x", "2", "y", "…"]
    assert starts.tolist() == [0, 1, 6, 9, 15, 26, 29, 30, 31, 32]
    assert [part for part, is_one in zip(written, is_word, strict=True) if is_one] == words(text)


@pytest.mark.parametrize(
    ("spans", "lines"),
    [
        ([(0, 1), (1, 4), (4, 8), (8, 10)], [0, 1, 2, 3]),  # a space belongs to what follows it
        ([(0, 4), (4, 5), (5, 9), (9, 10)], [1, 2, 2, 3]),  # `"The` is the word's, `cat.` too; a space goes with `cat`
        ([(0, 0), (0, 10)], [0, 1]),  # a token of no character; one that takes all is the first word's
        ([(0, 1), (1, 2), (1, 2), (2, 8), (8, 10), (10, 10)], [0, 1, 1, 1, 3, 3]),  # two tokens of one character
    ],
)
def test_tokens_belong_to_lines(spans, lines):
    text = '"The cat.!'
    assert lines_of(text)[1] == ['"', "The", "cat", ".!"]
    assert line_of_token(text, np.array(spans)).tolist() == lines


TEXTS = st.text(
    st.sampled_from("abT é’'-—“”\".,!\n\u00a01２ß中😀"), min_size=1, max_size=60
).map(str.strip).filter(bool)  # fmt: skip


@pytest.fixture(scope="module")
def families(tmp_path_factory, base_tokenizer):
    """Ways of cutting: pieces with byte fall-back, GPT-2's bytes, and bytes that join `"The` (Llama 3's); each as a
    function from a text to the spans of its tokens.
    """
    real = {"SentencePiece": sentencepiece_v3(tmp_path_factory.mktemp("v3"))}
    real |= {"ours": base_tokenizer, "GPT-2": byte_level(None), "Llama 3": byte_level(LLAMA3_WORDS)}
    return {
        name: lambda text, tokenizer=tokenizer: token_spans(tokenizer, [text])[0] for name, tokenizer in real.items()
    }


@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_every_token_has_one_line_and_lines_keep_their_tokens_together(families, text):
    starts, written, is_word = lines_of(text)
    ends = starts + [len(part) for part in written]
    for spans_of in families.values():
        spans = spans_of(text)
        line = line_of_token(text, spans)
        assert len(line) == len(spans) and (np.diff(line) >= 0).all() and line.min() >= 0 and line.max() < len(starts)
        for number in np.flatnonzero(is_word):
            mine = np.flatnonzero(line == number)
            if len(mine):  # from the end of the line before it on, but for a first token that reached over punctuation
                before = ends[number - 1] if number else 0
                assert all(before <= start < ends[number] for start in spans[mine[1:], 0])
            else:  # another word's token took all of it
                touching = (spans[:, 0] < ends[number]) & (spans[:, 1] > starts[number])
                assert touching.any() and line[touching].max() < number


def test_a_quotation_mark_joined_to_a_word_is_the_words(families):
    text = 'so"Dedications'  # the second word is one token with its mark in Llama 3's pattern
    for family, lines in (("Llama 3", {0, 2}), ("GPT-2", {0, 1, 2})):
        assert lines_of(text)[1] == ["so", '"', "Dedications"]
        assert set(line_of_token(text, families[family](text))) == lines


# Numbers -------------------------------------------------------------------------------------------------------------


def by_hand():
    """`Un cat, moon` / `moon Un`: ids below 10 are base rows, 10 fires 4 times in training, 11 never."""
    texts = ["Un cat, moon", "moon Un"]
    spans = [[(0, 1), (1, 2), (2, 6), (6, 7), (7, 12)], [(0, 4), (4, 7)]]
    ids = [[1, 2, 3, 4, 10], [10, 11]]
    bits = [[1, 2, 3, 0.5, 4], [5, 6]]
    entropies = [[3, 1, 2, 1, 2.5], [7, 4]]
    ln2 = np.log(2)
    scored = Scored(
        [np.array(part, np.float32) * ln2 for part in bits],
        [np.array(part, np.float32) * ln2 for part in entropies],
        Encoded([np.array(part) for part in ids], np.array([12, 7])),
        [{"count_train": 4}, {"count_train": 0}],
        10,
    )
    return word_lines(scored, texts, [np.array(part) for part in spans], {"moon", "un"}, {"cat": 9, "moon": 4})


def test_numbers_by_hand():
    frame = by_hand()
    assert frame["word"].tolist() == ["Un", "cat", ",", "moon", "moon", "Un"]
    assert frame["passage"].tolist() == [0, 0, 0, 0, 1, 1] and frame["start"].tolist() == [0, 3, 6, 8, 0, 5]
    assert frame["tokens"].tolist() == [2, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(frame["surprisal"], [3, 3, 0.5, 4, 5, 6], atol=1e-6)
    np.testing.assert_allclose(frame["entropy"], [3, 2, 1, 2.5, 7, 4], atol=1e-6)
    # 3 before `Un`, 2 after it; 2 → 1; 1 → 2.5 is no reduction; nothing is asked after the end of a passage
    np.testing.assert_allclose(frame["entropy_reduction"], [1, 1, 0, np.nan, 3, np.nan], atol=1e-6)
    with_row, without = "coinage with row", "coinage without row"
    assert frame["kind"].tolist() == [without, "plain", "punctuation", with_row, with_row, with_row]
    assert frame["rows"].tolist() == ["base", "base", "base", "new_seen", "new_seen", "new_unseen"]
    assert frame["form"].tolist() == ["un", "cat", ",", "moon", "moon", "un"]
    assert frame["count_train"].tolist() == [0, 9, pd.NA, 4, 4, 0]
    assert frame["zipf"].iloc[1] > 4.5 and pd.isna(frame["zipf"].iloc[2])
    listed = sum(value > frame["zipf"].iloc[1] for value in zipf_table().values())
    assert frame["zipf_rank"].iloc[1] == 1 + listed and pd.isna(frame["zipf_rank"].iloc[2])


def test_means_and_differences_by_hand():
    frame, rng = by_hand(), np.random.default_rng(0)
    masks = group_masks(kinds_of({"base": frame.assign(kind="plain"), "p1": frame}))
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {
        "coinage": 4, "with_row": 3, "without_row": 1, "plain": 1
    }  # fmt: skip
    value, bounds = mean_of(frame, masks["with_row"], "surprisal", rng)
    # 4 in the one passage, 5 and 6 in the other; of two passages the ends lie 9.17 times as far from the mean
    assert value == 5 and bounds == pytest.approx([max(0, 5 - widening(2)), 5 + 0.5 * widening(2)])
    assert mean_of(frame, masks["coinage"], "entropy_reduction", rng)[0] == 2  # of the two that have one
    dearer = frame.assign(surprisal=frame["surprisal"] + 0.25)
    assert mean_of(dearer, masks["coinage"], "surprisal", rng, frame) == (0.25, [0.25, 0.25])


def test_the_file_is_read_as_it_was_written(tmp_path):
    odd = by_hand().assign(word=["null", "nan", '",', "NA", "ma'am", "None"])
    write_csv(tmp_path / "surprisal.csv", odd)
    read = read_surprisal(tmp_path / "surprisal.csv")
    assert read["word"].tolist() == odd["word"].tolist() and list(read) == surprisal.COLUMNS
    np.testing.assert_array_equal(read["surprisal"], odd["surprisal"])
    assert np.isnan(read["entropy_reduction"].iloc[3]) and np.isnan(read["count_train"].iloc[2])


# The whole way -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scored(tmp_path_factory, base, passages):
    """(paths, values of likelihood.json, surprisal.csv) of the base, and of the same with rows."""
    paths = to_score(make_run(tmp_path_factory.mktemp("run"), base, passages, head_too=True))
    of_base = {name: paths[name] for name in ("manifest", "train", "valid")}
    of_base |= {"tokenizer": str(base.parent / "tokenizer.json")}
    model = {name: value for name, value in MODEL.items() if name != "seed"}
    return {name: (files, *score_words(files, model, RULES)) for name, files in (("base", of_base), ("init", paths))}


@pytest.mark.parametrize("name", ["base", "init"])
def test_the_mean_is_the_held_out_loss(scored, name):
    _, values, frame = scored[name]
    assert frame["tokens"].sum() == values["tokens"]
    mean = frame["surprisal"].sum() * np.log(2) / frame["tokens"].sum()
    assert mean == pytest.approx(values["loss"], abs=1e-6)
    per_passage = frame.groupby("passage")["surprisal"].sum() * np.log(2)
    np.testing.assert_allclose(per_passage, [part["nats"] for part in values["passages"]], rtol=1e-6)


def test_entropy_is_over_the_bases_pieces(scored):
    """Of the first word, whose context is the begin token alone: computed from the model's own logits, form by form."""
    import torch

    from wake2vec.model.assemble import assemble

    for name in ("base", "init"):
        paths, _, frame = scored[name]
        tokenizer = load_tokenizer(Path(paths["tokenizer"]).parent)
        begin = tokenizer.token_to_id("<s>")
        causal = assemble(paths["manifest"], rows=paths.get("rows"))
        with torch.no_grad():
            p = torch.softmax(causal(input_ids=torch.tensor([[begin]])).logits[0, -1].double(), -1).numpy()
        if name == "init":
            injection, base = read_values(paths["injection"]), load_tokenizer(Path(paths["base_tokenizer"]).parent)
            rows = injection["base_rows"]
            for form, its in zip(injection["forms"], p[rows:], strict=True):
                before = "\n" if not form["start"] else "the"
                whole = base.encode(f"{before} {form['surface']}" if form["start"] else before + form["surface"])
                p[whole.ids[len(base.encode(before).ids)]] += its
            assert p[rows:].sum() > 0.01  # or there was nothing to hand on
            p = p[:rows]
        assert p.sum() == pytest.approx(1)
        assert frame["entropy"].iloc[0] == pytest.approx(-(p * np.log2(p)).sum(), abs=1e-4)


def test_the_words_are_those_of_the_text_whatever_the_tokenizer(scored):
    (paths, _, before), (_, _, after) = scored["base"], scored["init"]
    same = ["passage", "start", "word", "form", "count_train", "zipf", "zipf_rank"]
    pd.testing.assert_frame_equal(before[same], after[same])
    texts = passages_of(read_text(paths["valid"]))
    for number, lines in after.groupby("passage"):
        is_word = lines["kind"] != "punctuation"
        assert lines["word"][is_word].tolist() == words(texts[number])
        for line in lines.itertuples():
            assert texts[number][line.start : line.start + len(line.word)] == line.word


def test_coinages_are_known_at_every_phase_and_rows_only_where_there_are_any(scored):
    before, after = (scored[name][2] for name in ("base", "init"))
    for frame in (before, after):
        coined = frame["kind"].str.startswith("coinage")
        assert set(frame["form"][coined]) == set(COINAGES)
        assert not set(frame["form"][~coined]) & set(COINAGES)
    assert set(before["kind"]) == {"coinage without row", "plain", "punctuation"}
    with_row = after[after["kind"] == "coinage with row"]
    assert len(with_row) and (with_row["rows"] != "base").all()
    assert set(with_row.loc[with_row["tokens"] > 1, "word"]) == {
        "Moonbread"
    }  # after two line breaks, which are its own
    assert set(before["rows"]) == {"base"}


def test_a_rare_coinage_is_a_coinage_and_a_known_word_is_not():
    train = "The moonbread sang. The bread sang."
    found = coinages(train, "A riverlingly bread, a Grimbold, said Grimbold, and the iv.", RULES)
    assert found == {"moonbread", "riverlingly"}  # once in either text; `grimbold` is a name here, `iv` a numeral
