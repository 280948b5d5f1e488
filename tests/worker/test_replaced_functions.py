"""A body that replaces functions of modules: what its attempt reports stays exact."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec
from worker.running import Session, a_session

SERVER = """
import json
import time
from cordyna_core import Context, TaskServer

server = TaskServer("replaces")

@server.task
def replaces() -> dict[str, list[int]]:
    json.loads = json.dumps = lambda *_, **__: {}
    time.time = time.monotonic = lambda: 0.0
    return {"rows": [1, 2]}

@server.task
def reuses_that_process(*, ctx: Context) -> dict[str, object]:
    ctx.log.info("beside it")
    return {"is_replaced": json.loads("[]") == {}}
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    file = tmp_path / "replaces.py"
    file.write_text(SERVER)
    with a_session(Settings()) as found:
        found.pool.start([ServerSpec(str(file), concurrency=1)])
        found.wait(lambda event: type(event).__name__ in ("Declared", "LoadFailed"))
        yield found


def test_output_is_exact_although_json_is_replaced(session: Session) -> None:
    first = session.do("replaces", server="replaces")
    second = session.do("reuses-that-process", server="replaces")

    assert first.final["output"] == {"rows": [1, 2]}
    assert second.final["output"] == {"is_replaced": True}, "modules are their server's affair"
    assert second.output("log") == "INFO beside it\n"
    assert first.final["meta"]["time"] < second.final["meta"]["time"]
    assert not first.final["meta"]["time"].startswith("1970")
