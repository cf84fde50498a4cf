"""wake2vec: what happens when the words of *Finnegans Wake* enter a language model's vocabulary."""

__version__ = "0.1.0"
