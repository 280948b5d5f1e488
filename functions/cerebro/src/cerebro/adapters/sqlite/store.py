"""SQLite store: facts, runs, plans and the graph of a home, in a file that survives `kill -9`.

Invariant: caches hold committed values only; a rolled back transaction clears them.
"""

from cerebro.adapters.page_timers import ArmedPageTimers
from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.graph_store import SqliteGraphStore
from cerebro.adapters.sqlite.incident_store import SqliteIncidentStore
from cerebro.adapters.sqlite.run_store import SqliteRunStore
from cerebro.adapters.sqlite.task_store import SqliteTaskStore


class SqliteStore:
    """Implements the Store port by four parts. The caller serializes access to the file."""

    def __init__(self, file: SqliteFile) -> None:
        graph, runs, tasks = SqliteGraphStore(file), SqliteRunStore(file), SqliteTaskStore(file)
        incidents = SqliteIncidentStore(file)

        self.read_graph = graph.read_graph
        self.write_declaration = graph.write_declaration
        self.write_head = graph.write_head
        self.read_graph_change = graph.read_graph_change
        self.write_graph_change = graph.write_graph_change
        self.note_server = graph.note_server
        self.note_missed_ack = graph.note_missed_ack
        self.servers = graph.servers
        self.read_cached_result = graph.read_cached_result
        self.write_cached_result = graph.write_cached_result
        self.read_tick = graph.read_tick
        self.write_tick = graph.write_tick
        self.forget_after = graph.forget_after

        self.read_incident = incidents.read_incident
        self.write_incident = incidents.write_incident
        self.incidents = incidents.incidents
        self.mark_cause = incidents.mark_cause
        self.read_deadline = incidents.read_deadline
        self.write_deadline = incidents.write_deadline
        self.open_deadlines = incidents.open_deadlines

        self.write_plan = runs.write_plan
        # A transaction sees what is: nothing is cheaper for having been so a moment ago.
        self.read_run = self.read_recent_run = runs.read_run
        self.write_run = runs.write_run
        self.read_run_snapshot = runs.read_run_snapshot
        self.active_runs = runs.active_runs
        self.runs = runs.runs

        self.read_task = self.read_recent_task = tasks.read_task
        self.read_tasks = tasks.read_tasks
        self.read_page = tasks.read_page
        self.has_live_task = tasks.has_live_task
        self.write_task = tasks.write_task
        self.read_outputs = tasks.read_outputs
        self.write_output = tasks.write_output
        timers = ArmedPageTimers()
        file.on_roll_back(timers.forget_page_timers)
        self.has_page_timer = timers.has_page_timer
        self.write_page_timer = timers.write_page_timer
        self.forget_page_timers = timers.forget_page_timers
