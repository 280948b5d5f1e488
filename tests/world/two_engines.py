"""Two engines: cerebro as the embedded engine runs it, and as it runs on AWS, fed with raw events.

Both begin with a run of b<-a in progress, so that a test can let any text arrive in its middle.
"""

import json
from typing import Any, Final

from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import MemoryHome
from cerebro.handlers.receive import Delivery, receive
from cordyna_core.contract.base import Message
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from world.declarations import declared
from world.reactions import Reactions
from world.scenarios import a_world
from world.world import NOON

RUN: Final = run_id_of("b", "k")


class Loop:
    """Cerebro as the embedded engine runs it."""

    def __init__(self) -> None:
        self.home = MemoryHome()
        self.loop = MessageLoop(self.home, lambda: NOON, to_server=lambda _command, _event: None)
        self.store = self.home.store

    def put(self, event: str) -> None:
        self.loop.put(event)
        while self.loop.step():
            pass

    @property
    def published(self) -> list[Message]:
        texts = [event.text for event in self.home.event_log.events(None, 0)]
        sent = [text for text in texts if '"source":"cordyna.cerebro"' in text[:80]]
        return [open_envelope(text).message for text in sent]

    @property
    def dead_letters(self) -> list[tuple[str, str]]:
        return self.home.event_log.dead_letters()


class Queue:
    """Cerebro as it runs on AWS: events come from a queue, and a batch has one."""

    def __init__(self) -> None:
        self.driver: Reactions = a_world("x").driver
        self.store = self.driver.store
        self.dead_letters: list[tuple[str, str]] = []

    def put(self, event: str) -> None:
        outcome = receive([Delivery("receipt", event)], self.driver.ports)
        assert outcome.again == []
        self.dead_letters += [(letter.body, reason) for letter, reason in outcome.dead_letters]

    @property
    def published(self) -> list[Message]:
        return self.driver.published


Engine = Loop | Queue


def event(source: str, detail_type: str, detail: Any, event_id: str = "hostile") -> str:
    text = detail if isinstance(detail, str) else json.dumps(detail)
    return (
        f'{{"id":{json.dumps(event_id)},"source":"{source}","detail-type":"{detail_type}",'
        f'"time":"2027-01-15T08:00:00Z","detail":{text}}}'
    )


def update(source: str = server_source("s"), **detail: Any) -> str:
    fields = {"server": "s", "run_id": RUN, "task": "a", "attempt": 1, "state": "started"}
    return event(source, "TaskStateChanged", {**fields, **detail})


def with_a_run(engine: Engine, **of_task: Any) -> Engine:
    """Let server `s` declare a, b<-a and p, and a client invoke b."""
    declaration = declared("s", "a  b<-a  p", **of_task)
    text = declaration.model_dump_json(by_alias=True)
    engine.put(event(server_source("s"), "ServerDeclared", text))
    engine.put(event(CLIENT, "InvokeTask", {"task": "b", "key": "k"}, "first"))
    return engine


def finish(engine: Engine) -> None:
    for task in "ab":
        for state in ("started", "completed"):
            detail = {
                "server": "s",
                "run_id": RUN,
                "task": task,
                "attempt": 1,
                "state": state,
                "output": {"made by": f"{task} 🙂"} if state == "completed" else None,
            }
            engine.put(event(server_source("s"), "TaskStateChanged", detail, f"{task} {state}"))
