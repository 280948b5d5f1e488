"""The envelope: who said what, and what is said of an event that cannot be read."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.golden_messages import golden
from cordyna_core.contract.base import Meta, meta_at
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.envelope import (
    MalformedEvent,
    RawEnvelope,
    detail_json,
    open_envelope,
    open_raw,
    seal,
)
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import rfc3339, utc

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = derived_id("run")

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def an_event(**other: Any) -> dict[str, Any]:
    """An event as EventBridge delivers one that a person put there with the least that must be typed."""
    event = {
        "version": "0",
        "id": "e-1",
        "source": "cordyna.client",
        "detail-type": "InvokeTask",
        "detail": {"task": "task-3"},
    }
    return (
        event
        | {
            "account": "123456789012",
            "time": "2026-01-02T03:04:05Z",
            "region": "eu-central-1",
            "resources": [],
        }
        | other
    )


def problems(text: str | bytes) -> list[tuple[str, str]]:
    with pytest.raises(MalformedEvent) as malformed:
        open_envelope(text)
    return [(problem.code, problem.message) for problem in malformed.value.problems]


def test_a_person_need_only_type_the_tasks_name() -> None:
    envelope = open_envelope(json.dumps(an_event()))

    assert envelope.message == InvokeTask(task="task-3")
    assert (envelope.source, envelope.id, envelope.said_at) == ("cordyna.client", "e-1", AT)


def test_a_message_with_meta_goes_by_its_own_id_and_its_own_time() -> None:
    meta = {"id": "m-1", "time": "2026-01-02T03:04:04.5Z"}
    envelope = open_envelope(json.dumps(an_event(detail={"task": "task-3", "meta": meta})))

    assert (envelope.id, envelope.event_id) == ("m-1", "e-1")
    assert envelope.said_at == AT - timedelta(seconds=0.5)


@pytest.mark.parametrize(
    "meta", [{"id": "i" * 257}, {"id": ""}, {"cause": "c" * 257}, {"producer": {"name": "p" * 257}}]
)
def test_what_is_kept_beside_every_fact_is_no_longer_than_a_name(meta: dict[str, Any]) -> None:
    ((code, _),) = problems(json.dumps(an_event(detail={"task": "task-3", "meta": meta})))
    assert code == "malformed_detail"


def test_who_makes_the_same_mistake_a_thousand_times_is_not_told_a_thousand_times() -> None:
    told = problems(
        json.dumps(
            an_event(detail={"task": "task-3", "labels": {f"{n}" * 1000: n for n in range(1000)}})
        )
    )
    assert told[-1] == ("more", "and 900 more problems of these kinds")
    assert sum(len(message) for _, message in told) < 100 * 400


def test_a_message_whose_meta_says_neither_goes_by_the_events() -> None:
    envelope = open_envelope(
        json.dumps(an_event(detail={"task": "task-3", "meta": {"cause": "c"}}))
    )

    assert (envelope.id, envelope.said_at) == ("e-1", AT)


@given(JSON, st.text(min_size=1), st.text())
def test_what_was_sealed_opens_as_it_was(output: Any, event_id: str, source: str) -> None:
    message = TaskStateChanged(
        server="a",
        run_id=RUN,
        task="t",
        attempt=1,
        state="completed",
        output=output,
        meta=Meta(time=AT),
    )

    envelope = open_envelope(seal(message, source, event_id, AT))

    assert envelope.message == message
    assert (envelope.source, envelope.event_id, envelope.time) == (source, event_id, AT)


def test_a_sealed_event_is_one_line() -> None:
    assert "\n" not in seal(InvokeTask(task="t", params={"a": "x\ny"}), "cordyna.client", "e\n", AT)


def test_what_is_none_is_left_out_but_not_within_an_output() -> None:
    message = TaskStateChanged(
        server="a", run_id=RUN, task="t", attempt=1, state="completed", output={"rows": None}
    )

    assert json.loads(detail_json(message)) == {
        "server": "a",
        "run_id": RUN,
        "task": "t",
        "attempt": 1,
        "state": "completed",
        "output": {"rows": None},
    }


@pytest.mark.parametrize("text", ["", "nonsense", b"\xff\xfe", "[]", "null", '{"id": "e-1"'])
def test_what_is_no_event_is_malformed(text: str | bytes) -> None:
    assert {code for code, _ in problems(text)} == {"malformed_event"}


@pytest.mark.parametrize("field", ["id", "source", "detail-type", "time", "detail"])
def test_an_event_without_one_of_its_fields_is_malformed(field: str) -> None:
    event = an_event()
    del event[field]

    assert problems(json.dumps(event)) == [("malformed_event", f"{field}: Field required")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"time": "yesterday"},
        {"time": "2026-01-02T03:04:05"},
        {"detail": "{}"},
        {"source": None},
    ],
)
def test_an_event_with_a_field_of_the_wrong_kind_is_malformed(wrong: dict[str, Any]) -> None:
    ((code, message),) = problems(json.dumps(an_event(**wrong)))

    assert code == "malformed_event"
    assert message.startswith(f"{next(iter(wrong))}: ")


def test_an_unknown_detail_type_is_told_with_those_that_are_known() -> None:
    ((code, message),) = problems(json.dumps(an_event(**{"detail-type": "StartJob"})))

    assert code == "unknown_detail_type"
    assert message.startswith("unknown detail-type 'StartJob': use one of InvokeTask, CancelRun, ")


def test_every_fault_of_a_detail_is_told() -> None:
    found = problems(json.dumps(an_event(detail={"task": "no spaces", "max_age_s": -1})))

    assert [code for code, _ in found] == ["malformed_detail"] * 2
    assert [message.partition(":")[0] for _, message in found] == ["task", "max_age_s"]


def test_a_malformed_event_says_all_its_problems_in_one_line() -> None:
    with pytest.raises(MalformedEvent, match=r"^id: Field required; source: Field required"):
        open_envelope("{}")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("TaskStateChanged", {"state": "running"}),
        ("TaskStateChanged", {"attempt": 0}),
        ("TaskStateChanged", {"run_id": "ILOU0000000000000000000000"}),
        ("TaskStateChanged", {"progress": 1.5}),
        ("RunTask", {"ack_by": "2026-01-02T03:04:05"}),
        ("RunTask", {"server": ""}),
        ("ServerDeclared", {"contract": "2"}),
        ("ServerDeclared", {"tasks": [{"name": "t", "cron": "often"}]}),
        ("ServerDeclared", {"tasks": [{"name": "t", "timezone": "Mars/Base"}]}),
        ("ServerDeclared", {"tasks": [{"name": "t", "retries": 21}]}),
        ("ServerDeclared", {"tasks": [{"name": "t", "run_timeout_s": 0}]}),
        ("ServerDeclared", {"tasks": [{"name": "t", "upstream": [{"task": "u", "within": 3}]}]}),
        ("ServerStateChanged", {"state": "asleep"}),
        ("DescribeServer", {"server": "**"}),
    ],
)
def test_a_detail_that_breaks_a_rule_is_malformed(name: str, change: dict[str, Any]) -> None:
    event = golden(name)
    event["detail"] |= change

    assert {code for code, _ in problems(json.dumps(event))} == {"malformed_detail"}


def test_an_event_that_was_read_already_is_opened_without_its_text() -> None:
    raw = RawEnvelope.model_validate(an_event())

    assert open_raw(raw) == open_envelope(json.dumps(an_event()))


def test_from_is_called_from_on_the_wire_and_from__in_python() -> None:
    message = RetryRun(run_id=RUN, from_=["task-1"])

    assert json.loads(detail_json(message)) == {"run_id": RUN, "from": ["task-1"]}
    assert RetryRun.model_validate({"run_id": RUN, "from": ["task-1"]}) == message


def test_a_time_is_written_in_utc_with_milliseconds_or_more() -> None:
    assert rfc3339(AT) == "2026-01-02T03:04:05.000Z"
    assert rfc3339(AT.replace(microsecond=120_000)) == "2026-01-02T03:04:05.120Z"
    assert rfc3339(AT.replace(microsecond=7)) == "2026-01-02T03:04:05.000007Z"
    assert rfc3339(AT.astimezone(timezone(timedelta(hours=2)))) == "2026-01-02T03:04:05.000Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_read_as_it_was_written(time: datetime) -> None:
    message = InvokeTask(task="t", scheduled_at=time)

    assert InvokeTask.model_validate_json(detail_json(message)) == message


def test_meta_made_now_carries_milliseconds() -> None:
    meta = meta_at(1_790_000_000.1239, "m-1", cause="c-1")

    assert (meta.id, meta.cause) == ("m-1", "c-1")
    assert meta.time == utc(1_790_000_000.123)
