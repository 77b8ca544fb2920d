"""What the clock and the job runner start."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from billing import invoicing, subscriptions
from jobs.queue import JobContext, handler


@shared_task
def enqueue_due_periods() -> None:
    """Beat's task: open the periods that come next, then promise the closing of those that ended."""
    at = timezone.now()
    subscriptions.open_next_periods(at)
    invoicing.enqueue_due_periods(at)


@handler(invoicing.CLOSE_PERIOD, lease=timedelta(minutes=5), max_attempts=10)
def close_one(job: JobContext) -> None:
    """The job's key is the period's id. Its effect commits together with the mark "done"."""
    invoicing.close_period(int(job.key), at=job.at)
