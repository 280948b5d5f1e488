"""The channel between host, templates and bodies: what a full socket does not take waits."""

import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from cordyna_core.worker.host.channel import Channel
from cordyna_core.worker.host.loop import Loop
from cordyna_core.worker.protocol import Oversized

LARGE = b"x" * 1_000_000
"""More than the buffers of a socket."""


@dataclass
class Pair:
    """A channel, and the other end of its socket."""

    loop: Loop
    peer: socket.socket
    channel: Channel
    lines: list[bytes | Oversized | str] = field(default_factory=list)

    def take(self, count: int) -> bytes:
        """Read so many bytes at the other end, while the loop sends them."""
        taken = bytearray()
        while len(taken) < count:
            self.loop.timers.after(0, lambda: None)  # so that a turn does not wait
            self.loop.turn()
            try:
                taken += self.peer.recv(count - len(taken))
            except BlockingIOError:
                continue
        return bytes(taken)

    def read(self) -> None:
        self.channel.drain()


@pytest.fixture
def pair() -> Iterator[Pair]:
    loop = Loop()
    ours, peer = socket.socketpair()
    peer.setblocking(False)  # noqa: FBT003
    lines: list[bytes | Oversized | str] = []
    channel = Channel(loop, ours, lines.append, lambda: lines.append("end"))
    yield Pair(loop, peer, channel, lines)
    channel.close()
    peer.close()
    loop.close()


def is_pipe(fd: int) -> bool:
    """Whether a pipe still has this number; another file may have it by now."""
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


def test_large_message_arrives_whole_with_its_descriptors(pair: Pair) -> None:
    reading, writing = os.pipe()
    pair.channel.send(LARGE, [writing])
    assert not is_pipe(writing), "it is closed here once it was sent"
    data, fds, _, _ = socket.recv_fds(pair.peer, 10, 4)
    assert data + pair.take(len(LARGE) - len(data)) == LARGE

    assert len(fds) == 1
    os.write(fds[0], b"through it")
    assert os.read(reading, 20) == b"through it"
    for fd in (reading, *fds):
        os.close(fd)


def test_messages_behind_a_large_one_keep_their_order(pair: Pair) -> None:
    pair.channel.send(LARGE)
    reading, writing = os.pipe()
    pair.channel.send(b"second\n", [writing])
    pair.channel.send(b"third\n")
    assert is_pipe(writing), "its message waits"

    assert pair.take(len(LARGE)) == LARGE
    assert pair.take(13) == b"second\nthird\n"
    assert not is_pipe(writing)
    os.close(reading)


def test_what_waits_is_counted_until_it_is_taken(pair: Pair) -> None:
    drained: list[int] = []
    pair.channel.on_drained = lambda: drained.append(pair.channel.waiting_bytes)
    pair.channel.send(b"small\n")
    assert pair.channel.waiting_bytes == 0
    pair.channel.send(LARGE)
    waiting = pair.channel.waiting_bytes
    assert 0 < waiting < len(LARGE)
    pair.channel.send(b"behind\n")
    assert pair.channel.waiting_bytes == waiting + 7

    pair.take(6 + len(LARGE) + 7)
    assert pair.channel.waiting_bytes == 0
    assert drained == sorted(drained, reverse=True)
    assert drained[-1] == 0


def test_closed_channel_sends_nothing_and_closes_descriptors(pair: Pair) -> None:
    pair.channel.send(LARGE)
    fds = [*os.pipe(), *os.pipe()]
    pair.channel.send(b"waits\n", fds[:2])
    pair.channel.close()
    pair.channel.send(b"late\n", fds[2:])
    assert not any(map(is_pipe, fds))
    assert pair.channel.waiting_bytes == 0


def test_channel_that_is_closed_by_a_line_calls_back_no_more(pair: Pair) -> None:
    def close(line: bytes | Oversized) -> None:
        pair.lines.append(line)
        pair.channel.close()

    pair.channel.on_line = close
    pair.peer.send(b"one\ntwo\nthree\n")
    pair.read()
    assert pair.lines == [b"one"]


def test_end_of_the_peer_is_read_behind_its_lines(pair: Pair) -> None:
    pair.peer.send(b"last\nunfinished")
    pair.peer.close()
    pair.channel.send(b"to an end that is closed\n")
    pair.read()
    assert pair.lines == [b"last", "end"]


def test_paused_channel_leaves_lines_with_the_sender(pair: Pair) -> None:
    pair.channel.pause_reading()
    pair.peer.send(b"one\n")
    pair.loop.timers.after(0, lambda: None)
    pair.loop.turn()
    assert pair.lines == []
    pair.channel.resume_reading()
    pair.loop.turn()
    assert pair.lines == [b"one"]
