"""Engine: opens the embedded engine of a home, the entry point for the command line.

A command that will run tasks starts the worker host and the servers first: they import the servers'
code while this process imports the engine.

Invariant: what was started early is ended with the engine, whether it was used or not.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cerebro.embedded.bodies.worker_host import StartedServers, start_servers
from cerebro.embedded.storage.driver_record import DriverLock
from cerebro.embedded.storage.home_location import (
    BODIES_LOCK,
    DRIVER_LOCK,
    create_home_folder,
    find_home,
)
from cordyna_cli.engine import EngineOptions, ServerOptions
from cordyna_core.basic_config import keep_info
from cordyna_core.errors import UserError
from cordyna_core.worker.spec import ServerSpec

if TYPE_CHECKING:
    from cerebro.embedded.embedded_engine import EmbeddedEngine
    from cordyna_core.server.task_server import TaskServer

IN_MEMORY: Final = ":memory:"
"""The home that lasts as long as its process."""


def open_engine(options: EngineOptions) -> "EmbeddedEngine":
    """Return the engine of a home, with the servers that were named. Raises UserError."""
    folder = _folder_of(options)
    if options.in_process:
        return _in_process(options, folder)
    specs = {
        target: spec_of(target, options.server_options.get(target)) for target in options.servers
    }
    started = _start_early(specs, folder) if options.runs_tasks and options.declares else None
    try:
        return _with_processes(options, folder, specs, started)
    except BaseException:
        if started is not None:
            started.close()
        raise


def spec_of(target: str, options: ServerOptions | None = None) -> ServerSpec:
    """Return how a target is started; without options, in the present working folder."""
    options = options or ServerOptions()
    return ServerSpec(
        target=target,
        concurrency=options.concurrency,
        python=options.python,
        cwd=options.cwd or str(Path.cwd()),
        env=options.env,
        isolation=options.isolation,
    )


def _folder_of(options: EngineOptions) -> Path | None:
    if options.home == IN_MEMORY:
        return None
    # Absolute: a program that uses the client may change its working folder.
    return Path(options.home).absolute() if options.home else find_home(Path.cwd())


def _start_early(specs: dict[str, ServerSpec], folder: Path | None) -> StartedServers | None:
    """Start the servers, unless another process drives the home."""
    if not specs:
        return None
    if folder is None:
        return start_servers(specs.values(), None)
    create_home_folder(folder)
    is_free = DriverLock(folder / DRIVER_LOCK).is_free()
    return start_servers(specs.values(), folder / BODIES_LOCK) if is_free else None


def _with_processes(
    options: EngineOptions,
    folder: Path | None,
    specs: dict[str, ServerSpec],
    started: StartedServers | None,
) -> "EmbeddedEngine":
    # Only now: importing the engine takes as long as the servers need to load.
    from cerebro.embedded.embedded_engine import EmbeddedEngine  # noqa: PLC0415
    from cerebro.embedded.storage.home import open_home  # noqa: PLC0415

    engine = EmbeddedEngine(
        open_home(folder), specs=specs, declares=options.declares, started=started
    )
    return engine.send_alerts(options.alerts)


def _in_process(options: EngineOptions, folder: Path | None) -> "EmbeddedEngine":
    from cerebro.embedded.embedded_engine import EmbeddedEngine  # noqa: PLC0415
    from cerebro.embedded.storage.home import open_home  # noqa: PLC0415
    from cordyna_core.server.loading import load_server  # noqa: PLC0415

    keep_info()  # the capture undoes it
    servers = {target: load_server(target) for target in options.servers}
    _require_distinct_names(servers)
    engine = EmbeddedEngine(open_home(folder), servers=servers, declares=options.declares)
    return engine.send_alerts(options.alerts)


def _require_distinct_names(servers: "dict[str, TaskServer]") -> None:
    """Raise UserError if two different servers have the same name."""
    target_of: dict[str, str] = {}
    for target, server in servers.items():
        other = target_of.setdefault(server.name, target)
        if servers[other] is not server:
            raise UserError(
                f"{other} and {target} are both named {server.name!r}.",
                why="a server's name identifies its tasks",
                next="give one of them another name: TaskServer(...)",
            )
