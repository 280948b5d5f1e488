"""A server's route: what reaches a task server."""

from cordyna_core.contract.server_route import event_pattern


def test_event_pattern_names_the_server_and_all_servers() -> None:
    assert event_pattern("task-server-a") == {
        "source": ["cordyna.cerebro"],
        "detail-type": ["RunTask", "CancelTask", "DescribeServer"],
        "detail": {"server": ["task-server-a", "*"]},
    }
