"""Text to ids: whatever the batches, the ids of each passage alone, in order."""

from wake2vec.text import encoding


def test_batches_are_the_passages_one_by_one(base_tokenizer, passages, monkeypatch):
    monkeypatch.setattr(encoding, "BATCH", 3)
    texts = [*passages[:10], "", "é\n"]
    found = encoding.encode(base_tokenizer, texts)
    assert [ids.tolist() for ids in found.passages] == [
        base_tokenizer.encode(text, add_special_tokens=False).ids for text in texts
    ]
    assert found.bytes.tolist() == [len(text.encode()) for text in texts]
