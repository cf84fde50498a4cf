"""Every setting of a study, as pydantic models: types, limits, defaults and one line of help each.

`config.py` reads and merges config.yaml into these; `config_docs.py` turns them into config/schema.json and the table
in config/README.md. Nothing here imports torch, so that a dry run stays fast.
"""

from wake2vec.settings.bases import Base, Hub, Local, Pretrain
from wake2vec.settings.common import PHASES, REGIMES, STATES, Settings, State
from wake2vec.settings.measures import Evaluation, Generation, Geometry, Register
from wake2vec.settings.study import Figures, Model, Plan, Start, Study, Sweep, Tiers, head_mode, held_in
from wake2vec.settings.texts import Corpus, FileCorpus, Lexicon, Testbed
from wake2vec.settings.training import Adapter, Alignment, Initialisation, Regimes, Rows, Training, Vocabulary

__all__ = [
    "PHASES",
    "REGIMES",
    "STATES",
    "Adapter",
    "Alignment",
    "Base",
    "Corpus",
    "Evaluation",
    "Figures",
    "FileCorpus",
    "Generation",
    "Geometry",
    "Hub",
    "Initialisation",
    "Lexicon",
    "Local",
    "Model",
    "Plan",
    "Pretrain",
    "Regimes",
    "Register",
    "Rows",
    "Settings",
    "Start",
    "State",
    "Study",
    "Sweep",
    "Testbed",
    "Tiers",
    "Training",
    "Vocabulary",
    "head_mode",
    "held_in",
]
