"""Loading: from what a person types to the TaskServer that is meant.

Invariant: a load gives what the files contain now, however often they were loaded before; an error
is shown at the line where the user wrote it.

A file is loaded under a module name of its own, with its folder first on `sys.path`, so that it can
import its neighbours. A dotted module is imported as usual, with the working folder first on
`sys.path`. The modules that a load imported from below that folder are removed from `sys.modules`
before the next load from there, so they are read again; also before a load from another folder that
has a module of the same name. Installed packages and the library itself are never removed. What was
loaded before keeps its objects.
"""

import contextlib
import importlib
import importlib.machinery
import importlib.util
import itertools
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from cordyna_core.errors import NotFound, UserError
from cordyna_core.server.task_server import TaskServer

_LOADED: Final[dict[Path, set[str]]] = {}
"""By folder: the modules that loads from it have imported from below it."""

_LOAD_NUMBERS: Final = itertools.count(1)
_SHOWN_FRAMES_MAX: Final = 5

_YOUNG_BYTECODE_S: Final = 2.0
"""Bytecode that was written sooner than this after its source is removed."""

_LIBRARY: Final = str(Path(__file__).parent) + os.sep


def load_server(target: str) -> TaskServer:
    """Load the server `path/to/file.py[:name]` or `package.module[:name]`.

    Without a name, the module must have exactly one server.

    Raises:
        NotFound: there is no such file or module.
        UserError: importing it raises, or it has no server, several, or none of that name.
    """
    module_name, name = _split(target)
    is_file = module_name.endswith(".py") or "/" in module_name
    module = _load_file(Path(module_name)) if is_file else _load_module(module_name)
    servers = {key: value for key, value in vars(module).items() if isinstance(value, TaskServer)}
    if name is not None:
        return _named(servers, module_name, name)
    # One server under two names is one server.
    if len({id(server) for server in servers.values()}) == 1:
        return next(iter(servers.values()))
    if servers:
        raise UserError(
            f"{module_name} has several task servers",
            why=", ".join(f"{module_name}:{key}" for key in servers),
            next=f"choose one: {module_name}:{next(iter(servers))}",
        )
    raise UserError(
        f"{module_name} has no task server", next='write in it: server = TaskServer("my-server")'
    )


def _split(target: str) -> tuple[str, str | None]:
    module_name, colon, name = target.rpartition(":")
    # `C:\tasks.py` has a colon, too, but no identifier behind it.
    return (module_name, name) if colon and name.isidentifier() else (target, None)


def _named(servers: dict[str, TaskServer], module_name: str, name: str) -> TaskServer:
    if name not in servers:
        listed = ", ".join(servers) or "none"
        raise UserError(
            f"{module_name} has no task server named {name}",
            why=f"task servers there: {listed}",
            next=f"give one of them as {module_name}:NAME",
        )
    return servers[name]


def _load_file(path: Path) -> ModuleType:
    path = path.expanduser().resolve()
    if not path.is_file():
        raise NotFound(
            f"there is no file {path}",
            next="give the path of a Python file, or a module as package.module",
        )
    name = f"cordyna_loaded_{next(_LOAD_NUMBERS)}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is no Python file", next="give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    _put_first_on_path(path.parent)
    with _fresh_imports(path.parent, str(path)):
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    _put_first_on_path(Path.cwd())
    with _fresh_imports(_folder_of(name.partition(".")[0]), name):
        return importlib.import_module(name)


def _folder_of(package: str) -> Path:
    """Return the folder that contains a package or module, without importing it."""
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


@contextlib.contextmanager
def _fresh_imports(folder: Path, target: str) -> Iterator[None]:
    """Make imports read files again; an error becomes a UserError and leaves no module behind."""
    _remove_modules(folder)
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything, also SystemExit
        _LOADED[folder] = _imported_since(before, folder)
        # A module whose import raised is no longer in sys.modules, but its bytecode was written.
        raised_in = [
            frame.filename
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename.startswith(f"{folder}{os.sep}")
        ]
        _remove_young_bytecode([*_files_of(_LOADED[folder]), *raised_in])
        _remove_modules(folder)
        raise _refusal(target, error) from error
    _LOADED[folder] = _imported_since(before, folder)
    _remove_young_bytecode(_files_of(_LOADED[folder]))


def _put_first_on_path(folder: Path) -> None:
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]


def _imported_since(before: set[str], folder: Path) -> set[str]:
    return {name for name in sys.modules.keys() - before if _is_users(name, folder)}


def _is_users(name: str, folder: Path) -> bool:
    file = getattr(sys.modules[name], "__file__", None) or ""
    return (
        file.startswith(f"{folder}{os.sep}")
        and "site-packages" not in file
        and not name.startswith("cordyna_core.")
    )


def _files_of(modules: Iterable[str]) -> list[str]:
    return [file for name in modules if (file := sys.modules[name].__file__)]


def _remove_young_bytecode(files: Iterable[str]) -> None:
    """Remove bytecode that a further edit in the same second would not invalidate.

    Python compares the second and the size of a source file with those in its bytecode.
    """
    for file in files:
        bytecode = Path(importlib.util.cache_from_source(file))
        with contextlib.suppress(OSError):  # it does not exist, or cannot be removed
            if bytecode.stat().st_mtime - Path(file).stat().st_mtime < _YOUNG_BYTECODE_S:
                bytecode.unlink()


def _remove_modules(folder: Path) -> None:
    stale = _LOADED.pop(folder, set())
    for modules in _LOADED.values():
        stale |= {name for name in modules if _contains(folder, name.partition(".")[0])}
        modules.difference_update(stale)
    for name in stale:
        sys.modules.pop(name, None)


def _contains(folder: Path, module: str) -> bool:
    return (folder / module).is_dir() or (folder / f"{module}.py").is_file()


def _refusal(target: str, error: BaseException) -> UserError:
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
        next="fix it, then load it again",
    )


def _location(error: BaseException) -> str:
    """Return the last frames of an error in the user's code, the innermost last."""
    frames = [
        f"{frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_LIBRARY, "<frozen importlib"))
    ]
    if isinstance(error, SyntaxError):
        frames.append(f"{error.filename}:{error.lineno}: {(error.text or '').strip()}")
    return "\n".join(frames[-_SHOWN_FRAMES_MAX:])
