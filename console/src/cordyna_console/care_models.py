"""Care models: what the API says of crons, dead letters and what the doctor finds."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from cordyna_console.answer_base import ApiAnswer
from cordyna_console.models import ApiRequest
from cordyna_core.contract.time import Instant

TickOutcome = Literal["to come", "paused", "running", "completed", "error", "missed", "skipped"]


class CronTick(ApiAnswer):
    """One moment at which a cron fires or fired."""

    at: Instant
    outcome: TickOutcome
    run_id: str | None = None
    text: str = Field("", description="Why it began no run.")


class CronRow(ApiAnswer):
    """One cron with its next ticks and its last ones."""

    task: str
    server: str
    owner: str | None
    cron: str
    words: str
    timezone: str
    paused: bool | None = Field(description="None: this person may not know.")
    next_at: datetime | None
    ticks: list[CronTick]


class CronList(ApiAnswer):
    """Every cron, by its next tick."""

    rows: list[CronRow]


class LetterRow(ApiAnswer):
    """One dead letter: its reason first."""

    id: str
    reason: str
    subject: str = ""
    kind: str = ""
    at: Instant | None = None
    text: str


class QueueAnswer(ApiAnswer):
    """One dead-letter queue that holds something."""

    name: str
    messages: int
    back_to: str | None
    letters: list[LetterRow]


class QueueList(ApiAnswer):
    """Every dead-letter queue that holds something."""

    rows: list[QueueAnswer]


class Moved(ApiAnswer):
    """How many messages were moved."""

    moved: int


class RedriveRequest(ApiRequest):
    """Which letters to put back; none named: all of them."""

    ids: list[str] = Field(default_factory=list)


class PurgeRequest(ApiRequest):
    """Delete every letter of a queue. `confirm` is the name of the queue, typed once more."""

    confirm: str


class FindingRow(ApiAnswer):
    """One thing that was examined."""

    what: str
    state: str
    found: str
    next: str


class DoctorAnswer(ApiAnswer):
    """Everything that was examined."""

    rows: list[FindingRow]


class OpeningCode(ApiAnswer):
    """A code that opens the console once."""

    code: str
