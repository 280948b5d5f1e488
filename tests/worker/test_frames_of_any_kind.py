"""Frames of any kind: whatever a worker sends, neither its host nor the engine ends by it."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.worker.pool.events import AttemptEnded, DeadLetter, LoadFailed, StateUpdate
from worker.fake_server import KEY, Server

KINDS: Final = (
    "ServerDeclared", "TaskStateChanged", "AttemptSkipped", "TaskLogged", "InvokeTask",
    "CancelRun", "RetryRun", "WorkerReady", "WorkerChecked", "LoadFailed", "RunTask", "",
)  # fmt: skip
NAMES: Final = (
    "server", "run_id", "task", "attempt", "state", "reason", "error", "output", "progress",
    "message", "meta", "text", "mode", "tasks", "contract", "revision", "key", "unclean",
)  # fmt: skip
WORDS = st.sampled_from(
    ["s", "0" * 26, "a", "started", "completed", "error", "failed", "\ud800", ""]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats() | WORDS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(), inner),
    max_leaves=5,
)
DETAILS = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6)
OWN_DETAILS = st.builds(lambda detail, own: {**own, **detail}, DETAILS, st.just(KEY._asdict()))
FIELDS = st.dictionaries(st.sampled_from(["concurrency", "unclean", "is_checked"]), JSON)


Sent = tuple[str, dict[str, Any], dict[str, Any]]
ANY = st.tuples(st.sampled_from(KINDS), DETAILS | OWN_DETAILS, FIELDS)
GOOD: Final[tuple[Sent, ...]] = (
    ("TaskStateChanged", {**KEY._asdict(), "state": "completed", "output": 1}, {}),
    ("TaskStateChanged", {**KEY._asdict(), "state": "started", "progress": 0.5}, {}),
    ("TaskStateChanged", {**KEY._asdict(), "state": "error", "error": {"type": "T"}}, {}),
    ("AttemptSkipped", dict(KEY._asdict()), {}),
    ("ServerDeclared", {"server": "s"}, {"concurrency": 2}),
)
ALMOST = st.builds(
    lambda good, name, value: (good[0], {**good[1], name: value}, good[2]),
    st.sampled_from(GOOD),
    st.sampled_from(NAMES),
    JSON,
)
"""A good frame with one field of any kind."""
FRAMES = st.lists(ALMOST | ANY, max_size=8)


@given(FRAMES)
def test_no_frame_of_a_loading_server_ends_its_host(frames: list[Sent]) -> None:
    server = Server()
    for kind, detail, fields in frames:
        server.send(kind, detail, **fields)
    server.services.loop.close()


@given(FRAMES, st.booleans())
def test_no_frame_of_an_attempt_ends_its_host(frames: list[Sent], cancelled: bool) -> None:  # noqa: FBT001
    server = Server()
    server.begin()
    if cancelled:
        server.worker.cancel(b"", 10.0)
    for kind, detail, fields in frames:
        server.send(kind, detail, **fields)
    server.services.loop.close()
    events = [event for event in server.link.events if getattr(event, "key", None) == KEY]
    finals = [event for event in events if isinstance(event, StateUpdate) and event.is_final]
    ends = [event for event in events if isinstance(event, AttemptEnded)]

    assert len(finals) <= 1
    assert len(ends) <= 1
    assert not (ends and not finals) or cancelled, "an attempt that has begun is answered"


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "8", [], {}])
def test_server_with_a_bad_concurrency_fails_to_load(concurrency: object) -> None:
    server = Server()
    server.send("ServerDeclared", {"server": "s"}, concurrency=concurrency)
    server.services.loop.close()

    (failed,) = [event for event in server.link.events if isinstance(event, LoadFailed)]
    assert "`concurrency` must be a whole number from 1 on, and is" in failed.error


@pytest.mark.parametrize("cancelled", [False, True])
def test_skipped_attempt_is_answered_unless_cancelled(*, cancelled: bool) -> None:
    server = Server()
    server.begin()
    if cancelled:
        server.worker.cancel(b"", 10.0)
    server.send("AttemptSkipped", dict(KEY._asdict()))
    server.services.loop.close()
    updates = [event.message for event in server.link.events if isinstance(event, StateUpdate)]

    if cancelled:
        assert [update.state for update in updates] == ["started"]
    else:
        assert [update.state for update in updates] == ["started", "error"]
        assert updates[1].reason == "failed"
        assert updates[1].error is not None
        assert updates[1].error.type == "AttemptSkipped"


def test_traceback_of_a_stopped_body_that_is_no_text_is_left_out() -> None:
    server = Server()
    server.begin()
    server.worker.cancel(b"", 10.0)
    error = {"type": "T", "message": "m", "retryable": True, "traceback": ["no", "text"]}
    server.send("TaskStateChanged", {**KEY._asdict(), "state": "error", "error": error})
    server.services.loop.close()
    updates = [event.message for event in server.link.events if isinstance(event, StateUpdate)]

    assert (updates[-1].state, updates[-1].reason) == ("error", "cancelled")


def test_state_in_the_name_of_another_server_is_a_dead_letter() -> None:
    server = Server()
    server.begin()
    before = len(server.link.events)
    server.send("TaskStateChanged", {**KEY._asdict(), "state": "completed", "server": "other"})

    assert [type(event) for event in server.link.events[before:]] == [DeadLetter]
    server.end()
    assert StateUpdate in map(type, server.link.events[before:])
    server.services.loop.close()
