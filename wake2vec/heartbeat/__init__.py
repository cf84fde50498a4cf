"""Looks at runs while they train, or after they died: `python -m wake2vec.heartbeat`. Reads only; no torch.

places.py reads folders and URLs, states.py one state folder, vitals.py makes one picture of all copies of a phase, and
terminal.py and page.py show it.
"""
