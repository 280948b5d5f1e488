"""Output as text in pieces: exact, folded, capped."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.worker.host.output_capture import LINE_BYTES_MAX, AttemptOutput


class Recorded:
    """An AttemptOutput, and what it emitted."""

    def __init__(self, head_bytes: int = 1 << 30, tail_bytes: int = 1 << 20) -> None:
        self.pieces: list[tuple[str, str]] = []
        self.cuts: list[int] = []
        self.output = AttemptOutput(
            lambda stream, text: self.pieces.append((stream, text)),
            self.cuts.append,
            head_bytes=head_bytes,
            tail_bytes=tail_bytes,
        )

    def text(self, stream: str = "stdout") -> str:
        return "".join(text for name, text in self.pieces if name == stream)


def _feed(recorded: Recorded, *pieces: bytes) -> str:
    for piece in pieces:
        recorded.output.feed("stdout", piece)
    recorded.output.close()
    return recorded.text()


def _folded(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(alphabet="ab\r\né€😀"))))
def test_text_is_exact_however_it_is_cut(writes: list[tuple[str, str]]) -> None:
    recorded = Recorded()
    whole: dict[str, bytes] = defaultdict(bytes)
    for stream, text in writes:
        for byte in text.encode():
            recorded.output.feed(stream, bytes([byte]))
        whole[stream] += text.encode()
    recorded.output.close()

    for stream, data in whole.items():
        assert recorded.text(stream) == _folded(data.decode())


@given(st.binary(max_size=300), st.integers(1, 50))
def test_bytes_that_are_no_text_are_escaped(data: bytes, size: int) -> None:
    data = data.replace(b"\r", b"")
    pieces = [data[i : i + size] for i in range(0, len(data), size)]

    assert _feed(Recorded(), *pieces) == data.decode("utf-8", "backslashreplace")


def test_whole_lines_are_emitted_at_once() -> None:
    recorded = Recorded()
    recorded.output.feed("stdout", b"one\ntwo\nthr")

    assert recorded.pieces == [("stdout", "one\ntwo\n")]


def test_progress_bar_keeps_its_last_state() -> None:
    bar = [f"\r{n:3d}%".encode() for n in range(101)]

    assert _feed(Recorded(), *bar, b"\n", b"done\r\n") == "100%\ndone\n"


def test_endless_line_is_emitted_in_whole_characters() -> None:
    recorded = Recorded()
    text = "€" * LINE_BYTES_MAX

    assert (
        _feed(recorded, *[text.encode()[i : i + 1000] for i in range(0, 3 * len(text), 1000)])
        == text
    )
    assert all(len(piece.encode()) <= LINE_BYTES_MAX + 1000 for _, piece in recorded.pieces)


@given(st.integers(0, 3000), st.integers(1, 200), st.integers(1, 200), st.integers(1, 40))
def test_head_and_tail_are_kept_and_the_rest_counted(
    lines: int, head: int, tail: int, width: int
) -> None:
    recorded = Recorded(head_bytes=head, tail_bytes=tail)
    data = b"".join(b"%0*d\n" % (width, number) for number in range(lines))
    text = _feed(recorded, data).encode()
    cut = recorded.cuts[-1] if recorded.cuts else 0

    assert len(text) + cut == len(data)
    assert len(text) <= head + tail
    if cut:
        kept_head = next(n for n in range(head, -1, -1) if text.startswith(data[:n]))
        assert data.endswith(text[kept_head:])
    else:
        assert text == data


def test_cut_is_reported_while_it_grows() -> None:
    recorded = Recorded(head_bytes=10, tail_bytes=10)
    recorded.output.report()
    recorded.output.feed("stdout", b"123456789\n" * 4)
    recorded.output.report()
    recorded.output.report()

    assert recorded.cuts == [20]


def test_last_lines_of_stderr_are_at_hand() -> None:
    recorded = Recorded()
    recorded.output.feed("stderr", b"".join(b"line %d\n" % n for n in range(100)))
    recorded.output.feed("stderr", b"not ended")

    assert recorded.output.last_stderr_lines().splitlines()[-2:] == ["line 99", "not ended"]
    assert len(recorded.output.last_stderr_lines().splitlines()) == 20


def test_many_bytes_without_newline_take_linear_time() -> None:
    recorded = Recorded()
    for _ in range(20_000):
        recorded.output.feed("stdout", b"." * 50)
    recorded.output.close()

    assert recorded.text() == "." * 1_000_000
    assert len(recorded.pieces) < 20
