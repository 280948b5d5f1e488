"""Loading: from what a person types to the TaskServer that is meant.

Law: what is loaded is as it stands in the files now, however often it was loaded before; a fault is shown where the user
wrote it.

A file is loaded under a module name of its own, with its folder first on `sys.path`, so that it can import what lies
beside it; a dotted module is imported as everywhere, with the working folder on `sys.path`. All that a load imported from
beneath that folder is forgotten before the next load from there, so that it is read again; it is forgotten as well when
another folder's load brings a module of the same name. Installed packages and the library itself are never forgotten.
What was loaded before keeps the objects that it has.
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
"""The modules that loads from a folder have brought in from beneath it."""

_NUMBERS: Final = itertools.count(1)
_SHOWN_FRAMES: Final = 5

_YOUNG_S: Final = 2.0
"""Bytecode that was made sooner than this after its file was written is not kept."""

_LIBRARY: Final = str(Path(__file__).parent) + os.sep


def load_server(target: str) -> TaskServer:
    """The server that `path/to/file.py[:name]` or `package.module[:name]` means; without a name, the only one there.

    Raises:
        NotFound: no such file or module.
        UserError: importing it raises, or it has no server, several, or none of that name.
    """
    place, name = _split(target)
    is_file = place.endswith(".py") or "/" in place
    module = _load_file(Path(place)) if is_file else _load_module(place)
    servers = {each: value for each, value in vars(module).items() if isinstance(value, TaskServer)}
    if name is not None:
        return _named(servers, place, name)
    # One server under two names is one server.
    if len({id(server) for server in servers.values()}) == 1:
        return next(iter(servers.values()))
    if servers:
        listed = ", ".join(f"{place}:{each}" for each in servers)
        raise UserError(
            f"{place} has several task servers",
            why=listed,
            next=f"say which one: {place}:{next(iter(servers))}",
        )
    raise UserError(
        f"{place} has no task server", next='write in it: server = TaskServer("my-server")'
    )


def _split(target: str) -> tuple[str, str | None]:
    place, colon, name = target.rpartition(":")
    # `C:\tasks.py` has a colon, too, but nothing behind it that names a variable.
    return (place, name) if colon and name.isidentifier() else (target, None)


def _named(servers: dict[str, TaskServer], place: str, name: str) -> TaskServer:
    if name not in servers:
        listed = ", ".join(servers) or "none"
        raise UserError(
            f"{place} has no task server named {name}",
            why=f"task servers there: {listed}",
            next=f"give one of them as {place}:NAME",
        )
    return servers[name]


def _load_file(path: Path) -> ModuleType:
    path = path.expanduser().resolve()
    if not path.is_file():
        raise NotFound(
            f"there is no file {path}",
            next="give the path of a Python file, or a module as package.module",
        )
    name = f"cordyna_loaded_{next(_NUMBERS)}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is no Python file", next="give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    _put_first(path.parent)
    with _fresh_imports(path.parent, str(path)):
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    _put_first(Path.cwd())
    with _fresh_imports(_home_of(name.partition(".")[0]), name):
        return importlib.import_module(name)


def _home_of(package: str) -> Path:
    """The folder that holds a package or a module, which is not imported for that."""
    importlib.invalidate_caches()
    spec = importlib.machinery.PathFinder.find_spec(package)
    if spec is None:
        next_ = "give a module that can be imported from here, or a file as path/to/file.py"
        raise NotFound(
            f"there is no module {package}",
            why=f"looked for in {Path.cwd()} and on sys.path",
            next=next_,
        )
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin or "").parent


@contextlib.contextmanager
def _fresh_imports(folder: Path, target: str) -> Iterator[None]:
    """Imports read files again; a fault in them becomes a UserError, and leaves no half-made module behind."""
    _forget(folder)
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as fault:  # a module may raise anything, also SystemExit
        _LOADED[folder] = _brought_in(folder, before)
        # What raised while it was imported is no module any more, but has left its bytecode.
        raised_in = [
            frame.filename
            for frame in traceback.extract_tb(fault.__traceback__)
            if frame.filename.startswith(f"{folder}{os.sep}")
        ]
        _drop_young_bytecode([*_files_of(_LOADED[folder]), *raised_in])
        _forget(folder)
        raise _refusal(target, fault) from fault
    _LOADED[folder] = _brought_in(folder, before)
    _drop_young_bytecode(_files_of(_LOADED[folder]))


def _put_first(folder: Path) -> None:
    sys.path[:] = [str(folder), *(each for each in sys.path if each != str(folder))]


def _brought_in(folder: Path, before: set[str]) -> set[str]:
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


def _drop_young_bytecode(files: Iterable[str]) -> None:
    """Python tells bytecode from that of an earlier file by the second and the size: another edit in that second would go unseen."""
    for file in files:
        bytecode = Path(importlib.util.cache_from_source(file))
        with contextlib.suppress(OSError):  # there is none, or it cannot be written to
            if bytecode.stat().st_mtime - Path(file).stat().st_mtime < _YOUNG_S:
                bytecode.unlink()


def _forget(folder: Path) -> None:
    stale = _LOADED.pop(folder, set())
    for elsewhere in _LOADED.values():
        stale |= {name for name in elsewhere if _stands_in(folder, name.partition(".")[0])}
        elsewhere.difference_update(stale)
    for name in stale:
        sys.modules.pop(name, None)


def _stands_in(folder: Path, module: str) -> bool:
    return (folder / module).is_dir() or (folder / f"{module}.py").is_file()


def _refusal(target: str, fault: BaseException) -> UserError:
    if isinstance(fault, UserError):
        return UserError(
            f"{target} cannot be loaded: {fault.what}",
            why="\n".join(filter(None, (fault.why, _place(fault)))),
            next=fault.next,
        )
    said = "".join(traceback.format_exception_only(fault)).strip().splitlines()[-1]
    return UserError(
        f"{target} cannot be loaded: {said}", why=_place(fault), next="mend it, then load it again"
    )


def _place(fault: BaseException) -> str:
    """Where in the user's code a fault arose: the last frames, the innermost last."""
    frames = [
        f"{frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"
        for frame in traceback.extract_tb(fault.__traceback__)
        if not frame.filename.startswith((_LIBRARY, "<frozen importlib"))
    ]
    if isinstance(fault, SyntaxError):
        frames.append(f"{fault.filename}:{fault.lineno}: {(fault.text or '').strip()}")
    return "\n".join(frames[-_SHOWN_FRAMES:])
