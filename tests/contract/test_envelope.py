"""The envelope: the sender, the message, and the problems of an event that cannot be read."""

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
from cordyna_core.contract.time import EARLIEST, LATEST, rfc3339, utc

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
    """An event that a person published, with only the required fields."""
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


def test_open_invocation_with_only_a_task_is_read() -> None:
    envelope = open_envelope(json.dumps(an_event()))

    assert envelope.message == InvokeTask(task="task-3")
    assert (envelope.source, envelope.id, envelope.sent_at) == ("cordyna.client", "e-1", AT)


def test_envelope_with_meta_has_its_id_and_time() -> None:
    meta = {"id": "m-1", "time": "2026-01-02T03:04:04.5Z"}
    envelope = open_envelope(json.dumps(an_event(detail={"task": "task-3", "meta": meta})))

    assert (envelope.id, envelope.event_id) == ("m-1", "e-1")
    assert envelope.sent_at == AT - timedelta(seconds=0.5)


@pytest.mark.parametrize(
    "meta", [{"id": "i" * 257}, {"id": ""}, {"cause": "c" * 257}, {"producer": {"name": "p" * 257}}]
)
def test_open_id_too_long_is_malformed(meta: dict[str, Any]) -> None:
    ((code, _),) = problems(json.dumps(an_event(detail={"task": "task-3", "meta": meta})))
    assert code == "malformed_detail"


def test_open_thousand_errors_lists_a_hundred() -> None:
    listed = problems(
        json.dumps(
            an_event(detail={"task": "task-3", "labels": {f"{n}" * 1000: n for n in range(1000)}})
        )
    )
    assert listed[-1] == ("more", "and 900 more problems of these kinds")
    assert sum(len(message) for _, message in listed) < 100 * 400


def test_envelope_with_empty_meta_has_the_events_id_and_time() -> None:
    envelope = open_envelope(
        json.dumps(an_event(detail={"task": "task-3", "meta": {"cause": "c"}}))
    )

    assert (envelope.id, envelope.sent_at) == ("e-1", AT)


@given(JSON, st.text(min_size=1), st.text())
def test_seal_then_open_gives_the_same_message(output: Any, event_id: str, source: str) -> None:
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


def test_seal_gives_one_line() -> None:
    assert "\n" not in seal(InvokeTask(task="t", params={"a": "x\ny"}), "cordyna.client", "e\n", AT)


def test_detail_json_leaves_out_none_except_in_outputs() -> None:
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
def test_open_not_an_event_is_malformed(text: str | bytes) -> None:
    assert {code for code, _ in problems(text)} == {"malformed_event"}


@pytest.mark.parametrize("field", ["id", "source", "detail-type", "time", "detail"])
def test_open_event_with_missing_field_is_malformed(field: str) -> None:
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
def test_open_event_with_wrong_type_is_malformed(wrong: dict[str, Any]) -> None:
    ((code, message),) = problems(json.dumps(an_event(**wrong)))

    assert code == "malformed_event"
    assert message.startswith(f"{next(iter(wrong))}: ")


def test_open_unknown_detail_type_lists_the_known() -> None:
    ((code, message),) = problems(json.dumps(an_event(**{"detail-type": "StartJob"})))

    assert code == "unknown_detail_type"
    assert message.startswith("unknown detail-type 'StartJob': use one of InvokeTask, CancelRun, ")


def test_open_detail_with_errors_lists_all() -> None:
    listed = problems(json.dumps(an_event(detail={"task": "no spaces", "max_age_s": -1})))

    assert [code for code, _ in listed] == ["malformed_detail"] * 2
    assert [message.partition(":")[0] for _, message in listed] == ["task", "max_age_s"]


def test_malformed_event_text_has_all_problems() -> None:
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
        ("ServerDeclared", {"contract": "3"}),
        ("ServerDeclared", {"tasks": [{"name": "t", "cron": "often"}]}),
        ("ServerDeclared", {"tasks": [{"name": "t", "timezone": "Mars/Base"}]}),
        ("ServerDeclared", {"tasks": [{"name": "t", "retries": 21}]}),
        ("ServerDeclared", {"tasks": [{"name": "t", "run_timeout_s": 0}]}),
        ("ServerDeclared", {"tasks": [{"name": "t", "upstream": [{"task": "u", "within": 3}]}]}),
        ("ServerStateChanged", {"state": "asleep"}),
        ("DescribeServer", {"server": "**"}),
    ],
)
def test_open_detail_out_of_bounds_is_malformed(name: str, change: dict[str, Any]) -> None:
    event = golden(name)
    event["detail"] |= change

    found = problems(json.dumps(event))

    assert {code for code, _ in found} == {"malformed_detail"}
    # The words of the library that finds them are not ours.
    assert not any("Value error" in message for _, message in found)


def test_open_raw_reads_the_detail() -> None:
    raw = RawEnvelope.model_validate(an_event())

    assert open_raw(raw) == open_envelope(json.dumps(an_event()))


def test_retry_run_from_is_from_on_the_wire() -> None:
    message = RetryRun(run_id=RUN, from_=["task-1"])

    assert json.loads(detail_json(message)) == {
        "run_id": RUN,
        "from": ["task-1"],
        "downstream": False,
    }
    assert RetryRun.model_validate({"run_id": RUN, "from": ["task-1"]}) == message


def test_time_is_written_in_utc_with_milliseconds() -> None:
    assert rfc3339(AT) == "2026-01-02T03:04:05.000Z"
    assert rfc3339(AT.replace(microsecond=120_000)) == "2026-01-02T03:04:05.120Z"
    assert rfc3339(AT.replace(microsecond=7)) == "2026-01-02T03:04:05.000007Z"
    assert rfc3339(AT.astimezone(timezone(timedelta(hours=2)))) == "2026-01-02T03:04:05.000Z"


@given(
    st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(UTC))
)
def test_time_written_then_read_is_the_same(time: datetime) -> None:
    message = InvokeTask(task="t", scheduled_at=time)

    assert InvokeTask.model_validate_json(detail_json(message)) == message


def test_meta_at_has_whole_milliseconds() -> None:
    meta = meta_at(1_790_000_000.1239, "m-1", cause="c-1")

    assert (meta.id, meta.cause) == ("m-1", "c-1")
    assert meta.time == utc(1_790_000_000.123)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("[" * 5_000 + "]" * 5_000, "params: it is nested deeper than 100 levels: flatten it"),
        ('"\\ud83d"', "params: a text is not valid Unicode: "),
        ("9" * 5_000, "params: NaN and infinity are not JSON (at x): use null or a text"),
    ],
    ids=["deep", "half a character", "long number"],
)
def test_open_text_no_parser_reads_names_the_field(value: str, why: str) -> None:
    text = json.dumps(an_event(detail={"task": "t", "params": {"x": "?"}})).replace('"?"', value)
    with pytest.raises(MalformedEvent) as malformed:
        open_envelope(text)
    (strict, of_field) = malformed.value.problems
    assert (strict.code, of_field.code) == ("malformed_event", "malformed_detail")
    assert strict.message.startswith("the event: Invalid JSON: ")
    assert of_field.message.startswith(why)
    assert malformed.value.raw is not None


@pytest.mark.parametrize("detail", ['{"task":"t"}', None, ["t"], 7])
def test_open_event_whose_detail_is_no_object_keeps_its_sender(detail: Any) -> None:
    with pytest.raises(MalformedEvent, match=r"^detail: Input should be an object$") as malformed:
        open_envelope(json.dumps(an_event(detail=detail)))
    raw = malformed.value.raw
    assert raw is not None
    assert (raw.id, raw.source, raw.detail) == (an_event()["id"], an_event()["source"], {})
