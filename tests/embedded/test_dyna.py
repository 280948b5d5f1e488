"""`dyna` on the embedded engine, command by command; each call opens the home again."""

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from cerebro.embedded.bodies.port import FRAME_OF_WORKER
from cerebro.embedded.engine import open_engine
from cerebro.embedded.storage.home import DiskHome
from cli.run_dyna import NOW, CliResult
from cordyna_cli.input.environment import Environment
from cordyna_cli.main import main

SERVER = """
from pathlib import Path

from cordyna_core import TaskServer, TerminalError, fresh

here = Path(__file__).parent
server = TaskServer("shop", owner="team-a")


def ran(name):
    with (here / "ran").open("a") as file:
        file.write(name + " ")


def breaks_where_told(name):
    ran(name)
    if (here / f"break-{name}").exists():
        raise TerminalError(f"{name} is broken")


@server.task
def source():
    ran("source")
    return {"rows": 3}

server.task(name="left", upstream=["source"])(lambda: breaks_where_told("left"))
server.task(name="right", upstream=["source"])(lambda: breaks_where_told("right"))
server.task(name="report", upstream=["left", "right"])(lambda: ran("report"))
server.task(name="page", upstream=[fresh("source", within="6h")])(lambda: ran("page"))
"""

Dyna = Callable[..., CliResult]


@pytest.fixture
def dyna(tmp_path: Path) -> Dyna:
    (tmp_path / "shop.py").write_text(SERVER)

    def call(*words: str) -> CliResult:
        out, err = StringIO(), StringIO()
        environment = Environment(
            argv=("--server", str(tmp_path / "shop.py"), "--home", str(tmp_path / "home"), *words),
            environ={},
            cwd=tmp_path,
            stdin=StringIO(),
            stdout=out,
            stderr=err,
            now=lambda: NOW,
            engines={"embedded": open_engine},
        )
        return CliResult(main(environment), out.getvalue(), err.getvalue())

    return call


def ran(tmp_path: Path) -> list[str]:
    """What has run since this was asked last."""
    file = tmp_path / "ran"
    names = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return sorted(names)


def breaks(tmp_path: Path, *names: str) -> None:
    for file in tmp_path.glob("break-*"):
        file.unlink()
    for name in names:
        (tmp_path / f"break-{name}").touch()


def run_of(result: CliResult) -> str:
    (run_id,) = re.findall(r"run ([0-9A-Z]{26})$", result.out, re.MULTILINE)
    return str(run_id)


def test_retry_runs_failed_and_blocked_tasks_only(dyna: Dyna, tmp_path: Path) -> None:
    breaks(tmp_path, "left")
    failed = dyna("do", "report")
    assert (failed.status, ran(tmp_path)) == (1, ["left", "right", "source"])
    breaks(tmp_path)

    again = dyna("retry", run_of(failed))

    assert (again.status, ran(tmp_path)) == (0, ["left", "report"])
    assert run_of(again) == run_of(failed)


def test_retry_from_runs_only_the_named_failures(dyna: Dyna, tmp_path: Path) -> None:
    breaks(tmp_path, "left", "right")
    run = run_of(dyna("do", "report"))
    ran(tmp_path)
    breaks(tmp_path)

    half = dyna("retry", "--from", "left", run)
    assert (half.status, ran(tmp_path)) == (1, ["left"])

    whole = dyna("retry", run)
    assert (whole.status, ran(tmp_path)) == (0, ["report", "right"])


def test_retry_of_completed_task_is_refused(dyna: Dyna, tmp_path: Path) -> None:
    breaks(tmp_path, "left")
    run = run_of(dyna("do", "report"))

    for task, status, result in (
        ("right", 1, "nothing to retry"),
        ("unknown", 3, "has no task 'unknown'"),
    ):
        refused = dyna("retry", "--from", task, run)
        assert refused.status == status
        assert result in refused.err


def test_cancel_of_failed_run_is_final(dyna: Dyna, tmp_path: Path) -> None:
    breaks(tmp_path, "left")
    run = run_of(dyna("do", "report"))

    assert f"run {run} is cancelled: it had ended in error" in dyna("cancel", run).out
    again = dyna("cancel", run)
    assert (again.status, "was cancelled before" in again.out) == (0, True)

    refused = dyna("retry", run)
    assert (refused.status, "that is final" in refused.err) == (1, True)
    why = dyna("why", run).out.splitlines()[0]
    assert why.startswith("⊗ report was cancelled; before that: left on shop failed")
    assert (
        dyna("why", run, "report").out.splitlines()[0]
        == "⊗ report on shop was cancelled with its run."
    )


def test_result_young_enough_is_reused_and_shown_as_reused(dyna: Dyna, tmp_path: Path) -> None:
    assert dyna("do", "report").status == 0
    ran(tmp_path)

    result = dyna("do", "report", "--max-age", "6h")

    assert (result.status, ran(tmp_path)) == (0, [])
    assert re.search(r"^≡ report +shop +reused", result.out, re.MULTILINE)
    assert "reused" in dyna("timeline").out
    assert (
        dyna("why", "report").out.splitlines()[0]
        == "≡ report on shop was not run: a result that is fresh enough was reused."
    )


def test_result_too_old_is_not_reused(dyna: Dyna, tmp_path: Path) -> None:
    assert dyna("do", "report").status == 0
    ran(tmp_path)

    assert dyna("do", "report", "--max-age", "0").status == 0
    assert ran(tmp_path) == ["left", "report", "right", "source"]


def test_fresh_edge_reuses_result_and_passes_its_output(dyna: Dyna, tmp_path: Path) -> None:
    assert dyna("do", "report").status == 0
    ran(tmp_path)

    result = dyna("do", "page")

    assert (result.status, ran(tmp_path)) == (0, ["page"])
    assert re.search(r"≡ source +shop +reused", result.out)
    assert '"source":{"rows":3}' in next(
        line for line in dyna("events", "--json").out.splitlines() if '"RunTask"' in line
    )


def test_servers_after_last_command_are_shown_as_stopped(dyna: Dyna) -> None:
    assert dyna("servers").out.splitlines()[1].split()[:2] == ["shop", "ready"]
    dyna("do", "source")

    assert dyna("servers").out.splitlines()[1].split()[:2] == ["shop", "stopped"]


def test_rehearsal_compares_file_with_accepted_declaration(dyna: Dyna, tmp_path: Path) -> None:
    dyna("do", "source")
    (tmp_path / "shop.py").write_text(
        SERVER.replace('name="right", upstream=["source"]', 'name="right", upstream=["report"]')
    )

    result = dyna("plan", "--declare", str(tmp_path / "shop.py"))

    assert result.status == 1
    assert "tasks need each other" in result.err
    assert dyna("tasks").status == 1, "declaring it is rejected"


def test_replay_after_retry_and_cancel_has_no_divergence(dyna: Dyna, tmp_path: Path) -> None:
    breaks(tmp_path, "left", "right")
    run = run_of(dyna("do", "report"))
    dyna("retry", "--from", "left", run)
    breaks(tmp_path)
    dyna("retry", run)
    dyna("cancel", run)

    result = dyna("replay", run)

    assert (result.status, result.out.split(":")[0]) == (0, "✓ report goes the same way"), (
        result.out
    )


def test_dead_letter_is_listed_with_reason_and_redriven(dyna: Dyna, tmp_path: Path) -> None:
    (tmp_path / "events").write_text("this is no event\n")
    assert dyna("dlq", "ls").err == "no dead letters\n"
    assert dyna("send", "events").status == 0

    listed = dyna("dlq", "ls")
    assert listed.out.splitlines()[1].split() == ["dead-letters", "1", "inbox"]
    assert listed.out.rstrip().endswith("this is no event")
    assert re.search(r"! +dead letters +1", dyna("doctor").out)

    assert dyna("dlq", "redrive", "dead-letters").out == "1 message put back\n"
    assert dyna("dlq", "ls").err == "no dead letters\n"
    dyna("do", "source")
    assert dyna("dlq", "ls").out != "", "it is still no event"


def test_redrive_leaves_what_a_worker_sent(dyna: Dyna, tmp_path: Path) -> None:
    frame = '{"detail-type":"TaskStateChanged","detail":"' + "x" * 5000 + '"}'
    home = DiskHome(tmp_path / "home")
    with home.transaction():
        home.event_log.add_dead_letter(frame, f"{FRAME_OF_WORKER}not a state", 4e9)
    home.close()

    refused = dyna("dlq", "redrive", "dead-letters")

    assert refused.status == 1
    assert "a worker sent them" in refused.err
    assert "dyna dlq purge dead-letters" in refused.err
    assert frame in dyna("dlq", "ls", "--json").json[0]["letters"][0]["text"]
    (tmp_path / "events").write_text("this is no event\n")
    dyna("send", "events")
    assert dyna("dlq", "redrive", "dead-letters").out == "1 message put back\n"
    assert FRAME_OF_WORKER in dyna("dlq", "ls").out


def test_redrive_of_unknown_queue_is_not_found(dyna: Dyna) -> None:
    assert dyna("dlq", "redrive", "letters").status == 3


def test_doctor_of_healthy_home_finds_no_problem(dyna: Dyna) -> None:
    dyna("tasks")

    result = dyna("doctor")

    assert (result.status, result.err) == (0, "")
    assert [line.split()[0] for line in result.out.splitlines()] == ["✓"] * 6


def test_doctor_looks_at_the_server_that_is_named(dyna: Dyna, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import nothing_of_that_name")

    result = dyna("doctor")

    assert result.status == 1
    assert "shop.py failed to load: " in result.out
    assert "nothing_of_that_name" in result.out


def test_doctor_names_what_a_declaration_is_rejected_for(dyna: Dyna, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from cordyna_core import TaskServer\n"
        "server = TaskServer('shop')\n"
        "server.task(name='a', upstream=['b'])(lambda: 1)\n"
        "server.task(name='b', upstream=['a'])(lambda: 1)\n"
    )

    result = dyna("doctor")

    assert result.status == 1
    assert "rejected: " in result.out
    assert "next: fix the problem above" in result.err


def test_cron_pause_of_a_misspelt_task_names_the_near_one(dyna: Dyna) -> None:
    for verb in ("pause", "resume"):
        result = dyna("cron", verb, "sorce")

        assert (result.status, result.err.splitlines()) == (
            3,
            [
                'error: there is no task "sorce".',
                "  next: did you mean source? `dyna cron ls` lists every cron",
            ],
        )


def test_cron_resume_of_a_cron_that_fires_is_not_found(dyna: Dyna) -> None:
    result = dyna("cron", "resume", "source")

    assert result.status == 3
    assert result.err.startswith("error: the cron of source is not paused.")


def test_cron_pause_of_a_task_without_cron_is_not_found(dyna: Dyna) -> None:
    result = dyna("cron", "pause", "source")

    assert (result.status, result.err.splitlines()[0]) == (
        3,
        "error: source has no cron, so there is nothing to pause.",
    )
    assert dyna("cron", "ls").status == 0
