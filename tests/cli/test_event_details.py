"""Event lines: every message of the contract has its detail."""

from cordyna_cli.wording.event_line import _DETAIL
from cordyna_core.contract.registry import MESSAGES


def test_every_message_of_the_contract_has_a_detail() -> None:
    assert set(MESSAGES.values()) <= set(_DETAIL)
