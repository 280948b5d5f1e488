"""cordyna_core: what a task server is written with."""

from cordyna_core._version import __version__
from cordyna_core.context import Context
from cordyna_core.declaration import fresh
from cordyna_core.errors import RetryableError, TerminalError, UserError
from cordyna_core.result import TaskResult
from cordyna_core.task_server import TaskServer

__all__ = ["Context", "RetryableError", "TaskResult", "TaskServer", "TerminalError", "UserError", "__version__", "fresh"]
