"""How many events each API key sent in each hour, by their fate.

Counted in the memory of the process and added to the table every few seconds by a thread of its own, so that a request
writes no row for it and two batches never wait for one counter. What a process that was killed had not added yet is
lost: the last few seconds of these figures, never an event.
"""

import atexit
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from django.conf import settings
from django.db import Error, connection

from metering.events import EventFate, Fate, floor_hour, tally_fates
from metering.models import ApiKey, IngestionFigure
from metering.statements import plain_array, run_statement, time_array

logger = logging.getLogger(__name__)

NAMES = (*(fate.value for fate in Fate), "skipped")

# By key and hour in their order, so that two processes wait for each other in one direction only.
ADD: LiteralString = """
    INSERT INTO metering_ingestionfigure AS f
        (api_key_id, hour, accepted, duplicate, conflict, rejected, unmatched, late, skipped)
    SELECT t.* FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::bigint[], %s::bigint[])
        AS t (api_key_id, hour, accepted, duplicate, conflict, rejected, unmatched, late, skipped)
    JOIN metering_apikey k ON k.id = t.api_key_id
    ORDER BY t.api_key_id, t.hour
    ON CONFLICT (api_key_id, hour) DO UPDATE SET
        accepted = f.accepted + excluded.accepted, duplicate = f.duplicate + excluded.duplicate,
        conflict = f.conflict + excluded.conflict, rejected = f.rejected + excluded.rejected,
        unmatched = f.unmatched + excluded.unmatched, late = f.late + excluded.late,
        skipped = f.skipped + excluded.skipped
"""

Key = tuple[int, datetime]  # API key, hour


@dataclass(frozen=True, slots=True)
class HourFigures:
    """What one key sent in the UTC hour from `hour`; of a sum over several keys or hours, from their first."""

    hour: datetime
    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    unmatched: int = 0
    late: int = 0
    skipped: int = 0

    @property
    def kept(self) -> int:
        return self.accepted + self.unmatched + self.late

    @property
    def refused(self) -> int:
        return self.rejected + self.conflict

    @property
    def sent(self) -> int:
        return self.kept + self.duplicate + self.refused


class FigureTally:
    """Counts that are not in the table yet. Any number of threads may add; each count is taken out once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: dict[Key, Counter[str]] = {}

    def add(self, key: Key, counts: Mapping[str, int]) -> None:
        with self.lock:
            self.counts.setdefault(key, Counter()).update(counts)

    def take(self) -> dict[Key, Counter[str]]:
        with self.lock:
            taken, self.counts = self.counts, {}
        return taken


class Flusher:
    """The thread that adds the tally to the table. One in each process that counts, from its first count on."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """A second call does nothing. Without EVENT_FIGURES_SECONDS figures wait until `flush_figures` is called."""
        if self.thread is not None or not settings.EVENT_FIGURES_SECONDS:
            return
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, name="figures", daemon=True)
                self.thread.start()
                atexit.register(self.end)

    def run(self) -> None:
        while not self.ended.wait(settings.EVENT_FIGURES_SECONDS):
            self.flush()

    def end(self) -> None:
        self.ended.set()
        self.flush()

    def flush(self) -> None:
        """Whatever the database says, the process goes on: the counts stay until the next time."""
        try:
            flush_figures()
        except Error:
            logger.warning("figures of ingestion wait for the database", exc_info=True)
        finally:
            connection.close()  # of this thread; it goes back to the pool


tally = FigureTally()
flusher = Flusher()


def begin_anew() -> None:
    """In a forked child: the parent adds its own counts, and its thread and its locks did not come along."""
    global tally, flusher
    tally, flusher = FigureTally(), Flusher()


os.register_at_fork(after_in_child=begin_anew)


def count_fates(fates: Sequence[EventFate], *, api_key_id: int, at: datetime) -> None:
    """Count what one request was answered. Writes nothing: the figures follow within EVENT_FIGURES_SECONDS."""
    counts = {fate.value: count for fate, count in tally_fates(fates).items() if count}
    counts["skipped"] = sum([len(fate.skipped) for fate in fates if fate.skipped])
    tally.add((api_key_id, floor_hour(at)), counts)
    flusher.start()


def flush_figures() -> int:
    """Add what this process has counted to the table, in one statement; returns how many rows of it there were.

    Raises django.db.Error; then nothing is lost. (A connection that breaks just at the commit may count twice.)
    """
    taken = tally.take()
    if not taken:
        return 0
    keys = sorted(taken)
    columns = [plain_array([taken[key][name] for key in keys]) for name in NAMES]
    try:
        run_statement(ADD, [plain_array([key for key, _ in keys]), time_array([hour for _, hour in keys]), *columns])
    except Error:
        for key, counts in taken.items():
            tally.add(key, counts)
        raise
    return len(keys)


def read_figures(*, api_key_ids: Iterable[int], start: datetime, end: datetime) -> dict[int, list[HourFigures]]:
    """API key → its hours within [start, end) in which something came, oldest first. One query."""
    found: dict[int, list[HourFigures]] = {api_key_id: [] for api_key_id in api_key_ids}
    rows = IngestionFigure.objects.filter(api_key_id__in=found, hour__gte=start, hour__lt=end)
    for api_key_id, hour, *counts in rows.order_by("hour").values_list("api_key_id", "hour", *NAMES):
        found[api_key_id].append(HourFigures(hour, **dict(zip(NAMES, counts, strict=True))))
    return found


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """One key and the hours in which it sent something, oldest first."""

    api_key_id: int
    name: str
    prefix: str
    is_revoked: bool
    hours: tuple[HourFigures, ...]
    total: HourFigures


def read_account_figures(*, account_id: int, start: datetime, end: datetime) -> list[KeyFigures]:
    """The account's own keys, by name, with what each sent in the hours that touch [start, end). Two queries."""
    keys = list(ApiKey.objects.filter(account_id=account_id).order_by("name", "pk"))
    hours = read_figures(api_key_ids=[key.pk for key in keys], start=floor_hour(start), end=end)
    return [
        KeyFigures(
            key.pk, key.name, key.prefix, key.revoked_at is not None, tuple(hours[key.pk]),
            add_figures(hours[key.pk], hour=start),
        )
        for key in keys
    ]  # fmt: skip


def add_figures(figures: Iterable[HourFigures], *, hour: datetime) -> HourFigures:
    """Their sum, under the hour that is given."""
    rows = list(figures)
    return HourFigures(hour, **{name: sum(getattr(row, name) for row in rows) for name in NAMES})


def prune_figures(*, at: datetime) -> int:
    """Drop figures older than EVENT_FIGURES_DAYS; returns how many rows. A second call drops nothing."""
    dropped, _ = IngestionFigure.objects.filter(hour__lt=at - timedelta(days=settings.EVENT_FIGURES_DAYS)).delete()
    return dropped
