"""Server views: the servers of a home, with those that failed to load and how busy they are."""

from cerebro.embedded.storage.home import Home
from cerebro.handlers import queries
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.graph import ServerInfo


def server_views(home: Home) -> list[ServerInfo]:
    """Return every server that cerebro knows, then the targets that never declared one."""
    failed = home.targets.failed()
    by_server = {state.server: state for state in failed if state.server is not None}
    driver = home.driver()
    # What a driver that was killed has stored says nothing any more.
    is_driven = driver is not None and driver.state == "running"
    loads = {load.server: load for load in home.targets.read_loads()} if is_driven else {}
    views = []
    for view in queries.servers(home.store):
        changes: dict[str, object] = {}
        load, failure = loads.get(view.server), by_server.get(view.server)
        if load is not None:
            changes |= {
                "concurrency": load.concurrency,
                "running": len(load.running),
                "waiting": len(load.waiting),
                "mode": load.mode or None,
                "mode_reason": load.mode_reason or None,
            }
        if failure is not None:
            changes["problem"] = failure.error
            if not failure.is_serving:
                changes["state"] = "not_loaded"
        views.append(view.model_copy(update=changes) if changes else view)
    known = {view.server for view in views}
    return views + [
        ServerInfo.model_construct(
            server=state.server or state.target,
            state="not_loaded",
            tasks=0,
            revision=0,
            last_seen_at=utc(state.at),
            problem=state.error,
        )
        for state in failed
        if state.server not in known
    ]
