"""Fan-outs: how cerebro keeps its promises about clocks as its queues fill, as a table.

python -m cerebro.simulator --wide 100 1000 10000 --profile steady
"""

from collections.abc import Iterator, Sequence

from cerebro.simulator.drawn.wide_scenario import PROFILES, wide_scenario
from cerebro.simulator.worlds.world import World

RETRIES = (0, 2)


def fan_out_rows(widths: Sequence[int], profile: str, dead_share: float) -> Iterator[str]:
    """Run a fan-out of each width, without and with retries; yields the rows of a table.

    A row that ends with BROKEN names the promise that was not kept.
    """
    yield (
        "| width | retries | effects a task | oldest message s | overdue decided | false "
        "| latest s | bodies a task | promises |\n|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    )
    for width in widths:
        for retries in RETRIES:
            yield _row(width, retries, profile, round(width * dead_share))


def _row(width: int, retries: int, profile: str, dead: int) -> str:
    scenario = wide_scenario(
        width,
        capacity=PROFILES[profile],
        retries=retries,
        dead=dead,
        workers=max(10, width // 4),
    )
    world = World(0, scenario)
    verdict = world.run()
    promises, handlers = world.checker.promises, world.handlers
    assert promises is not None
    assert handlers is not None
    bodies = sum(sum(server.bodies.values()) for server in world.servers.values())
    ran = max(1, sum(len(server.bodies) for server in world.servers.values()))
    return (
        f"| {width:,} | {retries} | {verdict.effects / (width + 2):.1f} "
        f"| {max(handlers.ages_s().values()):.1f} | {promises.expiries:,} "
        f"| {len(promises.false_expiries)} | {promises.latest_s:.1f} | {bodies / ran:.2f} "
        f"| {f'BROKEN {verdict.broken}' if verdict.broken else 'kept'} |"
    )
