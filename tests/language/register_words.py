"""A lexicon.csv with a word of every sort that the register battery tells apart."""

import pandas as pd

LEXICON = pd.DataFrame(
    [
        ("river", 9, 4.6, "excluded", "known: zipf 4.60 > 1.00", "river:9"),
        ("moonbread", 5, 0.0, "kept", "", "moonbread:5"),
        ("quarkling", 1, 0.0, "excluded", "count 1 < min_count 2", "quarkling:1"),
        (
            "zorbeth",
            6,
            0.0,
            "excluded",
            "name: capitalised in 6 of 6 places inside sentences, at least 90%",
            "Zorbeth:6",
        ),
        ("bread", 2, 4.7, "kept", "", "bread:2"),  # a user's list may hold English words
    ],
    columns=["word", "count", "zipf", "status", "reason", "surfaces"],
)
