"""Sending again what was lost: jobs whose message vanished with the broker, whose worker died, whose wait is over."""

import logging
from collections.abc import Iterator
from datetime import datetime

from kombu.exceptions import OperationalError

from jobs.models import Job, JobState
from jobs.wake import count_waiting_messages, wake_worker

logger = logging.getLogger(__name__)

SWEEP_BATCH = 500


def sweep_jobs(*, at: datetime, batch: int = SWEEP_BATCH) -> int:
    """Send the oldest due jobs to the workers until `batch` messages wait in their queue; return how many were sent.

    Whether a job's message is lost or only late cannot be known, so this may send one twice: the claim makes that
    harmless, and counting what waits keeps a slow hour from filling the broker. Many sweepers may run at once.
    """
    try:
        room = max(0, batch - count_waiting_messages())
    except OperationalError as error:
        logger.warning("Nothing was swept, the broker does not answer: %s", error)
        return 0
    sent = 0
    for job_id in list_due_jobs(at=at, limit=room):
        if not wake_worker(job_id):
            break
        sent += 1
    return sent


def list_due_jobs(*, at: datetime, limit: int) -> Iterator[int]:
    """Ids of at most `limit` jobs that a worker may claim: first those whose lease ran out, then those that wait."""
    expired = Job.objects.filter(state=JobState.RUNNING, lease_until__lte=at).order_by("lease_until")
    found = list(expired.values_list("pk", flat=True)[:limit])
    yield from found
    waiting = Job.objects.filter(state=JobState.QUEUED, run_at__lte=at).order_by("run_at")
    yield from waiting.values_list("pk", flat=True)[: limit - len(found)]
