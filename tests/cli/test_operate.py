"""`dyna doctor`, `dyna dlq`, `dyna cron pause`: what an operator types."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from cli.fake_engine import FakeEngine, at
from cli.running import dyna, seen
from cordyna_cli.operations import DeadLetterQueue, Finding
from cordyna_core.contract.views.graph import TaskInfo
from cordyna_core.errors import AccessError


@dataclass
class FakeOperations:
    findings: Sequence[Finding] = ()
    letters: Sequence[DeadLetterQueue] = ()
    resting: list[str] = field(default_factory=list)
    redriven: list[str] = field(default_factory=list)

    def examine(self) -> Sequence[Finding]:
        return self.findings

    def dead_letters(self) -> Sequence[DeadLetterQueue]:
        return self.letters

    def redrive(self, name: str) -> int:
        self.redriven.append(name)
        return 3

    def paused(self) -> Sequence[str]:
        return self.resting

    def pause(self, task: str, *, on: bool) -> None:
        self.resting = (
            [*self.resting, task] if on else [each for each in self.resting if each != task]
        )


@dataclass
class CloudEngine(FakeEngine):
    operations: FakeOperations = field(default_factory=FakeOperations)


def test_doctor_shows_what_it_looked_at_and_what_to_do() -> None:
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
    told = dyna("doctor", engine=CloudEngine(operations=FakeOperations(findings)))
    assert told.out.splitlines() == [
        "✓  bus             cordyna",
        "!  clocks          they differ by 7.0 s",
        "✗  query function  AWS refused access.",
    ]
    assert told.err.splitlines() == [
        "  next: let this machine follow a time server",
        "  next: look at the policy",
    ]
    assert told.status == 5


def test_doctor_is_content_with_what_is_only_worth_a_look() -> None:
    findings = [Finding("clocks", "worth a look", "they differ by 7.0 s")]
    assert dyna("doctor", engine=CloudEngine(operations=FakeOperations(findings))).status == 0


def test_what_doctor_found_as_json() -> None:
    told = dyna(
        "doctor",
        "--json",
        engine=CloudEngine(
            operations=FakeOperations([Finding("bus", "broken", "AWS refused access.", "look")])
        ),
    )
    assert told.json == [
        {"what": "bus", "state": "broken", "told": "AWS refused access.", "next": "look"}
    ]
    assert told.status == 5


def test_dead_letters_as_json() -> None:
    letters = [DeadLetterQueue("q-dead-letters", 2, None, ("no reason",))]
    told = dyna(
        "dlq", "ls", "--json", engine=CloudEngine(operations=FakeOperations(letters=letters))
    )
    assert told.json == [
        {"name": "q-dead-letters", "messages": 2, "back_to": None, "samples": ["no reason"]}
    ]
    assert dyna("dlq", "ls", "--json", engine=CloudEngine()).json == []


def test_a_giant_among_the_dead_letters_does_not_fill_the_terminal() -> None:
    engine = CloudEngine(
        operations=FakeOperations(letters=[DeadLetterQueue("q", 1, None, ("x" * 1_000_000,))])
    )
    assert (
        seen(dyna("dlq", "ls", engine=engine, terminal=True, width=40).out).splitlines()[-1]
        == "  " + "x" * 37 + "…"
    )
    assert len(dyna("dlq", "ls", engine=engine).out) > 1_000_000


def test_dead_letters_are_listed_with_samples_and_what_to_do() -> None:
    letters = [
        DeadLetterQueue("q-dead-letters", 2, "q", ("TaskStateChanged x: no\nreason",)),
        DeadLetterQueue("s-dead-letters", 1, None),
    ]
    told = dyna("dlq", "ls", engine=CloudEngine(operations=FakeOperations(letters=letters)))
    assert told.out.splitlines() == [
        "queue           messages  can be put back into",
        "q-dead-letters         2  q",
        "s-dead-letters         1  -",
        "",
        "q-dead-letters",
        "  TaskStateChanged x: no reason",
        "",
        "s-dead-letters",
    ]
    assert told.err == "  next: mend the reason, then dyna dlq redrive q-dead-letters\n"


def test_dead_letters_that_cannot_be_put_back_promise_nothing() -> None:
    letters = [DeadLetterQueue("s-dead-letters", 1, None)]
    assert (
        dyna("dlq", "ls", engine=CloudEngine(operations=FakeOperations(letters=letters))).err == ""
    )


def test_no_dead_letters_are_said_so() -> None:
    told = dyna("dlq", "ls", engine=CloudEngine())
    assert (told.out, told.err, told.status) == ("", "no dead letters\n", 0)


def test_a_queue_is_redriven() -> None:
    engine = CloudEngine()
    told = dyna("dlq", "redrive", "q-dead-letters", engine=engine)
    assert (told.out, engine.operations.redriven) == ("3 messages put back\n", ["q-dead-letters"])


def test_a_cron_rests_and_fires_again() -> None:
    engine = CloudEngine(
        declared=[TaskInfo(task="x", server="a", upstream=[], cron="0 6 * * *", next_at=at(60))]
    )
    assert "in 50.0 s" in dyna("cron", "ls", engine=engine).out
    assert dyna("cron", "pause", "x", engine=engine).out == "the cron of x rests\n"
    assert "in 50.0 s" not in dyna("cron", "ls", engine=engine).out
    assert "0 6 * * *" not in dyna("cron", "next", engine=engine).out
    assert dyna("cron", "resume", "x", engine=engine).out == "the cron of x fires again\n"
    assert engine.operations.resting == []


def test_who_may_not_look_at_schedules_sees_the_crons_all_the_same() -> None:
    class Forbidden(FakeOperations):
        def paused(self) -> Sequence[str]:
            raise AccessError("AWS refused access.")

    declared = [TaskInfo(task="x", server="a", upstream=[], cron="0 6 * * *", next_at=at(60))]
    told = dyna("cron", "ls", engine=CloudEngine(declared=declared, operations=Forbidden()))
    assert "in 50.0 s" in told.out
    assert (
        told.err == "which crons rest is not shown: these credentials may not look at schedules\n"
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
def test_on_this_machine_there_is_nothing_to_operate(words: tuple[str, ...]) -> None:
    told = dyna(*words, engine=FakeEngine())
    assert told.status == 1
    assert told.err.startswith(f"error: `dyna {' '.join(words)}` is for a cerebro on AWS.")
