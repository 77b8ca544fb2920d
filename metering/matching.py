"""Stored events found again: one by its source and id, or those that a filter matches and that still count."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString

from metering.catalogue import Catalogue
from metering.events import Measure, decode_data, find_claim
from metering.models import Claim
from metering.recounting import HistoryPruned
from metering.statements import run_statement

MATCHED_MAX = 10_000  # events of one call


@dataclass(frozen=True, slots=True)
class MatchedEvent:
    """A stored event; `account_id` is None while no account has its subject's name, `data` is JSON text."""

    source: str
    id: str
    type: str
    subject: str
    happened_at: datetime
    received_at: datetime
    account_id: int | None
    data: str


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Events that happened within [start, end) and are all of what is named; an empty text or None names nothing."""

    start: datetime
    end: datetime
    account_id: int | None = None
    subject: str = ""
    type: str = ""
    source: str = ""
    api_key_id: int | None = None


class UnknownEvent(LookupError):
    """No event of this source and id is stored, or it is not the caller's."""


class InvalidFilter(ValueError):
    """No event can match: the times are no window."""


class TooManyEvents(ValueError):
    """More events match than one call takes."""


COLUMNS: LiteralString = "source, event_id, type, subject, happened_at, received_at, account_id, data::text"

# The claim leads to the place of its event.
FIND_ONE: LiteralString = f"""
    SELECT {COLUMNS} FROM metering_event WHERE received_at = %s AND source = %s AND event_id = %s
"""  # noqa: S608  (put together from constants alone)

FIND_MATCHING: LiteralString = f"""
    SELECT {COLUMNS} FROM metering_event e
    WHERE happened_at >= %s AND happened_at < %s
        AND (%s::bigint IS NULL OR account_id = %s) AND (%s::bigint IS NULL OR account_id = %s)
        AND (%s = '' OR subject = %s) AND (%s = '' OR type = %s) AND (%s = '' OR source = %s)
        AND (%s::bigint IS NULL OR api_key_id = %s)
        AND NOT EXISTS (SELECT FROM metering_correction c WHERE c.source = e.source AND c.event_id = e.event_id)
    ORDER BY happened_at, source, event_id LIMIT %s
"""  # noqa: S608


def find_stored(source: str, event_id: str, *, account_id: int | None) -> MatchedEvent:
    """`account_id` is the account whose events the caller may see, None for all. Raises UnknownEvent, HistoryPruned."""
    claim = None if "\0" in source + event_id else Claim.objects.filter(claim=find_claim(source, event_id)).first()
    if claim is not None:
        rows = run_statement(FIND_ONE, [claim.received_at, source, event_id])
        if rows and account_id in (None, rows[0][6]):
            return read_row(*rows[0])
        if not rows and account_id is None:
            raise HistoryPruned(
                f"The raw event, received {claim.received_at:%Y-%m-%d %H:%M} UTC, was pruned; it counts for ever."
            )
    raise UnknownEvent(f"No event of source {source!r} has the id {event_id!r}.")


def find_matching(wanted: EventFilter, *, account_id: int | None) -> list[MatchedEvent]:
    """By their time, without those that were corrected. Raises InvalidFilter, TooManyEvents."""
    if wanted.start >= wanted.end:
        raise InvalidFilter("The start must be before the end.")
    if "\0" in wanted.subject + wanted.type + wanted.source:
        return []
    own, account, key = account_id, wanted.account_id, wanted.api_key_id
    texts = [wanted.subject, wanted.subject, wanted.type, wanted.type, wanted.source, wanted.source]
    values = [wanted.start, wanted.end, own, own, account, account, *texts, key, key, MATCHED_MAX + 1]
    rows = run_statement(FIND_MATCHING, values)
    if len(rows) > MATCHED_MAX:
        raise TooManyEvents(f"More than {MATCHED_MAX:,} events match; narrow the times.")
    return [read_row(*row) for row in rows]


def read_row(
    source: str,
    event_id: str,
    type_: str,
    subject: str,
    happened_at: datetime,
    received_at: datetime,
    account_id: int | None,
    data: str,
) -> MatchedEvent:
    times = happened_at.astimezone(UTC), received_at.astimezone(UTC)
    return MatchedEvent(source, event_id, type_, subject, *times, account_id, data)


def measure_matched(event: MatchedEvent, catalogue: Catalogue) -> tuple[Measure, ...]:
    """What it is worth to each meter that counts it."""
    if event.type not in catalogue.measurer.gauges:
        return ()
    measures, _ = catalogue.measurer.measure(event.type, decode_data(event.data), event.happened_at)
    return measures
