"""A worker that dies by SIGKILL before the statement it is told; run in a process of its own."""

import os
import signal
from datetime import datetime


def run_and_die(job_id: int, at: datetime, fatal: int) -> None:
    """Do the job, but for the `fatal`th statement, before which the process is gone. 0: live."""
    from django.db import connection

    from jobs.runner import run_job

    count = 0

    def count_and_die(execute, sql, params, many, context):
        nonlocal count
        count += 1
        if count == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count_and_die):
        run_job(job_id, clock=lambda: at)
