"""The exact JSON of the contract: a later version reads and writes it unchanged."""

import json

import pytest

from contract.golden_messages import NAMES, golden
from cordyna_core.contract.envelope import open_envelope, seal
from cordyna_core.contract.registry import MESSAGES, may_send


def test_golden_exists_for_every_message() -> None:
    assert set(NAMES) == set(MESSAGES)


@pytest.mark.parametrize("name", NAMES)
def test_golden_has_every_field(name: str) -> None:
    fields = {field.alias or key for key, field in MESSAGES[name].model_fields.items()}

    assert set(golden(name)["detail"]) == fields


@pytest.mark.parametrize("name", NAMES)
def test_golden_read_and_written_is_unchanged(name: str) -> None:
    event = golden(name)
    envelope = open_envelope(json.dumps(event))

    assert type(envelope.message).__name__ == name
    assert (
        json.loads(seal(envelope.message, envelope.source, envelope.event_id, envelope.time))
        == event
    )


@pytest.mark.parametrize("name", NAMES)
def test_golden_source_may_send_it(name: str) -> None:
    envelope = open_envelope(json.dumps(golden(name)))

    assert may_send(envelope.source, envelope.message)


@pytest.mark.parametrize("name", NAMES)
def test_open_unknown_field_is_refused_in_declarations_only(name: str) -> None:
    event = golden(name)
    event["detail"] |= {"novelty": 1}
    event["detail"]["meta"] |= {"novelty": 1}
    if name == "ServerDeclared":
        with pytest.raises(ValueError, match="novelty: Extra inputs are not permitted"):
            open_envelope(json.dumps(event))
    else:
        assert open_envelope(json.dumps(event)) == open_envelope(json.dumps(golden(name)))
