"""Telling a worker that a job waits. A hint, never the promise: a lost one is sent again by the sweeper."""

import logging
import time
from typing import Any

from celery import current_app
from kombu.exceptions import ChannelError

logger = logging.getLogger(__name__)

RUN_TASK = "jobs.tasks.run_job"
URGENT_QUEUE = "urgent"
QUIET_SECONDS = 5.0  # how long one process leaves a broker alone that did not answer

_quiet_until = 0.0


def wake_worker(job_id: int, *, is_urgent: bool = False) -> bool:
    """Send the job's id to the workers. Never raises; False when the broker did not take it.

    The wait is bounded by the broker's socket timeouts. After a failure this process sends nothing for some seconds,
    so that a transaction with a thousand jobs pays for one timeout and not for a thousand.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        queue = URGENT_QUEUE if is_urgent else current_app.conf.task_default_queue
        current_app.send_task(RUN_TASK, args=[job_id], queue=queue, retry=False)
    except Exception:  # whatever is wrong with the broker, the caller has committed its work and must not hear of it
        _quiet_until = time.monotonic() + QUIET_SECONDS
        logger.warning("The broker did not take job %s; the sweeper will send it again.", job_id, exc_info=True)
        return False
    return True


def count_waiting_messages() -> int:
    """How many messages wait in the workers' queue. Raises kombu's OperationalError when the broker is down."""
    with current_app.connection_for_read() as connection:
        channel: Any = connection.default_channel  # its published types know no queue_declare
        try:
            return int(channel.queue_declare(current_app.conf.task_default_queue, passive=True).message_count)
        except ChannelError:  # Redis keeps no empty list: a queue without messages is not there
            return 0
