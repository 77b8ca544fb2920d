"""Handlers and tasks that exist in the tests alone; the workers of the tests import this module with `--include`."""

import os
import time
from datetime import timedelta
from pathlib import Path

from celery import shared_task
from django.utils import timezone

from jobs.queue import JobContext, enqueue, errand, handler
from tests.jobs.makers import add_effect

LONGEST_WAIT = 60.0  # seconds; a test that forgets to kill its worker ends nevertheless


@handler("tests.count")
def count(job: JobContext) -> None:
    """Leave one effect; take a moment for it when the payload says so."""
    add_effect(job.key, os.getpid())
    time.sleep(job.payload.get("seconds", 0))


@handler("tests.hang_at_first", lease=timedelta(seconds=1))
def hang_at_first(job: JobContext) -> None:
    """Leave the effect, tell the test in a file, and at the first attempt hang with the transaction open."""
    add_effect(job.key, os.getpid())
    if job.attempt == 1:
        Path(job.payload["started"]).write_text(str(os.getpid()))
        time.sleep(LONGEST_WAIT)


@errand("tests.hurry", is_urgent=True)
def hurry(job: JobContext) -> None:
    """What somebody waits for."""
    add_effect(job.key, os.getpid())


@shared_task(name="tests.do_without_claim")
def do_without_claim(key: str) -> None:
    """The body of `tests.count` as a plain Celery task: the negative control."""
    add_effect(key, os.getpid())


@shared_task(name="tests.promise_for_the_period")
def promise_for_the_period() -> None:
    """What every periodic task of ours does: promise what is due, by a key that comes from the data."""
    add_effect("task ran", os.getpid())
    enqueue("tests.count", "period 2026-11", at=timezone.now())
