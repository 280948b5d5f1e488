"""Worlds: simulated runs as a page receives them, with what the view of the whole run says.

One JSON object a line, a run each: its structure, and at several moments the changed rows and the
words of all tasks. `tests/console/page/worlds.mjs` puts the rows into the page's model, and
compares.
"""

import argparse
import json
import sys
from typing import Any, Final

from cerebro.core.fact_readings import fact_reading
from cerebro.core.fact_views import run_facts, run_structure
from cerebro.core.views import run_view
from cerebro.handlers import queries
from cerebro.simulator.parts.scenario import BEGIN
from cerebro.simulator.worlds.world import World
from cordyna_cli.wording.status_marks import mark_of
from cordyna_console.answers.runs import reading
from cordyna_console.console import Console, ConsoleIdentity
from cordyna_console.live import LiveRuns, RunReading
from cordyna_console.run_columns import StructureAnswer
from cordyna_core.contract.time import utc

MOMENTS_S: Final = (1.0, 4.0, 15.0, 60.0, 400.0, 2_000.0)
"""After the beginning of the world; and once more at its end."""


class Watcher:
    """A page that follows every run of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.steps: dict[str, list[dict[str, Any]]] = {}
        self.cursors: dict[str, str] = {}
        # Of an engine on AWS only facts are read, never the events.
        identity = ConsoleIdentity(engine="aws", where="", command="dyna", by="")
        self.console = Console(
            engine=None,  # type: ignore[arg-type]  # facts are read from the store of the world
            identity=identity,
            now=lambda: utc(world.network.now),
        )
        # Each look is a new reading.
        self.clock = 0.0
        self.live = LiveRuns(self._read, lambda: self.clock, lambda: 0.0)

    def _read(self, run_id: str, since: str | None) -> RunReading:
        facts = run_facts(
            fact_reading(*queries.read_all(self.world.store, run_id)), cursor=str(self.clock)
        )
        return reading(self.console, facts)

    def look(self, _: Any = None) -> None:
        """Take the changed rows of every run, and what the view says."""
        self.clock += 1_000.0
        for run in self.world.store.runs(1_000):
            message = self.live.since(run.id, self.cursors.get(run.id))
            self.cursors[run.id] = message.cursor
            view = run_view(*queries.read_all(self.world.store, run.id))
            tasks = [
                [mark_of(task).word, task.attempt if task.timeline else 0, sorted(task.blocked_by)]
                for task in view.tasks
            ]
            self.steps.setdefault(run.id, []).append(
                {
                    "message": message.answer.model_dump(mode="json"),
                    "state": view.state,
                    "cancelled": view.cancelled,
                    "tasks": tasks,
                }
            )


def lines_of(seed: int) -> list[str]:
    """Every run of a world."""
    world = World(seed)
    watcher = Watcher(world)
    for moment in MOMENTS_S:
        world.network.schedule(BEGIN + moment, watcher.look, None)
    world.run()
    watcher.look()
    return [
        json.dumps(
            {
                "seed": seed,
                "structure": StructureAnswer.of(
                    run_structure(queries.read_all(world.store, run_id)[1].plan)
                ).model_dump(mode="json"),
                "steps": steps,
            }
        )
        for run_id, steps in watcher.steps.items()
    ]


def main() -> None:
    """Print the runs of worlds 0 to --seeds."""
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=1_000)
    for seed in range(options.parse_args().seeds):
        for line in lines_of(seed):
            sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
