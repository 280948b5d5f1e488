"""When a body is reused, and when a server's bodies are forked."""

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Final, Protocol

import pytest

from cordyna_core.worker.body import cleanliness, process_state
from cordyna_core.worker.pool.events import Declared
from worker.running import Session, a_session

_HEAD: Final = """
import builtins, contextvars, ctypes, decimal, gc, locale, logging, os, resource, select, signal
import socket, subprocess, sys, threading, time
from cordyna_core import TaskServer
server = TaskServer("{name}")
"""

DIRTY: Final = {
    "another folder": "os.chdir('/')",
    "a removed folder": "import tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
    "the environment": "os.environ['X'] = '1'",
    "the umask": "os.umask(0)",
    "a thread": "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "a child": "subprocess.Popen(['sleep', '1'], stdout=-3, stderr=-3)",
    "a signal handler": "signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
    "the handler of SIGTERM": "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
    "an alarm": "signal.setitimer(signal.ITIMER_REAL, 60)",
    "a replaced stream": "import io; sys.stdout = io.StringIO()",
    "a closed stream": "sys.stderr.close()",
    "a log handler": "logging.getLogger().addHandler(logging.NullHandler())",
    "a log level": "logging.getLogger('cordyna.task').setLevel(10)",
    "the collector": "gc.disable()",
    "the recursion limit": "sys.setrecursionlimit(5000)",
    "a trace function": "sys.settrace(lambda *_: None)",
    "a blocked signal": "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
    "a limit of files": "resource.setrlimit(resource.RLIMIT_FSIZE, (10**9, 10**9))",
    "a low priority": "os.nice(3)",
    "a scheduler": "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
    "another group": "os.setpgid(0, os.getppid())",
    "an alarm of its own time": "signal.setitimer(signal.ITIMER_VIRTUAL, 60)",
    "an alarm of all its time": "signal.setitimer(signal.ITIMER_PROF, 60)",
    "a pipe for signals": "a, b = os.pipe2(os.O_NONBLOCK); signal.set_wakeup_fd(b)",
    "another standard input": "os.dup2(os.pipe()[0], 0)",
    "the environment of C": "os.putenv('X', '1')",
    "a variable that C removed": "ctypes.CDLL(None).unsetenv(b'PATH')",
    "no environment in C": "ctypes.CDLL(None).clearenv()",
    "a locale": "locale.setlocale(locale.LC_ALL, 'C.UTF-8')",
    "the pace of threads": "sys.setswitchinterval(1)",
    "a hook": "sys.excepthook = print",
    "a hook of threads": "threading.excepthook = print",
    "a built-in function": "builtins.open = None",
    "a missing module": "del sys.modules['gc']",
    "many open files": "global kept; kept = [os.dup(2) for _ in range(100)]",
    "no descriptors": "global kept; kept = [os.dup(2) for _ in range(50)]\n"
    "    limit = (max(kept) + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])\n"
    "    resource.setrlimit(resource.RLIMIT_NOFILE, limit)",
    "no streams": "del sys.stdout, sys.stderr",
    "memory": "global kept; kept = bytearray(300 * 2**20); kept[::4096] = b'x' * 76800",
}

CLEAN: Final = {
    "nothing": "pass",
    "an ended child": "subprocess.run(['true'])",
    "an unwaited child": "os.fork() or os._exit(0); os.waitid(0, 0, os.WEXITED | os.WNOWAIT)",
    "an ended thread": "t = threading.Thread(target=int); t.start(); t.join()",
    "a restored variable": "os.environ['X'] = '1'; del os.environ['X']",
    "a variable of a context": "contextvars.ContextVar('x').set(1); decimal.getcontext().prec = 1",
    "another built-in name": "builtins._ = str",
    "a restored folder": "d = os.getcwd(); os.chdir('/'); os.chdir(d)",
    "an open file": "globals()['kept'] = open('/dev/null')",
}

UNSAFE: Final = {
    "threading.Thread(target=time.sleep, args=(60,), daemon=True, name='mine').start()": "mine",
    "kept = socket.socket()": "a socket",
    "kept = select.epoll()": "eventpoll",
    "kept = open('/dev/tty') if os.path.exists('/dev/ttyX') else os.open('/dev/ptmx', 2)": "/dev/p",
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One host for all tests, with a server that has a task for each line of DIRTY and CLEAN."""
    target = tmp_path_factory.mktemp("all") / "all_bodies.py"
    tasks = [
        f"@server.task(name={_task(what)!r})\ndef body_{number}():\n    {code}\n"
        for number, (what, code) in enumerate((DIRTY | CLEAN).items())
    ]
    tasks.append("@server.task\ndef precision() -> int: return decimal.getcontext().prec\n")
    target.write_text(_HEAD.format(name="all") + "\n".join(tasks))
    with a_session() as found:
        assert isinstance(found.load(str(target)), Declared)
        yield found


def _task(what: str) -> str:
    return what.replace(" ", "-")


@pytest.mark.parametrize("what", DIRTY)
def test_body_that_leaves_something_is_replaced(session: Session, what: str) -> None:
    assert _outcomes(session, what) == ["retired", "retired"]


@pytest.mark.parametrize("what", CLEAN)
def test_body_that_leaves_nothing_is_reused(session: Session, what: str) -> None:
    assert _outcomes(session, what) == ["reused", "reused"]


def test_context_of_an_attempt_ends_with_it(session: Session) -> None:
    session.do("a-variable-of-a-context", server="all")

    assert session.do("precision", server="all").final["output"] == 28


def _outcomes(session: Session, what: str) -> list[str]:
    attempts = [session.do(_task(what), server="all") for _ in range(2)]
    assert [attempt.final["state"] for attempt in attempts] == ["completed"] * 2, attempts
    return [attempt.outcome for attempt in attempts]


class Load(Protocol):
    """Loads a server whose module runs some code."""

    def __call__(self, code: str, isolation: str = "auto", *, keeps: bool = False) -> Declared: ...


@pytest.fixture
def load(session: Session, tmp_path: Path) -> Load:
    """Also runs a task of it."""
    numbers = itertools.count(1)

    def load_code(code: str, isolation: str = "auto", *, keeps: bool = False) -> Declared:
        name = f"{tmp_path.name[-20:]}-{next(numbers)}".replace("_", "-").strip("-[]")
        target = tmp_path / f"{name}.py"
        target.write_text(
            f"{_HEAD.format(name=name)}\n{code}\n@server.task\ndef body(): return os.getpid()\n"
        )
        declared = session.load(str(target), isolation=isolation)
        assert isinstance(declared, Declared), declared
        assert session.do("body", server=name).final["state"] == "completed"
        if not keeps:
            session.pool.remove(str(target))
        return declared

    return load_code


@pytest.mark.parametrize("code", UNSAFE, ids=UNSAFE.values())
def test_import_that_leaves_shared_state_is_spawned(load: Load, code: str) -> None:
    declared = load(code)

    assert declared.mode == "spawn"
    assert UNSAFE[code] in declared.mode_reason


def test_import_that_leaves_a_native_thread_is_spawned(load: Load) -> None:
    """A thread that Python does not know of, as a library in C starts it."""
    code = """
libc = ctypes.CDLL(None)
pause, thread = ctypes.cast(libc.pause, ctypes.c_void_p), ctypes.c_ulong()
libc.pthread_create(ctypes.byref(thread), None, pause, None)
"""
    assert "1 native threads" in load(code).mode_reason


def test_import_that_leaves_a_file_is_forked(load: Load) -> None:
    assert load("kept = open(__file__); pipe = os.pipe()").mode == "fork"


def test_isolation_can_be_chosen(load: Load) -> None:
    assert load("kept = socket.socket()", "fork").mode == "fork"
    assert load("pass", "spawn").mode_reason == "isolation is spawn"


def test_server_may_have_an_interpreter_of_its_own(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "own_interpreter.py"
    target.write_text(
        _HEAD.format(name="own") + "@server.task\ndef body(): return sys.executable\n"
    )
    path = (("PYTHONPATH", ":".join(entry for entry in sys.path if entry)),)
    declared = session.load(str(target), python=sys.executable, env=path, cwd=str(tmp_path))

    assert isinstance(declared, Declared), declared
    assert session.do("body", server="own").final["output"] == sys.executable


@pytest.mark.parametrize(("counts", "reason"), [((2, 2, 1), ""), ((2,) * 200, "running threads")])
def test_thread_on_its_way_out_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, counts: tuple[int, ...], reason: str
) -> None:
    """The system counts a thread of Python for a moment after it was joined."""
    before = cleanliness.take_baseline()._replace(threads=1)
    left = iter(counts)
    monkeypatch.setattr(process_state, "threads", lambda: next(left))
    # The host of this module's session is a child of the tests.
    monkeypatch.setattr(cleanliness, "_has_children", lambda: False)

    assert cleanliness.unclean_reason(before) == reason


ODD_IMPORTS: Final = {
    "a removed folder": "import tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
    "no standard descriptors": "os.closerange(0, 3)",
    "no dead children": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    "blocked signals": "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))",
    "a thread": "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    "few descriptors": "resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))",
    "no streams": "sys.stdout = sys.stderr = None",
    "both processes of a fork": "os.fork()",
}


@pytest.mark.parametrize("what", ODD_IMPORTS)
def test_import_that_changes_its_process_has_bodies(
    load: Load, session: Session, what: str
) -> None:
    """Bodies start, are reused, and end by their clock at once, not by SIGKILL."""
    code = (
        f"{ODD_IMPORTS[what]}\n"
        "@server.task\ndef waits():\n    time.sleep(600)\n"
        "@server.task\ndef talks(): os.write(1, b'words'); return os.getpid()\n"
    )
    server = load(code, keeps=True).server

    first, second = (session.do("talks", server=server) for _ in range(2))
    assert (first.output("stdout"), second.output("stdout")) == ("words", "words")
    assert first.final["output"] == second.final["output"], "the process is reused"
    stopped = session.do("waits", server=server, timeout_s=0.1)
    assert stopped.final["reason"] == "run_timeout"
    assert "AttemptInterrupted" in str(stopped.final["error"]), "it was stopped by SIGTERM"


def test_system_without_proc_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise FileNotFoundError(*arguments)

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "open", refuse)
    found = process_state.threads(), process_state.memory_bytes()
    monkeypatch.undo()

    assert found == (1, 0)


def test_threads_are_counted_also_without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    by_links = process_state.threads()
    monkeypatch.setattr(os, "stat", lambda _: SimpleNamespace(st_nlink=1))
    by_status = process_state.threads()
    monkeypatch.undo()

    assert by_status == by_links >= 1


def test_memory_is_compared_with_what_is_held_now(monkeypatch: pytest.MonkeyPatch) -> None:
    held = process_state.memory_bytes()
    assert process_state.has_memory_beyond(held // 2)

    monkeypatch.setattr(process_state, "memory_bytes", lambda: held // 4)
    assert not process_state.has_memory_beyond(held // 2), "it was given back"
