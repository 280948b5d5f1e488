"""The run clock of an attempt, on a clock of the test's own."""

from types import SimpleNamespace
from typing import Any

from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.host.loop import Loop
from cordyna_core.worker.host.worker import Worker
from cordyna_core.worker.protocol import AttemptKey
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.verdicts import AttemptCommand


class Recorder:
    """Takes any call of any method."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def test_run_clock_begins_when_the_process_has_started() -> None:
    """A template may take its time to fork; that is not the body's."""
    now = [100.0]
    services: Any = SimpleNamespace(
        loop=Loop(lambda: now[0]),
        link=Recorder(),
        settings=Settings(),
        children=Recorder(),
        monotonic=lambda: now[0],
    )
    owner: Any = Recorder()
    worker = Worker(services, owner)
    transport: Any = Recorder()
    worker.transport = transport
    worker.loaded()
    command = AttemptCommand(
        server="s", key=AttemptKey("R", "a", 1), ack_by=110.0, start_by=700.0,
        run_timeout_s=10.0, cause=None, traceparent=None, clock_offset_s=0.0,
    )  # fmt: skip
    attempt = AttemptRecord(command, b"", services)

    worker.run(attempt)
    now[0] += 9.0
    child: Any = SimpleNamespace(pid=7, signal_group=lambda number: None)
    worker.set_child(child)
    now[0] += 9.0
    services.loop.timers.fire_due()
    assert attempt.stop_reason is None

    now[0] += 1.0
    services.loop.timers.fire_due()

    assert attempt.stop_reason == "run_timeout"
    services.loop.close()
