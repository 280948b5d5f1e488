"""consumers, invokers, deprecated and until, as a team writes them."""

import pytest

from cordyna_core import TaskServer, UserError


def test_access_options_are_declared_in_contract_2() -> None:
    server = TaskServer("a")

    @server.task(
        consumers=("b", "reporting.*"),
        invokers=["client.ci"],
        deprecated="use orders-v2",
        until="2027-03-01",
    )
    def orders() -> None: ...

    declared = server.declaration.model_dump(mode="json", exclude_defaults=True)
    assert declared["contract"] == "2"
    assert declared["tasks"] == [
        {
            "name": "orders",
            "consumers": ["b", "reporting.*"],
            "invokers": ["client.ci"],
            "deprecated": "use orders-v2",
            "until": "2027-03-01",
        }
    ]


def test_empty_list_of_consumers_is_declared() -> None:
    server = TaskServer("a")
    server.task(name="x", consumers=[])(lambda: None)
    assert server.declaration.tasks[0].consumers == []


@pytest.mark.parametrize(
    ("options", "message", "next_step"),
    [
        ({"consumers": "b"}, "consumers='b': ", "give a list of servers"),
        ({"consumers": ["*b"]}, "consumers='*b': ", "the beginning of names followed by `*`"),
        ({"invokers": [5]}, "invokers=5: ", "clients as `client.<name>`"),
        ({"deprecated": ""}, "deprecated='': ", "say what to use instead"),
        ({"deprecated": "x", "until": "soon"}, "until='soon': ", "give a day"),
        ({"until": "2027-03-01"}, "until needs deprecated", "give a day"),
    ],
)
def test_wrong_access_option_is_refused(
    options: dict[str, object], message: str, next_step: str
) -> None:
    server = TaskServer("a")
    with pytest.raises(UserError) as refused:
        server.task(name="x", **options)(lambda: None)  # type: ignore[call-overload]
    assert message in refused.value.why
    assert next_step in refused.value.next
