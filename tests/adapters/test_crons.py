"""Crons on AWS: the schedules are those of the head, in whatever order graphs are applied."""

from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from adapters.cloud import client
from adapters.virtual_aws import GROUP, TARGET, VirtualAws, refusal
from cerebro.adapters.aws.crons import AwsCrons, CronSchedule, stem_of
from cerebro.core.graph.graph import Graph
from cerebro.core.internal_messages import PageTimer
from cerebro.testing.examples import NOW, RUN, a_declaration


def a_graph(generation: int = 1, **crons: str) -> Graph:
    """`a_graph(x="0 6 * * *")`: task x runs at six.

    `x="0 6 * * * Europe/Berlin"` in that time zone.
    """
    servers = {}
    for task, text in crons.items():
        *fields, last = text.split()
        cron, timezone = (
            (" ".join(fields), last) if "/" in last and last[0].isalpha() else (text, "UTC")
        )
        servers[f"server-of-{task}"] = a_declaration(
            f"server-of-{task}", task, f"{task}-after", cron=cron, timezone=timezone
        )
    return Graph.of(servers, generation)


def keep(graph: Graph) -> Graph:
    return graph


def applied(aws: VirtualAws, graph: Graph) -> dict[str, str]:
    """The cron schedules after the graph was applied: stem of the name -> expression."""
    aws.crons(graph).apply(graph)
    return {
        name[:-8]: made["expression"]
        for name, made in aws.schedules.items()
        if name.startswith("cron-")
    }


def test_apply_creates_a_schedule_for_every_cron() -> None:
    aws = VirtualAws()
    scheduled = applied(aws, a_graph(x="0 6 * * 1-5", y="*/5 * * * * Europe/Berlin"))
    assert scheduled == {
        stem_of("x"): "cron(0 6 ? * 2,3,4,5,6 *)",
        stem_of("y"): "cron(0/5 * * * ? *)",
    }
    zones = {
        made["Description"]: made["ScheduleExpressionTimezone"] for made in aws.schedules.values()
    }
    assert zones == {"Cron of task x": "UTC", "Cron of task y": "Europe/Berlin"}


def test_schedule_sends_a_tick_with_its_nominal_time() -> None:
    aws = VirtualAws()
    applied(aws, a_graph(x="0 6 * * *"))
    ((_, made),) = aws.schedules.items()
    assert made["input"] == '{"tick":{"task":"x","nominal":"<aws.scheduler.scheduled-time>"}}'


def test_apply_unchanged_cron_changes_nothing() -> None:
    aws = VirtualAws()
    applied(aws, a_graph(x="0 6 * * *"))
    before = dict(aws.schedules)
    applied(aws, a_graph(2, x="0 6 * * *"))
    assert aws.schedules == before


def test_apply_changed_cron_replaces_its_schedule() -> None:
    aws = VirtualAws()
    applied(aws, a_graph(x="0 6 * * *"))
    assert applied(aws, a_graph(2, x="0 7 * * *")) == {stem_of("x"): "cron(0 7 * * ? *)"}
    assert applied(aws, a_graph(3, x="0 7 * * * Europe/Berlin")) == {
        stem_of("x"): "cron(0 7 * * ? *)"
    }
    assert [made["ScheduleExpressionTimezone"] for made in aws.schedules.values()] == [
        "Europe/Berlin"
    ]


def test_apply_removed_cron_deletes_its_schedule() -> None:
    aws = VirtualAws()
    applied(aws, a_graph(x="0 6 * * *", y="0 6 * * *"))
    assert applied(aws, a_graph(2, y="0 6 * * *")) == {stem_of("y"): "cron(0 6 * * ? *)"}
    assert applied(aws, a_graph(3)) == {}


def test_apply_changed_cron_keeps_it_paused() -> None:
    aws = VirtualAws()
    applied(aws, a_graph(x="0 6 * * *", y="0 6 * * *"))
    for name, made in aws.schedules.items():
        made["State"] = "DISABLED" if name.startswith(stem_of("x")) else "ENABLED"
    applied(aws, a_graph(2, x="0 7 * * *", y="0 7 * * *"))
    assert {made["expression"] for made in aws.schedules.values()} == {"cron(0 7 * * ? *)"}
    assert {name[:-8]: made["State"] for name, made in aws.schedules.items()} == {
        stem_of("x"): "DISABLED",
        stem_of("y"): "ENABLED",
    }


def test_apply_keeps_schedules_of_page_timers() -> None:
    aws = VirtualAws()
    aws.timers.send_page_timer(PageTimer(RUN, 0, NOW + 600))
    assert applied(aws, a_graph(2)) == {}
    assert len(aws.schedules) == 1


def test_apply_repeats_until_the_head_is_stable() -> None:
    aws = VirtualAws()
    old, new, newest = (
        a_graph(5, x="0 6 * * *"),
        a_graph(6, y="0 6 * * *"),
        a_graph(7, z="0 6 * * *"),
    )
    aws.crons(new, newest, newest).apply(old)
    assert [name[:-8] for name in aws.schedules] == [stem_of("z")]


def test_apply_of_an_old_graph_applies_the_head() -> None:
    aws = VirtualAws()
    old, new = a_graph(5, x="0 6 * * *"), a_graph(6, x="0 7 * * *")
    aws.crons(new).apply(new)
    aws.crons(new, new).apply(old)
    assert [made["expression"] for made in aws.schedules.values()] == ["cron(0 7 * * ? *)"]


def test_apply_concurrently_tolerates_conflicts() -> None:
    class Raced(VirtualAws):
        """Between listing and writing, another process creates and deletes the same schedules."""

        rival: Graph | None = None

        def paginate(self, **given: Any) -> list[dict[str, Any]]:
            pages = super().paginate(**given)
            if self.rival is not None:
                rival, self.rival = self.rival, None
                applied(self, rival)
            return pages

    aws = Raced()
    applied(aws, a_graph(x="0 6 * * *"))
    aws.rival = a_graph(2, x="0 7 * * *")
    assert applied(aws, a_graph(2, x="0 7 * * *")) == {stem_of("x"): "cron(0 7 * * ? *)"}


@pytest.mark.parametrize("operation", ["create_schedule", "delete_schedule"])
def test_apply_raises_other_errors_of_scheduler(operation: str) -> None:
    aws = VirtualAws()
    applied(aws, a_graph(x="0 6 * * *"))

    def refuse(**_: object) -> None:
        raise refusal("ThrottlingException")

    setattr(aws, operation, refuse)
    with pytest.raises(ClientError, match="ThrottlingException"):
        applied(aws, a_graph(2, y="0 6 * * *"))


def test_schedule_names_of_similar_tasks_are_distinct() -> None:
    names = ["a" * 128, "a" * 127 + "b", "Task", "task"]
    stems = {stem_of(name).lower() for name in names}
    assert len(stems) == 4
    assert all(len(CronSchedule(name, "cron(0 6 * * ? *)", "UTC").name) <= 64 for name in names)


@pytest.mark.usefixtures("moto")
def test_apply_works_against_moto() -> None:
    scheduler = client("scheduler")
    scheduler.create_schedule_group(Name=GROUP)
    graphs = [
        a_graph(x="0 6 * * *", y="0 6 * * * Europe/Berlin"),
        a_graph(2, y="0 6 * * * Europe/Berlin"),
    ]
    for graph in graphs:
        AwsCrons(GROUP, TARGET, partial(keep, graph), lambda: scheduler).apply(graph)
    (only,) = scheduler.list_schedules(GroupName=GROUP)["Schedules"]
    made = scheduler.get_schedule(GroupName=GROUP, Name=only["Name"])
    assert (made["ScheduleExpression"], made["ScheduleExpressionTimezone"]) == (
        "cron(0 6 * * ? *)",
        "Europe/Berlin",
    )
    assert made["Target"]["DeadLetterConfig"] == {"Arn": TARGET.dead_letter_arn}
