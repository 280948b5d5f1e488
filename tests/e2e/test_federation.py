"""Three teams on the deployed system: examples/federation, with the commands of its README."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cerebro.core.run.invoke import tick_key
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import SCHEDULER, run_id_of
from cordyna_core.contract.incidents import IncidentClosed, IncidentOpened, incident_id
from cordyna_core.contract.state_updates import DeclarationAccepted, DeclarationRejected
from e2e.cloud import BUS, Cloud, until
from e2e.federation import EXAMPLE, Federation, declaration_of
from e2e.scenarios import ended

FINANCE = "reporting.finance"


@pytest.fixture(scope="module")
def federation(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Teams orders and reporting, deployed; the tests of other files find nothing of them."""
    federation = Federation(cloud, tmp_path_factory.mktemp("federation"))
    federation.app.deploy()
    yield federation
    federation.app.delete()


def test_report_gets_the_orders_of_another_team(cloud: Cloud, federation: Federation) -> None:
    done = cloud.dyna("do", "report")
    assert done.returncode == 0, done.stderr
    assert '"3 orders"' in done.stdout
    used = cloud.dyna("consumers", "orders.clean").stdout
    assert "consumers   reporting, reporting.*" in used
    assert "team-reporting" in used


def test_team_without_leave_is_refused_naming_both(cloud: Cloud, federation: Federation) -> None:
    planned = cloud.dyna("plan", "--declare", str(EXAMPLE / "audit.py"))
    assert planned.returncode == 1
    detail = declaration_of("audit.py")
    event = cloud.put("ServerDeclared", detail, source="cordyna.server.audit")
    (rejected,) = until(lambda: cloud.of(DeclarationRejected, event), within_s=30)
    (problem,) = rejected.message.problems
    assert problem.code == "not_a_consumer"
    assert 'task "audit" of audit may not depend on "orders.purge" of orders' in problem.message
    assert problem.message in planned.stderr

    # Without the task it is accepted, and what was rejected is no incident any more.
    event = cloud.put("ServerDeclared", detail | {"tasks": []}, source="cordyna.server.audit")
    until(lambda: cloud.of(DeclarationAccepted, event), within_s=30)


def test_body_without_leave_may_not_invoke(cloud: Cloud, federation: Federation) -> None:
    done = cloud.dyna("do", "cleanup", "-p", "customer=ann", "--json")
    assert done.returncode == 0, done.stderr
    run_id = json.loads(done.stdout)["run_id"]
    refusal = 'reporting may not invoke "orders.purge" of orders'
    until(lambda: refusal in cloud.dyna("why", run_id).stdout, within_s=30)


def test_missed_deadline_is_an_incident_of_its_owner(cloud: Cloud, federation: Federation) -> None:
    source, incident = f"cordyna.server.{FINANCE}", incident_id("deadline", "invoice")
    declared = declaration_of("finance.py", invoice={"due": "15s"})
    event = cloud.put("ServerDeclared", declared, source=source)
    until(lambda: cloud.of(DeclarationAccepted, event), within_s=30)
    # As Scheduler sends it; the cron of the example fires once a day.
    nominal = datetime.now(UTC).replace(microsecond=0)
    url = cloud.aws("sqs", "get-queue-url", "--queue-name", f"{BUS}-timekeeper")["QueueUrl"]
    tick = {"tick": {"task": "invoice", "nominal": f"{nominal:%Y-%m-%dT%H:%M:%SZ}"}}
    cloud.aws("sqs", "send-message", "--queue-url", url, "--message-body", json.dumps(tick))

    opened = until(lambda: cloud.of(IncidentOpened, incident), within_s=60)[-1]

    assert (opened.message.owner, opened.message.task) == ("team-finance", "invoice")
    shown = cloud.dyna("incidents", "--owner", "team-finance").stdout
    assert "invoice is not completed in time: due" in shown
    run_id = run_id_of("invoice", tick_key(nominal.timestamp()), SCHEDULER)
    sent = {"server": FINANCE, "run_id": run_id, "task": "invoice", "attempt": 1}
    cloud.put("TaskStateChanged", sent | {"state": "completed", "output": "sent"}, source=source)
    until(lambda: cloud.of(IncidentClosed, incident), within_s=30)
    cloud.put("ServerDeclared", declared | {"tasks": []}, source=source)


def test_break_of_an_output_is_shown_before_and_after(cloud: Cloud, federation: Federation) -> None:
    file = str(EXAMPLE / "orders_v2.py")
    planned = cloud.dyna("plan", "--declare", file)
    assert planned.returncode == 0, planned.stderr
    breaks = 'report (team-reporting): output of orders.clean breaks it: "rows" is gone'
    assert breaks in planned.stdout
    assert cloud.dyna("plan", "--declare", file, "--strict").returncode == 1

    federation.put_orders_v2()
    until(lambda: cloud.of(ServerDeclared, "use orders.lines"), within_s=30)
    until(lambda: "deprecated" in cloud.dyna("describe", "orders.clean").stdout, within_s=30)

    done = cloud.dyna("do", "report", "--json")
    assert done.returncode == 1
    run = json.loads(done.stdout)
    assert ended(cloud, run["run_id"]) == "error"
    (report,) = [task for task in run["tasks"] if task["task"] == "report"]
    assert report["reason"] == "failed_terminal"
    assert report["error"]["type"] == "UpstreamMismatch"
