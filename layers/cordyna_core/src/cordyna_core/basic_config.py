"""Basic config: the levels of user code's loggers, where their records are captured.

Invariant: what `logging.basicConfig` asks for is done as if the capture were not there, except that
no record is shown twice: a console handler that it makes is left out. Without it, INFO is kept.
"""

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any


def keep_info() -> Callable[[], None]:
    """Keep records of INFO and above, unless the root logger has a level. Returns what undoes it.

    Python's default is WARNING, which would drop what a module logs as `info`.
    """
    root = logging.getLogger()
    if root.level != logging.WARNING:
        return lambda: None
    root.setLevel(logging.INFO)
    return lambda: root.setLevel(logging.WARNING)


def honor_basic_config(capture: logging.Handler) -> Callable[[], None]:
    """Let `logging.basicConfig` set levels and make handlers beside `capture`, on the root logger.

    Without this it does nothing, because the root logger has a handler.
    Returns what undoes it.
    """
    configure = logging.basicConfig

    @functools.wraps(configure)
    def basic_config(**options: Any) -> None:
        root = logging.getLogger()
        root.removeHandler(capture)
        before = root.handlers[:]
        try:
            configure(**options)
        finally:
            for handler in root.handlers[:]:
                if handler not in before and _is_console(handler):
                    root.removeHandler(handler)
            root.addHandler(capture)

    def undo() -> None:
        logging.basicConfig = configure

    logging.basicConfig = basic_config
    return undo


def _is_console(handler: logging.Handler) -> bool:
    return type(handler) is logging.StreamHandler and handler.stream in (sys.stdout, sys.stderr)
