"""`python -m cordyna_core.entrypoints.serve package.module[:name]`: a task server in a container.

Invariant: it runs until SIGTERM, and then ends in order. It imports no code of the server: worker
processes do. Its environment variables are described in `cordyna_core.aws.settings`.
"""

import argparse
import sys

from cordyna_core.aws import sqs_worker
from cordyna_core.aws.runtime import work_queue
from cordyna_core.aws.settings import server_settings
from cordyna_core.entrypoints.process_server import ProcessServer
from cordyna_core.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 after an orderly end, 1 when the server cannot start or failed."""
    parser = argparse.ArgumentParser(
        prog="python -m cordyna_core.entrypoints.serve",
        description="Run a task server on its work queue.",
    )
    parser.add_argument(
        "server", metavar="MODULE_OR_FILE[:NAME]", nargs="?", help="default: CORDYNA_SERVER"
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        metavar="N",
        help="bodies at the same time (default: CORDYNA_WORKERS, else the server's)",
    )
    options = parser.parse_args(arguments)
    try:
        return _serve(options.server or _deployed_server(), options.concurrency)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1


def _serve(target: str, concurrency: int | None) -> int:
    work_queue()  # before anything is started, because it may not be named
    concurrency = concurrency or server_settings().workers
    with ProcessServer(target, concurrency) as server:
        sqs_worker.serve(server, concurrency=server.concurrency)
        return 1 if server.has_failed else 0


def _deployed_server() -> str:
    target = server_settings().server
    if target is None:
        raise UserError(
            "no task server is named",
            next="python -m cordyna_core.entrypoints.serve package.module:name, "
            "or set CORDYNA_SERVER",
        )
    return target


if __name__ == "__main__":
    raise SystemExit(main())
