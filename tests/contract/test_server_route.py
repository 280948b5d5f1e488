"""A server's route: what reaches a task server."""

from cordyna_core.contract.server_route import event_pattern


def test_a_server_hears_from_cerebro_what_names_it_or_everybody() -> None:
    assert event_pattern("task-server-a") == {
        "source": ["cordyna.cerebro"],
        "detail-type": ["RunTask", "CancelTask", "DescribeServer"],
        "detail": {"server": ["task-server-a", "*"]},
    }
