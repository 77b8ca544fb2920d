"""The fate of one event, by its source and id.

An event is found through its claim: the claim knows when it was received, that time leads to its month and, through the
BRIN index, to the few pages there that were written at that time. A month is never read.
"""

from dataclasses import replace
from datetime import datetime
from typing import LiteralString

from django.db import connection

from metering.checking import CONTROL
from metering.events import find_claim
from metering.models import Claim, Correction, Pruning
from metering.outcomes import SELECT_EVENTS, EventRecord, Standing, StoredEvent, state_outcomes
from metering.rejections import list_rejections

FIND_EVENT: LiteralString = f"{SELECT_EVENTS} WHERE e.received_at = %s AND e.source = %s AND e.event_id = %s"
REFUSALS_SHOWN = 20


class UnknownEvent(LookupError):
    """Nothing of this source and id was ever received, or not for this account."""


def find_event(source: str, event_id: str, *, account_id: int | None = None) -> EventRecord:
    """What became of an event: eight statements at most, whatever is stored. Raises UnknownEvent.

    `account_id` is the account whose events the caller may see, None for all. Nobody knows any more whose a pruned
    event was, so those are told of to None alone.
    """
    refusals = tuple(
        list_rejections(account_id=account_id, source=source, event_id=event_id, limit=REFUSALS_SHOWN)
        if event_id
        else ()
    )
    received_at = find_claimed(source, event_id)
    event = None if received_at is None else read_event(source, event_id, received_at)
    if event is not None and account_id in (None, event.account_id):
        [record] = state_outcomes([event])
        return replace(record, replaces=list_replaced(source, event_id), refusals=refusals)
    if event is None and received_at is not None and account_id is None:
        return EventRecord(source, event_id, Standing.PRUNED, received_at=received_at, refusals=refusals)
    if refusals:
        return EventRecord(source, event_id, Standing.REJECTED, refusals=refusals)
    raise UnknownEvent(describe_unknown(account_id))


def find_claimed(source: str, event_id: str) -> datetime | None:
    """When the event of this name was received; None when there never was one."""
    if CONTROL.search(source) or CONTROL.search(event_id):
        return None
    return Claim.objects.filter(pk=find_claim(source, event_id)).values_list("received_at", flat=True).first()


def read_event(source: str, event_id: str, received_at: datetime) -> StoredEvent | None:
    with connection.cursor() as cursor:
        cursor.execute(FIND_EVENT, [received_at, source, event_id])
        row = cursor.fetchone()
    return None if row is None else StoredEvent(*row)


def list_replaced(source: str, event_id: str) -> tuple[tuple[str, str], ...]:
    """The events in whose place this one counts."""
    found = Correction.objects.exclude(replacement_id="").filter(replacement_source=source, replacement_id=event_id)
    return tuple(found.order_by("made_at").values_list("source", "event_id"))


def describe_unknown(account_id: int | None) -> str:
    unknown = "There is no event of this source and id."
    pruned = Pruning.objects.order_by("-month").values_list("month", flat=True).first()
    if account_id is None or pruned is None:
        return unknown
    return f"{unknown} Events that were received up to {pruned:%B %Y} were dropped by their age."
