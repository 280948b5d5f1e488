"""Dead letters of alerts: what could not be delivered, as a queue for `dyna dlq`.

Invariant: the caller holds a transaction of the home.
"""

from collections.abc import Collection
from typing import Final

from cerebro.embedded.alerts.outbox import dead_alerts, redrive
from cerebro.embedded.storage.home import Home
from cordyna_cli.operations import DeadLetterQueue, QueuedDeadLetter
from cordyna_core.errors import NotFound

ALERTS: Final = "alerts"
SAMPLES_MAX: Final = 10
LETTERS_MAX: Final = 200


def dead_alert_queues(home: Home) -> list[DeadLetterQueue]:
    """Return the queue of alerts, if it is not empty. A redrive delivers its messages again."""
    alerts = dead_alerts(home.alerts)
    if not alerts:
        return []
    letters = tuple(
        QueuedDeadLetter(id=str(alert.number), reason=alert.reason, text=alert.event)
        for alert in alerts[-LETTERS_MAX:]
    )
    samples = tuple(
        f"to {alert.owner or 'no owner'}: {alert.reason}: {alert.event}"
        for alert in alerts[-SAMPLES_MAX:]
    )
    return [DeadLetterQueue(ALERTS, len(alerts), ALERTS, samples, letters)]


def redrive_alerts(home: Home, ids: Collection[str]) -> int:
    """Deliver dead alerts again, or only these. Returns how many. Raises NotFound."""
    dead = dead_alerts(home.alerts)
    if unknown := sorted(set(ids) - {str(alert.number) for alert in dead}):
        raise NotFound(f"there is no dead letter {unknown[0]}.", next="dyna dlq ls")
    wanted = [alert for alert in dead if not ids or str(alert.number) in ids]
    redrive(home.alerts, wanted)
    return len(wanted)


def purge_alerts(home: Home) -> int:
    """Delete the dead alerts. Returns how many."""
    dead = dead_alerts(home.alerts)
    home.alerts.remove([alert.number for alert in dead])
    return len(dead)
