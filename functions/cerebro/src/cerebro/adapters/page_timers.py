"""Page timers: which timers of pages a process has armed, for stores of one process.

Invariant: the notes are in memory, as the timers of such a process are, so both are lost together
when it ends.
"""


class ArmedPageTimers:
    """When the last armed timer of each page is due (UTC seconds)."""

    def __init__(self) -> None:
        self._due: dict[str, dict[int, float]] = {}

    def has_page_timer(self, run_id: str, page: int, after: float, until: float) -> bool:
        """See ports.Store."""
        due = self._due.get(run_id, {}).get(page)
        return due is not None and after < due <= until

    def write_page_timer(self, run_id: str, page: int, due: float, after: float) -> None:
        """See ports.Store."""
        if not self.has_page_timer(run_id, page, after, due):
            self._due.setdefault(run_id, {})[page] = due

    def forget_page_timers(self, run_id: str | None = None) -> None:
        """Drop the notes of one run, or of all."""
        if run_id is None:
            self._due.clear()
        else:
            self._due.pop(run_id, None)
