"""cordyna_core: the library for task servers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from cordyna_core._version import __version__

if TYPE_CHECKING:
    from cordyna_core.errors import RetryableError, TerminalError, UserError
    from cordyna_core.server.context import Context
    from cordyna_core.server.options import fresh
    from cordyna_core.server.result import TaskResult
    from cordyna_core.server.task_server import TaskServer
    from cordyna_core.server.upstream_types import upstream

__all__ = [
    "Context",
    "RetryableError",
    "TaskResult",
    "TaskServer",
    "TerminalError",
    "UserError",
    "__version__",
    "fresh",
    "upstream",
]

_MODULE_OF: Final = {
    "Context": "server.context",
    "RetryableError": "errors",
    "TaskResult": "server.result",
    "TaskServer": "server.task_server",
    "TerminalError": "errors",
    "UserError": "errors",
    "fresh": "server.options",
    "upstream": "server.upstream_types",
}
"""Imported when first used (PEP 562), so that importing the package does not import pydantic."""


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    return value
