"""The example of three teams: the server that misses its deadline, in virtual time.

docs/how-to/between-teams.md shows what its owner sees.
"""

from datetime import UTC, datetime

from architecture.repository import ROOT
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.server.loading import load_server
from world.engine import Engine
from world.incidents import events, incident_events
from world.world import World

FOLDER = ROOT / "examples" / "federation"
MIDNIGHT = datetime(2026, 11, 30, tzinfo=UTC).timestamp()


def test_finance_misses_its_deadline_and_completes_late() -> None:
    world = World(Engine(silent=["invoice"]))
    world.now = MIDNIGHT
    loop = world.driver.loop
    servers = [load_server(str(FOLDER / f"{name}.py")) for name in ("orders", "finance")]
    declarations = [server.declaration for server in servers]
    assert not loop.declare(
        [
            world.driver._sealed(declared, server_source(declared.server))
            for declared in declarations
        ]
    )
    loop.start_crons()
    world.after(4 * 3600 + 5)
    (command,) = [command for command in world.commands if command.task == "invoice"]
    started = TaskStateChanged(
        server=command.server,
        run_id=command.run_id,
        task="invoice",
        attempt=1,
        state="started",
    )
    world.publish(started, server_source(command.server))
    world.after(2 * 3600)
    late = incident_events(world)[0]
    assert (late.kind, late.task, late.owner) == ("deadline", "invoice", "team-finance")
    assert late.error is not None
    assert late.error.message.startswith(
        "due 2026-11-30 06:00:00Z; waits for invoice (team-finance); "
    )
    completed = started.model_copy(update={"state": "completed", "output": "sent"})
    world.publish(completed, server_source(command.server))
    assert events(world)[-1] == "closed deadline invoice"
    shown = (FOLDER / "README.md").read_text()
    assert late.summary in shown
