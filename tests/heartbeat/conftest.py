"""The states of these tests say that they were written long before this very process, whose number they hold, began."""

import pytest

from wake2vec.heartbeat import states


@pytest.fixture
def slack():
    return states.SLACK


@pytest.fixture(autouse=True)
def old_process(slack, monkeypatch):
    monkeypatch.setattr(states, "SLACK", 1e9)
