"""Loading: a task server beside others in this process, for tests, debuggers and rehearsals.

(A worker process has one server only, and imports it as an ordinary program: see `program`.)

Invariant: a load gives what the files contain now, however often they were loaded before.

A file is loaded under a module name of its own, with its folder first on `sys.path`, so that it can
import its neighbours. A dotted module is imported as usual, with the working folder first on
`sys.path`. The modules that a load imported from below that folder are removed from `sys.modules`
before the next load from there, so they are read again; also before a load from another folder that
has a module of the same name. Installed packages and the library itself are never removed. What was
loaded before keeps its objects.
"""

import contextlib
import importlib
import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from cordyna_core.server.server_target import (
    folder_of,
    load_error,
    parse_target,
    put_first_on_path,
    server_in,
)
from cordyna_core.server.task_server import TaskServer
from cordyna_core.server.young_bytecode import imported_since, remove_young_bytecode

_LOADED: Final[dict[Path, set[str]]] = {}
"""By folder: the modules that loads from it have imported from below it."""

_LOAD_NUMBERS: Final = itertools.count(1)


def load_server(target: str) -> TaskServer:
    """Load the server `path/to/file.py[:name]` or `package.module[:name]`.

    Without a name, the module must have exactly one server.

    Raises:
        NotFound: there is no such file or module.
        UserError: importing it raises, or it has no server, several, or none of that name.
    """
    parsed = parse_target(target)
    module = _load_file(parsed.file()) if parsed.is_file else _load_module(parsed.module)
    return server_in(module, parsed)


def _load_file(path: Path) -> ModuleType:
    name = f"cordyna_loaded_{next(_LOAD_NUMBERS)}_{path.stem}"
    put_first_on_path(path.parent)
    with _fresh_imports(path.parent, str(path)):
        return import_as(name, path)


def _load_module(name: str) -> ModuleType:
    put_first_on_path(Path.cwd())
    with _fresh_imports(folder_of(name.partition(".")[0]), name):
        return importlib.import_module(name)


def import_as(name: str, path: Path) -> ModuleType:
    """Import a Python file under a name. Raises what it raises."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "it is a file that ends in .py"
    assert spec.loader is not None, "as above"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


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
        _LOADED[folder] = imported_since(before, folder)
        remove_young_bytecode(_LOADED[folder], folder, error)
        _remove_modules(folder)
        raise load_error(target, error) from error
    _LOADED[folder] = imported_since(before, folder)
    remove_young_bytecode(_LOADED[folder], folder)


def _remove_modules(folder: Path) -> None:
    stale = _LOADED.pop(folder, set())
    for modules in _LOADED.values():
        stale |= {name for name in modules if _contains(folder, name.partition(".")[0])}
        modules.difference_update(stale)
    for name in stale:
        sys.modules.pop(name, None)


def _contains(folder: Path, module: str) -> bool:
    return (folder / module).is_dir() or (folder / f"{module}.py").is_file()
