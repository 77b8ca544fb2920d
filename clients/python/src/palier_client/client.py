"""`Client`: track() puts an event away and returns; a thread sends what was put away, until it has arrived."""

import atexit
import math
import os
import random
import threading
import time as clock
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from palier_client.backlog import Backlog, Batch
from palier_client.events import encode_event, require_name
from palier_client.gauges import Gauge
from palier_client.memory import Memory
from palier_client.problems import Kind, OnProblem, Problem, Reporter
from palier_client.sender import BodyRefused, Sender, Undelivered

BATCH_MAX_ROWS = 1_000  # the server takes no more
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between attempts
ADOPT_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class Stats:
    """Events since the process began, in numbers. Every one is in one place:
    tracked + adopted = delivered + refused + invalid + dropped + corrupt + waiting.
    """

    tracked: int = 0  # calls of track()
    adopted: int = 0  # found in the spool, left by processes that died
    delivered: int = 0  # the server has them: accepted, duplicate, unmatched, late
    refused: int = 0  # the server will never count them: rejected, conflict, or their request refused
    invalid: int = 0  # no event could be made of what was given
    dropped: int = 0  # no room, or the client was closed
    corrupt: int = 0  # cannot be read from the spool any more
    waiting: int = 0
    attempts_failed: int = 0  # requests, not events: those that had to be sent again


class Client:
    """Sends events to the server at `url` under `api_key`. Raises ValueError, OSError when it cannot be set up at all.

    `source` names this sender, as CloudEvents has it. `spool` is a folder on a local disk in which events wait instead
    of in memory, up to `spool_max_bytes`; without it up to `max_queue` wait. `fsync` makes the spool outlive a loss of
    power. `flush_interval`, `timeout` and `longest_wait` (between attempts) are seconds. `on_rejected` is called with
    a Problem for each event that the server will never count, `on_error` for all else that goes wrong; both from any
    thread.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        source: str,
        spool: str | os.PathLike[str] | None = None,
        max_queue: int = 100_000,
        spool_max_bytes: int = 256 * 1024 * 1024,
        fsync: bool = False,
        flush_interval: float = 1.0,
        batch_size: int = 500,
        timeout: float = 10.0,
        longest_wait: float = LONGEST_WAIT,
        compress: bool = True,
        on_rejected: OnProblem | None = None,
        on_error: OnProblem | None = None,
    ) -> None:
        require_name("source", source)
        if not 1 <= batch_size <= BATCH_MAX_ROWS:
            raise ValueError(f"batch_size must lie between 1 and {BATCH_MAX_ROWS}")
        if min(max_queue, spool_max_bytes, flush_interval, timeout, longest_wait) <= 0:
            raise ValueError("max_queue, spool_max_bytes, flush_interval, timeout and longest_wait must be positive")
        self.source, self.batch_size = source, batch_size
        self.flush_interval, self.longest_wait = flush_interval, longest_wait
        self.sender = Sender(url, api_key, timeout=timeout, compress=compress)
        self.reporter = Reporter(on_rejected=on_rejected, on_error=on_error)
        self.backlog: Backlog = Memory(max_rows=max_queue, batch_rows=batch_size)
        if spool is not None:
            from palier_client.spool import Spool  # only this needs POSIX

            self.backlog = Spool(Path(spool), max_bytes=spool_max_bytes, batch_rows=batch_size, fsync=fsync)
        self.backlog.open()
        self.is_closed = self.is_over = False
        self.begin()
        self.try_to(self.adopt)
        if self.backlog.waiting:
            self.start()
        clients.add(self)

    def begin(self) -> None:
        self.changed = threading.Condition()  # its lock may be taken twice: a signal's handler may track, too
        self.prefix, self.numbers = uuid4().hex, count(1)
        self.counts: Counter[str] = Counter()
        self.put_rows = self.done_rows = self.flush_up_to = 0
        self.thread: threading.Thread | None = None
        self.is_idle = False
        self.gauges: list[Gauge] = []
        self.stop_at: float | None = None
        self.adopt_at = 0.0

    def track(
        self, type: str, subject: str, /, *, id: str | None = None, time: datetime | None = None, **data: Any
    ) -> None:
        """Put one event away to be sent. Never raises, never waits for the network.

        Without `id` it is a new event; the same `id` again is the same event, which counts once. Without `time` it
        happens now.
        """
        name = f"{self.prefix}-{next(self.numbers)}" if id is None else id
        try:
            row = encode_event(source=self.source, id=name, type=type, subject=subject, time=time, data=data)
        except Exception as error:  # the values are the host's: their methods may raise anything
            self.note("invalid", describe(error), tracked=1)
            return
        try:
            trouble = self.put(row)
        except Exception as error:
            trouble = describe(error)
        if trouble:
            self.note("dropped", trouble, id=name, tracked=1)

    def put(self, row: bytes) -> str:
        """Why the row was not kept, or nothing."""
        with self.changed:
            if self.is_closed:
                return "the client is closed"
            if not self.backlog.put(row):
                return "there is no room for more"
            self.counts["tracked"] += 1
            self.put_rows += 1
            if self.thread is None:
                self.start()
            elif self.is_idle and self.backlog.waiting >= self.batch_size:
                self.is_idle = False
                self.changed.notify_all()
        return ""

    def sample(
        self, type: str, subject: str, /, *, read: Callable[[], int | Decimal], every: float, **data: Any
    ) -> Gauge:
        """Track now and every so many seconds what `read` says: `level`, and `seconds` since the sample before it."""
        gauge = Gauge(self, type, subject, read=read, every=every, data=data)
        self.gauges.append(gauge)
        gauge.start()
        return gauge

    def stats(self) -> Stats:
        with self.changed:
            return Stats(**self.counts, waiting=self.backlog.waiting)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was tracked so far has left, for so many seconds at most; whether it has."""
        with self.changed:
            wanted = self.put_rows
            if self.done_rows >= wanted:
                return True
            if not self.is_closed and self.thread is None:
                self.start()
            self.flush_up_to = wanted
            self.changed.notify_all()
            return self.changed.wait_for(lambda: self.done_rows >= wanted, timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Send what waits, for so many seconds at most. What is left then stays in the spool, or is lost. The end of
        the program closes by itself; again, it changes nothing.
        """
        for gauge in self.gauges:
            gauge.stop()
        with self.changed:
            if self.is_closed:
                return
            self.is_closed = True
            self.stop_at = clock.monotonic() + timeout
            thread = self.thread
            self.changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        with self.changed:
            self.is_over = True  # a request that is still under way settles nothing any more
            lost = self.backlog.close()
            self.counts["dropped"] += lost
        if lost:
            self.reporter.report(Problem("dropped", "not sent before the end", lost))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def note(self, kind: Kind, message: str, *, id: str = "", tracked: int = 0) -> None:
        """Count what went wrong and tell of it."""
        with self.changed:
            self.counts["tracked"] += tracked
            if kind in COUNTED:
                self.counts[COUNTED[kind]] += 1
        self.reporter.report(Problem(kind, message, id=id))

    def start(self) -> None:
        """With the lock held. Where no thread can be had, as at the very end of a program, what was put waits."""
        thread = threading.Thread(target=self.run, name="palier-client", daemon=True)
        try:
            self.backlog.open()
            thread.start()
        except (OSError, RuntimeError):
            return
        self.thread = thread

    def run(self) -> None:
        while True:
            with self.changed:
                self.is_idle = True
                self.changed.wait_for(self.is_due, self.flush_interval)
                self.is_idle = False
                is_last = self.is_closed
            if not is_last and clock.monotonic() >= self.adopt_at:
                self.try_to(self.adopt)
            if not self.try_to(self.deliver_all) and not is_last:
                self.pause(1, None)
            if is_last:
                self.sender.close()
                return

    def is_due(self) -> bool:
        return self.is_closed or self.backlog.waiting >= self.batch_size or self.done_rows < self.flush_up_to

    def try_to(self, act: Callable[[], None]) -> bool:
        """Whether it went well. Whatever happened, the next time it may."""
        try:
            act()
        except Exception as error:
            self.note("internal", describe(error))
            return False
        return True

    def adopt(self) -> None:
        """Let what dead processes left in the spool wait with the rest."""
        self.adopt_at = clock.monotonic() + ADOPT_EVERY
        for batch in self.backlog.collect_orphans():
            with self.changed:
                self.backlog.add(batch)
                self.put_rows += batch.rows
                self.counts["adopted"] += batch.rows

    def deliver_all(self) -> None:
        while True:
            with self.changed:
                is_late = self.stop_at is not None and clock.monotonic() >= self.stop_at
                batch = None if self.is_over or is_late else self.backlog.oldest()
            if batch is None or not self.deliver(batch):
                return

    def deliver(self, batch: Batch) -> bool:
        """Send until it has arrived or is refused for good, and forget it. False when the client must end before."""
        rows, unreadable = batch.read()
        pieces = [rows] if rows else []
        rejections: list[Problem] = []
        failures = 0
        while pieces:
            piece = pieces.pop()
            try:
                fates = self.sender.send(piece)
            except BodyRefused as error:
                if len(piece) > 1:  # one row may be the cause, or their number
                    half = len(piece) // 2
                    pieces += [piece[half:], piece[:half]]
                else:
                    rejections.append(Problem("refused", str(error)))
            except Undelivered as error:
                pieces.append(piece)
                failures += 1
                self.note("delayed", str(error))
                if not self.pause(failures, error.retry_after):
                    return False
            else:
                failures = 0
                rejections += [
                    Problem("conflict" if each.fate == "conflict" else "rejected", each.reason, id=each.id)
                    for each in fates
                    if each.fate in ("rejected", "conflict")
                ]
        self.settle(batch, rejections, unreadable)
        return True

    def settle(self, batch: Batch, rejections: list[Problem], unreadable: int) -> None:
        """Tell of what went wrong, then count and forget the batch: who waits for flush() has heard of all."""
        for each in rejections:
            self.reporter.report(each)
        if unreadable:
            self.reporter.report(Problem("corrupt", "rows of the spool cannot be read", unreadable))
        with self.changed:
            if self.is_over:
                return
            self.backlog.forget()
            self.counts["refused"] += len(rejections)
            self.counts["corrupt"] += unreadable
            self.counts["delivered"] += batch.rows - len(rejections) - unreadable
            self.done_rows += batch.rows
            self.changed.notify_all()

    def pause(self, failures: int, retry_after: float | None) -> bool:
        """Wait before the next attempt; whether there may be one. Closing ends the wait for a last attempt at once,
        unless the server said when it wants to be asked again.
        """
        seconds = find_wait(failures, retry_after, longest=self.longest_wait)
        due = clock.monotonic() + seconds
        with self.changed:
            if self.stop_at is None:
                is_closing = self.changed.wait_for(lambda: self.is_closed, seconds)
                if not is_closing or retry_after is None:
                    return True
            if self.is_over or self.stop_at is None or due >= self.stop_at:
                return False
            return not self.changed.wait_for(lambda: self.is_over, due - clock.monotonic())

    def renew(self) -> None:
        """In a process that was forked off: what waits, the thread and the gauges are its parent's."""
        self.backlog = self.backlog.renew()
        self.sender = self.sender.renew()
        self.begin()


COUNTED: dict[Kind, str] = {"invalid": "invalid", "dropped": "dropped", "delayed": "attempts_failed"}


def find_wait(failures: int, retry_after: float | None, *, longest: float) -> float:
    """Seconds until the next attempt: what the server asked for, else twice as long each time; never all at once."""
    if retry_after is not None:
        return retry_after + random.uniform(0, min(FIRST_WAIT, longest))  # noqa: S311
    doubled = math.ldexp(FIRST_WAIT, min(failures - 1, 20))
    return min(longest, doubled) * random.uniform(0.5, 1)  # noqa: S311


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


clients: "weakref.WeakSet[Client]" = weakref.WeakSet()


@atexit.register
def close_clients() -> None:
    for client in list(clients):
        client.close()


def renew_clients() -> None:
    for client in list(clients):
        client.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_clients)
