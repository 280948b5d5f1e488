"""Program: a task server as the one program of its process, imported as Python would import it.

Invariant: the module has its real name, which any other process with this `sys.path` can import: so
pickles, spawn pools and forkservers work. It is imported once per process, and never again.

- `package.module` is imported with the working folder first on `sys.path`, as `python -m` does.
- A file in a package is that package's module: `src/shop/tasks.py` is `shop.tasks`, with `src`
  first on `sys.path`. Its own folder is last: neighbours are found by their short names, too, but
  a neighbour `queue.py` does not replace Python's.
- Another file is the module of its stem, with its folder first on `sys.path`, as `python file.py`
  has it.
- A file whose name is taken (by the standard library, by the library itself, by a package beside
  it) is imported under a name of its own: it works, but its classes cannot be pickled.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from cordyna_core.server.loading import import_as
from cordyna_core.server.server_target import (
    folder_of,
    load_error,
    parse_target,
    put_first_on_path,
    server_in,
)
from cordyna_core.server.task_server import TaskServer
from cordyna_core.server.young_bytecode import imported_since, remove_young_bytecode


def load_program(target: str) -> TaskServer:
    """Import the server `path/to/file.py[:name]` or `package.module[:name]`, once per process.

    Raises:
        NotFound: there is no such file or module.
        UserError: importing it raises, or it has no server, several, or none of that name.
    """
    parsed = parse_target(target)
    before = set(sys.modules)
    if parsed.is_file:
        path = parsed.file()
        folder, written = root_of(path), str(path)
    else:
        put_first_on_path(Path.cwd())
        folder, written = folder_of(parsed.module.partition(".")[0]), parsed.module
    try:
        module = _import_file(path) if parsed.is_file else importlib.import_module(parsed.module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything, also SystemExit
        remove_young_bytecode(imported_since(before, folder), folder, error)
        raise load_error(written, error) from error
    remove_young_bytecode(imported_since(before, folder), folder)
    return server_in(module, parsed)


def root_of(path: Path) -> Path:
    """Return the folder from which a file is imported: the one above its outermost package."""
    folder = path.parent
    while (folder / "__init__.py").is_file() and "." not in folder.name:
        folder = folder.parent
    return folder


def name_of(path: Path) -> str:
    """Return the dotted name under which a file is imported from its root."""
    parts = path.relative_to(root_of(path)).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _import_file(path: Path) -> ModuleType:
    root, name = root_of(path), name_of(path)
    put_first_on_path(root)
    if path.parent != root and str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    importlib.invalidate_caches()
    if _means(name, path):
        return importlib.import_module(name)
    return import_as(f"cordyna_program_{path.stem}", path)


def _means(name: str, path: Path) -> bool:
    """Return whether importing a name gives this file. Imports the packages above it."""
    top = name.partition(".")[0]
    if top in sys.modules or top in sys.stdlib_module_names or "." in path.stem:
        return False
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path
