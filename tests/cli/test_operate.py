"""`dyna doctor`, `dyna dlq`, `dyna cron pause`: what an operator types."""

from collections.abc import Sequence

import pytest

from cli.fake_engine import FakeEngine
from cli.fake_operations import CloudEngine, FakeOperations
from cli.run_builders import at
from cli.run_dyna import dyna, without_escapes
from cordyna_cli.operations import DeadLetterQueue, Finding
from cordyna_core.contract.base import Problem
from cordyna_core.contract.views.graph import PlanView, TaskInfo
from cordyna_core.errors import AccessError


def test_doctor_shows_findings_and_next_steps() -> None:
    findings = [
        Finding("bus", "well", "cordyna"),
        Finding(
            "clocks",
            "worth a look",
            "they differ by 7.0 s",
            "let this machine follow a time server",
        ),
        Finding("query function", "broken", "AWS refused\naccess.", "look at the policy"),
    ]
    result = dyna("doctor", engine=CloudEngine(operations=FakeOperations(findings)))
    assert result.out.splitlines() == [
        "✓  bus             cordyna",
        "!  clocks          they differ by 7.0 s",
        "✗  query function  AWS refused access.",
    ]
    assert result.err.splitlines() == [
        "  next: let this machine follow a time server",
        "  next: look at the policy",
    ]
    assert result.status == 1


def test_doctor_with_minor_finding_exits_with_1() -> None:
    findings = [Finding("clocks", "worth a look", "they differ by 7.0 s")]
    assert dyna("doctor", engine=CloudEngine(operations=FakeOperations(findings))).status == 1


def test_doctor_of_healthy_graph_exits_with_0() -> None:
    engine = CloudEngine(
        operations=FakeOperations([Finding("bus", "well", "cordyna")]),
        declared=[TaskInfo(task="x", server="s", upstream=[], cron="0 6 * * *")],
    )
    result = dyna("doctor", engine=engine)
    assert (result.status, result.out.splitlines()[1:]) == (
        0,
        ["✓  upstreams  all are declared", "✓  crons      1"],
    )


def test_doctor_names_undeclared_upstreams_and_refused_crons() -> None:
    tasks = [
        TaskInfo(
            task="report", server="s", upstream=["raws"], unresolved=["raws"], cron="0 6 * * *"
        ),
        TaskInfo(task="raw", server="s", upstream=[]),
    ]
    problem = Problem(code="unresolved_upstream", message="report needs raws")
    engine = CloudEngine(
        operations=FakeOperations([Finding("bus", "well", "cordyna")]),
        declared=tasks,
        planned=PlanView(task="report", problems=[problem]),
    )
    result = dyna("doctor", engine=engine)
    assert result.status == 1
    assert result.out.splitlines()[1:] == [
        "!  upstreams  raws is not declared by any server; needed by report; did you mean raw?",
        "!  crons      the cron of report would be refused: report needs raws",
    ]
    assert result.err.splitlines() == ["  next: dyna describe report", "  next: dyna plan report"]


def test_doctor_json_is_an_array() -> None:
    result = dyna(
        "doctor",
        "--json",
        engine=CloudEngine(
            operations=FakeOperations([Finding("bus", "broken", "AWS refused access.", "look")])
        ),
    )
    assert result.json == [
        {"what": "bus", "state": "broken", "told": "AWS refused access.", "next": "look"}
    ]
    assert result.status == 1


def test_dead_letters_json_is_an_array() -> None:
    letters = [DeadLetterQueue("q-dead-letters", 2, None, ("no reason",))]
    result = dyna(
        "dlq", "ls", "--json", engine=CloudEngine(operations=FakeOperations(letters=letters))
    )
    assert result.json == [
        {
            "name": "q-dead-letters",
            "messages": 2,
            "back_to": None,
            "samples": ["no reason"],
            "letters": [],
        }
    ]
    assert dyna("dlq", "ls", "--json", engine=CloudEngine()).json == []


def test_large_dead_letter_is_cut_on_a_terminal() -> None:
    engine = CloudEngine(
        operations=FakeOperations(letters=[DeadLetterQueue("q", 1, None, ("x" * 1_000_000,))])
    )
    assert (
        without_escapes(dyna("dlq", "ls", engine=engine, terminal=True, width=40).out).splitlines()[
            -1
        ]
        == "  " + "x" * 37 + "…"
    )
    assert len(dyna("dlq", "ls", engine=engine).out) > 1_000_000


def test_dead_letters_are_listed_with_samples() -> None:
    letters = [
        DeadLetterQueue("q-dead-letters", 2, "q", ("TaskStateChanged x: no\nreason",)),
        DeadLetterQueue("s-dead-letters", 1, None),
    ]
    result = dyna("dlq", "ls", engine=CloudEngine(operations=FakeOperations(letters=letters)))
    assert result.out.splitlines() == [
        "queue           messages  can be put back into",
        "q-dead-letters         2  q",
        "s-dead-letters         1  -",
        "",
        "q-dead-letters",
        "  TaskStateChanged x: no reason",
        "",
        "s-dead-letters",
    ]
    assert result.err == "  next: fix the reason, then dyna dlq redrive q-dead-letters\n"


def test_dead_letters_without_source_queue_name_purge() -> None:
    letters = [DeadLetterQueue("s-dead-letters", 1, None)]
    result = dyna("dlq", "ls", engine=CloudEngine(operations=FakeOperations(letters=letters)))
    assert result.err == "  next: fix the reason, then dyna dlq purge s-dead-letters\n"


def test_purge_with_yes_prints_the_number_of_messages() -> None:
    engine = CloudEngine()
    result = dyna("dlq", "purge", "q-dead-letters", "--yes", engine=engine)
    assert (result.out, engine.operations.purged) == ("2 messages deleted\n", ["q-dead-letters"])


def test_purge_without_terminal_needs_yes() -> None:
    engine = CloudEngine()
    result = dyna("dlq", "purge", "q", engine=engine, stdin="q\n")
    assert (result.status, engine.operations.purged) == (2, [])
    assert result.err.endswith("next: dyna dlq purge q --yes\n")


@pytest.mark.parametrize("options", [(), ("--yes",)])
def test_purge_of_no_queue_asks_nothing(options: tuple[str, ...]) -> None:
    engine = CloudEngine(operations=FakeOperations(missing=("foo",)))
    result = dyna("dlq", "purge", "foo", *options, engine=engine, stdin="foo\n", terminal=True)
    assert (result.status, engine.operations.purged) == (3, [])
    assert 'there is no dead-letter queue "foo".' in result.err


@pytest.mark.parametrize(("typed", "purged"), [("q\n", ["q"]), ("yes\n", []), ("", [])])
def test_purge_on_terminal_needs_the_name(typed: str, purged: list[str]) -> None:
    engine = CloudEngine()
    result = dyna("dlq", "purge", "q", engine=engine, stdin=typed, terminal=True)
    assert engine.operations.purged == purged
    assert "type q to delete its messages for good: " in result.err


def test_no_dead_letters_prints_a_hint() -> None:
    result = dyna("dlq", "ls", engine=CloudEngine())
    assert (result.out, result.err, result.status) == ("", "no dead letters\n", 0)


def test_redrive_prints_the_number_of_messages() -> None:
    engine = CloudEngine()
    result = dyna("dlq", "redrive", "q-dead-letters", engine=engine)
    assert (result.out, engine.operations.redriven) == ("3 messages put back\n", ["q-dead-letters"])


def test_cron_is_paused_and_resumed() -> None:
    engine = CloudEngine(
        declared=[TaskInfo(task="x", server="a", upstream=[], cron="0 6 * * *", next_at=at(60))]
    )
    assert "in 50.0 s" in dyna("cron", "ls", engine=engine).out
    paused = dyna("cron", "pause", "x", engine=engine)
    assert paused.out == "the cron of x is paused\n"
    assert paused.err == "  next: dyna cron resume x   (when it shall fire again)\n"
    assert dyna("cron", "ls", engine=engine).out.splitlines()[1].split()[-1] == "paused"
    assert "0 6 * * *" not in dyna("cron", "next", engine=engine).out
    assert dyna("cron", "resume", "x", engine=engine).out == "the cron of x fires again\n"
    assert engine.operations.resting == []


def test_unknown_command_of_a_group_names_those_that_exist() -> None:
    result = dyna("cron", "stop", engine=FakeEngine())

    assert result.status == 2
    assert '`dyna cron` has no command "stop", but ls, next, pause, resume.' in result.err


def test_crons_are_listed_without_access_to_schedules() -> None:
    class Forbidden(FakeOperations):
        def paused(self) -> Sequence[str]:
            raise AccessError("AWS refused access.")

    declared = [TaskInfo(task="x", server="a", upstream=[], cron="0 6 * * *", next_at=at(60))]
    engine = CloudEngine(declared=declared, operations=Forbidden(), drives=False)
    result = dyna("--bus", "b", "cron", "ls", engine=engine)
    assert "in 50.0 s" in result.out
    assert (
        result.err == "paused crons are not marked: these credentials may not read the schedules\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ("doctor",),
        ("dlq", "ls"),
        ("dlq", "redrive", "q"),
        ("cron", "pause", "x"),
        ("cron", "resume", "x"),
    ],
)
def test_operations_without_support_exit_with_1(words: tuple[str, ...]) -> None:
    result = dyna(*words, engine=FakeEngine())
    assert result.status == 1
    assert result.err.startswith(f"error: `dyna {' '.join(words)}` is for a cerebro on AWS.")
