"""due, as a team writes it."""

import pytest

from cordyna_core import TaskServer
from cordyna_core.errors import UserError


def test_due_is_declared_in_contract_2() -> None:
    server = TaskServer("sales", owner="team-sales")
    server.task(cron="0 5 * * *", due="07:00")(load)
    (task,) = server.declaration.tasks
    assert (task.due, server.declaration.contract) == ("07:00", "2")


@pytest.mark.parametrize(
    ("options", "why", "next_step"),
    [
        ({"cron": "0 5 * * *", "due": "soon"}, "due='soon': ", "due='07:00', or a time after it"),
        ({"due": "07:00"}, "due needs cron", "due='07:00', or a time after it"),
    ],
)
def test_wrong_due_is_refused(options: dict[str, str], why: str, next_step: str) -> None:
    with pytest.raises(UserError) as refused:
        TaskServer("sales").task(**options)(load)  # type: ignore[call-overload]
    assert why in refused.value.why
    assert next_step in refused.value.next


def load() -> None:
    """Does nothing."""
