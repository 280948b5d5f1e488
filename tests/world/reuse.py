"""Reuse: worlds in which a result may be used again (docs/rules.md, rule 14)."""

from typing import Any

from world.scenarios import ReactionWorld

HOUR = 3600
FRESH: dict[str, Any] = {"b": {"upstream": [{"task": "a", "within_s": 6 * HOUR}]}}


def run_through(world: ReactionWorld, task: str, *names: str, **more: Any) -> str:
    world.run_id = world.invoke(task, **more)
    for name in names:
        world.reach(name, "completed", output=f"{name}'s")
    return world.run_id


def fresh(task: str) -> dict[str, Any]:
    return {"task": task, "within_s": 6 * HOUR}
