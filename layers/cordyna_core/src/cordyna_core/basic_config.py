"""Basic config: the levels of user code's loggers, where their records are captured.

Invariant: what `logging.basicConfig` asks for is done as if the captures were not there, except
that no record is shown twice: a console handler that it makes is left out. Without it, INFO is
kept. Captures may be removed in any order; after the last one, `logging` is as it was.
"""

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any


class _RootLevel:
    """Whether the root logger's level was raised here: a later WARNING is user code's own."""

    is_raised = False


def keep_info() -> Callable[[], None]:
    """Keep records of INFO and above, unless the root logger has a level. Returns what undoes it.

    Python's default is WARNING, which would drop what a module logs as `info`. Call this before
    user code is imported: afterwards, a WARNING of its own cannot be told from the default.
    """
    root = logging.getLogger()
    if root.level == logging.WARNING and not _RootLevel.is_raised:
        root.setLevel(logging.INFO)
        _RootLevel.is_raised = True
    return _undo_keep_info


def _undo_keep_info() -> None:
    root = logging.getLogger()
    if _RootLevel.is_raised and root.level == logging.INFO:
        root.setLevel(logging.WARNING)
    _RootLevel.is_raised = False


def honor_basic_config(capture: logging.Handler) -> Callable[[], None]:
    """Let `logging.basicConfig` set levels and make handlers beside `capture`, on the root logger.

    Without this it does nothing, because the root logger has a handler.
    Returns what undoes it.
    """
    shared = logging.basicConfig
    if not isinstance(shared, _BasicConfig):
        shared = logging.basicConfig = _BasicConfig(shared)
    shared.captures.append(capture)
    return functools.partial(shared.leave, capture)


class _BasicConfig:
    """`logging.basicConfig`, while there are captures."""

    def __init__(self, configure: Callable[..., None]) -> None:
        self._configure = configure
        self.captures: list[logging.Handler] = []
        functools.update_wrapper(self, configure)

    def __call__(self, **options: Any) -> None:
        root = logging.getLogger()
        for capture in self.captures:
            root.removeHandler(capture)
        before = root.handlers[:]
        try:
            self._configure(**options)
        finally:
            for handler in root.handlers[:]:
                if handler not in before and _is_console(handler):
                    root.removeHandler(handler)
            for capture in self.captures:
                root.addHandler(capture)

    def leave(self, capture: logging.Handler) -> None:
        configure = self._configure
        if capture in self.captures:
            self.captures.remove(capture)
        if not self.captures and logging.basicConfig is self:
            logging.basicConfig = configure


def _is_console(handler: logging.Handler) -> bool:
    return type(handler) is logging.StreamHandler and handler.stream in (sys.stdout, sys.stderr)
