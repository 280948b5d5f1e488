"""The Python client on a real home: one thread, several threads, and an event loop."""

import asyncio
import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from cordyna_cli.client import Client, RunFailed, connect, connect_async
from cordyna_core.errors import ServiceError

SERVER = """
from cordyna_core import Context, TaskServer

server = TaskServer("shop")


@server.task
def name() -> str:
    return "world"


@server.task(upstream=["name"])
def hello(greeting: str = "hello", *, ctx: Context) -> str:
    return f"{greeting}, {ctx.upstream['name']}"


@server.task
def bad() -> None:
    raise ValueError("bad row 7")
"""


@pytest.fixture
def target(tmp_path: Path) -> str:
    (tmp_path / "shop.py").write_text(SERVER)
    return str(tmp_path / "shop.py")


def test_client_runs_tasks_in_a_home(target: str, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    with connect(servers=[target], home=home) as client:
        run = client.invoke("hello", {"greeting": "hi"})
        assert run.result(30) == "hi, world"
        types = [event.type for event in run.events()]
        assert (types[0], types[-1]) == ("InvokeTask", "RunStateChanged")
        with pytest.raises(RunFailed):
            client.invoke("bad").result(30)
    with connect(home=home) as later:
        assert later.run(run.run_id).result() == "hi, world"


def test_async_client_awaits_runs_side_by_side(target: str, tmp_path: Path) -> None:
    async def use() -> list[object]:
        async with connect_async(servers=[target], home=str(tmp_path / "home")) as client:
            runs = await asyncio.gather(
                *(client.invoke("hello", {"greeting": word}) for word in ("a", "b", "c"))
            )
            return list(await asyncio.gather(*(run.result(30) for run in runs)))

    assert asyncio.run(use()) == ["a, world", "b, world", "c, world"]


def test_threads_of_one_client_share_one_driver(target: str, tmp_path: Path) -> None:
    """All of them begin at once; one begins to drive, and the others wait for it."""
    barrier, outputs = threading.Barrier(4), list[object]()
    with connect(servers=[target], home=str(tmp_path / "home")) as client:

        def use() -> None:
            barrier.wait(30)
            outputs.append(client.invoke("hello").result(30))

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert outputs == ["hello, world"] * 4


def test_run_of_a_closed_client_says_that_it_is_closed(target: str, tmp_path: Path) -> None:
    with connect(servers=[target], home=str(tmp_path / "home")) as client:
        run = client.invoke("name")

    with pytest.raises(ServiceError, match=r"has been closed by this process\.\n.*its `with`"):
        run.result()


def test_client_keeps_its_home_when_the_program_moves(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    with connect(servers=["shop.py"], home="home") as client:
        assert client.invoke("hello").result(30) == "hello, world"
        monkeypatch.chdir(elsewhere)

        assert client.invoke("hello").result(30) == "hello, world"
    assert not list(elsewhere.iterdir())


def _use_forked(client: Client, errors: "multiprocessing.SimpleQueue[str]") -> None:
    for use in (lambda: client.invoke("hello"), client.runs, client.tasks):
        try:
            use()
        except ServiceError as error:
            errors.put(str(error).partition("\n")[0])
    client.close()


def test_client_in_a_forked_process_is_refused(target: str, tmp_path: Path) -> None:
    """A server that forks its workers may have connected before: neither side is harmed."""
    fork = multiprocessing.get_context("fork")
    with connect(servers=[target], home=str(tmp_path / "home")) as client:
        assert client.invoke("hello").result(30) == "hello, world"
        errors = fork.SimpleQueue()
        child = fork.Process(target=_use_forked, args=(client, errors))
        child.start()
        child.join(30)

        assert child.exitcode == 0
        said = {errors.get() for _ in range(3)}
        assert client.invoke("hello", {"greeting": "still"}).result(30) == "still, world"
    assert said == {f"this process was forked from process {os.getpid()}, which opened the home."}
