"""docs/states.md is what the table of transitions says."""

from architecture.states_document import STATES, states_document


def test_states_document_is_current() -> None:
    command = "PYTHONPATH=tests .venv/bin/python -m architecture.states_document"
    assert STATES.read_text() == states_document(), f"run `{command}`"
