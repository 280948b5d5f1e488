"""Frames, and the streams that carry them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.contract import ids
from cordyna_core.contract.limits import MAX_JSON_DEPTH
from cordyna_core.contract.time import rfc3339, utc
from cordyna_core.worker import message_ids
from cordyna_core.worker.pool.events import StateUpdate, events_from
from cordyna_core.worker.protocol import (
    MAX_NESTING,
    BadFrame,
    Frame,
    LineSplitter,
    Oversized,
    StdoutSplitter,
    frame_bytes,
    frame_from_json,
    key_of,
    parse_frame,
)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"hello", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"detail-type":"X"}', "no detail-type"),
        (b'{"detail-type":1,"detail":{}}', "no detail-type"),
        (b'{"detail-type":"X","detail":{"output":NaN}}', "NaN is not a JSON number"),
        (b'{"detail-type":"X","detail":{"output":%b}}' % (b"9" * 5000), "not JSON"),
        (b'{"detail-type":"X","detail":{"output":"\xff"}}', "not JSON"),
        (b'{"detail-type":"X","detail":{"output":' + b"[" * 2000 + b"]" * 2000 + b"}}", "nested"),
    ],
)
def test_bad_frame_says_why(line: bytes, why: str) -> None:
    with pytest.raises(BadFrame, match=why):
        parse_frame(line)


def test_nesting_inside_strings_does_not_count() -> None:
    text = '\\"' + "[{" * MAX_NESTING
    line = frame_bytes("X", {"output": text})

    assert parse_frame(line).detail["output"] == text


def test_nesting_up_to_the_limit_is_read() -> None:
    value: list[object] = []
    for _ in range(MAX_NESTING - 3):
        value = [value]

    assert parse_frame(frame_bytes("X", {"output": value})).detail["output"] == value


def test_fields_beside_the_detail_are_kept() -> None:
    frame = parse_frame(frame_from_json("X", '{"a":1}', unclean="threads"))

    assert (frame.detail, frame.fields) == ({"a": 1}, {"unclean": "threads"})


@pytest.mark.parametrize("detail", [{}, {"run_id": "r", "task": "t", "attempt": True}])
def test_detail_without_an_attempt_has_no_key(detail: dict[str, object]) -> None:
    assert key_of(detail) is None


@given(st.lists(st.binary(max_size=30)), st.data())
def test_lines_do_not_depend_on_how_they_arrive(lines: list[bytes], data: st.DataObject) -> None:
    lines = [line.replace(b"\n", b"") for line in lines]
    stream = b"".join(line + b"\n" for line in lines)
    splitter = LineSplitter(limit=20)

    found = [line for piece in _pieces(stream, data) for line in splitter.feed(piece)]

    assert found == [line if len(line) <= 20 else Oversized(line[:256]) for line in lines] or [
        line if isinstance(line, bytes) else "long" for line in found
    ] == [line if len(line) <= 20 else "long" for line in lines]


@given(
    st.lists(st.sampled_from([b"text\n", b"{text\n", b"no newline", b"\r\n", b"{", b"\xff\n"])),
    st.data(),
)
def test_output_between_frames_is_exact(parts: list[bytes], data: st.DataObject) -> None:
    frame = b'{"detail-type":"X","detail":{}}\n'
    stream = b"".join(part + (b"\n" + frame if i % 2 else b"") for i, part in enumerate(parts))
    splitter = StdoutSplitter()

    items = [item for piece in _pieces(stream, data) for item in splitter.feed(piece)]

    frames = [item for item in items if isinstance(item, Frame)]
    output = b"".join(item for item in items if isinstance(item, bytes)) + splitter.end()
    assert len(frames) == len(parts) // 2
    assert output == stream.replace(frame, b"")


@pytest.mark.parametrize("reads", [[b"\xef\xbb\xbf%b"], [b"\xef\xbb\xbf", b"%b"]])
def test_first_frame_may_have_a_byte_order_mark(reads: list[bytes]) -> None:
    splitter, line = StdoutSplitter(), b'{"detail-type":"X","detail":{}}\n'

    items = [item for data in reads for item in splitter.feed(data.replace(b"%b", line))]

    assert [type(item) for item in items] == [Frame]


def test_line_that_looks_like_a_frame_but_is_not_is_bad() -> None:
    (item,) = StdoutSplitter().feed(b'{"detail-type":"X","detail":}\n')

    assert isinstance(item, BadFrame)


def test_frame_longer_than_the_limit_is_oversized() -> None:
    splitter = StdoutSplitter(limit=100)
    long = frame_bytes("X", {"output": "y" * 200})

    (whole,) = splitter.feed(long)
    assert isinstance(whole, Oversized)
    first, rest = splitter.feed(long[:150]), splitter.feed(long[150:])
    assert isinstance(first[0], Oversized)
    assert rest == [long[150:]]


def test_long_line_that_is_no_frame_is_output() -> None:
    splitter = StdoutSplitter(limit=100)
    line = b"{" + b"y" * 200 + b"\n"

    assert b"".join(i for i in splitter.feed(line) if isinstance(i, bytes)) == line


@given(st.lists(st.text() | st.integers(), min_size=1))
def test_message_ids_are_those_of_the_contract(parts: list[str | int]) -> None:
    try:
        expected = ids.derived_id(*parts)
    except UnicodeEncodeError:
        return
    assert message_ids.derived_id(*parts) == expected


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_times_are_written_as_the_contract_writes_them(milliseconds: int) -> None:
    seconds = milliseconds / 1000

    assert message_ids.rfc3339(seconds)[:19] == rfc3339(utc(int(seconds)))[:19]
    assert len(message_ids.rfc3339(seconds)) == 24


def test_frame_is_one_line() -> None:
    line = frame_bytes("X", {"text": "a\nb"})

    assert line.count(b"\n") == 1
    assert json.loads(line)["detail"] == {"text": "a\nb"}


def _pieces(stream: bytes, data: st.DataObject) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) if b > a]


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH, MAX_JSON_DEPTH + 1, MAX_NESTING + 1, 2000])
def test_output_is_accepted_to_the_depth_of_the_contract(depth: int) -> None:
    """What the contract accepts can be sent in a frame, and nothing deeper is completed."""
    output = "[" * depth + "]" * depth
    detail = f'{{"server":"s","run_id":"{"0" * 26}","task":"t","attempt":1,"state":"completed"'
    line = f'{{"detail-type":"TaskStateChanged","detail":{detail},"output":{output}}}}}'.encode()
    try:
        frame = parse_frame(line)
    except BadFrame:
        assert depth + 2 > MAX_NESTING
        return
    *_, update = events_from({"event": "state", "frame": {"detail": frame.detail}})
    assert isinstance(update, StateUpdate)
    assert update.is_final
    assert (update.message.state == "completed") == (depth <= MAX_JSON_DEPTH)
