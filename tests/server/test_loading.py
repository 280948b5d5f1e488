"""Loading: what a person types becomes the server that is meant, as it stands in the files now."""

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


def test_a_file_with_one_server_needs_no_name(write: Write) -> None:
    assert load_server(str(write("a.py", a_server("team-a")))).name == "team-a"


def test_a_path_may_be_relative_to_the_working_folder(write: Write) -> None:
    write("servers/a.py", a_server("team-a"))

    assert load_server("servers/a.py").name == "team-a"


def test_a_module_is_found_from_the_working_folder(write: Write) -> None:
    write("shop/__init__.py", "")
    write("shop/tasks.py", a_server("shop"))

    assert load_server("shop.tasks").name == "shop"


def test_a_namespace_package_is_found_too(write: Write) -> None:
    write("plain/tasks.py", a_server("plain"))

    assert load_server("plain.tasks").name == "plain"


def test_one_of_several_servers_is_named_after_a_colon(write: Write) -> None:
    write(
        "two.py", "from cordyna_core import TaskServer\na = TaskServer('a')\nb = TaskServer('b')\n"
    )

    assert load_server("two.py:b").name == "b"
    assert load_server("two:a").name == "a"


def test_one_server_under_two_names_is_one_server(write: Write) -> None:
    write("a.py", a_server("team-a") + "app = server\n")

    assert load_server("a.py").name == "team-a"


def test_several_servers_without_a_name_are_listed(write: Write) -> None:
    write(
        "two.py", "from cordyna_core import TaskServer\na = TaskServer('a')\nb = TaskServer('b')\n"
    )

    with pytest.raises(UserError, match="several") as refused:
        load_server("two.py")
    assert refused.value.why == "two.py:a, two.py:b"


def test_a_name_that_is_no_server_is_refused_with_those_that_are(write: Write) -> None:
    write("a.py", a_server("team-a") + "other = 3\n")

    with pytest.raises(UserError, match="no task server named other") as refused:
        load_server("a.py:other")
    assert "server" in refused.value.why


def test_a_file_without_a_server_says_how_to_write_one(write: Write) -> None:
    write("empty.py", "")

    with pytest.raises(UserError, match="has no task server") as refused:
        load_server("empty.py")
    assert "TaskServer(" in refused.value.next


def test_a_missing_file_is_not_found(write: Write) -> None:
    with pytest.raises(NotFound, match=r"there is no file .*gone\.py"):
        load_server("gone.py")


def test_a_missing_module_is_not_found(write: Write) -> None:
    with pytest.raises(NotFound, match="there is no module gone"):
        load_server("gone.tasks")


def test_a_missing_module_in_a_package_that_exists_is_refused(write: Write) -> None:
    write("shop/__init__.py", "")

    with pytest.raises(UserError, match=r"No module named 'shop\.tasks'"):
        load_server("shop.tasks")


def test_a_file_that_is_not_python_is_refused(write: Write) -> None:
    write("servers/notes.txt", "hello")

    with pytest.raises(UserError, match=r"no Python file"):
        load_server("servers/notes.txt")


def test_a_fault_while_loading_is_shown_at_the_users_own_line(write: Write) -> None:
    write("helper_of_a.py", "def boom():\n    raise ValueError('no such table')\n")
    path = write("a.py", "from helper_of_a import boom\n\nboom()\n")

    with pytest.raises(UserError, match="ValueError: no such table") as refused:
        load_server("a.py")
    lines = refused.value.why.splitlines()
    assert lines[0] == f"{path}:3, in <module>: boom()"
    assert "helper_of_a.py:2, in boom" in lines[1]
    assert len(lines) == 2


def test_a_syntax_error_is_shown_with_its_line(write: Write) -> None:
    path = write("a.py", "x = 1\ndef f(:\n")

    with pytest.raises(UserError, match="SyntaxError") as refused:
        load_server("a.py")
    assert refused.value.why == f"{path}:2: def f(:"


def test_a_task_declared_wrongly_is_shown_with_its_own_words_and_its_line(write: Write) -> None:
    path = write("a.py", a_server("team-a") + "@server.task(cron='often')\ndef task_1(): ...\n")

    with pytest.raises(UserError, match='task "task-1" is declared wrongly') as refused:
        load_server("a.py")
    assert f"{path}:3, in <module>" in refused.value.why
    assert "five" in refused.value.why
    assert "cron=" in refused.value.next


def test_a_module_that_exits_is_a_fault_like_another(write: Write) -> None:
    write("a.py", "import sys\nsys.exit(3)\n")

    with pytest.raises(UserError, match="SystemExit: 3"):
        load_server("a.py")


def test_an_interrupt_while_loading_is_the_operators(write: Write) -> None:
    write("a.py", "raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        load_server("a.py")


def test_loading_again_gives_what_the_files_say_now(write: Write) -> None:
    write("name_of_a.py", "NAME = 'before'\n")
    write(
        "a.py",
        "from cordyna_core import TaskServer\nfrom name_of_a import NAME\nserver = TaskServer(NAME)\n",
    )
    old = load_server("a.py")
    write("name_of_a.py", "NAME = 'afterwards'\n")

    assert load_server("a.py").name == "afterwards"
    assert old.name == "before"


def test_loading_a_module_again_gives_what_the_files_say_now(write: Write) -> None:
    write("shop/__init__.py", "")
    write("shop/names.py", "NAME = 'before'\n")
    write(
        "shop/tasks.py",
        "from cordyna_core import TaskServer\nfrom shop.names import NAME\nserver = TaskServer(NAME)\n",
    )
    load_server("shop.tasks")
    write("shop/names.py", "NAME = 'afterwards'\n")

    assert load_server("shop.tasks").name == "afterwards"


@pytest.fixture
def bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is written, whatever the environment of the tests says."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def in_a_second_to_come(path: Path) -> None:
    """Python tells bytecode from that of an earlier file by the second and the size; this one is young however slow the test is."""
    os.utime(path, (4e9, 4e9))


@pytest.mark.usefixtures("bytecode")
@pytest.mark.parametrize("edited", ["a.py", "name_of_a.py"])
def test_an_edit_in_the_same_second_that_leaves_the_size_is_seen(write: Write, edited: str) -> None:
    texts = {
        "a.py": "from cordyna_core import TaskServer\nimport name_of_a\nserver = TaskServer('a' + name_of_a.NAME)\n"
    }
    texts["name_of_a.py"] = "NAME = 'a'\n"
    for name, text in texts.items():
        in_a_second_to_come(write(name, text))
    assert load_server("a.py").name == "aa"
    in_a_second_to_come(write(edited, texts[edited].replace("'a'", "'b'")))

    assert load_server("a.py").name == ("ba" if edited == "a.py" else "ab")


@pytest.mark.usefixtures("bytecode")
def test_a_mend_in_the_same_second_that_leaves_the_size_is_seen(write: Write) -> None:
    write(
        "a.py",
        "from cordyna_core import TaskServer\nfrom name_of_a import NAME\nserver = TaskServer(NAME)\n",
    )
    in_a_second_to_come(write("name_of_a.py", "NAME = 1/0.0\n"))
    with pytest.raises(UserError, match="division"):
        load_server("a.py")
    in_a_second_to_come(write("name_of_a.py", "NAME = 'abc'\n"))

    assert load_server("a.py").name == "abc"


@pytest.mark.usefixtures("bytecode")
def test_bytecode_of_a_file_that_has_stood_for_a_while_is_kept(write: Write) -> None:
    file = write("a.py", a_server("a"))
    os.utime(file, (1e9, 1e9))
    load_server("a.py")
    assert Path(cache_from_source(str(file))).exists()


def test_where_no_bytecode_is_written_none_is_missed(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write("a.py", a_server("a"))
    assert load_server("a.py").name == "a"


def test_a_file_that_was_mended_loads(write: Write) -> None:
    write("a.py", "import part_of_a\n")
    write("part_of_a.py", "1 / 0\n")
    with pytest.raises(UserError):
        load_server("a.py")
    write("part_of_a.py", "")
    write("a.py", a_server("team-a") + "import part_of_a\n")

    assert load_server("a.py").name == "team-a"


def test_what_cannot_be_loaded_leaves_no_modules_behind(write: Write) -> None:
    write("good_part.py", "")
    write("a.py", "import good_part\n1 / 0\n")
    before = set(sys.modules)

    with pytest.raises(UserError, match="ZeroDivisionError"):
        load_server("a.py")
    assert set(sys.modules) == before


def test_the_module_of_an_earlier_load_is_let_go(write: Write) -> None:
    write("let_go.py", a_server("team-a"))
    load_server("let_go.py")
    load_server("let_go.py")

    assert len([name for name in sys.modules if name.endswith("_let_go")]) == 1


def test_the_librarys_own_modules_are_never_forgotten_wherever_they_lie(write: Write) -> None:
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


def test_two_folders_may_have_a_module_of_the_same_name(write: Write) -> None:
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


def test_what_was_there_before_a_load_is_never_forgotten(write: Write) -> None:
    import cordyna_core.server.context

    write("a.py", a_server("team-a"))
    load_server("a.py")
    load_server("a.py")

    assert sys.modules["cordyna_core.server.context"] is cordyna_core.server.context


def test_the_folder_stands_on_the_path_once(write: Write) -> None:
    path = write("a.py", a_server("team-a"))
    load_server("a.py")
    load_server("a.py")

    assert sys.path.count(str(path.parent)) == 1
    assert sys.path[0] == str(path.parent)
