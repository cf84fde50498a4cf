"""Whole-word injection: new words are one token, everything else keeps its ids, every text comes back."""

import json

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tests.conftest import COINAGES
from tests.vocabulary.conftest import ADDED, with_added_tokens
from wake2vec.errors import UserError
from wake2vec.text.encoding import begin_id
from wake2vec.vocabulary.injection import _entry_of, inject
from wake2vec.vocabulary.isolation import word_regex

ROWS = 512  # a padded matrix: past the tokenizer's last id


@pytest.fixture(scope="module")
def injected(base_tokenizer, passages):
    return inject(base_tokenizer, ROWS, COINAGES | {"andrée's": ["andrée's"]}, passages, [], min_fires=0)


def llama2_tokenizer(passages, further=()):
    """As Llama 2's files have it: a normaliser that writes ▁, and no pre-tokenizer. further: merges."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    pieces = ["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", *"abcdefghijklmnopqrstuvwxyzRMTAW.,;“”—é'2"]
    merges = [
        ("▁", "r"),
        ("▁r", "i"),
        ("v", "e"),
        ("ve", "r"),
        ("▁ri", "ver"),
        ("l", "i"),
        ("n", "g"),
        ("li", "ng"),
        ("b", "r"),
        *further,
    ]
    pieces += [a + b for a, b in merges]
    tokenizer.model = models.BPE(
        {p: i for i, p in enumerate(pieces)}, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True
    )
    return tokenizer


def byte_level_tokenizer(passages):
    """As GPT-2's: byte-level BPE with its own word-splitting regex."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        special_tokens=["<s>"],
    )
    tokenizer.train_from_iterator([p for p in passages if "moonbread" not in p], trainer)
    return tokenizer


FAMILIES = {
    "metaspace": None,
    "llama 2": llama2_tokenizer,
    "llama 2, runs of spaces": lambda passages: llama2_tokenizer(passages, [("▁", "▁"), ("▁▁", "▁"), ("▁", "o")]),
    "llama 2, a digit joined": lambda passages: llama2_tokenizer(passages, [("2", "."), ("'", "é"), ("a", "2")]),
    "llama 2, a form's end joined": lambda passages: llama2_tokenizer(passages, [("g", "."), (",", "m"), ("a", "▁")]),
    "byte level": byte_level_tokenizer,
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, base_tokenizer, passages):
    """(base tokenizer, injected tokenizer, injection) of each family."""
    make = FAMILIES[request.param]
    base = make(passages) if make else base_tokenizer
    return base, *inject(base, ROWS, COINAGES, passages, [], min_fires=0)


def ids(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize(
    "context",
    ["{}", "a {} b", "“{}", "({})", "it—{}—it", "so {}, then", "{}.", "x\n{}", "- {}!", "{}'s"],
)
@pytest.mark.parametrize("surface", ["riverling", "Riverling", "moonbread"])
def test_a_coinage_is_one_token_wherever_it_stands(family, context, surface):
    _, tokenizer, values = family
    mine = {form["id"] for form in values["forms"] if form["surface"] == surface}
    found = ids(tokenizer, context.format(surface))
    assert sum(i in mine for i in found) == 1


@pytest.mark.parametrize("text", ["riverlings", "xriverling", "a priverling", "moonbreads", "riverlingé", "MOONBREAD"])
def test_never_inside_another_word(family, text):
    base, tokenizer, _ = family
    assert ids(tokenizer, text) == ids(base, text)


def test_words_are_made_pieces_only_where_no_merge_joins_their_edges(passages):
    def found(*further, forms=("▁riverling", "moonbread"), every=False):
        return word_regex(json.loads(llama2_tokenizer(passages, further).to_str())["model"], forms, every)

    words = regex.compile(found())
    assert words.findall("▁so▁▁the,riverling2▁2.▁é") == ["▁so", "▁▁the", "riverling2", "▁2", "▁é"]
    apart = regex.compile(found(("2", "."), ("'", "é")))
    assert apart.findall("▁a2▁b▁2.x2y'éa'a▁éa") == ["▁b", "x2y", "a", "▁éa"]
    assert found(("g", ".")) is None and found(("'", "m")) is None  # a form's own edge
    assert found(("a", "▁")) is None and found(("▁", "▁")) is not None
    assert found(("▁", "▁"), every=True) is None and found(every=True) is not None


@pytest.mark.parametrize(
    "option",
    [
        {"ignore_merges": True},
        {"continuing_subword_prefix": "##"},
        {"end_of_word_suffix": "</w>"},
        {"fuse_unk": True, "byte_fallback": False},
    ],
)
def test_words_are_no_pieces_where_a_model_treats_a_piece_as_more_than_its_merges(passages, option):
    model = json.loads(llama2_tokenizer(passages).to_str())["model"]
    assert word_regex(model, ["▁riverling"], False) and word_regex(model | option, ["▁riverling"], False) is None


def test_bytes_are_spelled_as_tokenizers_spells_them(passages):
    text = "".join(map(chr, [*range(0x21, 0x800), 0x2019, 0x65E5, 0x1F600]))
    in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    assert _entry_of(json.loads(byte_level_tokenizer(passages).to_str()))(text) == in_bytes.pre_tokenize_str(text)[0][0]


def test_a_word_of_nothing_but_the_space_mark_is_refused(base_tokenizer):
    _, values = inject(base_tokenizer, ROWS, {"▁": ["▁"], "moonbread": ["moonbread"]}, [], [], "word", 0)
    assert [refused["word"] for refused in values["not_injectable"]] == ["▁"] and len(values["forms"]) == 2


def test_new_ids_begin_where_the_matrix_ends(family):
    _, _, values = family
    assert [form["id"] for form in values["forms"]] == [ROWS + row for row in range(len(values["forms"]))]
    assert [form["row"] for form in values["forms"]] == list(range(len(values["forms"])))


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("abrivelngm oud’'\n.,“”—-éR2<0x>▁"), max_size=60))
def test_text_without_coinages_keeps_its_ids(family, text):
    base, tokenizer, _ = family
    if "riverling" not in text.lower() and "moonbread" not in text.lower():
        assert ids(tokenizer, text) == ids(base, text)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["riverling", "moonbread", "Moonbread", "the", "old", "“", "”", ", ", ".", " ", "\n\n", "—", "'s"]
        ),
        max_size=25,
    )
)
def test_every_text_comes_back(family, parts):
    base, tokenizer, _ = family
    text = "".join(parts).lstrip(" ")  # Metaspace itself forgets a text's leading spaces
    assert base.decode(ids(base, text)) == text
    assert tokenizer.decode(ids(tokenizer, text)) == text


def test_the_training_text_comes_back(family, passages):
    _, tokenizer, _ = family
    for passage in passages:
        assert tokenizer.decode(ids(tokenizer, passage)) == passage


def test_apostrophes_belong_to_a_listed_word(injected):
    tokenizer, values = injected
    form = next(f for f in values["forms"] if f["form"] == "▁andrée's")
    assert form["id"] in ids(tokenizer, "to andrée's house")


def test_counts_are_the_texts(injected, passages):
    tokenizer, values = injected
    text = "\n".join(passages)
    for form in values["forms"]:
        assert form["count_train"] == sum(ids(tokenizer, p).count(form["id"]) for p in passages)
    fires = sum(f["count_train"] for f in values["forms"] if f["word"] == "moonbread")
    assert fires == text.lower().count("moonbread")


def test_forms_that_fire_too_seldom_get_no_row(base_tokenizer, passages):
    _, values = inject(
        base_tokenizer, ROWS, COINAGES | {"neverseen": ["neverseen"]}, passages, passages[:3], min_fires=2
    )
    assert all(form["count_train"] >= 2 for form in values["forms"])
    assert any(r["word"] == "neverseen" and "min_fires 2" in r["reason"] for r in values["not_injectable"])


def test_a_rare_form_takes_no_occurrence_from_a_word_inside_of_it(base_tokenizer):
    """As often as it is with the longer word off the list."""
    text = ["the moonx ran to the moonx's river, on moonx's-riverx-run, moonx's-riverx"]
    listed = {word: [word] for word in ("moonx", "moonx's", "moonx's-riverx-run", "moonx's-riverx")}

    def rows(words, min_fires):
        found = inject(base_tokenizer, ROWS, {word: listed[word] for word in words}, text, [], min_fires=min_fires)[1]
        return {(form["form"], form["count_train"]) for form in found["forms"]}, found["not_injectable"]

    alone, _ = rows(["moonx"], 4)
    assert alone == {("▁moonx", 4)}
    assert rows(["moonx", "moonx's", "moonx's-riverx-run"], 4)[0] == alone
    assert rows(["moonx", "moonx's-riverx-run"], 2)[0] == alone
    both, refused = rows(listed, 2)  # the longest goes first, and leaves its occurrence to the next
    assert both == {("▁moonx", 2), ("▁moonx's-riverx", 2)}
    assert {entry["reason"] for entry in refused if entry["form"] == "▁moonx's"} == {
        '"▁moonx\'s" fires 1 < min_fires 2 times in the training text'
    }


def test_a_token_added_later_takes_no_row_of_a_padded_matrix(base_tokenizer, passages):
    for match in ("word", "substring"):
        tokenizer, values = inject(base_tokenizer, ROWS, COINAGES, passages, [], match, min_fires=0)
        assert tokenizer.get_vocab_size() == ROWS + len(values["forms"])
        tokenizer.add_special_tokens(["[PAD]"])
        assert tokenizer.token_to_id("[PAD]") == ROWS + len(values["forms"])
        assert "moonbread" in tokenizer.decode(tokenizer.encode("the moonbread ran").ids)


def test_forms_the_base_has_are_reused(base_tokenizer, passages):
    _, values = inject(base_tokenizer, ROWS, {"the": ["the"]}, passages, [], min_fires=0)
    assert any(
        entry["form"] == "▁the" and entry["id"] == base_tokenizer.token_to_id("▁the") for entry in values["reused"]
    )
    assert not any(form["form"] == "▁the" for form in values["forms"])


def test_substring_is_the_notebooks_add_tokens(base_tokenizer, passages):
    tokenizer, values = inject(base_tokenizer, ROWS, {"iver": ["iver"]}, passages, [], match="substring", min_fires=0)
    ours = tokenizer.encode("the river ran", add_special_tokens=False).tokens
    assert ROWS in tokenizer.encode("the river ran").ids  # its id is the row's, in a padded vocabulary too
    theirs = Tokenizer.from_str(base_tokenizer.to_str())
    theirs.add_tokens(["iver"])
    assert ours == theirs.encode("the river ran", add_special_tokens=False).tokens
    assert "iver" in ours  # fires inside "river": the fault that whole words mend


def test_substring_cuts_whole_texts_as_add_tokens_of_the_missing_words_does(passages):
    base = byte_level_tokenizer(passages)
    size = base.get_vocab_size()
    listed = ["iver", "moonbread", "read", "riverling", "oon"]  # one inside another, and an entry of the base
    missing = [word for word in listed if base.token_to_id(word) is None]
    assert missing == ["iver", "moonbread", "riverling", "oon"]
    tokenizer, values = inject(base, size, {word: [word] for word in listed}, passages, [], "substring", min_fires=0)
    notebooks, everything = byte_level_tokenizer(passages), byte_level_tokenizer(passages)
    notebooks.add_tokens(missing)
    assert [ids(tokenizer, text) for text in passages] == [ids(notebooks, text) for text in passages]
    assert [form["form"] for form in values["reused"]] == ["read"]
    # an entry stays an entry: as an added token it would be matched inside other words
    everything.add_tokens(listed)
    assert ids(tokenizer, "buy bread") == ids(base, "buy bread") != ids(everything, "buy bread")


def test_saved_and_loaded_by_autotokenizer_alone(injected, base, tmp_path):
    from transformers import AutoTokenizer

    tokenizer, values = injected
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_bytes((base.parent / "tokenizer_config.json").read_bytes())
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "A riverling said: “Moonbread, moonbread!”"
    assert loaded.encode(text, add_special_tokens=False) == ids(tokenizer, text)
    assert loaded.decode(loaded.encode(text, add_special_tokens=False)) == text


def test_added_tokens_keep_their_ids_whichever_way_words_are_matched(passages, tmp_path):
    from transformers import AutoTokenizer

    base = with_added_tokens(byte_level_tokenizer(passages))
    at = {token: base.token_to_id(token) for token in ADDED}
    assert min(at.values()) == base.get_vocab_size(with_added_tokens=False)  # behind the model's own
    for match in ("word", "substring"):
        tokenizer, values = inject(base, ROWS, COINAGES, passages, [], match, min_fires=0)
        assert at == {token: tokenizer.token_to_id(token) for token in ADDED}
        assert [tokenizer.id_to_token(form["id"]) for form in values["forms"]] == [f["form"] for f in values["forms"]]
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": ADDED[0], "eos_token": ADDED[1]}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
        loaded = AutoTokenizer.from_pretrained(tmp_path)
        assert (loaded.bos_token_id, loaded.eos_token_id) == (at[ADDED[0]], at[ADDED[1]])
        assert begin_id(tmp_path) == at[ADDED[0]]
        text = "<|im_start|>A riverling<|end_of_text|>"
        assert loaded.encode(text)[0] == at["<|im_start|>"] and loaded.encode(text)[-1] == at["<|end_of_text|>"]
        assert loaded.decode(loaded.encode(text)) == text


def test_empty_lexicon_is_the_base_tokenizer(base_tokenizer, passages):
    tokenizer, values = inject(base_tokenizer, ROWS, {}, passages, [])
    assert values["forms"] == []
    assert tokenizer.encode(passages[0]).ids == base_tokenizer.encode(passages[0]).ids


def test_passages_that_do_not_come_back_are_counted(base_tokenizer, passages):
    _, values = inject(base_tokenizer, ROWS, COINAGES, [*passages, "two ▁ marks"], [])
    assert values["round_trip"] == {"passages": len(passages) + 1, "lost": 1}  # ▁ itself decodes to a space


@pytest.mark.parametrize("match", ["word", "substring"])
def test_a_base_that_is_no_bpe_is_refused(match):
    pieces = Tokenizer(models.WordPiece({"[UNK]": 0, "the": 1}, unk_token="[UNK]"))
    with pytest.raises(UserError, match="needs a BPE tokenizer; the base has WordPiece"):
        inject(pieces, ROWS, COINAGES, [], [], match)


def test_a_base_that_puts_a_space_before_every_text_is_refused(passages):
    base = byte_level_tokenizer(passages)
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    with pytest.raises(UserError, match="a space before every text.*add_prefix_space"):
        inject(base, ROWS, COINAGES, [], [])


def test_rows_are_counted_by_where_they_fire(base_tokenizer):
    """Of five forms two fire in training (a text's first word is spelled like one after a space), one in the held-out
    text alone, two nowhere; and the base has " the" already.
    """
    spellings = {"moonbread": ["moonbread"], "riverling": ["riverling"], "the": ["the"]}
    train, valid = ["a moonbread and “moonbread”", "moonbread's"], ["the riverling ran to “moonbread” "]
    _, values = inject(base_tokenizer, ROWS, spellings, train, valid, min_fires=0)
    fired = {(f["surface"], f["start"]): (f["count_train"], f["count_valid"]) for f in values["forms"]}
    assert fired == {
        ("moonbread", True): (2, 0),
        ("moonbread", False): (1, 1),
        ("riverling", True): (0, 1),
        ("riverling", False): (0, 0),
        ("the", False): (0, 0),
    }
    assert values["counts"] == {
        "rows": 5,
        "fire_in_training": 2,
        "fire_only_elsewhere": 1,
        "never_fire": 2,
        "reused": 1,
        "not_injectable": 0,
    }


@pytest.mark.parametrize("min_fires", [0, 2])
def test_a_synthetic_word_gets_rows_for_the_forms_that_its_sentences_have(base_tokenizer, min_fires):
    spellings = {"moonbread": ["moonbread"], "unplooshling": ["unplooshling"], "replooshling": ["replooshling"]}
    train = ["a moonbread and a moonbread, an unmoonbread"]
    sentences = ["An unplooshling came.", "A moonbread stood by it."]
    _, values = inject(
        base_tokenizer,
        ROWS,
        spellings,
        train,
        ["the unplooshling"],
        min_fires=min_fires,
        coined={"unplooshling", "replooshling"},
        sentences=sentences,
    )
    rows = {(form["surface"], form["start"]): form for form in values["forms"]}
    lexicon = {("moonbread", True)} | ({("moonbread", False)} if min_fires == 0 else set())
    assert set(rows) == lexicon | {("unplooshling", True)}
    coined = rows["unplooshling", True]
    # counts are the text's own: the sentences have one of their own
    assert (coined["count_train"], coined["count_valid"], coined["count_synthetic"]) == (0, 1, 1)
    assert rows["moonbread", True]["count_train"] == 2 and "count_synthetic" not in rows["moonbread", True]
    why = [entry["reason"] for entry in values["not_injectable"] if entry["word"] == "replooshling"]
    assert len(why) == 2 and all(reason.endswith("fires nowhere in the synthetic sentences") for reason in why)
