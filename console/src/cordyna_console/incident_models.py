"""Incident models: what the API says of incidents, and takes about them."""

from pydantic import Field

from cordyna_console.answer_base import ApiAnswer
from cordyna_console.models import ApiRequest
from cordyna_core.contract.limits import MAX_COMMAND_ID_CHARS, SNOOZE_MAX_S
from cordyna_core.contract.views.incidents import IncidentView


class IncidentList(ApiAnswer):
    """What needs an owner, the newest first."""

    rows: list[IncidentView]


class SnoozeRequest(ApiRequest):
    """For how long nothing more is published about an incident."""

    for_s: int = Field(ge=60, le=SNOOZE_MAX_S)
    command_id: str = Field(min_length=1, max_length=MAX_COMMAND_ID_CHARS)
