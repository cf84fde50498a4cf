"""Morphology: data files, spelling at the seam, and a hand-made list on which precision and recall are measured."""

import string
import time
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wake2vec.errors import UserError
from wake2vec.text.lexicon import read_word_list, zipf_table
from wake2vec.text.morphology import (
    Segmentation,
    Segmenter,
    doubles,
    join,
    read_blocklist,
    read_morphemes,
    roots,
)

ROOT = Path(__file__).parents[2]
DATA, SHARED = ROOT / "data", ROOT / "../shared"
MORPHEMES = read_morphemes(DATA / "morphemes.csv")
BLOCKLIST = read_blocklist(DATA / "false_segmentations.csv")
TABLE = zipf_table()
SEGMENTER = Segmenter(MORPHEMES, BLOCKLIST, TABLE)

# Words cut by hand. The rules were tuned with this list at hand, so it shows that they hold, not how well they do.
DERIVATIONS = """
lanternless = lantern less | unriverable = un river able | gardenhood = garden hood | thunderish = thunder ish
rewhisper = re whisper | foredream = fore dream | mirrorlike = mirror like | undertremble = under tremble
outglimmer = out glimmer | candlewise = candle wise | overmurmur = over murmur | disharvest = dis harvest
moonward = moon ward | shadowful = shadow ful | bewinter = be winter | sorrowsome = sorrow some
antimorning = anti morning | misremembrance = mis remembrance | blanketless = blanket less | semisilence = semi silence
pretuesday = pre tuesday | kitchendom = kitchen dom | butterling = butter ling | unkitchened = un kitchen ed
gloomify = gloom ify | teacuppish = teacup ish | stormery = storm ery | nonwhisper = non whisper | hurrier = hurry er
dreamology = dream ology | crossbeggar = cross beggar | superweary = super weary | flabbergastment = flabbergast ment
merriness = merry ness | unhopeable = un hope able | drizzler = drizzle er | snugness = snug ness
velvetiness = velvety ness | pocketeer = pocket eer | bottlesome = bottle some | sunnily = sunny ly
subcellar = sub cellar | counterwhistle = counter whistle | midslumber = mid slumber | enfogged = en fog ed
stumbleth = stumble eth | afidget = a fidget | interwhisper = inter whisper | postsupper = post supper
weepingly = weep ingly | bloometh = bloom eth | goldenly = golden ly | debtorship = debtor ship | whatness = what ness
liverless = liver less | merriment's = merriment 's | almightiness = almighty ness | slumberous = slumber ous
antitreating = anti treating
cityful = city ful | hawklike = hawk like | riverward = river ward | twelvefold = twelve fold | renderable = render able
"""
COMPOUNDS = """
snot+green moon+blue candle+mouth river+voice stone+cold thunder+horse bread+smell door+sleep apple+woman milk+white
sea+horn bride+bed bird+sweet salt+white wine+dark ring+hoof plum+stones death+flower shadow+jar swan+boat
"""
NEITHER = """
really under bring corner flower mother number thing king evening butter letter carpet season father history
target legend uncle redeem relish present discuss preach depart union moment silver garden family only table nation
quark agenbite riverrun mrkrgnao tooraloom inwit thalatta visavis bababadal passencore tauftauf mishe sosie vanessy
"""


# Written when the rules were finished, and run once: how well they do.
FRESH_DERIVATIONS = """
pillowless = pillow less | unbuttery = un butter y | rethunder = re thunder | saddleship = saddle ship
outsnore = out snore | whiskerful = whisker ful | forechimney = fore chimney | disumbrella = dis umbrella
stairwise = stair wise | marmaladeish = marmalade ish | overcandle = over candle | undoorable = un door able
puddlehood = puddle hood | bejewelry = be jewelry | sleepology = sleep ology | midbreakfast = mid breakfast
antispoon = anti spoon | hiccupper = hiccup er | superblush = super blush | ladderward = ladder ward
hedgeling = hedge ling | winkable = wink able | gossipment = gossip ment | lullabied = lullaby ed
melancholify = melancholy ify | semiwink = semi wink | mispocket = mis pocket | tremblesome = tremble some
grandmotherly's = grandmotherly 's | untidily's = untidily 's | luffing = luff ing
"""
FRESH_COMPOUNDS = """
river+beard pocket+moon fog+drum bishop+shoe apple+thief mirror+bread whisper+gate honey+clock cloud+butcher lamp+dog
tooth+song barrel+king winter+spoon gin+bottle
"""
FRESH_NEITHER = """
theatre mustard bandit pepper reason distance problem country salmon harvest cabbage deliver window lantern offend
brother island mermeed tarahoot plurabelle gromwelp shanvocht zembla quirtle boskop persimmon colander anthem postern
"""


def by_hand(derivations, compounds, neither):
    wanted = {}
    for item in derivations.replace("\n", "|").split("|"):
        if "=" in item:
            word, parts = item.split("=")
            wanted[word.strip()] = tuple(parts.split())
    wanted |= {word.replace("+", ""): tuple(word.split("+")) for word in compounds.split()}
    return wanted | {word: () for word in neither.split()}


def cut(word):
    found = SEGMENTER.segment(word)
    if found.method == "none":
        return ()
    return found.compound or tuple(part for part in (found.prefix, found.root, found.suffix) if part)


# Precision and recall ----------------------------------------------------------


@pytest.mark.parametrize(
    ("lists", "precision", "recall"),
    [
        ((DERIVATIONS, COMPOUNDS, NEITHER), 77 / 79, 77 / 84),  # as measured: 0.97 and 0.92
        ((FRESH_DERIVATIONS, FRESH_COMPOUNDS, FRESH_NEITHER), 37 / 39, 37 / 45),  # 0.95 and 0.82
    ],
)
def test_precision_and_recall_on_lists_cut_by_hand(lists, precision, recall):
    wanted = by_hand(*lists)
    found = {word: cut(word) for word in wanted}
    wrong = {word: (found[word], wanted[word]) for word in wanted if found[word] != wanted[word]}
    right = sum(found[word] == parts != () for word, parts in wanted.items())
    assert right / sum(parts != () for parts in found.values()) >= precision - 0.02, wrong
    assert right / sum(parts != () for parts in wanted.values()) >= recall - 0.02, wrong


@pytest.mark.parametrize("word", NEITHER.split())
def test_what_only_looks_like_parts_is_left_whole(word):
    if word == "passencore":
        pytest.xfail("pass + encore: no way to know that it is French")
    assert SEGMENTER.segment(word) == Segmentation("", word, "", (), "none")


@pytest.mark.parametrize("word", ["snotgreens's", "overmurmurings"])
def test_the_same_word_is_always_cut_the_same_way(word):
    assert SEGMENTER.segment(word) == Segmenter(MORPHEMES, BLOCKLIST, TABLE).segment(word)


def test_frequent_words_of_the_text_may_be_roots():
    assert SEGMENTER.segment("mulliganesque").root != "plooshbot"
    assert SEGMENTER.segment("unplooshbotly").method == "none"
    taught = Segmenter(MORPHEMES, BLOCKLIST, TABLE, frequent=["plooshbot"])
    assert taught.segment("unplooshbotly") == Segmentation("un", "plooshbot", "ly", (), "affix")
    assert taught.segment("plooshbotriver").compound == ("plooshbot", "river")


def test_the_longest_affixes_win_and_better_known_stems_stay_whole():
    assert SEGMENTER.segment("lanternlessly") == Segmentation("", "lantern", "lessly", (), "affix")
    assert SEGMENTER.segment("outclimbing") == Segmentation("out", "climbing", "", (), "affix")  # no out + climb + ing
    assert SEGMENTER.segment("superflower") == Segmentation("super", "flower", "", (), "affix")  # no super + flow + er


def test_hyphens_stand_between_parts_and_belong_to_none():
    assert SEGMENTER.segment("fox-like") == Segmentation("", "fox", "like", (), "affix")
    assert SEGMENTER.segment("anti-morning") == Segmentation("anti", "morning", "", (), "affix")
    assert SEGMENTER.segment("grey-sunken").compound == ("grey", "sunken")


# Pieces make the word again ----------------------------------------------------------


def spellings(root, suffix):
    """Every spelling that a root may have in front of a suffix."""
    found = {root, root + root[-1]}
    if root.endswith("e"):
        found.add(root[:-1])
    if root.endswith("y"):
        found |= {root[:-1] + "i", root[:-1]}
    if root.endswith("le"):
        found.add(root[:-2])
    if root.endswith("ous"):
        found.add(root[:-2] + "s")
    return {spelled + suffix for spelled in found} if suffix else {root}


def recomposed(found):
    if found.compound:
        return {"".join(found.compound), "-".join(found.compound)}
    joined = spellings(found.root, found.suffix) | {f"{found.root}-{found.suffix}"}
    return {found.prefix + hyphen + rest for hyphen in ("", "-") for rest in joined} | joined


frequent_words = sorted(
    word for word, frequency in TABLE.items() if frequency > 4 and word.isascii() and word.isalpha()
)
pieces = st.sampled_from(sorted(MORPHEMES.prefixes) + sorted(MORPHEMES.suffixes) + frequent_words)
made_words = st.lists(pieces, min_size=1, max_size=4).map("".join) | st.lists(pieces, min_size=2, max_size=3).map(
    "-".join
)


@settings(max_examples=400, deadline=None)
@given(made_words | st.text(string.ascii_lowercase + "é'-", min_size=1, max_size=15))
def test_pieces_recompose_the_word_up_to_the_spelling_at_the_seam(word):
    found = SEGMENTER.segment(word)
    assert word in recomposed(found)
    if found.method == "none":
        assert found == Segmentation("", word, "", (), "none")
    elif found.method == "compound":
        assert found.root == word and all(piece in SEGMENTER.pieces for piece in found.compound)
    else:
        assert found.prefix or found.suffix
        assert len(found.root) >= 3 and found.root in SEGMENTER.rare_roots
        assert found.prefix in MORPHEMES.prefixes or not found.prefix
        assert found.suffix in MORPHEMES.suffixes or not found.suffix


# Spelling at the seam ----------------------------------------------------------


@pytest.mark.parametrize(
    ("root", "suffix", "whole"),
    [
        ("hope", "ing", "hoping"),
        ("hop", "ing", "hopping"),
        ("run", "er", "runner"),
        ("box", "er", "boxer"),
        ("rain", "y", "rainy"),
        ("garden", "er", "gardener"),
        ("happy", "ness", "happiness"),
        ("copy", "ing", "copying"),
        ("baby", "ish", "babyish"),
        ("history", "ical", "historical"),
        ("play", "er", "player"),
        ("pony", "es", "ponies"),
        ("see", "ing", "seeing"),
        ("notice", "able", "noticeable"),
        ("courage", "ous", "courageous"),
        ("gentle", "ly", "gently"),
        ("curious", "ity", "curiosity"),
        ("hope", "less", "hopeless"),
        ("father", "'s", "father's"),
    ],
)
def test_spelling_at_the_seam_both_ways(root, suffix, whole):
    assert join(root, suffix) == whole
    assert root in roots(whole.removesuffix(suffix), suffix)


def test_every_root_can_be_found_again_behind_every_suffix():
    """For 400 frequent roots and all suffixes, save where English has no such form ("yearss", "riveres")."""
    chosen = [word for word in frequent_words if word in SEGMENTER.roots and len(word) > 3][::10][:400]
    lost = []
    for root, suffix in product(chosen, MORPHEMES.suffixes):
        plural = suffix in ("s", "es") and (suffix == "es") != root.endswith(("s", "x", "z", "ch", "sh"))
        if plural or (suffix == "s" and root.endswith("y")) or (suffix == "y" and root.endswith("y")):
            continue
        whole = join(root, suffix)
        if root not in roots(whole[: len(whole) - len(suffix)], suffix):
            lost.append((root, suffix, whole))
    assert lost == []


@pytest.mark.parametrize(
    ("root", "expected"), [("run", True), ("snap", True), ("rain", False), ("box", False), ("ap", False)]
)
def test_which_roots_double_their_last_letter(root, expected):
    assert doubles(root) is expected


# Data files ----------------------------------------------------------


def test_morphemes_are_many_and_their_examples_are_english_words_that_hold_them():
    assert len(MORPHEMES.prefixes) >= 60 and len(MORPHEMES.suffixes) >= 80
    for morpheme, examples in (MORPHEMES.prefixes | MORPHEMES.suffixes).items():
        assert 3 <= len(examples) <= 10, morpheme
        assert len(set(examples)) == len(examples), morpheme
        assert all(TABLE.get(example, 0) > 1 for example in examples), morpheme


def test_no_example_of_a_morpheme_is_blocked_for_it_and_every_block_names_a_morpheme():
    for prefix, examples in MORPHEMES.prefixes.items():
        assert not [word for word in examples if SEGMENTER._blocked(word, prefix + "-")], prefix
    for suffix, examples in MORPHEMES.suffixes.items():
        assert not [word for word in examples if SEGMENTER._blocked(word, "-" + suffix)], suffix
    spelled = {prefix + "-" for prefix in MORPHEMES.prefixes} | {"-" + suffix for suffix in MORPHEMES.suffixes}
    for table in (BLOCKLIST.beginnings, BLOCKLIST.endings, BLOCKLIST.words):
        assert set(table) <= spelled


HEAD = "type,morpheme,example1,example2"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([HEAD, "prefix,pre-,prefix", "prefx,un-,undo"], 'line 3: type "prefx" .*Did you mean "prefix"'),
        ([HEAD, "prefix,pre,prefix"], 'line 2: prefix "pre"; write it in lower case like "pre-"'),
        ([HEAD, "suffix,ment-,agreement"], 'line 2: suffix "ment-"; .*"-ment"'),
        ([HEAD, "suffix,-ment,agreement", "suffix,-ment,payment"], 'line 3: suffix "-ment" stands in an earlier line'),
        ([HEAD, "suffix,-ment,agreement,under"], 'line 2: example "under" does not hold the suffix "-ment"'),
        ([HEAD, "suffix,-ment,"], 'line 2: the suffix has no example "-ment"'),
        ([HEAD, "suffix,-ment,agreement,payment,statement"], "line 2: more cells than the 4 columns"),
        (["kind,morpheme,example1"], "line 1: column type is missing"),
    ],
)
def test_a_bad_row_of_morphemes_names_its_line(tmp_path, rows, message):
    path = tmp_path / "morphemes.csv"
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(UserError, match=message):
        read_morphemes(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["form,blocks,why", "under-,un,reason"], 'line 2: blocks "un"; accepted: an affix'),
        (["form,blocks,why", "-,un-,reason"], "line 2: every row needs a form"),
        (["form,blocks,why", "under-,un-,"], "line 2: .*the reason"),
        (["form,blocks"], "line 1: column why is missing"),
    ],
)
def test_a_bad_row_of_the_blocklist_names_its_line(tmp_path, rows, message):
    path = tmp_path / "blocks.csv"
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(UserError, match=message):
        read_blocklist(path)


def test_a_blocklist_blocks_beginnings_endings_words_and_parts(tmp_path):
    path = tmp_path / "blocks.csv"
    rows = [
        "lantern-,un-,x",
        "-lantern,-ish,x",
        "riverish,-ish,x",
        "candle,word,x",
        "mirror,root,x",
        "window,compound,x",
    ]
    path.write_text("form,blocks,why\n" + "\n".join(rows) + "\n")
    segmenter = Segmenter(MORPHEMES, read_blocklist(path), TABLE)
    assert segmenter.segment("riverish").method == "none"
    assert segmenter.segment("gardenish").root == "garden"
    assert segmenter.segment("uncandleish").method == segmenter.segment("candleriver").method == "none"
    assert segmenter.segment("mirrorish").method == "none" and segmenter.segment("mirrorriver").method == "compound"
    assert segmenter.segment("windowish").method == "affix" and segmenter.segment("windowriver").method == "none"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.csv cannot be read"):
        read_morphemes(tmp_path / "none.csv")


# The published list ----------------------------------------------------------


def test_the_published_list_is_cut_within_seconds():
    path = SHARED / "data/wake_lexicon.txt"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    listed, _ = read_word_list(path)
    start = time.perf_counter()
    found = [SEGMENTER.segment(word) for word in listed]
    assert time.perf_counter() - start < 10  # half a second on an idle core
    shares = {
        method: sum(one.method == method for one in found) / len(found) for method in ("affix", "compound", "none")
    }
    assert 0.1 < shares["affix"] < 0.25 and 0.05 < shares["compound"] < 0.15
    row = dict(zip(listed, found, strict=True))
    assert row["lobstertrapping"].compound == ("lobster", "trapping")
    assert row["unwhisperably"][:3] == ("un", "whisper", "ably")
