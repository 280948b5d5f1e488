"""Recent runs: how every task ended in the newest runs, whichever task these were for.

Invariant: a run that has ended is read once; a heal or a retry gives it another state, and it is
read again.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cordyna_cli.engine import Engine

RUNS_KEPT: Final = 100

Word = tuple[str, str | None]
"""State and reason."""


@dataclass(slots=True)
class RecentRuns:
    """The words of all tasks of the last runs that were read, by run and its state."""

    _words: OrderedDict[tuple[str, str], Mapping[str, Word]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def words_of(self, engine: Engine, run_id: str, state: str) -> Mapping[str, Word]:
        """The word of every task of a run that has a fact. Raises NotFound."""
        key = (run_id, state)
        with self._lock:
            if key in self._words:
                self._words.move_to_end(key)
                return self._words[key]
        names, facts = engine.structure(run_id).task, engine.facts(run_id)
        columns = facts.columns
        words = {
            names[index]: facts.words[word]
            for index, word in zip(columns.task, columns.word, strict=True)
        }
        if facts.excerpt.state in ("completed", "error"):
            with self._lock:
                self._words[key] = words
                while len(self._words) > RUNS_KEPT:
                    self._words.popitem(last=False)
        return words
