"""Engine warnings: what the engine logs while a command runs, as sentences on stderr.

Invariant: at most one handler of a command is set; `dyna dev` sets its own, which stays alone.
"""

import logging
from typing import Final

from cordyna_cli.output.screen import Screen

_LOGGER: Final = logging.getLogger("cordyna")


class _WarningsOnScreen(logging.Handler):
    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.WARNING)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.note([record.getMessage()])


def show_warnings(screen: Screen) -> None:
    """Print warnings and errors of the engine to this screen from now on."""
    for handler in [other for other in _LOGGER.handlers if isinstance(other, _WarningsOnScreen)]:
        _LOGGER.removeHandler(handler)
    if not _LOGGER.handlers:
        _LOGGER.addHandler(_WarningsOnScreen(screen))
