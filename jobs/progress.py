"""Progress that the world can see while the handler's transaction is still open."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

SHORTEST_PAUSE = timedelta(seconds=1)  # between two writes

WRITE_PROGRESS = """
    UPDATE jobs_job SET progress_done = %s, progress_total = %s, lease_until = %s
    WHERE id = %s AND lease_token = %s
"""


class LeaseLost(RuntimeError):
    """Another worker took the job over, or finished it; what this one did must not be committed."""


class ProgressReporter:
    """Writes one attempt's progress through a connection of its own, and renews the lease with each write."""

    def __init__(self, *, job_id: int, token: UUID, lease: timedelta, clock: Callable[[], datetime]) -> None:
        self.job_id, self.token, self.lease, self.clock = job_id, token, lease, clock
        self.written_at: datetime | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Raises LeaseLost; ValueError for numbers that are no progress."""
        if done < 0 or (total is not None and total < 0):
            raise ValueError(f"progress cannot be {done} of {total}")
        at = self.clock()
        pause = min(SHORTEST_PAUSE, self.lease / 3)
        if self.written_at is None or done == total or at - self.written_at >= pause:
            self.write(done, total, at + self.lease)
            self.written_at = at

    def write(self, done: int, total: int | None, lease_until: datetime) -> None:
        side = connections.create_connection(DEFAULT_DB_ALIAS)  # autocommit: seen at once, kept if the handler fails
        try:
            with side.cursor() as cursor:
                cursor.execute(WRITE_PROGRESS, [done, total, lease_until, self.job_id, self.token])
                if cursor.rowcount == 0:
                    raise LeaseLost(f"job {self.job_id} is no longer ours")
        finally:
            side.close()
