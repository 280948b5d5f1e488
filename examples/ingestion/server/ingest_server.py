"""The task server ingest: one task, run for each object that arrives."""

from cordyna_core import TaskServer, TerminalError

server = TaskServer("ingest", owner="team-data")

KINDS = ("csv", "json", "parquet")


@server.task(name="ingest.object")
def ingest(object: str) -> dict[str, str]:  # noqa: A002  the name of the event's field
    """Read an object that has arrived, and say what it was."""
    kind = object.rpartition(".")[2]
    if kind not in KINDS:
        raise TerminalError(f"{object} is not of a kind that can be read: {', '.join(KINDS)}")
    print(f"reading {object}")
    return {"object": object, "kind": kind}
