"""A level that is there whether anybody acts or not, such as bytes stored, read every so many seconds."""

import threading
import time as clock
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from palier_client.problems import Problem

if TYPE_CHECKING:
    from palier_client.client import Client

STOP_SECONDS = 1.0


class Gauge:
    """Tracks `{"level": …, "seconds": …}`: what `read` says, and for how long it stood for that.

    `seconds` reaches back to the sample before, also over readings that failed; it is 0 in the first. So a meter of
    the latest or highest `level` shows the level, and one that sums `level * seconds / 3600` counts unit-hours.
    """

    def __init__(
        self,
        client: "Client",
        type: str,
        subject: str,
        *,
        read: Callable[[], int | Decimal],
        every: float,
        data: dict[str, Any],
    ) -> None:
        if every <= 0:
            raise ValueError("every must be a positive number of seconds")
        self.client, self.type, self.subject, self.read, self.every, self.data = (
            client,
            type,
            subject,
            read,
            every,
            data,
        )
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, name=f"palier-gauge-{type}", daemon=True)
        self.last: int | None = None

    def start(self) -> None:
        self.thread.start()

    def run(self) -> None:
        self.take_sample(clock.monotonic_ns())
        while not self.ending.wait(self.every):
            self.take_sample(clock.monotonic_ns())
        self.take_sample(clock.monotonic_ns())

    def take_sample(self, now: int) -> None:
        """`now` in nanoseconds of the clock that never goes back."""
        try:
            level = self.read()
        except Exception as error:
            self.client.reporter.report(Problem("callback", f"the gauge {self.type} cannot be read: {error!r}"))
            return
        elapsed = 0 if self.last is None else now - self.last
        self.last = now
        seconds = Decimal(elapsed // 1_000_000).scaleb(-3)
        self.client.track(self.type, self.subject, **(self.data | {"level": level, "seconds": seconds}))

    def stop(self) -> None:
        """Take a last sample and end; a reading that hangs is not waited for."""
        self.ending.set()
        if self.thread is not threading.current_thread():
            self.thread.join(STOP_SECONDS)
