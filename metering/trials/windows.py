"""Limits' windows as they were: what was allowed when, and what had been used by the end of each hour that moved it.

Read for some accounts at a time, a fixed number of statements for each: memory follows the batch.
"""

# ruff: noqa: S608  (the statements are put together from constants alone)

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import LiteralString, NamedTuple

from metering.aggregations import DEFAULT_PERCENTILE
from metering.calendars import HOUR
from metering.crossings import Level, narrow_level, read_parts
from metering.history import find_kept_from
from metering.progress import HourPart, Progress
from metering.statements import bigint_array, run_statement

OVERLAPPING: LiteralString = "l.starts_at < %s AND l.ends_at > %s"
READABLE: LiteralString = "m.aggregation <> 'percentile'"  # no sums say what a percentile was

COUNT_ACCOUNTS: LiteralString = f"SELECT count(DISTINCT account_id) FROM metering_limit l WHERE {OVERLAPPING}"
NEXT_ACCOUNTS: LiteralString = f"""
    SELECT DISTINCT account_id FROM metering_limit l WHERE {OVERLAPPING} AND account_id > %s ORDER BY 1 LIMIT %s
"""
READ_WINDOWS: LiteralString = f"""
    SELECT l.id, l.account_id, c.key, c.name, l.meter_id, m.key, m.name, m.unit, m.aggregation, m.carries_over, l.plan,
        l.starts_at, l.ends_at, coalesce(l.was_to_end_at, l.ends_at), l.quantity, l.epoch
    FROM metering_limit l JOIN metering_meter m ON m.id = l.meter_id JOIN metering_account c ON c.id = l.account_id
    WHERE l.account_id = ANY(%s::bigint[]) AND {OVERLAPPING} AND {READABLE}
    ORDER BY l.account_id, l.meter_id, l.starts_at
"""
READ_CHANGES: LiteralString = """
    SELECT limit_id, at, epoch, before, after FROM metering_limitchange
    WHERE limit_id = ANY(%s::bigint[]) AND epoch > 1 ORDER BY limit_id, at, epoch
"""


class AccountName(NamedTuple):
    id: int
    key: str
    name: str


class Allowed(NamedTuple):
    """From a moment on the quantity is this; None is unlimited."""

    at: datetime
    epoch: int
    quantity: Decimal | None


class Used(NamedTuple):
    """What the window read at the end of an hour in which it moved."""

    at: datetime
    total: Decimal


@dataclass(frozen=True, slots=True)
class TriedWindow:
    """A limit's window [start, end); one that was cut short went on until `whole_end`, and `used` says what it read.

    `allowed` begins with what held at the start. Both are in the order of time.
    """

    limit_id: int
    account: AccountName
    meter_id: int
    meter_key: str
    meter_name: str
    unit: str
    aggregation: str
    carries_over: bool
    plan: str
    start: datetime
    end: datetime
    whole_end: datetime
    allowed: tuple[Allowed, ...]
    used: tuple[Used, ...]

    def find_reached(self, quantity: Decimal) -> datetime | None:
        """The end of the hour in which it read the quantity first; any use reaches zero."""
        return next((at for at, total in self.used if total > 0 and total >= quantity), None)

    def find_total(self, at: datetime) -> Decimal:
        """What it read at a moment."""
        return next((total for moment, total in reversed(self.used) if moment <= at), Decimal(0))


def count_accounts(*, start: datetime, end: datetime) -> int:
    """Accounts with a limit whose window overlaps [start, end)."""
    [(count,)] = run_statement(COUNT_ACCOUNTS, [end, start])
    return int(count)


def list_accounts(*, start: datetime, end: datetime, batch: int) -> Iterator[list[int]]:
    """Their ids in order, so many at a time."""
    last = 0
    while found := [each for (each,) in run_statement(NEXT_ACCOUNTS, [end, start, last, batch])]:
        yield found
        last = found[-1]


def read_windows(account_ids: Sequence[int], *, start: datetime, end: datetime) -> list[TriedWindow]:
    """Every window of these accounts that overlaps [start, end), whole; those of percentiles are left out."""
    rows = run_statement(READ_WINDOWS, [bigint_array(account_ids), end, start])
    if not rows:
        return []
    changes: defaultdict[int, list[tuple[datetime, int, Decimal | None, Decimal | None]]] = defaultdict(list)
    for limit_id, *change in run_statement(READ_CHANGES, [bigint_array([row[0] for row in rows])]):
        changes[limit_id].append(tuple(change))
    kept_from = find_kept_from()
    levels = [narrow_level(Level(row[1], row[4], row[11], row[13], Decimal(1)), kept_from) for row in rows]
    used: defaultdict[int, list[Used]] = defaultdict(list)
    for position, parts in groupby(read_parts(levels), key=itemgetter(0)):
        used[position - 1] = list(list_totals(levels[position - 1], [*parts]))
    return [
        TriedWindow(
            limit_id=row[0], account=AccountName(*row[1:4]), meter_id=row[4], meter_key=row[5], meter_name=row[6],
            unit=row[7], aggregation=row[8], carries_over=row[9], plan=row[10], start=row[11], end=row[12],
            whole_end=row[13], allowed=tuple(list_allowed(row[11], row[14], row[15], changes[row[0]])),
            used=tuple(used[place]),
        )
        for place, row in enumerate(rows)
    ]  # fmt: skip


def list_allowed(
    start: datetime,
    quantity: Decimal | None,
    epoch: int,
    changes: Sequence[tuple[datetime, int, Decimal | None, Decimal | None]],
) -> Iterator[Allowed]:
    """Back from the changes on record; without any the present quantity held all along."""
    if not changes:
        yield Allowed(start, epoch, quantity)
        return
    yield Allowed(start, changes[0][1] - 1, changes[0][2])
    for at, number, _, after in changes:
        yield Allowed(max(at, start), number, after)


def list_totals(level: Level, rows: Sequence[tuple[object, ...]]) -> Iterator[Used]:
    """The reading after each hour; what was carried in stands at the window's start."""
    _, aggregation, percentile, *_ = rows[0]
    progress = Progress(
        str(aggregation), level.quantity, level.start, level.end,
        DEFAULT_PERCENTILE if percentile is None else percentile,  # type: ignore[arg-type]
    )  # fmt: skip
    for row in rows:
        part = HourPart(*row[3:])  # type: ignore[arg-type]
        progress.add_part(part)
        total = progress.read()
        if total is not None:
            yield Used(level.start if part.hour is None else min(part.hour + HOUR, level.end), total)
