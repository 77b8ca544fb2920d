"""What begins at once when an alert speaks: jobs of the apps above, which metering knows by their names alone.

The alert is the truth and the job a promise in the same transaction, so that nothing is missed when a worker is killed;
what beat runs every minute finds the same alerts.
"""

from collections.abc import Collection
from datetime import datetime

from jobs.queue import enqueue

KINDS: list[str] = []


def wakes(kind: str) -> None:
    """Register a kind of job, in the app's `ready`: one begins whenever alerts have spoken. A second call adds none."""
    if kind not in KINDS:
        KINDS.append(kind)


def wake(alert_ids: Collection[int], *, at: datetime) -> None:
    """Promise a job of each kind, in the caller's transaction, under the name of the last alert that spoke."""
    if alert_ids:
        for kind in KINDS:
            enqueue(kind, f"alert {max(alert_ids)}", at=at)
