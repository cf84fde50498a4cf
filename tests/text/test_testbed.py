import csv
import random
import re
import shutil
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wordfreq import zipf_frequency

from wake2vec.errors import UserError
from wake2vec.text.grammar import zipf
from wake2vec.text.testbed import count_gold, generate, overlap, planned_counts
from wake2vec.text.wordlists import FOLDER, Slot, load, parse
from wake2vec.text.words import normalise, words

LISTS = load()
FORMS = {form: lexeme for lexeme in LISTS.lexemes for form in lexeme.forms.values()}
CLASS = {"T": "noun", "H": "noun", "L": "noun", "A": "adjective", "V": "verb", "D": "adverb"}
AFFIXES = {(affix.text, affix.kind) for affix in LISTS.affixes}


@pytest.fixture(scope="module")
def coined():
    return generate("coined")


@pytest.fixture(scope="module")
def twin():
    return generate("plain")[0]


@pytest.fixture(scope="module")
def base():
    """Plain text as a base model would be trained on it: longer, and of another seed."""
    return generate("plain", characters=1_200_000, seed=7)[0]


def running(passages):
    return [normalise(word) for passage in passages for word in words(passage)]


# The language


def test_the_language_is_large_enough_and_all_of_it_is_used(twin):
    patterns = [row["pattern"] for row in csv.DictReader((FOLDER / "patterns.csv").open(encoding="utf-8"))]
    counts = Counter(running(twin))
    used = [lexeme for lexeme in LISTS.lexemes if any(counts[form] for form in lexeme.forms.values())]
    assert len(patterns) >= 60 and len(used) >= 600

    def found(pattern):
        expression = ""
        for piece in parse(pattern):
            if isinstance(piece, Slot):
                expression += r"(?:\w+ )?" if piece.optional else r"\w+"
            elif piece.startswith("{"):
                expression += r"\w+"
            else:
                # an optional word may take the blank before or after it along
                literal = {"\x01": "(?:an?|some)"}.get(piece, re.escape(piece.lstrip("\x02").replace("/", "\n")))
                expression += re.sub(r"^(?=[\w,.;?])|\\ ", r"\\s?", literal)
        return re.search(expression, text, re.IGNORECASE)

    text = "\n\n".join(twin)
    unused = [pattern for pattern in patterns if not found(pattern)]
    assert len(unused) <= 0.1 * len(patterns), unused


def test_words_have_one_class_and_one_topic_list():
    assert len(FORMS) == sum(len(set(lexeme.forms.values())) for lexeme in LISTS.lexemes)
    topics = {lexeme.topic for lexeme in LISTS.lexemes if lexeme.topic}
    assert 12 <= len(topics) <= 20 and topics == set(LISTS.topics)
    assert all(neighbour in topics for neighbours in LISTS.topics.values() for neighbour in neighbours)
    assert all(example in FORMS for affix in LISTS.affixes for example in affix.examples)
    assert all(example.endswith(a.text) or example.startswith(a.text) for a in LISTS.affixes for example in a.examples)


def test_plain_text_holds_plain_words_only(twin):
    assert set(running(twin)) <= LISTS.plain_words


def test_a_base_model_meets_nearly_every_form_often_enough_for_a_piece_of_its_own(base):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    counts = Counter(running(base))
    assert np.mean([counts[form] >= 15 for form in FORMS]) >= 0.95
    assert 900 <= len(counts) <= 1400
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("isolated")]
    )
    tokenizer.train_from_iterator(base, trainers.BpeTrainer(vocab_size=2000, show_progress=False))
    vocabulary = tokenizer.get_vocab()
    assert np.mean([f"▁{form}" in vocabulary for form in FORMS]) > 0.85


def test_word_frequencies_are_zipfian(base):
    counts = np.array(sorted(Counter(running(base)).values(), reverse=True))
    ranks = np.arange(1, len(counts) + 1)
    slope = np.polyfit(np.log(ranks[4:500]), np.log(counts[4:500]), 1)[0]
    assert -1.3 < slope < -0.5


def test_zipf_draws_by_rank():
    rng = np.random.default_rng(0)
    drawn = Counter(zipf(rng, ["a", "b", "c"], 0.0) for _ in range(20_000))  # weights 1, 1/2, 1/3
    assert [drawn[one] / 20_000 for one in "abc"] == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.015)


# The two texts


def test_the_same_seed_gives_the_same_text_whatever_the_global_state(coined):
    np.random.seed(1)
    random.seed(1)
    assert generate("coined") == coined
    assert generate("coined", characters=20_000, seed=1) != generate("coined", characters=20_000, seed=2)


def test_the_texts_match_word_by_word_but_for_coinages_and_articles(coined, twin):
    passages, gold = coined
    rows = {row["word"]: row for row in gold}
    assert len(passages) == len(twin)
    replaced = Counter()
    shares_parts = []
    for one, other in zip(passages, twin, strict=True):
        assert re.sub(r"[\w’]+", "", one) == re.sub(r"[\w’]+", "", other)  # the punctuation, blanks and lines
        for new, old in zip(map(normalise, words(one)), map(normalise, words(other)), strict=True):
            assert old not in rows
            if new in rows:
                replaced[new] += 1
                if not _changes_class(rows[new]):
                    shares_parts.append(old in [part["text"] for part in rows[new]["parts"]])
            else:
                assert new == old or {new, old} == {"a", "an"}
    assert replaced == Counter({row["word"]: row["count"] for row in gold})
    assert all(shares_parts)  # a coinage that keeps the class stands where one of its own words would


def _changes_class(row):
    """Whether a derivation's root is of another class than the derivation."""
    suffixes = [part["text"] for part in row["parts"] if part["role"] == "suffix"]
    if row["kind"] != "derivation" or not suffixes:
        return False
    root = CLASS[FORMS[next(part["text"] for part in row["parts"] if part["role"] == "root")].role]
    return not any((a.text, a.source, a.target) == (suffixes[0], root, root) for a in LISTS.affixes)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["plain", "coined"]))
def test_the_text_is_well_formed(seed, language):
    passages, gold = generate(language, characters=6000, seed=seed)
    text = "\n\n\n".join(passages)
    known = LISTS.plain_words | {row["word"] for row in gold}
    assert set(map(normalise, words(text))) <= known
    assert not re.search(r"[\x00-\x09\x0b-\x1f{}^/]|  | \n|\n | [,.;:!?”]|[“—] |“”|\n\n\n\n", text)
    assert all(passage == passage.strip() and 1500 < len(passage) < 3200 for passage in passages)
    assert text.count("“") == text.count("”")
    for article, following in re.findall(r"\b([Aa]n?) “?([a-z])", text):
        assert (article.lower() == "an") == (following in "aeiou")
    for paragraph in (paragraph for passage in passages for paragraph in passage.split("\n\n")):
        assert paragraph[-1] in ".!?”"
        assert "\n" in paragraph or re.match(r"“?[A-Z]", paragraph)  # songs alone begin in lower case


def test_coinages_stand_in_every_kind_of_place(coined):
    passages, gold = coined
    text = "\n\n\n".join(passages)
    coinages = {row["word"] for row in gold}

    def standing(before):
        return [word for word in re.findall(before + r"(\w+)", text) if word.lower() in coinages]

    assert standing("“") and standing("—") and standing(r"\n\n“?") and standing(r"\. ") and standing("\n(?!\n)")
    assert any(word[0].isupper() for word in standing("“")) and any(word[0].islower() for word in standing("“"))


# The coinages


def test_coinages_are_as_rare_as_in_the_wake(coined):
    passages, gold = coined
    counts = np.array([row["count"] for row in gold])
    assert 0.75 <= np.mean(counts == 1) <= 0.90
    assert np.sum(counts >= 3) >= 300
    assert 0.05 < counts.sum() / len(running(passages)) < 0.065
    repeated = counts[counts > 1]
    slope = np.polyfit(np.log(np.arange(1, len(repeated) + 1)), np.log(repeated), 1)[0]
    assert -0.8 < slope < -0.5
    kinds = Counter(row["kind"] for row in gold)
    assert set(kinds) == {"derivation", "compound", "portmanteau"} and min(kinds.values()) > 0.1 * len(gold)


def test_the_hapax_share_follows_the_setting():
    for share in (0.75, 0.9):
        gold = generate("coined", characters=100_000, hapax_share=share)[1]
        assert np.mean([row["count"] == 1 for row in gold]) == pytest.approx(share, abs=0.01)


def test_gold_counts_are_what_another_count_gives(coined):
    passages, gold = coined
    counts = Counter(re.findall(r"[a-z]+", "\n\n\n".join(passages).lower()))
    assert all(counts[row["word"]] == row["count"] for row in gold)
    assert [row["count"] for row in gold] == sorted((row["count"] for row in gold), reverse=True)


def test_parts_compose_their_word(coined):
    for row in coined[1]:
        texts, roles = [part["text"] for part in row["parts"]], [part["role"] for part in row["parts"]]
        if row["kind"] == "derivation":
            assert roles in (["prefix", "root"], ["root", "suffix"], ["prefix", "root", "suffix"])
            assert all((t, r) in AFFIXES for t, r in zip(texts, roles, strict=True) if r != "root")
        else:
            assert roles == ["word", "word"]
        assert all(text in FORMS for text, role in zip(texts, roles, strict=True) if role in ("root", "word"))
        shared = sum(map(len, texts)) - len(row["word"])
        if row["kind"] == "portmanteau":
            first, second = texts
            assert shared >= 2 and first[-shared:] == second[:shared] and row["word"] == first + second[shared:]
        else:
            assert row["word"] == "".join(texts)


def test_coinages_are_no_words(coined):
    coinages = [row["word"] for row in coined[1]]
    assert len(set(coinages)) == len(coinages)
    assert not set(coinages) & LISTS.plain_words
    assert max(zipf_frequency(word, "en") for word in coinages) < 1.0


@given(st.text("abc", min_size=3, max_size=7), st.text("abc", min_size=3, max_size=7))
def test_overlap_is_the_longest(first, second):
    sizes = [k for k in range(1, 7) if first[-k:] == second[:k] and len(first) - k >= 2 and len(second) - k >= 2]
    assert overlap(first, second) == max(sizes, default=0)


def test_planned_counts():
    # four repeated types, 2 * (4 / r) ** 0.65 = 4.92, 3.14, 2.41, 2, and as many hapaxes
    assert planned_counts(16, 0.5) == [5, 3, 2, 2, 1, 1, 1, 1]
    assert planned_counts(0, 0.8) == []
    for total in (100, 5000):
        counts = planned_counts(total, 0.82)
        assert sum(counts) == pytest.approx(total, rel=0.1) and all(a >= b for a, b in pairwise(counts))


def test_count_gold():
    gold = [{"word": "moonmilk", "kind": "compound", "parts": [], "count": 9}, {"word": "unmoon", "kind": "derivation"}]
    rows = count_gold(gold, "Moonmilk—moonmilk, “moonmilk.”", "The unmoon’s unmoon, moonmilk!")
    assert [(row["count"], row["count_train"], row["count_valid"]) for row in rows] == [(4, 3, 1), (1, 0, 1)]
    assert gold[0]["count"] == 9  # the rows are new ones


# The truth is in the distribution


def _contexts(base, passages, vocabulary):
    """Rows of positive pointwise mutual information with plain words within four words, of length 1."""
    columns = {word: index for index, word in enumerate(sorted(LISTS.plain_words))}
    rows = {word: index for index, word in enumerate(vocabulary)}
    matrix = np.zeros((len(rows), len(columns)))
    stream = running(base) + running(passages)
    row = np.array([rows.get(word, -1) for word in stream])
    column = np.array([columns.get(word, -1) for word in stream])
    for distance in range(1, 5):
        for left, right in ((row[:-distance], column[distance:]), (row[distance:], column[:-distance])):
            both = (left >= 0) & (right >= 0)
            matrix += np.bincount(left[both] * len(columns) + right[both], minlength=matrix.size).reshape(matrix.shape)
    expected = matrix.sum(1, keepdims=True) * matrix.sum(0, keepdims=True) / matrix.sum()
    information = np.log(np.divide(matrix, expected, out=np.ones_like(matrix), where=matrix > 0)).clip(0)
    return rows, information / np.linalg.norm(information, axis=1, keepdims=True)


def test_a_coinage_keeps_the_company_of_its_parts(coined, base):
    passages, gold = coined
    frequent = [row for row in gold if row["count"] >= 3]
    rows, contexts = _contexts(base, passages, [*FORMS, *(row["word"] for row in frequent)])
    cosines = contexts @ contexts[[rows[form] for form in FORMS]].T
    column_of = {form: index for index, form in enumerate(FORMS)}
    same_class = {
        kind: np.array([CLASS[lexeme.role] == kind for lexeme in FORMS.values()]) for kind in set(CLASS.values())
    }

    def share_below(word, part):
        """How many words of the part's class are less like the coinage than the part is (chance: a half)."""
        row = cosines[rows[word]]
        return np.mean(row[same_class[CLASS[FORMS[part].role]]] < row[column_of[part]])

    def words_of(row):
        return [part["text"] for part in row["parts"] if part["role"] in ("root", "word")]

    groups = {"kept": [], "changed": [], "compound": [], "portmanteau": []}
    for row in frequent:
        name = row["kind"] if row["kind"] != "derivation" else "changed" if _changes_class(row) else "kept"
        groups[name].append(row)
    for name, least in {"kept": 0.97, "changed": 0.85, "compound": 0.9, "portmanteau": 0.9}.items():
        shares = [share_below(row["word"], part) for row in groups[name] for part in words_of(row)]
        assert len(shares) >= 20 and np.mean(shares) > least, (name, np.mean(shares))
        shuffled = np.random.default_rng(0).permutation(len(groups[name]))
        control = [
            share_below(row["word"], part)
            for row, other in zip(groups[name], shuffled, strict=True)
            for part in words_of(groups[name][other])
        ]
        assert abs(np.mean(control) - 0.5) < 0.15, (name, np.mean(control))


def test_an_affix_has_its_mark_beside_it(coined):
    passages, gold = coined
    stream = running(passages)
    marks = {}
    for affix in LISTS.affixes:
        marks.setdefault((affix.text, affix.kind), set()).add(affix.mark)
    wanted = {
        row["word"]: set().union(*(marks.get((p["text"], p["role"]), set()) for p in row["parts"])) for row in gold
    }
    beside, by_chance = [], []
    rng = np.random.default_rng(0)
    for index, word in enumerate(stream):
        if wanted.get(word):
            beside.append(not wanted[word].isdisjoint(stream[max(0, index - 2) : index]))
            elsewhere = int(rng.integers(2, len(stream)))
            by_chance.append(not wanted[word].isdisjoint(stream[elsewhere - 2 : elsewhere]))
    assert np.mean(beside) > 0.45 and np.mean(by_chance) < 0.02


# Errors


def test_unusable_settings_are_refused():
    with pytest.raises(UserError, match='"coinde".*plain or coined.*"coined"'):
        generate("coinde")
    with pytest.raises(UserError, match="hapax_share is 1.2; accepted: 0.0 to 0.99"):
        generate("coined", hapax_share=1.2)
    with pytest.raises(UserError, match="too short for its coinages"):
        generate("coined", characters=2000, coinage_rate=0.2, hapax_share=0.0, seed=3)


def test_word_lists_that_do_not_hold_together_are_refused(tmp_path):
    def broken(name, old, new):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        shutil.copytree(FOLDER, folder)
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    with pytest.raises(UserError, match=r'nouns.csv, line 2, near: "stoone" is not in the lists. Did you mean "stone"'):
        load(broken("nouns.csv", "stone bank", "stoone bank"))
    with pytest.raises(UserError, match='"water" is a form of water .V. and also of water'):
        load(broken("verbs.csv", "admire,", "water,water,,warmly\nadmire,"))
    with pytest.raises(UserError, match="unknown slot"):
        load(broken("patterns.csv", "{X} went down", "{Z} went down"))
    with pytest.raises(UserError, match="expected the columns topic neighbours; found"):
        load(broken("topics.csv", "neighbours", "near"))
    with pytest.raises(UserError, match="topics.csv is missing"):
        load(tmp_path / "nowhere")
