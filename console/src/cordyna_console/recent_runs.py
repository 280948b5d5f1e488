"""Recent runs: how every task ended in the newest runs, whichever task these were for.

Invariant: what is kept of a run that has ended is at most KEPT_S old, because a retry may end in
the same state with other tasks in error.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cordyna_cli.engine import Engine

RUNS_KEPT: Final = 100
KEPT_S: Final = 300.0

Word = tuple[str, str | None]
"""State and reason."""


@dataclass(frozen=True, slots=True)
class _ReadRun:
    """The words of a run, and its state, when they were read."""

    state: str
    at: datetime
    words: Mapping[str, Word]


@dataclass(slots=True)
class RecentRuns:
    """The words of all tasks of the last runs that were read, by run."""

    _kept: OrderedDict[str, _ReadRun] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def words_of(
        self, engine: Engine, run_id: str, state: str, now: datetime
    ) -> Mapping[str, Word]:
        """Return the word of every task of a run that has a fact. Raises NotFound.

        `state`: that of the run, as it was listed at `now`.
        """
        with self._lock:
            kept = self._kept.get(run_id)
        if kept is not None and kept.state == state and now - kept.at < timedelta(seconds=KEPT_S):
            return kept.words
        names, facts = engine.structure(run_id).task, engine.facts(run_id)
        columns = facts.columns
        words = {
            names[index]: facts.words[word]
            for index, word in zip(columns.task, columns.word, strict=True)
        }
        if facts.excerpt.is_final and facts.excerpt.state == state:
            with self._lock:
                self._kept[run_id] = _ReadRun(state, now, words)
                self._kept.move_to_end(run_id)
                while len(self._kept) > RUNS_KEPT:
                    self._kept.popitem(last=False)
        return words
