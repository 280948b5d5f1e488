"""Programs: a server file is imported as Python itself would import it, under its real name."""

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from importlib.util import cache_from_source
from pathlib import Path
from textwrap import dedent

import pytest

from cordyna_core import UserError
from cordyna_core.errors import NotFound
from cordyna_core.server.program import load_program, name_of, root_of

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a file beneath a folder that is the working folder for this test."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield put
    for name in sys.modules.keys() - before:
        del sys.modules[name]


SERVER = """
from cordyna_core import TaskServer
server = TaskServer(__name__.replace(".", "-"))
"""


def test_program_file_has_the_name_of_its_stem(write: Write) -> None:
    path = write("sales_tasks.py", SERVER)

    assert load_program(str(path)).name == "sales_tasks"
    assert sys.modules["sales_tasks"].__file__ == str(path)
    assert sys.path[0] == str(path.parent)


def test_program_imports_its_neighbours(write: Write) -> None:
    write("lib/neighbour_of_it.py", "NAME = 'neighbour'\n")
    write(
        "lib/sales_tasks.py",
        "from cordyna_core import TaskServer\nimport neighbour_of_it\n"
        "server = TaskServer(neighbour_of_it.NAME)\n",
    )
    assert load_program("lib/sales_tasks.py").name == "neighbour"


@pytest.mark.parametrize("name", ["08_sales", "sales-tasks"])
def test_program_file_that_is_no_identifier_is_named(write: Write, name: str) -> None:
    write(f"{name}.py", "from cordyna_core import TaskServer\nserver = TaskServer('s')\n")

    load_program(f"{name}.py")
    assert name in sys.modules


def test_program_in_a_package_has_its_dotted_name(write: Write) -> None:
    write("src/shop/__init__.py", "")
    write("src/shop/orders/__init__.py", "NAME = 'relative'\n")
    path = write(
        "src/shop/orders/tasks.py",
        "from cordyna_core import TaskServer\nfrom . import NAME\nfrom ..prices import PRICE\n"
        "server = TaskServer(NAME)\n",
    )
    write("src/shop/prices.py", "PRICE = 3\n")

    assert load_program(str(path)).name == "relative"
    assert sys.modules["shop.orders.tasks"].__file__ == str(path)
    assert sys.path[0] == str(path.parents[2])


def test_program_in_a_package_does_not_replace_python(write: Write) -> None:
    """A neighbour `colorsys.py` is found by `from . import`, and Python's by its name."""
    write("shop/__init__.py", "")
    write("shop/colorsys.py", "NAME = 'ours'\n")
    write("shop/short_name.py", "NAME = 'short'\n")
    write(
        "shop/tasks.py",
        "import colorsys\nimport short_name\nfrom cordyna_core import TaskServer\n"
        "from . import colorsys as ours\ncolorsys.rgb_to_hsv\n"
        "server = TaskServer(ours.NAME + short_name.NAME)\n",
    )
    assert load_program("shop/tasks.py").name == "oursshort"


def test_program_package_itself_is_imported(write: Write) -> None:
    write("shop/__init__.py", SERVER)

    assert load_program("shop/__init__.py").name == "shop"


def test_program_imported_by_its_package_runs_once(write: Write) -> None:
    write("shop/__init__.py", "from .tasks import server\n")
    write("shop/tasks.py", "import os\nos.environ['RUNS'] += '1'\n" + SERVER)
    os.environ["RUNS"] = ""
    try:
        load_program("shop/tasks.py")
        assert os.environ["RUNS"] == "1"
    finally:
        del os.environ["RUNS"]


@pytest.mark.parametrize("name", ["colorsys", "pytest", "v1.2"])
def test_program_whose_name_is_taken_is_loaded(write: Write, name: str) -> None:
    write(f"{name}.py", "from cordyna_core import TaskServer\nserver = TaskServer('taken')\n")
    taken = sys.modules.get(name)

    assert load_program(f"{name}.py").name == "taken"
    assert sys.modules.get(name) is taken


def test_program_beside_a_package_of_its_name_is_loaded(write: Write) -> None:
    write("both/__init__.py", "raise RuntimeError('the wrong one')\n")
    write("both.py", "from cordyna_core import TaskServer\nserver = TaskServer('right')\n")

    assert load_program("both.py").name == "right"


def test_program_module_is_imported_from_the_folder(write: Write) -> None:
    write("shop/tasks.py", SERVER)

    assert load_program("shop.tasks").name == "shop-tasks"
    assert load_program("shop.tasks:server").name == "shop-tasks"


def test_program_classes_can_be_pickled(write: Write) -> None:
    write(
        "models_of_it.py",
        """
        from __future__ import annotations
        import dataclasses
        from cordyna_core import TaskServer

        @dataclasses.dataclass
        class Model:
            rows: list[int]
            kind: dataclasses.KW_ONLY
            next: Model | None = None

        server = TaskServer("models")
        if __name__ == "__main__":
            raise RuntimeError("a worker is not the main program")
        """,
    )
    load_program("models_of_it.py")
    model = sys.modules["models_of_it"].Model([1])

    assert pickle.loads(pickle.dumps(model)) == model


def test_program_that_raises_shows_the_line(write: Write) -> None:
    path = write("raises_here.py", "x = 1\nraise ValueError('no table')\n")

    with pytest.raises(UserError, match="ValueError: no table") as refused:
        load_program("raises_here.py")
    assert refused.value.why == f"{path}:2, in <module>: raise ValueError('no table')"


def test_program_interrupted_raises_keyboard_interrupt(write: Write) -> None:
    write("interrupted_here.py", "raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        load_program("interrupted_here.py")


@pytest.mark.parametrize("target", ["gone.py", "gone_module.tasks"])
def test_program_that_is_missing_is_not_found(write: Write, target: str) -> None:
    with pytest.raises(NotFound, match="gone"):
        load_program(target)


@pytest.mark.parametrize("text", ["NAME = 'abc'\n" + SERVER, "NAME = 1 / 0\n"])
def test_program_leaves_no_young_bytecode(
    write: Write, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = write("edited_soon.py", text)
    os.utime(path, (4e9, 4e9))

    if "/" in text:
        with pytest.raises(UserError):
            load_program(str(path))
    else:
        load_program(str(path))
    assert not Path(cache_from_source(str(path))).exists()


@pytest.mark.parametrize(
    ("path", "root", "name"),
    [
        ("a.py", "", "a"),
        ("p/a.py", "p", "a"),
        ("q/__init__.py", "", "q"),
        ("q/a.py", "", "q.a"),
        ("q/r/a.py", "", "q.r.a"),
        ("p.1/a.py", "p.1", "a"),
    ],
)
def test_program_name_follows_the_packages(
    write: Write, tmp_path: Path, path: str, root: str, name: str
) -> None:
    for package in ("q", "q/r", "p.1"):
        write(f"{package}/__init__.py", "")
    assert root_of(tmp_path / path) == tmp_path / root
    assert name_of(tmp_path / path) == name
