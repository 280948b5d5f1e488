"""File watcher: which servers' files have changed, as the system reports it.

A thread waits for changes in the folders of the servers' files, without their other subfolders (a
virtual environment has thousands). When packages appear or vanish there, it begins again with the
folders as they are then; a comparison covers what changed in between.

Invariant: a change of a file is reported once, however many servers, writes and events it has; a
file that is replaced counts as changed.
"""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from watchfiles import watch

from cerebro.embedded.source_files import SourceFiles

_log = logging.getLogger("cordyna")

DEBOUNCE_MS: Final = 400
"""Changes that follow each other for so long are one."""
STEP_MS: Final = 50
RESCAN_S: Final = 1.0
"""How long it waits where there is nothing to watch."""


class FileWatcher:
    """Watches the files of `targets` from its construction until `close`."""

    def __init__(self, targets: Sequence[str]) -> None:
        self._files = {target: SourceFiles(target) for target in targets}
        self._seen = {target: files.stamps() for target, files in self._files.items()}
        self._changed: set[str] = set()
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._polls = False
        self._thread = threading.Thread(target=self._run, name="file-watcher", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def changed(self, wait_s: float = 0.0) -> list[str]:
        """Return the targets whose files have changed since the last call.

        Waits for one for `wait_s`.
        """
        with self._news:
            self._news.wait_for(lambda: self._changed, wait_s)
            changed = [target for target in self._files if target in self._changed]
            self._changed.clear()
        return changed

    def _run(self) -> None:
        while not self._stop.is_set():
            folders = self._folders()
            if not folders:
                self._stop.wait(RESCAN_S)
                continue
            try:
                self._watch(folders)
            except Exception as failure:  # noqa: BLE001  what the system cannot report is polled
                if not self._polls:
                    _log.warning("files are compared, not watched: %s", failure)
                self._polls = True
                self._stop.wait(RESCAN_S)

    def _folders(self) -> set[Path]:
        return {folder for files in self._files.values() for folder in files.folders()}

    def _watch(self, folders: set[Path]) -> None:
        """Take changes until the set of folders is another one."""
        is_first = True
        for changes in watch(
            *folders,
            watch_filter=None,
            recursive=False,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=int(RESCAN_S * 1000),
            yield_on_timeout=True,
            stop_event=self._stop,
            raise_interrupt=False,
            force_polling=self._polls or None,
        ):
            if changes or is_first:
                self._note({Path(path) for _, path in changes})
                is_first = False
                if self._folders() != folders:
                    return

    def _note(self, paths: set[Path]) -> None:
        for target, files in self._files.items():
            seen, stamps = self._seen[target], files.stamps()
            if stamps != seen or not paths.isdisjoint(stamps):
                self._seen[target] = stamps
                with self._news:
                    self._changed.add(target)
                    self._news.notify_all()
