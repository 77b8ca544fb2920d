"""What an account used of a meter. Read from hourly rollups: the cost is bound by hours, never by events.

Windows are `[start, end)`. Where a boundary falls inside an hour (a time zone at half an hour, a change at 10:17), the
events of that hour alone are read, by their time; on hour boundaries no statement names the events' table. A quantity
is rounded as its meter says, but for those of `read_windows`, which are compared with limits.
"""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import LiteralString, NamedTuple, TypeVar

import msgspec

from metering.aggregations import NOTHING, round_quantity
from metering.calendars import DAY, HOUR, Bucket, UnknownTimeZone, find_time_zone, split_hours, split_window
from metering.catalogue import ADDITIVE, UnknownMeter
from metering.events import floor_hour
from metering.history import HistoryPruned
from metering.hours import HourSpan, read_hours
from metering.plain_spans import read_one
from metering.plain_totals import is_plain, read_plain_spans
from metering.readings import measure_buckets, round_reading
from metering.seals import reduce_digest
from metering.spans import TERMS, FoundSpan, Span, Terms, read_every, read_spans, state_terms
from metering.statements import run_statement, text_array

__all__ = [
    "DAY",
    "HOUR",
    "Bucket",
    "CurrentUsage",
    "HistoryPruned",
    "HourSpan",
    "Point",
    "Reading",
    "UnknownMeter",
    "UnknownTimeZone",
    "Window",
    "floor_hour",
    "read_current",
    "read_hours",
    "read_series",
    "read_totals",
    "read_totals_between",
    "read_totals_of",
    "read_usage",
    "read_windows",
    "split_hours",
]

READ_CURRENT: LiteralString = """
    SELECT m.id, m.key, m.name, m.unit, m.aggregation, m.rounding, m.rounding_places, l.used, l.starts_at, l.ends_at
    FROM metering_meter m JOIN metering_limit l ON l.meter_id = m.id
    WHERE l.account_id = %s AND m.key = %s AND l.starts_at <= %s AND l.ends_at > %s
"""

FIND_METERS: LiteralString = """
    SELECT {terms} FROM metering_meter m WHERE m.key = ANY(%s::text[]) ORDER BY m.key
""".replace("{terms}", TERMS)

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one account used of one meter over [start, end).

    A digest that was asked for is also None where some events were counted before there were digests.
    """

    meter_id: int
    meter_key: str
    meter_name: str
    unit: str
    quantity: Decimal
    event_count: int
    start: datetime
    end: datetime
    aggregation: str = "sum"
    is_level: bool = False  # a mean, a maximum, what carries over: it does not grow by being used longer
    digest: int | None = None  # of the set of its events (`metering.seals`); None where it was not asked for


class Point(msgspec.Struct, frozen=True, gc=False):
    """What was used from `start` to the start of the next point, or to the end of the series.

    A level (a mean, a maximum, what carries over) is a value of its own: points of it are not added up.
    """

    start: datetime
    quantity: Decimal
    is_level: bool = False


@dataclass(frozen=True, slots=True)
class CurrentUsage:
    """What an account has used of a meter so far in the window of its limit, [start, end)."""

    meter_id: int
    meter_key: str
    meter_name: str
    unit: str
    aggregation: str
    quantity: Decimal
    start: datetime
    end: datetime


class Window(NamedTuple):
    """What one account used of one meter is asked for over [start, end)."""

    account_id: int
    meter_id: int
    start: datetime
    end: datetime


def read_usage(*, account_id: int, meter_key: str, start: datetime, end: datetime) -> Reading:
    """One meter of one account over [start, end), in one query or two. Raises UnknownMeter, HistoryPruned."""
    require_order(start, end)
    return state_reading(find_span(account_id, meter_key, [start, end]), start=start, end=end)


def read_current(*, account_id: int, meter_key: str, at: datetime) -> CurrentUsage | None:
    """The running total of the limit whose window contains `at`; None without one. Two rows, whatever was used."""
    rows = run_statement(READ_CURRENT, [account_id, meter_key, at, at])
    if not rows:
        return None
    meter_id, key, name, unit, aggregation, rounding, places, used, start, end = rows[0]
    quantity = round_quantity(used, rounding, places) if rounding else used
    return CurrentUsage(meter_id, key, name, unit, aggregation, quantity, start, end)


def read_totals(*, account_id: int, start: datetime, end: datetime, with_digests: bool = False) -> list[Reading]:
    """Every meter of one account over [start, end), by key and with those that count nothing, in one query."""
    return read_totals_of([account_id], start=start, end=end, with_digests=with_digests)[account_id]


def read_totals_of(
    account_ids: Collection[int], *, start: datetime, end: datetime, with_digests: bool = False
) -> dict[int, list[Reading]]:
    """account id → what read_totals says of it, for many accounts in one query."""
    require_order(start, end)
    readings: dict[int, list[Reading]] = {account_id: [] for account_id in account_ids}
    for span in read_every(account_ids, meter_keys=None, bounds=[start, end], is_sealed=with_digests):
        [reading] = state_readings(span, [start, end], with_digests=with_digests)
        readings[span.account_id].append(reading)
    return readings


def read_totals_between(
    asked: Mapping[Key, tuple[int, Sequence[datetime]]], *, meter_keys: Collection[str], with_digests: bool = False
) -> dict[Key, list[list[Reading]]]:
    """key → for each bound of an account and the next one, its readings of these meters by key.

    Every key has an account and ascending bounds of its own: two statements for any number of them, three where meters
    differ in kind, and one or two more where bounds split hours. Meters that are not there are left out. Raises
    HistoryPruned.
    """
    meters = list_terms(meter_keys)
    keys = [key for key in asked for _ in meters]
    spans = [Span(account_id, meter_id, bounds) for account_id, bounds in asked.values() for meter_id in meters]
    readings: dict[Key, list[list[Reading]]] = {key: [[] for _ in bounds[1:]] for key, (_, bounds) in asked.items()}
    for span in find_spans(spans, meters, is_sealed=with_digests):
        buckets = state_readings(span, spans[span.position - 1].bounds, with_digests=with_digests)
        for bucket, reading in zip(readings[keys[span.position - 1]], buckets, strict=True):
            bucket.append(reading)
    return readings


def list_terms(meter_keys: Collection[str]) -> dict[int, Terms]:
    """Those of meters that there are, by id, in the order of their keys."""
    found = [state_terms(*terms) for (terms,) in run_statement(FIND_METERS, [text_array(sorted(set(meter_keys)))])]
    return {terms.meter_id: terms for terms in found}


def find_spans(spans: Sequence[Span], meters: Mapping[int, Terms], *, is_sealed: bool) -> Iterator[FoundSpan]:
    """In their order, each read in the leanest way."""
    plain = {
        position: span for position, span in enumerate(spans, start=1) if is_plain(meters[span.meter_id], span.bounds)
    }
    others = [position for position in range(1, len(spans) + 1) if position not in plain]
    found = {span.position: span for span in read_plain_spans(plain, meters, is_sealed=is_sealed)}
    for span in read_spans([spans[position - 1] for position in others], is_sealed=is_sealed):
        position = others[span.position - 1]
        found[position] = replace(span, position=position)
    for position in range(1, len(spans) + 1):
        yield found[position]


def state_reading(span: FoundSpan, *, start: datetime, end: datetime) -> Reading:
    [reading] = state_readings(span, [start, end])
    return reading


def state_readings(span: FoundSpan, bounds: Sequence[datetime], *, with_digests: bool = False) -> list[Reading]:
    """Of one span, a reading for each bound and the next."""
    terms = span.terms
    is_level = find_is_level(terms)
    return [
        Reading(
            meter_id=terms.meter_id,
            meter_key=terms.key,
            meter_name=terms.name,
            unit=terms.unit,
            quantity=round_reading(terms, quantity),
            event_count=event_count,
            start=start,
            end=end,
            aggregation=terms.aggregation,
            is_level=is_level,
            digest=find_digest(span, bucket) if with_digests else None,
        )
        for bucket, ((start, end), (quantity, event_count)) in enumerate(
            zip(pairwise(bounds), measure_buckets(terms, span.parts, bounds), strict=True), start=1
        )
    ]


def find_digest(span: FoundSpan, bucket: int) -> int | None:
    seals = span.digests.get(bucket, NOTHING)
    return None if seals is None else reduce_digest(int(seals))


def find_is_level(terms: Terms) -> bool:
    return terms.carries_over or terms.aggregation not in ADDITIVE


def read_series(
    *, account_id: int, meter_key: str, start: datetime, end: datetime, bucket: Bucket, time_zone: str = "UTC"
) -> list[Point]:
    """One meter over [start, end) by hour, day or month of `time_zone`, zero-filled, in one query.

    The first and the last bucket are cut at the window's bounds. Of a meter that carries over each point is the level
    by its end. Raises UnknownMeter, UnknownTimeZone, HistoryPruned.
    """
    require_order(start, end)
    starts = list(split_window(bucket, start, end, find_time_zone(time_zone)))
    bounds = [*starts, end]
    return list_points(find_span(account_id, meter_key, bounds), bounds)


def find_span(account_id: int, meter_key: str, bounds: Sequence[datetime]) -> FoundSpan:
    span = read_one(account_id, meter_key, bounds)
    if span is None:
        raise UnknownMeter(f"No meter is called {meter_key!r}.")
    return span


def list_points(span: FoundSpan, bounds: Sequence[datetime]) -> list[Point]:
    terms = span.terms
    measured = measure_buckets(terms, span.parts, bounds)
    is_level = find_is_level(terms)
    return [
        Point(moment, round_reading(terms, quantity), is_level)
        for moment, (quantity, _) in zip(bounds, measured, strict=False)  # the last bound begins nothing
    ]


def read_windows(windows: Mapping[Key, Window]) -> dict[Key, Decimal]:
    """key → the quantity of its window, not rounded by its meter, in one query, and one more where hours are split.

    A meter that is not there counted nothing. Raises HistoryPruned.
    """
    for window in windows.values():
        require_order(window.start, window.end)
    keys = list(windows)
    spans = [Span(each.account_id, each.meter_id, (each.start, each.end)) for each in windows.values()]
    totals = dict.fromkeys(windows, NOTHING)
    for span in read_spans(spans):
        [(quantity, _)] = measure_buckets(span.terms, span.parts, spans[span.position - 1].bounds)
        totals[keys[span.position - 1]] = quantity
    return totals


def require_order(start: datetime, end: datetime) -> None:
    if start > end:
        raise ValueError("a window cannot end before it starts")
