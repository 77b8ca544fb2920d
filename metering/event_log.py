"""The log of events: what came in, newest first, a page at a time.

Always within a bounded window of `received_at`, the last day unless it says otherwise, so that the months outside are
not touched and the BRIN index leads to the pages inside. A page looks at the newest minutes first: where many events
come, they fill it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple

from django.db import connection

from metering.checking import CONTROL
from metering.lookup import find_claimed
from metering.outcomes import SELECT_EVENTS, EventRecord, StoredEvent, state_outcomes

PAGE = 50
COUNTED_MAX = 10_000  # more than so many are not counted to the end
WINDOW = timedelta(days=1)
WINDOW_MAX = timedelta(days=31)
SLICES = (timedelta(minutes=10), timedelta(hours=2))  # looked at first, each with one statement
MOMENT = timedelta(microseconds=1)

FATES = ("unmatched", "corrected")

CONDITIONS: LiteralString = """
    WHERE e.received_at >= %(start)s AND e.received_at < %(end)s
        AND (%(account)s::bigint IS NULL OR e.account_id = %(account)s)
        AND (%(source)s = '' OR e.source = %(source)s) AND (%(id)s = '' OR e.event_id = %(id)s)
        AND (%(type)s = '' OR e.type = %(type)s) AND (%(subject)s = '' OR e.subject = %(subject)s)
        AND (%(fate)s <> 'unmatched' OR e.account_id IS NULL)
        AND (%(fate)s <> 'corrected' OR c.kind IS NOT NULL)
        AND (%(text)s = '' OR e.event_id ILIKE %(text)s OR e.source ILIKE %(text)s OR e.subject ILIKE %(text)s
            OR e.data::text ILIKE %(text)s)
"""

READ_PAGE: LiteralString = f"""
    {SELECT_EVENTS} {CONDITIONS}
        AND (%(after_time)s::timestamptz IS NULL
            OR (e.received_at, e.source, e.event_id) < (%(after_time)s, %(after_source)s, %(after_id)s))
    ORDER BY e.received_at DESC, e.source DESC, e.event_id DESC LIMIT %(limit)s
"""

COUNT: LiteralString = f"""
    SELECT count(*), count(*) FILTER (WHERE is_unmatched AND NOT is_corrected), count(*) FILTER (WHERE is_corrected)
    FROM (
        SELECT e.account_id IS NULL AS is_unmatched, c.kind IS NOT NULL AS is_corrected
        FROM metering_event e
        LEFT JOIN metering_correction c ON c.source = e.source AND c.event_id = e.event_id
        {CONDITIONS} LIMIT %(limit)s
    ) AS found
"""  # noqa: S608


class InvalidWindow(ValueError):
    """The window is empty or longer than the log looks at."""


class LogPosition(NamedTuple):
    """Where a page ends, and the next one begins."""

    received_at: datetime
    source: str
    id: str


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are wanted: received within [start, end), and all of what else is not empty.

    `account_id` None asks for every account's, and for those that wait for one. `fate` is one of FATES. `text` is
    looked for in ids, sources, subjects and data, whatever its case.
    """

    start: datetime
    end: datetime
    account_id: int | None = None
    source: str = ""
    event_id: str = ""
    type: str = ""
    subject: str = ""
    fate: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        if not timedelta(0) < self.end - self.start <= WINDOW_MAX:
            raise InvalidWindow(f"The log shows up to {WINDOW_MAX.days} days at a time, the end after the start.")

    @property
    def is_impossible(self) -> bool:
        """Whether it asks for a text that no event has."""
        texts = (self.source, self.event_id, self.type, self.subject, self.text)
        return any(CONTROL.search(text) for text in texts) or self.fate not in ("", *FATES)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first; `next` is where the page after this one begins, None when this is the last."""

    events: tuple[EventRecord, ...]
    next: LogPosition | None


@dataclass(frozen=True, slots=True)
class LogCounts:
    """How many there are; of more than COUNTED_MAX, only that there are more."""

    total: int
    unmatched: int
    corrected: int
    has_more: bool


def begin_query(
    *, at: datetime, start: datetime | None = None, end: datetime | None = None, **terms: Any
) -> EventQuery:
    """A query over the last day, or a day that begins or ends when it is told. Raises InvalidWindow."""
    until = end if end is not None else (at + MOMENT if start is None else min(start + WINDOW_MAX, at + MOMENT))
    return EventQuery(start if start is not None else until - WINDOW, until, **terms)


def read_page(query: EventQuery, *, after: LogPosition | None = None, limit: int = PAGE) -> EventPage:
    """The newest events of the query, from below `after`. Seven statements at most, whatever is stored."""
    rows: list[StoredEvent] = []
    for start, end in split_window(narrow_query(query), after):
        rows += read_rows(replace(query, start=start, end=end), after=after, limit=limit + 1 - len(rows))
        if len(rows) > limit:
            break
    shown = rows[:limit]
    last = LogPosition(shown[-1].received_at, shown[-1].source, shown[-1].id) if len(rows) > limit else None
    return EventPage(tuple(state_outcomes(shown)), last)


def narrow_query(query: EventQuery) -> EventQuery | None:
    """An event that is named in full is found through its claim, whenever it came. None when nothing can be found."""
    if query.is_impossible:
        return None
    if not (query.source and query.event_id):
        return query
    received_at = find_claimed(query.source, query.event_id)
    return None if received_at is None else replace(query, start=received_at, end=received_at + MOMENT)


def split_window(query: EventQuery | None, after: LogPosition | None) -> Iterator[tuple[datetime, datetime]]:
    """The newest minutes, the hours before, the rest: each window only where the ones before did not fill a page."""
    if query is None:
        return
    end = query.end if after is None else min(query.end, after.received_at + MOMENT)
    for length in (*SLICES, WINDOW_MAX + WINDOW):
        start = max(query.start, end - length)
        if start < end:
            yield start, end
        end = start


def read_rows(query: EventQuery, *, after: LogPosition | None, limit: int) -> list[StoredEvent]:
    values = list_values(query) | {
        "after_time": after.received_at if after else None,
        "after_source": after.source if after else "",
        "after_id": after.id if after else "",
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(READ_PAGE, values)
        return [StoredEvent(*row) for row in cursor.fetchall()]


def count_events(query: EventQuery) -> LogCounts:
    """How many events the query finds, by what they are worth. Two statements at most."""
    narrowed = narrow_query(query)
    if narrowed is None:
        return LogCounts(0, 0, 0, has_more=False)
    with connection.cursor() as cursor:
        cursor.execute(COUNT, list_values(narrowed) | {"limit": COUNTED_MAX + 1})
        total, unmatched, corrected = cursor.fetchone()
    return LogCounts(min(total, COUNTED_MAX), unmatched, corrected, has_more=total > COUNTED_MAX)


def list_values(query: EventQuery) -> dict[str, Any]:
    escaped = query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return {
        "start": query.start,
        "end": query.end,
        "account": query.account_id,
        "source": query.source,
        "id": query.event_id,
        "type": query.type,
        "subject": query.subject,
        "fate": query.fate,
        "text": f"%{escaped}%" if query.text else "",
    }
