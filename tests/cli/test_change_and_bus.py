"""dyna retry, cancel, send, dev: what changes something, and what listens."""

import json
from pathlib import Path

import pytest

from cli.fake_engine import FakeEngine, refused
from cli.run_builders import RUN, T0, completed_run, failed_run, wide_run
from cli.run_dyna import dyna, without_escapes
from cli.sample_messages import PASSED
from cordyna_cli.render.dev import DevLines
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.views.graph import ServerInfo
from cordyna_core.contract.views.runs import LogLine, RunView


def test_retry_sends_the_command_and_follows_the_run() -> None:
    engine = FakeEngine(views=[failed_run(), completed_run()])

    result = dyna("retry", RUN[:8], "--wait", "10m", engine=engine)

    assert engine.commands == [RetryRun(run_id=RUN)]
    assert (result.status, engine.waited) == (0, 600)


def test_retry_without_run_means_the_last_one() -> None:
    engine = FakeEngine(views=[failed_run(), completed_run()])

    assert dyna("retry", engine=engine).status == 0
    assert engine.commands == [RetryRun(run_id=RUN)]


def test_retry_downstream_names_tasks_to_run_again() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("retry", RUN, "--from", "task-1", "--downstream", engine=engine)

    assert engine.commands == [
        RetryRun.model_validate({"run_id": RUN, "from": ["task-1"], "downstream": True})
    ]


def test_retry_downstream_without_from_exits_with_2() -> None:
    result = dyna("retry", RUN, "--downstream", engine=FakeEngine(views=[completed_run()]))

    assert (result.status, result.err.splitlines()[0]) == (2, "error: --downstream needs --from.")


def test_retry_of_some_tasks_names_them() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("retry", RUN, "--from", "clean", "--from", "load", engine=engine)

    assert engine.commands[0].from_ == ["clean", "load"]


def test_detached_retry_prints_the_run() -> None:
    assert dyna("retry", RUN, "--detach", engine=FakeEngine(views=[failed_run()])).out == f"{RUN}\n"


def test_retry_json_is_the_run() -> None:
    assert (
        dyna("retry", RUN, "--json", engine=FakeEngine(views=[failed_run()])).json["state"]
        == "error"
    )


def test_refused_retry_exits_with_1() -> None:
    result = dyna(
        "retry",
        RUN,
        engine=FakeEngine(
            views=[completed_run()], refuses=refused("not_failed", "nothing in it failed")
        ),
    )

    assert (result.status, result.err) == (
        1,
        f"error: run {RUN} cannot be retried: nothing in it failed\n  next: dyna why {RUN}\n",
    )


@pytest.mark.parametrize("code", ["task_moved", "run_cancelled"])
def test_retry_of_run_that_cannot_continue_says_how_to_invoke(code: str) -> None:
    engine = FakeEngine(views=[completed_run()], refuses=refused(code, "it is over"))

    assert dyna("retry", RUN, engine=engine).err.endswith("\n  next: dyna do task-3 --new\n")


@pytest.mark.parametrize(
    ("code", "words", "following"),
    [
        ("nothing_failed", ["--from", "a"], f"dyna retry {RUN} --from a --downstream"),
        ("nothing_failed", [], f"dyna why {RUN}"),
        ("rerun_under_way", [], f"dyna watch {RUN}"),
        ("unknown_task", ["--from", "b"], f"dyna show {RUN} --all"),
    ],
)
def test_refused_retry_names_the_command_to_type(
    code: str, words: list[str], following: str
) -> None:
    engine = FakeEngine(views=[completed_run()], refuses=refused(code, "there is nothing to retry"))

    assert dyna("retry", RUN, *words, engine=engine).err.endswith(f"\n  next: {following}\n")


def test_retry_of_invalid_task_name_is_not_sent() -> None:
    engine = FakeEngine(views=[failed_run()])

    assert dyna("retry", RUN, "--from", "no name", engine=engine).status == 1
    assert engine.commands == []


@pytest.mark.parametrize(
    ("before", "lines"),
    [
        (wide_run(3), [f"run {RUN} is cancelled"]),
        (
            failed_run().model_copy(update={"params": {"day": 3}}),
            [
                f"run {RUN} is cancelled: it had ended in error, and cannot be retried any more",
                "  next: dyna do report -p day=3",
            ],
        ),
        (
            failed_run().model_copy(update={"cancelled": True}),
            [f"run {RUN} was cancelled before; nothing has changed"],
        ),
    ],
)
def test_cancel_says_what_it_did_to_the_run(before: RunView, lines: list[str]) -> None:
    engine = FakeEngine(views=[before])

    result = dyna("cancel", RUN, engine=engine)

    assert engine.commands == [CancelRun(run_id=RUN)]
    assert (result.status, result.out.splitlines()) == (0, lines)


def test_refused_cancel_exits_with_1() -> None:
    result = dyna(
        "cancel",
        RUN,
        engine=FakeEngine(views=[completed_run()], refuses=refused("is_over", "it is over")),
    )

    assert (result.status, result.err.splitlines()[0]) == (
        1,
        f"error: run {RUN} cannot be cancelled: it is over",
    )


@pytest.mark.parametrize(
    "text", ['{"a": 1}\n  not an event  \n\n{"b":  2}', '{"a": 1}\n  not an event  \n{"b":  2}\n']
)
def test_send_puts_each_line_on_the_bus_unaltered(text: str) -> None:
    engine = FakeEngine()

    result = dyna("send", "-", engine=engine, stdin=text)

    assert engine.sent == ['{"a": 1}', "  not an event  ", '{"b":  2}']
    assert (result.status, result.out) == (0, "3 events put on the bus\n")


def test_send_says_which_runs_it_waits_for() -> None:
    engine = FakeEngine(driven=[RUN, RUN, RUN])

    result = dyna("send", "-", engine=engine, stdin="{}")

    assert (result.status, result.out) == (0, "1 event put on the bus\n")
    assert result.err.splitlines() == [
        "1 run is active; this process drives until it ends",
        f"  next: dyna watch {RUN}; Ctrl-C leaves it to the next process (dyna dev)",
    ]
    assert engine.driven == []


def test_send_without_a_driver_says_how_to_start_one() -> None:
    result = dyna("send", "-", engine=FakeEngine(), stdin="{}")

    assert result.err.splitlines()[-1] == "  next: dyna dev"


def test_send_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("one\u2028still one\n")
    engine = FakeEngine()

    assert (
        dyna("send", "events.jsonl", engine=engine, cwd=tmp_path).out == "1 event put on the bus\n"
    )
    assert engine.sent == ["one\u2028still one"]


def test_send_of_line_not_in_utf_8_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b'{"a": 1}\n{"b": "caf\xe9"}\n\xff\n')
    engine = FakeEngine()

    assert (
        dyna("send", "events.jsonl", engine=engine, cwd=tmp_path).out == "3 events put on the bus\n"
    )
    assert engine.sent == ['{"a": 1}', '{"b": "caf\\xe9"}', "\\xff"]
    for line in engine.sent[1:]:
        with pytest.raises(MalformedEvent, match="Invalid JSON"):
            open_envelope(line)


def test_send_of_unreadable_file_exits_with_3(tmp_path: Path) -> None:
    for name in ("missing", "."):
        result = dyna("send", name, engine=FakeEngine(), cwd=tmp_path)

        assert (result.status, result.err.splitlines()[0]) == (3, f"error: {name} cannot be read.")
        assert "Errno" not in result.err


def test_dev_shows_every_event_as_it_passes_until_ctrl_c() -> None:
    engine = FakeEngine(
        passed=PASSED,
        known_servers=[ServerInfo(server="a", state="ready", tasks=0, revision=0)],
        interrupt=True,
    )

    result = dyna("dev", "--no-page", engine=engine)

    assert result.status == 130
    assert result.err == "0 tasks on a; Ctrl-C ends this\n\ninterrupted\n"
    rendered = DevLines(None, {"a": 0})
    assert result.out.splitlines() == [
        line.plain for event in PASSED for line in rendered.lines(event)
    ]
    assert engine.closed


def test_dev_with_json_writes_events_and_printed_lines() -> None:
    line = LogLine.model_validate(
        {"run_id": RUN, "task": "x", "attempt": 1, "at": T0, "stream": "stdout", "text": "row"}
    )
    engine = FakeEngine(passed=[*PASSED[:1], line], interrupt=True)

    result = dyna("dev", "--no-page", "--log-format", "json", engine=engine)

    event, printed = map(json.loads, result.out.splitlines())
    assert (event["detail-type"], printed["text"]) == ("ServerDeclared", "row")


def test_dev_fits_the_terminal() -> None:
    result = dyna("dev", "--no-page", engine=FakeEngine(passed=PASSED), terminal=True, width=90)

    assert max(map(len, without_escapes(result.out).splitlines())) <= 90


def test_retry_shows_only_what_happened_since() -> None:
    """Without a terminal each change is a line; what was known before is not repeated."""
    earlier, failed = failed_run(), failed_run()
    engine = FakeEngine(views=[earlier, failed])

    result = dyna("retry", RUN, engine=engine)

    assert [line for line in result.err.splitlines() if " on " in line] == [
        line for line in result.err.splitlines() if line.startswith("run ")
    ]
