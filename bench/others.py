"""Time per task beside other orchestrators: the same graphs, bodies that do nothing.

    python -m venv VENVS/prefect && VENVS/prefect/bin/pip install prefect    each in its own
    python bench/others.py VENVS                                            all that are in VENVS
    python bench/others.py VENVS prefect dbos                               only these

Each product runs as its documentation starts it on one machine, with what it keeps of a run on
SQLite (Celery: on Redis, whose server must be installed): see `contenders/`. What one keeps differs
from the next, and so does what it is for; quote ratios of one run, and with them the versions.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graphs import GRAPHS, Graph, single

TURNS: Final = 5
TIMEOUT_S: Final = 1800

PROGRAMS: Final = {
    "cordyna": "cordyna_graph.py",
    "luigi": "luigi_graph.py",
    "celery": "celery_graph.py",
    "dbos": "dbos_graph.py",
    "dagster": "dagster_graph.py",
    "prefect": "prefect_graph.py",
    "airflow": "airflow_graph.py",
}
"""Name of the environment -> the program in `contenders/` that runs a graph in it."""

SHAPES: Final = {"one task": single, **GRAPHS}


@dataclass(frozen=True, slots=True)
class Timed:
    """What a program reports: the version of its product, and the seconds of each turn."""

    version: str
    seconds: list[float]


def time_graph(python: Path, program: str, graph: Graph, environment: dict[str, str]) -> Timed:
    """Run a program on a graph.

    Raises RuntimeError with the end of what it printed if it cannot run it, or not in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.json"
        file.write_text(json.dumps(graph))
        command = [str(python), program, str(file), str(TURNS)]
        ended = subprocess.run(
            command,
            cwd=Path(__file__).parent / "contenders",
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    if ended.returncode:
        raise RuntimeError(ended.stderr.strip()[-300:])
    answer = json.loads(ended.stdout.strip().splitlines()[-1])
    return Timed(answer["version"], answer["seconds"])


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Have a Redis of our own on a free port; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def pythons(venvs: Path, names: list[str]) -> dict[str, Path]:
    """Return the interpreter of each product that can be timed."""
    found = {"cordyna": Path(sys.executable)}
    for name in PROGRAMS:
        if (python := venvs / name / "bin" / "python").exists():
            found[name] = python
    return {name: python for name, python in found.items() if name in names or not names}


def report(venvs: Path, names: list[str]) -> None:
    """Print a row for each product and shape: ms per task, lowest and highest, and the ratio."""
    print(f"{'':18}{'graph':26}{'ms per task':>12}{'from':>10}{'to':>10}{'of cordyna':>12}")
    with contextlib.ExitStack() as stack:
        found = pythons(venvs, names)
        environment = {"REDIS_URL": stack.enter_context(redis())} if "celery" in found else {}
        for title, make in SHAPES.items():
            graph, ours = make(), None
            for name, python in found.items():
                try:
                    timed = time_graph(python, PROGRAMS[name], graph, environment)
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    print(f"{name:18}{title:26} {str(error).splitlines()[-1]}")
                    continue
                each = sorted(seconds * 1000 / len(graph) for seconds in timed.seconds)
                middle = statistics.median(each)
                ours = ours or middle
                print(
                    f"{name + ' ' + timed.version:18}{title:26}{middle:12.2f}{each[0]:10.2f}"
                    f"{each[-1]:10.2f}{middle / ours:10.1f} x",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("venvs", type=Path, help="a folder of environments, named as the products")
    parser.add_argument("names", nargs="*", choices=[[], *PROGRAMS], help="only these")
    arguments = parser.parse_args()
    report(arguments.venvs, arguments.names)
