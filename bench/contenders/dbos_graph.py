"""DBOS: a durable workflow on SQLite whose tasks are steps; what is ready starts together."""

import asyncio
import tempfile

from dbos import DBOS
from turns import graph_of_arguments, report

graph, turns = graph_of_arguments()
folder = tempfile.mkdtemp()
DBOS(
    config={
        "name": "bench",
        "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
        "log_level": "ERROR",
        "run_admin_server": False,
    }
)


@DBOS.step()
async def body(name: str) -> str:
    return name


@DBOS.workflow()
async def run_graph() -> None:
    tasks: dict[str, asyncio.Task[str]] = {}

    async def after(name: str) -> str:
        await asyncio.gather(*(tasks[upstream] for upstream in graph[name]))
        return await body(name)

    for name in graph:
        tasks[name] = asyncio.create_task(after(name))
    await tasks[next(reversed(graph))]


DBOS.launch()
loop = asyncio.new_event_loop()
report("dbos", lambda: loop.run_until_complete(run_graph()), turns)
DBOS.destroy()
