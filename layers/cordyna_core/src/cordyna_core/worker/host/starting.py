"""Starting: processes of task servers, each the leader of a process group of its own.

Invariant: if a process cannot be started, no descriptor that was opened for it stays open.
"""

import os
import socket
import subprocess
import sys
from typing import Final, NamedTuple

from cordyna_core.worker import processes
from cordyna_core.worker.spec import ServerSpec

_SOURCES: Final = os.path.abspath(f"{__file__}/../../../..")  # noqa: PTH100
# Without the working folder: a module there, such as `token.py`, does not replace Python's own.
_BOOT: Final = (
    "import sys; sys.path[:] = filter(None, sys.path);"
    " from cordyna_core.worker.template import main; main()"
)
# Appended: what the server's own environment has installed comes first.
_BOOT_OWN: Final = f"import sys; sys.path.append({_SOURCES!r}); {_BOOT}"


class StartedPython(NamedTuple):
    """A Python process: its control socket, and the pipes of what it prints between attempts."""

    pid: int
    control: socket.socket
    stdout: int
    stderr: int


class StartedExec(NamedTuple):
    """The process of an `exec:` server."""

    pid: int
    stdin: int
    stdout: int
    stderr: int


def start_python(spec: ServerSpec, token: str) -> StartedPython:
    """Start a template, which becomes a body itself where forking is not safe. Raises OSError."""
    ours, theirs = socket.socketpair()
    stdout, stderr = os.pipe(), os.pipe()
    boot = _BOOT_OWN if spec.python is None else _BOOT
    try:
        pid = _start(
            [spec.python or sys.executable, "-c", boot, str(theirs.fileno()), spec.to_json()],
            spec,
            token,
            (subprocess.DEVNULL, stdout[1], stderr[1]),
            pass_fds=(theirs.fileno(),),
        )
    except BaseException:
        ours.close()
        _close(stdout[0], stderr[0])
        raise
    finally:
        theirs.close()
        _close(stdout[1], stderr[1])
    return StartedPython(pid, ours, stdout[0], stderr[0])


def start_exec(spec: ServerSpec, token: str) -> StartedExec:
    """Start one worker of an `exec:` server. Raises OSError, ValueError."""
    arguments = spec.command_line()
    stdin, stdout, stderr = os.pipe(), os.pipe(), os.pipe()
    try:
        pid = _start(arguments, spec, token, (stdin[0], stdout[1], stderr[1]), is_subreaper=True)
    except BaseException:
        _close(stdin[1], stdout[0], stderr[0])
        raise
    finally:
        _close(stdin[0], stdout[1], stderr[1])
    return StartedExec(pid, stdin[1], stdout[0], stderr[0])


def describe_start_error(spec: ServerSpec, error: OSError | ValueError) -> str:
    """Return why a server's process could not be started, and what to do about it."""
    if not isinstance(error, OSError) or not isinstance(error.filename, str):
        return str(error)
    if error.filename == spec.cwd:
        why, then = "its working folder cannot be entered", "create it, or correct `cwd`"
    elif isinstance(error, FileNotFoundError):
        why, then = "there is no such program", "install it, or give its path"
    elif isinstance(error, PermissionError):
        why, then = "it may not be executed", "chmod +x, or name its interpreter: exec:sh my.sh"
    else:
        return str(error)
    return f"{error.filename}: {why}\n  next: {then}"


def _start(
    arguments: list[str],
    spec: ServerSpec,
    token: str,
    stdio: tuple[int, int, int],
    *,
    pass_fds: tuple[int, ...] = (),
    is_subreaper: bool = False,
) -> int:
    host = os.getpid()

    def before_exec() -> None:
        processes.DESCRIPTOR_LIMIT.restore()
        processes.die_with_parent(host)
        if is_subreaper:
            processes.become_subreaper()
            processes.raise_oom_score()

    # before_exec runs in a process with one thread, which has imported all that it needs.
    process = subprocess.Popen(
        arguments,
        cwd=spec.cwd,
        env=spec.environment(token),
        stdin=stdio[0],
        stdout=stdio[1],
        stderr=stdio[2],
        pass_fds=pass_fds,
        process_group=0,
        preexec_fn=before_exec,  # noqa: PLW1509
    )
    # The child table waits for it, not this object.
    process.returncode = 0
    return process.pid


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)
