"""dyna retry, cancel, send, dev: what changes something, and what listens."""

from pathlib import Path

import pytest

from cli.conversation import PASSED
from cli.fake_engine import RUN, FakeEngine, completed_run, failed_run, refused
from cli.running import dyna, seen
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.views.graph import ServerInfo


def test_retry_gives_what_failed_a_new_attempt_and_follows_the_run() -> None:
    engine = FakeEngine(views=[failed_run(), completed_run()])

    told = dyna("retry", RUN[:8], "--wait", "10m", engine=engine)

    assert engine.commands == [RetryRun(run_id=RUN)]
    assert (told.status, engine.waited) == (0, 600)


def test_retry_of_some_tasks_names_them() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("retry", RUN, "--from", "clean", "--from", "load", engine=engine)

    assert engine.commands[0].from_ == ["clean", "load"]


def test_a_detached_retry_prints_the_run() -> None:
    assert dyna("retry", RUN, "--detach", engine=FakeEngine(views=[failed_run()])).out == f"{RUN}\n"


def test_a_retry_can_end_as_json() -> None:
    assert (
        dyna("retry", RUN, "--json", engine=FakeEngine(views=[failed_run()])).json["state"]
        == "error"
    )


def test_a_refused_retry_exits_with_1() -> None:
    told = dyna(
        "retry",
        RUN,
        engine=FakeEngine(
            views=[completed_run()], refuses=refused("not_failed", "nothing in it failed")
        ),
    )

    assert (told.status, told.err) == (
        1,
        f"error: run {RUN} cannot be retried: nothing in it failed\n  next: dyna why {RUN}\n",
    )


def test_a_task_that_cannot_be_a_name_is_refused_before_it_is_sent() -> None:
    engine = FakeEngine(views=[failed_run()])

    assert dyna("retry", RUN, "--from", "no name", engine=engine).status == 1
    assert engine.commands == []


def test_cancel_ends_a_run() -> None:
    engine = FakeEngine(views=[failed_run()])

    told = dyna("cancel", RUN, engine=engine)

    assert engine.commands == [CancelRun(run_id=RUN)]
    assert (told.status, told.out) == (0, f"run {RUN} is cancelled\n")


def test_a_refused_cancel_exits_with_1() -> None:
    told = dyna(
        "cancel",
        RUN,
        engine=FakeEngine(views=[completed_run()], refuses=refused("is_over", "it is over")),
    )

    assert (told.status, told.err.splitlines()[0]) == (
        1,
        f"error: run {RUN} cannot be cancelled: it is over",
    )


@pytest.mark.parametrize(
    "text", ['{"a": 1}\n  not an event  \n\n{"b":  2}', '{"a": 1}\n  not an event  \n{"b":  2}\n']
)
def test_send_puts_each_line_on_the_bus_as_it_is(text: str) -> None:
    engine = FakeEngine()

    told = dyna("send", "-", engine=engine, stdin=text)

    assert engine.sent == ['{"a": 1}', "  not an event  ", '{"b":  2}']
    assert (told.status, told.out) == (0, "3 events put on the bus\n")


def test_send_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("one\u2028still one\n")
    engine = FakeEngine()

    assert (
        dyna("send", "events.jsonl", engine=engine, cwd=tmp_path).out == "1 event put on the bus\n"
    )
    assert engine.sent == ["one\u2028still one"]


def test_a_line_that_is_not_utf_8_is_sent_all_the_same_and_can_be_no_event(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b'{"a": 1}\n{"b": "caf\xe9"}\n\xff\n')
    engine = FakeEngine()

    assert (
        dyna("send", "events.jsonl", engine=engine, cwd=tmp_path).out == "3 events put on the bus\n"
    )
    assert engine.sent == ['{"a": 1}', '{"b": "caf\\xe9"}', "\\xff"]
    for line in engine.sent[1:]:
        with pytest.raises(MalformedEvent, match="Invalid JSON"):
            open_envelope(line)


def test_a_file_that_cannot_be_read_exits_with_3(tmp_path: Path) -> None:
    for name in ("missing", "."):
        told = dyna("send", name, engine=FakeEngine(), cwd=tmp_path)

        assert (told.status, told.err.splitlines()[0]) == (3, f"error: {name} cannot be read.")


def test_dev_shows_every_event_as_it_passes_until_ctrl_c() -> None:
    engine = FakeEngine(
        passed=PASSED,
        known_servers=[ServerInfo(server="a", state="ready", tasks=0, revision=0)],
        interrupt=True,
    )

    told = dyna("dev", engine=engine)

    assert told.status == 130
    assert told.err == "0 tasks on 1 server; Ctrl-C ends this\n\ninterrupted\n"
    assert len(told.out.splitlines()) == 1 + len(PASSED)
    assert engine.closed


def test_dev_is_cut_to_a_terminal() -> None:
    told = dyna("dev", engine=FakeEngine(passed=PASSED), terminal=True, width=90)

    assert max(map(len, seen(told.out).splitlines())) <= 90
