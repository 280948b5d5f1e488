"""What a server declares, as it is on the wire."""

import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from cordyna_core.contract import time_zones
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration, Upstream
from cordyna_core.contract.envelope import detail_json


def test_declaration_defaults_are_those_of_the_rules() -> None:
    task = TaskDeclaration(name="t")

    assert (task.ack_timeout_s, task.start_timeout_s, task.run_timeout_s) == (10, 600, 1800)
    assert (task.retries, task.overlap, task.timezone, task.upstream) == (0, "skip", "UTC", [])


def test_declaration_upstream_is_a_name_or_a_condition() -> None:
    task = TaskDeclaration(
        name="t", upstream=["a", Upstream(task="b", within_s=60), Upstream(task="c")]
    )

    assert task.upstream_names == ("a", "b", "c")
    assert task.within_s == {"b": 60}


@pytest.mark.parametrize(
    "zone",
    [
        "Mars/Base",
        "",
        "../etc",
        "Europe",
        "europe/berlin",
        "Factory",
        "localtime",
        "posixrules",
        "posix/Europe/Berlin",
        "right/Europe/Berlin",
        "zones",
        "__init__.py",
        "Europe/Berlin\n",
        "x" * 100_000,
    ],
)
def test_declaration_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="unknown time zone") as refused:
        TaskDeclaration(name="t", timezone=zone)
    assert len(refused.value.errors()[0]["msg"]) < 250


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Etc/GMT+5", "US/Eastern", "GMT"])
def test_declaration_time_zone_of_the_database_is_accepted(zone: str) -> None:
    assert TaskDeclaration(name="t", timezone=zone).timezone == zone


def test_time_zones_without_tzdata_are_those_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(package: str) -> None:
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(time_zones, "files", missing)
    monkeypatch.setattr(
        time_zones,
        "available_timezones",
        lambda: {"Europe/Berlin", "Factory", "localtime", "posix/UTC", "right/UTC"},
    )
    names = time_zones._names.__wrapped__()

    assert names == {"Europe/Berlin"}


def test_time_zones_all_have_rules() -> None:
    names = time_zones._names()
    assert "Europe/Berlin" in names
    for name in names:
        assert ZoneInfo(name).key == name


def test_declaration_of_10000_tasks_fits_its_limit() -> None:
    tasks = [
        TaskDeclaration(name=f"team.task-{n}", upstream=[f"team.task-{n - 1}"] if n else [])
        for n in range(10_000)
    ]

    assert len(detail_json(ServerDeclared(server="s", tasks=tasks))) < 900_000


def test_message_first_used_by_many_threads_works() -> None:
    # Messages are built when first used, so the first use must be safe wherever it happens: in a
    # new process.
    program = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from cordyna_core.contract.envelope import open_envelope, seal
from cordyna_core.contract.time import utc
from cordyna_core.contract.commands import RunTask
together = Barrier(8)
def use(_):
    together.wait()
    command = RunTask(
        server="s", run_id="0" * 26, task="t", attempt=1, ack_by=utc(1), start_by=utc(2)
    )
    text = seal(command, "cordyna.cerebro", "e", utc(0))
    return open_envelope(text).message.task
with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(use, range(8))) == ["t"] * 8
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
