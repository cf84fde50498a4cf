"""Settings of a text: where it comes from, how it is cleaned, split and read for coinages."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wake2vec.settings.common import Settings, setting


class Split(Settings):
    """Of a testbed, whose passages are the generator's own."""

    held_out: float = setting(0.1, "share of the passages that nothing may learn from", gt=0, lt=1)
    seed: int = setting(42, "which passages are held out", ge=0)


class FileSplit(Split):
    passage: int = setting(2000, "characters in a passage, about; it ends at a paragraph's or a sentence's end", ge=200)


class Lexicon(Settings):
    source: Literal["text", "file"] = setting("text", "count words in the text, or read a user's list")
    path: str | None = setting(None, "the user's list, one word a line (source: file)")
    scope: Literal["training", "whole"] = setting(
        "training", "which text is counted; `whole` sees the held-out text and every score of such a run is marked"
    )
    min_count: int = setting(2, "a word seen less often gets no row (source: text)", ge=1)
    max_zipf: float = setting(1.0, "a coinage's Zipf frequency in English is at most this (wordfreq)", ge=0, le=9)
    min_length: int = setting(3, "a shorter word is no coinage", ge=1)
    names: Literal["exclude", "keep"] = setting("exclude", "what to do with words that are nearly always capitalised")

    @model_validator(mode="after")
    def _list_needs_a_path(self):
        if (self.source == "file") != (self.path is not None):
            raise ValueError("`source: file` and `path:` go together: give both, or neither")
        return self


class Synthetic(Settings):
    forms: int = setting(200, "synthetic coinages to sample from the lexicon's own prefixes, roots and suffixes", ge=0)
    sentences: int = setting(600, "sentences that hold at least one of them each", ge=0)
    seed: int = setting(42, "which forms and sentences", ge=0)


class Testbed(Settings):
    kind: Literal["testbed"]
    language: Literal["plain", "coined"] = setting("coined", "plain narrative English, or the same with coinages")
    characters: int = setting(500_000, "length of the text", ge=10_000)
    seed: int = setting(1, "which text", ge=0)
    hapax_share: float = setting(0.82, "share of the coined types that occur once", ge=0.5, le=0.95)
    coinage_rate: float = setting(0.06, "share of the running words that are coinages", gt=0, le=0.2)
    split: Split = Split()
    lexicon: Lexicon = Lexicon()
    synthetic: Synthetic = Synthetic()


class Cleaning(Settings):
    gutenberg: bool = setting(True, "cut Project Gutenberg's banners and everything outside them")
    rejoin_hyphens: bool = setting(True, "rejoin words that a line end divides (`passen-` / `core`)")
    page_furniture: bool = setting(True, "drop page numbers, running heads and margin numbers")
    italics: bool = setting(True, "drop the underscores of _italics_")
    verse_width: int = setting(50, "a block whose median line is shorter keeps its lines", ge=0)
    fold_ligatures: bool = setting(True, "typographic ligatures as letters (ﬁ → fi)")


class SourceFile(Settings):
    path: str = setting(..., "plain text (UTF-8) or TEI XML (.xml, .tei), from the project's folder")
    start: str | None = setting(None, "regular expression: the text begins after the line that it matches")
    end: str | None = setting(None, "regular expression: the text ends before the line that it matches")
    furniture: tuple[str, ...] = setting((), "regular expressions: whole lines to drop (running heads, page numbers)")
    encoding: str = setting("utf-8", "of a plain-text file")


class FileCorpus(Settings):
    kind: Literal["file"]
    files: tuple[SourceFile, ...] = setting(..., "one file or several, in order", min_length=1)
    cleaning: Cleaning = Cleaning()
    split: FileSplit = FileSplit()
    lexicon: Lexicon = Lexicon()
    synthetic: Synthetic = Synthetic()


Corpus = Annotated[Testbed | FileCorpus, Field(discriminator="kind")]
