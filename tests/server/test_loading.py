"""Loading: what a person types becomes the server that is meant, from the present files."""

import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import cache_from_source
from pathlib import Path
from textwrap import dedent

import pytest

from cordyna_core import UserError
from cordyna_core.errors import NotFound
from cordyna_core.server.loading import load_server

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


def a_server(name: str) -> str:
    return f"from cordyna_core import TaskServer\nserver = TaskServer('{name}')\n"


def test_load_file_with_one_server_needs_no_name(write: Write) -> None:
    assert load_server(str(write("a.py", a_server("team-a")))).name == "team-a"


def test_load_relative_path_is_found(write: Write) -> None:
    write("servers/a.py", a_server("team-a"))

    assert load_server("servers/a.py").name == "team-a"


def test_load_module_from_working_folder_is_found(write: Write) -> None:
    write("shop/__init__.py", "")
    write("shop/tasks.py", a_server("shop"))

    assert load_server("shop.tasks").name == "shop"


def test_load_namespace_package_is_found(write: Write) -> None:
    write("plain/tasks.py", a_server("plain"))

    assert load_server("plain.tasks").name == "plain"


def test_load_several_servers_takes_the_named_one(write: Write) -> None:
    write(
        "two.py", "from cordyna_core import TaskServer\na = TaskServer('a')\nb = TaskServer('b')\n"
    )

    assert load_server("two.py:b").name == "b"
    assert load_server("two:a").name == "a"


def test_load_one_server_under_two_names_is_one(write: Write) -> None:
    write("a.py", a_server("team-a") + "app = server\n")

    assert load_server("a.py").name == "team-a"


def test_load_several_servers_without_name_lists_them(write: Write) -> None:
    write(
        "two.py", "from cordyna_core import TaskServer\na = TaskServer('a')\nb = TaskServer('b')\n"
    )

    with pytest.raises(UserError, match="several") as refused:
        load_server("two.py")
    assert refused.value.why == "two.py:a, two.py:b"
    assert refused.value.next == "name it as two.py:a, or each of them in that way"


def test_load_unknown_name_lists_the_servers(write: Write) -> None:
    write("a.py", a_server("team-a") + "other = 3\n")

    with pytest.raises(UserError, match="no task server named other") as refused:
        load_server("a.py:other")
    assert "server" in refused.value.why


def test_load_file_without_server_says_how_to_write_one(write: Write) -> None:
    write("empty.py", "")

    with pytest.raises(UserError, match="has no task server") as refused:
        load_server("empty.py")
    assert "TaskServer(" in refused.value.next


def test_load_missing_file_is_not_found(write: Write) -> None:
    with pytest.raises(NotFound, match=r"there is no file .*gone\.py"):
        load_server("gone.py")


@pytest.mark.parametrize(
    ("target", "what"),
    [("", "no file or module is named"), (".", "is a folder"), ("..", "is a folder"),
     ("/", "is a folder"), (":server", "no file or module is named")],
)  # fmt: skip
def test_target_that_names_no_file_is_refused(target: str, what: str) -> None:
    with pytest.raises(UserError, match=what) as refused:
        load_server(target)

    assert "the path of a Python file" in str(refused.value)


def test_load_missing_module_is_not_found(write: Write) -> None:
    with pytest.raises(NotFound, match="there is no module gone"):
        load_server("gone.tasks")


def test_load_missing_submodule_is_refused(write: Write) -> None:
    write("shop/__init__.py", "")

    with pytest.raises(UserError, match=r"No module named 'shop\.tasks'"):
        load_server("shop.tasks")


def test_load_not_python_is_refused(write: Write) -> None:
    write("servers/notes.txt", "hello")

    with pytest.raises(UserError, match=r"not a Python file"):
        load_server("servers/notes.txt")


def test_load_error_shows_the_users_line(write: Write) -> None:
    write("helper_of_a.py", "def boom():\n    raise ValueError('no such table')\n")
    path = write("a.py", "from helper_of_a import boom\n\nboom()\n")

    with pytest.raises(UserError, match="ValueError: no such table") as refused:
        load_server("a.py")
    lines = refused.value.why.splitlines()
    assert lines[0] == f"{path}:3, in <module>: boom()"
    assert "helper_of_a.py:2, in boom" in lines[1]
    assert len(lines) == 2


def test_load_syntax_error_shows_its_line(write: Write) -> None:
    path = write("a.py", "x = 1\ndef f(:\n")

    with pytest.raises(UserError, match="SyntaxError") as refused:
        load_server("a.py")
    assert refused.value.why == f"{path}:2: def f(:"


def test_load_wrong_declaration_shows_error_and_line(write: Write) -> None:
    path = write("a.py", a_server("team-a") + "@server.task(cron='often')\ndef task_1(): ...\n")

    with pytest.raises(UserError, match='task "task-1" is declared wrongly') as refused:
        load_server("a.py")
    assert f"{path}:3, in <module>" in refused.value.why
    assert "five" in refused.value.why
    assert "cron=" in refused.value.next


def test_load_module_that_exits_is_refused(write: Write) -> None:
    write("a.py", "import sys\nsys.exit(3)\n")

    with pytest.raises(UserError, match="SystemExit: 3"):
        load_server("a.py")


def test_load_interrupted_raises_keyboard_interrupt(write: Write) -> None:
    write("a.py", "raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        load_server("a.py")


def test_load_file_again_reads_it_again(write: Write) -> None:
    write("name_of_a.py", "NAME = 'before'\n")
    write(
        "a.py",
        "from cordyna_core import TaskServer\n"
        "from name_of_a import NAME\nserver = TaskServer(NAME)\n",
    )
    old = load_server("a.py")
    write("name_of_a.py", "NAME = 'afterwards'\n")

    assert load_server("a.py").name == "afterwards"
    assert old.name == "before"


def test_load_module_again_reads_it_again(write: Write) -> None:
    write("shop/__init__.py", "")
    write("shop/names.py", "NAME = 'before'\n")
    write(
        "shop/tasks.py",
        "from cordyna_core import TaskServer\n"
        "from shop.names import NAME\nserver = TaskServer(NAME)\n",
    )
    load_server("shop.tasks")
    write("shop/names.py", "NAME = 'afterwards'\n")

    assert load_server("shop.tasks").name == "afterwards"


@pytest.fixture
def bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is written, whatever the environment of the tests says."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def in_a_second_to_come(path: Path) -> None:
    """Edit a file without changing its second or size; its bytecode counts as young."""
    os.utime(path, (4e9, 4e9))


@pytest.mark.usefixtures("bytecode")
@pytest.mark.parametrize("edited", ["a.py", "name_of_a.py"])
def test_load_edit_of_same_second_and_size_is_seen(write: Write, edited: str) -> None:
    texts = {
        "a.py": "from cordyna_core import TaskServer\n"
        "import name_of_a\nserver = TaskServer('a' + name_of_a.NAME)\n"
    }
    texts["name_of_a.py"] = "NAME = 'a'\n"
    for name, text in texts.items():
        in_a_second_to_come(write(name, text))
    assert load_server("a.py").name == "aa"
    in_a_second_to_come(write(edited, texts[edited].replace("'a'", "'b'")))

    assert load_server("a.py").name == ("ba" if edited == "a.py" else "ab")


@pytest.mark.usefixtures("bytecode")
def test_load_fix_of_same_second_and_size_is_seen(write: Write) -> None:
    write(
        "a.py",
        "from cordyna_core import TaskServer\n"
        "from name_of_a import NAME\nserver = TaskServer(NAME)\n",
    )
    in_a_second_to_come(write("name_of_a.py", "NAME = 1/0.0\n"))
    with pytest.raises(UserError, match="division"):
        load_server("a.py")
    in_a_second_to_come(write("name_of_a.py", "NAME = 'abc'\n"))

    assert load_server("a.py").name == "abc"


@pytest.mark.usefixtures("bytecode")
def test_load_old_file_keeps_its_bytecode(write: Write) -> None:
    file = write("a.py", a_server("a"))
    os.utime(file, (1e9, 1e9))
    load_server("a.py")
    assert Path(cache_from_source(str(file))).exists()


def test_load_without_bytecode_works(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write("a.py", a_server("a"))
    assert load_server("a.py").name == "a"


def test_load_fixed_file_works(write: Write) -> None:
    write("a.py", "import part_of_a\n")
    write("part_of_a.py", "1 / 0\n")
    with pytest.raises(UserError):
        load_server("a.py")
    write("part_of_a.py", "")
    write("a.py", a_server("team-a") + "import part_of_a\n")

    assert load_server("a.py").name == "team-a"


def test_load_failed_leaves_no_modules(write: Write) -> None:
    write("good_part.py", "")
    write("a.py", "import good_part\n1 / 0\n")
    before = set(sys.modules)

    with pytest.raises(UserError, match="ZeroDivisionError"):
        load_server("a.py")
    assert set(sys.modules) == before


def test_load_again_releases_the_earlier_module(write: Write) -> None:
    write("let_go.py", a_server("team-a"))
    load_server("let_go.py")
    load_server("let_go.py")

    assert len([name for name in sys.modules if name.endswith("_let_go")]) == 1


def test_load_again_keeps_the_library(write: Write) -> None:
    path = write(
        "a.py",
        a_server("team-a") + "import sys, types\npiece = types.ModuleType('cordyna_core.piece')\n",
    )
    path.write_text(
        path.read_text()
        + "piece.__file__ = __file__\nsys.modules.setdefault('cordyna_core.piece', piece)\n"
    )
    load_server("a.py")
    piece = sys.modules["cordyna_core.piece"]
    load_server("a.py")

    assert sys.modules["cordyna_core.piece"] is piece


def test_load_same_module_name_in_two_folders_is_separate(write: Write) -> None:
    for team in ("a", "b"):
        write(f"{team}/names.py", f"NAME = 'team-{team}'\n")
        write(
            f"{team}/server.py",
            "from cordyna_core import TaskServer\nimport names\nserver = TaskServer(names.NAME)\n",
        )

    assert [load_server(f"{team}/server.py").name for team in ("a", "b", "a")] == [
        "team-a",
        "team-b",
        "team-a",
    ]


def test_load_again_keeps_modules_from_before(write: Write) -> None:
    import cordyna_core.server.context  # noqa: PLC0415  needed only here

    write("a.py", a_server("team-a"))
    load_server("a.py")
    load_server("a.py")

    assert sys.modules["cordyna_core.server.context"] is cordyna_core.server.context


def test_load_again_has_the_folder_on_path_once(write: Write) -> None:
    path = write("a.py", a_server("team-a"))
    load_server("a.py")
    load_server("a.py")

    assert sys.path.count(str(path.parent)) == 1
    assert sys.path[0] == str(path.parent)
