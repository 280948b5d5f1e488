"""When a body is reused, and when a server's bodies are forked."""

import sys
from pathlib import Path
from typing import Final

import pytest

from cordyna_core.worker.events import Declared
from worker.running import a_session

_HEAD: Final = """
import ctypes, gc, logging, os, select, signal, socket, subprocess, sys, threading, time
from cordyna_core import TaskServer
server = TaskServer("s")
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
    "memory": "global kept; kept = bytearray(300 * 2**20); kept[::4096] = b'x' * 76800",
}

CLEAN: Final = {
    "nothing": "pass",
    "an ended child": "subprocess.run(['true'])",
    "an unwaited child": "os.fork() or os._exit(0); time.sleep(0.05)",
    "an ended thread": "t = threading.Thread(target=int); t.start(); t.join()",
    "a restored folder": "d = os.getcwd(); os.chdir('/'); os.chdir(d)",
    "an open file": "globals()['kept'] = open('/dev/null')",
}

UNSAFE: Final = {
    "threading.Thread(target=time.sleep, args=(60,), daemon=True, name='mine').start()": "mine",
    "kept = socket.socket()": "a socket",
    "kept = select.epoll()": "eventpoll",
    "kept = open('/dev/tty') if os.path.exists('/dev/ttyX') else os.open('/dev/ptmx', 2)": "/dev/p",
}


@pytest.mark.parametrize("code", DIRTY.values(), ids=DIRTY)
def test_body_that_leaves_something_is_replaced(code: str, tmp_path: Path) -> None:
    assert _outcome(code, tmp_path) == ("completed", "retired")


@pytest.mark.parametrize("code", CLEAN.values(), ids=CLEAN)
def test_body_that_leaves_nothing_is_reused(code: str, tmp_path: Path) -> None:
    assert _outcome(code, tmp_path) == ("completed", "reused")


@pytest.mark.parametrize("code", UNSAFE, ids=UNSAFE.values())
def test_import_that_leaves_shared_state_is_spawned(code: str, tmp_path: Path) -> None:
    declared = _declared(code, tmp_path, "auto")

    assert declared.mode == "spawn"
    assert UNSAFE[code] in declared.mode_reason


def test_import_that_leaves_a_native_thread_is_spawned(tmp_path: Path) -> None:
    """A thread that Python does not know of, as a library in C starts it."""
    code = """
libc = ctypes.CDLL(None)
pause, thread = ctypes.cast(libc.pause, ctypes.c_void_p), ctypes.c_ulong()
libc.pthread_create(ctypes.byref(thread), None, pause, None)
"""
    assert "1 native threads" in _declared(code, tmp_path, "auto").mode_reason


def test_import_that_leaves_a_file_is_forked(tmp_path: Path) -> None:
    assert _declared("kept = open(__file__); pipe = os.pipe()", tmp_path, "auto").mode == "fork"


def test_isolation_can_be_chosen(tmp_path: Path) -> None:
    assert _declared("kept = socket.socket()", tmp_path, "fork").mode == "fork"
    assert _declared("pass", tmp_path, "spawn").mode_reason == "isolation is spawn"


def test_server_may_have_an_interpreter_of_its_own(tmp_path: Path) -> None:
    target = _write(tmp_path, "def body(): return sys.executable")
    path = (("PYTHONPATH", ":".join(entry for entry in sys.path if entry)),)
    with a_session() as session:
        declared = session.load(str(target), python=sys.executable, env=path, cwd=str(tmp_path))
        assert isinstance(declared, Declared), declared
        assert session.do("body", server="s").final["output"] == sys.executable


def _outcome(code: str, folder: Path) -> tuple[str, str]:
    target = _write(folder, f"def body():\n    {code}")
    with a_session() as session:
        assert isinstance(session.load(str(target)), Declared)
        attempt = session.do("body", server="s")
        again = session.do("body", server="s")
        assert again.final["state"] == attempt.final["state"], again.final
        return attempt.final["state"], attempt.outcome


def _declared(code: str, folder: Path, isolation: str) -> Declared:
    target = folder / "server.py"
    target.write_text(f"{_HEAD}\n{code}\n@server.task\ndef body(): return os.getpid()\n")
    with a_session() as session:
        declared = session.load(str(target), isolation=isolation)
        assert isinstance(declared, Declared), declared
        assert session.do("body", server="s").final["state"] == "completed"
        return declared


def _write(folder: Path, body: str) -> Path:
    target = folder / "server.py"
    target.write_text(f"{_HEAD}\n@server.task\n{body}\n")
    return target
