"""The Store port on AWS: one DynamoDB table.

Invariant: every condition is one step, and there is no transaction and no index. Every read is
strongly consistent, except those whose answer proves nothing (recent runs and facts, the timer of a
page, what a sweep reads again) or cannot be an older one (what is written once).

    GRAPH / HEAD                      generation; servers: name -> declaration version;
                                      watched: marks of open incidents
    INCIDENTS / <id>                  an incident; a closed one expires                 *
    DEADLINES / <task>#<nominal>      the deadline of a tick's run                      *
    GRAPH / VERSIONS#<generation>#<hash> its servers, if they are too many for the head
    GRAPH / SERVER#<name>#<version>#<n> a chunk of a declaration
    SERVERS#<shard> / <name>          the state of a server, and its last sign of life
    TICK#<task> / TICK                the last tick that fired
    PLAN#<hash> / <n>                 a chunk of a plan                                 *
    TASK#<task> / LAST#<fingerprint>  the last result made from the same inputs         *
    RUN#<id> / META                   a run; `version` is its condition                 *
    ACTIVE#<shard> / <run>            a mark: this run is active, since `version`; its pages *
    SWEPT / <shard>                   a run that was listed since `until` is active without a mark
    RUNS#<month>#<shard> / <created>#<run>  a mark: this run exists                           *
    RUN#<id>#<page> / T#<index>       a fact; `rev` is its condition                    *
    RUN#<id>#<page> / O#<index>#<ref> an output that is stored apart from its fact      *
    RUN#<id>#<page> / GUARD           when the page's next timer is due                 *

`*`: expires; `expires_at` is the table's time to live (UTC seconds).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cerebro.adapters.aws.dynamodb_graph import GraphItems
from cerebro.adapters.aws.dynamodb_incidents import IncidentItems
from cerebro.adapters.aws.dynamodb_runs import RunItems
from cerebro.adapters.aws.dynamodb_table import Table
from cerebro.adapters.aws.dynamodb_tasks import TaskItems
from cordyna_core.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoStore:
    """Implements the Store port by four parts: graph, runs, task runs, and incidents."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        clock: Clock,
        sleep: Callable[[float], None],
        retention_days: float,
    ) -> None:
        items = Table(client, table, sleep)
        graph, runs = GraphItems(items), RunItems(items, clock, retention_days)
        tasks = TaskItems(items, runs.expires_at)
        incidents = IncidentItems(items, clock, retention_days)

        self.read_graph = graph.read_graph
        self.write_declaration = graph.write_declaration
        self.write_head = graph.write_head
        self.read_graph_change = graph.read_graph_change
        self.write_graph_change = graph.write_graph_change
        self.note_server = graph.note_server
        self.note_missed_ack = graph.note_missed_ack
        self.servers = graph.servers
        self.read_tick = graph.read_tick
        self.write_tick = graph.write_tick

        self.read_incident = incidents.read_incident
        self.write_incident = incidents.write_incident
        self.incidents = incidents.incidents
        self.mark_cause = incidents.mark_cause
        self.read_deadline = incidents.read_deadline
        self.write_deadline = incidents.write_deadline
        self.open_deadlines = incidents.open_deadlines

        self.write_plan = runs.write_plan
        self.read_cached_result = runs.read_cached_result
        self.write_cached_result = runs.write_cached_result
        self.read_run = runs.read_run
        self.read_recent_run = runs.read_recent_run
        self.write_run = runs.write_run
        self.read_run_snapshot = runs.read_run_snapshot
        self.active_runs = runs.active_runs
        self.active_pages = runs.active_pages
        self.new_active_pages = runs.new_active_pages
        self.runs = runs.runs

        self.read_task = tasks.read_task
        self.read_recent_task = tasks.read_recent_task
        self.read_tasks = tasks.read_tasks
        self.read_page = tasks.read_page
        self.write_task = tasks.write_task
        self.read_outputs = tasks.read_outputs
        self.write_output = tasks.write_output
        self.has_page_timer = tasks.has_page_timer
        self.write_page_timer = tasks.write_page_timer
