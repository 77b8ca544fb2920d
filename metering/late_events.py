"""Which events an adjustment is about: those that came late, those that were corrected and what counts in their place.

Ingestion stores and counts a batch at one moment, and a correction is written and counted at one: that moment is the
adjustment's own. So its events are found by it, in the one month in which they were received, and no month is searched.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, NamedTuple

from django.db import connection
from django.db.models import Q

from metering.events import find_claim
from metering.models import Adjustment, AdjustmentCause, Claim, Correction
from metering.outcomes import SELECT_EVENTS, EventRecord, MeterCount, StoredEvent, state_outcomes
from metering.statements import run_statement, text_array, time_array

PAGE = 50

RECEIVED: LiteralString = f"""
    {SELECT_EVENTS} WHERE e.received_at = %s AND e.account_id = %s AND (e.source, e.event_id) > (%s, %s)
    ORDER BY e.source, e.event_id LIMIT %s
"""

NAMED: LiteralString = f"""
    {SELECT_EVENTS} JOIN unnest(%s::timestamptz[], %s::text[], %s::text[]) AS n (received_at, source, event_id)
        ON e.received_at = n.received_at AND e.source = n.source AND e.event_id = n.event_id
    ORDER BY e.source, e.event_id
"""


class UnknownAdjustment(LookupError):
    """There is no adjustment with this id."""


class LatePosition(NamedTuple):
    """The event, or the corrected one, with which a page ends; the next page begins after it."""

    source: str
    id: str


@dataclass(frozen=True, slots=True)
class LateEvent:
    """An event of an adjustment, and what it counts for the adjustment's meter, or counted until it was corrected."""

    event: EventRecord
    count: MeterCount


@dataclass(frozen=True, slots=True)
class LatePage:
    """Some of an adjustment's events by source and id; a page may be short. `next` is None when it is the last."""

    events: tuple[LateEvent, ...]
    next: LatePosition | None


def list_late_events(adjustment_id: int, *, after: LatePosition | None = None, limit: int = PAGE) -> LatePage:
    """The events that the meter counts in the adjustment's window, so many or fewer. Six statements at most.

    Events that waited for their account were received before; they, what a new version of a meter made of its past, and
    what was dropped by its age are not found. Raises UnknownAdjustment.
    """
    adjustment = Adjustment.objects.select_related("meter").filter(pk=adjustment_id).first()
    if adjustment is None:
        raise UnknownAdjustment(f"There is no adjustment {adjustment_id}.")
    position = after or LatePosition("", "")
    if adjustment.cause == AdjustmentCause.LATE:
        names, rows = read_received(adjustment, position, limit)
    elif adjustment.cause == AdjustmentCause.CORRECTION:
        names, rows = read_corrected(adjustment, position, limit)
    else:
        names, rows = [], []
    return LatePage(pick_counted(adjustment, rows), names[limit - 1] if len(names) > limit else None)


def read_received(
    adjustment: Adjustment, after: LatePosition, limit: int
) -> tuple[list[LatePosition], list[StoredEvent]]:
    with connection.cursor() as cursor:
        cursor.execute(RECEIVED, [adjustment.made_at, adjustment.account_id, *after, limit + 1])
        rows = [StoredEvent(*row) for row in cursor.fetchall()]
    return [LatePosition(row.source, row.id) for row in rows], rows[:limit]


def read_corrected(
    adjustment: Adjustment, after: LatePosition, limit: int
) -> tuple[list[LatePosition], list[StoredEvent]]:
    """Each event that was corrected, beside the one that replaces it. Names are told for one more than `limit`."""
    follows = Q(source__gt=after.source) | Q(source=after.source, event_id__gt=after.id)
    made = Correction.objects.filter(follows, account_id=adjustment.account_id, made_at=adjustment.made_at)
    found = list(made.order_by("source", "event_id")[: limit + 1])
    shown = found[:limit]
    names = [(each.source, each.event_id) for each in shown]
    names += [(each.replacement_source, each.replacement_id) for each in shown if each.replacement_id]
    return [LatePosition(each.source, each.event_id) for each in found], read_named(names)


def read_named(names: Iterable[tuple[str, str]]) -> list[StoredEvent]:
    """Events by source and id, found by their claims; what was dropped is left out."""
    claims = {find_claim(*name): name for name in names}
    received = Claim.objects.filter(pk__in=claims).values_list("pk", "received_at")
    found = [(received_at, *claims[claim]) for claim, received_at in received]
    if not found:
        return []
    times, sources, ids = zip(*found, strict=True)
    return [
        StoredEvent(*row) for row in run_statement(NAMED, [time_array(times), text_array(sources), text_array(ids)])
    ]


def pick_counted(adjustment: Adjustment, rows: list[StoredEvent]) -> tuple[LateEvent, ...]:
    """Those that the meter counts for its account in the window; a level that carries over also from before it."""
    return tuple(
        LateEvent(record, count)
        for record in state_outcomes([row for row in rows if row.account_id == adjustment.account_id])
        for count in record.meters
        if count.meter_id == adjustment.meter_id and lies_in(adjustment, record.happened_at)
    )


def lies_in(adjustment: Adjustment, moment: datetime | None) -> bool:
    if moment is None or moment >= adjustment.ends_at:
        return False
    return moment >= adjustment.starts_at or adjustment.meter.carries_over
