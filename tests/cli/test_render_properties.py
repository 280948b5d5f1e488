"""Random runs at every width: lines fit, and no word is broken that a wider screen shows whole."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from cli.run_builders import a_run, a_task, at
from cordyna_cli.render.run.outcome import outcome_lines
from cordyna_cli.render.run.progress import attention_list, live_picture
from cordyna_cli.render.run.timeline import timeline_chart
from cordyna_cli.render.run.tree import tree
from cordyna_cli.render.run.why import why_lines
from cordyna_cli.wording.foreign_text import UNPRINTABLE
from cordyna_cli.wording.why import why_run
from cordyna_core.contract.views.runs import RunView, TaskView

NOW = at(10)
NAME = st.text(st.sampled_from("abcxyz019-_."), min_size=1, max_size=16).map("n".__add__)
TEXT = st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace").decode())
ENTRIES = (
    "",
    "dispatched@1",
    "dispatched@1 queued@2",
    "dispatched@1 started@2",
    "dispatched@1 started@2 completed@3",
    "completed:reused@1",
    "dispatched@1 started@2 retry_wait@3",
    "dispatched@1 started@2 error:failed@3",
    "dispatched@1 error:ack_timeout@3",
    "dispatched@1 error:cancelled@3",
)


@st.composite
def runs(draw: st.DrawFn) -> RunView:
    """A run of up to 12 tasks, each with any state, any upstreams before it, and any text."""
    names = draw(st.lists(NAME, min_size=1, max_size=12, unique=True))
    tasks: list[TaskView] = []
    for index, name in enumerate(names):
        entries = draw(st.sampled_from(ENTRIES))
        upstream = draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        more: dict[str, Any] = {}
        if "error:failed" in entries or "retry_wait" in entries:
            more["error"] = {"type": "ValueError", "message": draw(TEXT)}
        if entries.endswith("started@2"):
            more |= {"progress": draw(st.floats(0, 1)), "message": draw(TEXT)}
        server = draw(st.sampled_from(["sales", "task-server-b"]))
        owner = draw(st.none() | TEXT)
        tasks.append(a_task(name, " ".join(upstream), entries, server=server, owner=owner, **more))
    state = draw(st.sampled_from(["running", "failing", "completed", "error"]))
    return a_run(*tasks, state=state, cancelled=draw(st.booleans()))


def renderings(view: RunView, width: int) -> list[list[Text]]:
    return [
        tree(view, NOW, width),
        tree(view, NOW, width, whole=False),
        live_picture(view, NOW, width, 100),
        attention_list(view, NOW, width, 10),
        outcome_lines(view, NOW, width),
        why_lines(view, why_run(view, NOW), width),
    ]


def words(lines: list[Text]) -> set[str]:
    """The words of a text, and each wide character by itself, because it may begin a line."""
    text = " ".join(line.plain for line in lines)
    apart = "".join(f" {sign} " if Text(sign).cell_len == 2 else sign for sign in text)
    return {word.strip("…,;:") for word in apart.split()} - {"", "│", "·"}


@settings(max_examples=150)
@given(view=runs(), width=st.integers(80, 200))
def test_renderings_of_random_runs_keep_words_whole(view: RunView, width: int) -> None:
    for narrow, wide in zip(renderings(view, width), renderings(view, 10_000), strict=True):
        assert words(narrow) - words(wide) <= _wider_than_a_line(wide, width)


def _wider_than_a_line(lines: list[Text], width: int) -> set[str]:
    """Parts of words that no line can hold whole."""
    long = [word for word in words(lines) if Text(word).cell_len > width - 8]
    return {
        word[start:end]
        for word in long
        for start in range(len(word))
        for end in range(start + 1, len(word) + 1)
    }


@settings(max_examples=150)
@given(view=runs(), width=st.integers(20, 200))
def test_renderings_of_random_runs_fit_and_are_printable(view: RunView, width: int) -> None:
    for lines in renderings(view, width):
        for line in lines:
            is_command = "dyna " in line.plain
            assert is_command or line.cell_len <= width
            assert not UNPRINTABLE.search(line.plain)


@given(view=runs(), width=st.integers(60, 200))
def test_timeline_of_random_run_fits(view: RunView, width: int) -> None:
    assert all(line.cell_len <= width for line in timeline_chart(view, NOW, width))
