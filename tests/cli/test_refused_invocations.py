"""`why` of a task that invoked another: the refusal of that invocation is shown."""

import pytest

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, T0, a_run, a_task
from cli.run_dyna import dyna
from cordyna_cli.wording.refused_invocations import refused_invocations
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.contract.views.runs import PassedEvent
from cordyna_core.errors import ServiceError

SENTENCE = "its invocation of archive was refused: archive is a task of two: invoke it as a client"


def a_refusal(by_task: str | None) -> InvocationRejected:
    return InvocationRejected(
        event_id="e",
        task="archive",
        problems=[
            Problem(code="not_your_task", message="archive is a task of two: invoke it as a client")
        ],
        run_id=RUN,
        by_task=by_task,
    )


def passed(*messages: InvocationRejected) -> list[PassedEvent]:
    texts = [seal(message, CEREBRO, "e", T0) for message in messages]
    return [PassedEvent(seq=seq, text=text) for seq, text in enumerate(texts, 1)]


def test_refused_invocations_of_the_task_are_sentences() -> None:
    events = passed(a_refusal("trigger"), a_refusal("other"), a_refusal(None))

    assert refused_invocations(events, "trigger") == (SENTENCE,)


def test_refused_invocations_of_a_run_name_the_task() -> None:
    events = passed(a_refusal("trigger"), a_refusal(None))

    assert refused_invocations(events, None) == (SENTENCE.replace("its", "trigger's", 1),)


def test_refused_invocations_shows_at_most_five() -> None:
    assert len(refused_invocations(passed(*[a_refusal("trigger")] * 9), "trigger")) == 5


@pytest.mark.parametrize("text", ["InvocationRejected", "{}", '{"detail-type":"RunTask"}'])
def test_refused_invocations_skips_other_events(text: str) -> None:
    assert refused_invocations([PassedEvent(seq=1, text=text)], "trigger") == ()


def test_why_task_shows_its_refused_invocation() -> None:
    engine = FakeEngine(
        views=[a_run(a_task("trigger", "", "started@0 completed@1"))],
        passed=passed(a_refusal("trigger")),
    )

    assert SENTENCE in dyna("why", RUN, "trigger", engine=engine).out
    assert SENTENCE in dyna("why", RUN, "trigger", "--json", engine=engine).json["beside"]
    assert SENTENCE.replace("its", "trigger's", 1) in dyna("why", RUN, engine=engine).out


class WithoutLog(FakeEngine):
    """An engine whose bus writes no log."""

    def events(
        self, run_id: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[PassedEvent]:
        raise ServiceError("the log of the bus has no event of this run.")


def test_why_task_without_a_log_of_the_bus_shows_the_rest() -> None:
    engine = WithoutLog(views=[a_run(a_task("trigger", "", "started@0 completed@1"))])

    assert "trigger" in dyna("why", RUN, "trigger", engine=engine).out
