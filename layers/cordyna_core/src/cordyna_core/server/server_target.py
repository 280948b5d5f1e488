"""Server target: `path/to/file.py[:name]` or `package.module[:name]`, and which server it means.

Invariant: what cannot be loaded is refused with the line where the user wrote it.
"""

import importlib
import importlib.machinery
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from cordyna_core.errors import NotFound, UserError
from cordyna_core.paths import expand_user, is_file, is_folder, real_path
from cordyna_core.server.task_server import TaskServer

_SHOWN_FRAMES_MAX: Final = 5
_NO_MODULE: Final = ("", ".", "..")
_FORMS: Final = "give the path of a Python file, or a module as package.module"

_NOT_THE_USERS: Final = (
    str(Path(__file__).parent) + os.sep,
    importlib.__file__,
    "<frozen importlib",
)


class ServerTarget(NamedTuple):
    """A module or a file as it was written, and the name of a server in it, if one was written."""

    module: str
    name: str | None

    @property
    def is_file(self) -> bool:
        return self.module.endswith(".py") or "/" in self.module or self.module in _NO_MODULE

    def file(self) -> Path:
        """Return the path of the file. Raises NotFound, UserError: it is not a Python file."""
        if not self.module:
            raise UserError("no file or module is named", why="the name is empty", next=_FORMS)
        path = real_path(expand_user(self.module))
        if is_folder(path):
            raise UserError(f"{path} is a folder, and no Python file", next=_FORMS)
        if not is_file(path):
            raise NotFound(
                f"there is no file {path}",
                next=_FORMS,
            )
        if path.suffix != ".py":
            raise UserError(f"{path} is not a Python file", next="give a file that ends in .py")
        return path


def parse_target(text: str) -> ServerTarget:
    """Split what a person typed."""
    module, colon, name = text.rpartition(":")
    # `C:\tasks.py` has a colon, too, but no identifier behind it.
    return ServerTarget(module, name) if colon and name.isidentifier() else ServerTarget(text, None)


def server_in(module: ModuleType, target: ServerTarget) -> TaskServer:
    """Return the server that the target names; without a name, the only one of the module.

    Raises UserError: it has no server, several, or none of that name.
    """
    servers = {key: value for key, value in vars(module).items() if isinstance(value, TaskServer)}
    written = target.module
    if target.name is not None:
        return _named(servers, written, target.name)
    # One server under two names is one server.
    if len({id(server) for server in servers.values()}) == 1:
        return next(iter(servers.values()))
    if servers:
        raise UserError(
            f"{written} has several task servers",
            why=", ".join(f"{written}:{key}" for key in servers),
            next=f"name it as {written}:{next(iter(servers))}, or each of them in that way",
        )
    raise UserError(
        f"{written} has no task server", next='write in it: server = TaskServer("my-server")'
    )


def put_first_on_path(folder: Path) -> None:
    """Make the modules of a folder importable before all others."""
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]


def folder_of(package: str) -> Path:
    """Return the folder that contains a package or module, without importing it.

    Raises NotFound.
    """
    importlib.invalidate_caches()
    spec = importlib.machinery.PathFinder.find_spec(package)
    if spec is None:
        raise NotFound(
            f"there is no module {package}",
            why=f"searched in {Path.cwd()} and on sys.path",
            next="give a module that can be imported from here, or a file as path/to/file.py",
        )
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin or "").parent


def load_error(target: str, error: BaseException) -> UserError:
    """Return the refusal for what an import raised."""
    if isinstance(error, UserError):
        return UserError(
            f"{target} cannot be loaded: {error.what}",
            why="\n".join(filter(None, (error.why, _location(error)))),
            next=error.next,
        )
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    return UserError(
        f"{target} cannot be loaded: {text}",
        why=_location(error),
        next="fix it and save the file",
    )


def _named(servers: dict[str, TaskServer], written: str, name: str) -> TaskServer:
    if name not in servers:
        listed = ", ".join(servers) or "none"
        raise UserError(
            f"{written} has no task server named {name}",
            why=f"task servers there: {listed}",
            next=f"give one of them as {written}:NAME",
        )
    return servers[name]


def _location(error: BaseException) -> str:
    """Return the last frames of an error in the user's code, the innermost last."""
    frames = [
        f"{frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_NOT_THE_USERS)
    ]
    if isinstance(error, SyntaxError) and error.lineno is not None:
        frames.append(f"{error.filename}:{error.lineno}: {(error.text or '').strip()}")
    return "\n".join(frames[-_SHOWN_FRAMES_MAX:])
